/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where the state of a socket is kept. A backend whose hooks give sockets that the kernel's helpers
 * take has it in socket storage: it lives and dies with its socket. Else (`state_hashed`) it stands
 * in hashes by the socket's address: dropped at the socket's end, and replaced where another socket
 * has got the address. Those are told apart by the inode that each has from socket() or accept()
 * on.
 *
 * A hashed socket is an address that may only be looked at: sock_get() does, and where every hit
 * needs it (STATE_CASTS), with plain loads from kernel 6.2 on.
 */
#ifndef SONDE_STATE_BPF_H
#define SONDE_STATE_BPF_H

#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>

#ifdef STATE_CASTS
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;
#define state_casts()		   (bpf_rdonly_cast != NULL)
#define state_cast_to(address, id) bpf_rdonly_cast((const void *)(address), id)
#else
#define state_casts()		   false
#define state_cast_to(address, id) NULL
#endif

/* The kernel's object at an address, to be looked at and no more. */
#define state_cast(address, type)                                                       \
	((type *)(state_casts() ? state_cast_to(address, bpf_core_type_id_kernel(type)) \
				: (void *)(address)))
#define state_load(object, field) (state_casts() ? (object)->field : BPF_CORE_READ(object, field))

/* A field of a socket. hashed: as `state_hashed`; where every hit looks, the hook knows it when it
 * is compiled. */
#define sock_load(hashed, sk, field)                            \
	({                                                      \
		typeof(sk) sk_ = (sk);                          \
		(hashed) ? state_load(sk_, field) : sk_->field; \
	})
#define sock_get(sk, field) sock_load(state_hashed, sk, field)

enum state_how {
	STATE_FIND = 0, /* NULL if there is none */
	STATE_MAKE = 1,
	STATE_NEW = 2, /* made, of a socket that nobody has accepted yet */
};

/* state.bpf.c */
struct conn *conn_hashed(__u64 sk, __u32 inode, int how) __attribute__((visibility("hidden")));
struct frames *frames_hashed(__u64 sk, int how) __attribute__((visibility("hidden")));
void state_drop(__u64 sk) __attribute__((visibility("hidden")));
void state_gone(__u64 sk, struct conn *c) __attribute__((visibility("hidden")));

/* The number of a socket's inode; 0: it has none yet, or its last process has let go. */
static __always_inline __u32 sock_inode(__u64 sk)
{
	const struct socket *socket = state_load(state_cast(sk, struct sock), sk_socket);

	if (!socket)
		return 0;
	return state_load(state_cast(socket, struct socket_alloc), vfs_inode.i_ino);
}

/* Of the file that a process has open. */
static __always_inline __u32 sock_file_flags(const struct sock *sk)
{
	const struct socket *socket = state_load(sk, sk_socket);
	const struct file *file = socket ? state_load(socket, file) : NULL;

	return file ? state_load(file, f_flags) : 0;
}

static __always_inline struct conn *conn_state(struct sock *sk, enum state_how how, bool hashed)
{
	if (hashed)
		return conn_hashed((__u64)sk, sock_inode((__u64)sk), how);
	return bpf_sk_storage_get(&conns, sk, NULL, how ? BPF_SK_STORAGE_GET_F_CREATE : 0);
}

static __always_inline struct conn *conn_of(struct sock *sk)
{
	return conn_state(sk, STATE_FIND, state_hashed);
}

static __always_inline struct frames *frames_state(struct sock *sk, bool hashed)
{
	if (hashed)
		return frames_hashed((__u64)sk, STATE_FIND);
	return bpf_sk_storage_get(&frames, sk, NULL, 0);
}

static __always_inline struct frames *frames_of(struct sock *sk)
{
	return frames_state(sk, state_hashed);
}

static __always_inline struct frames *frames_make(struct sock *sk)
{
	if (state_hashed)
		return frames_hashed((__u64)sk, STATE_MAKE);
	return bpf_sk_storage_get(&frames, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void frames_drop(struct sock *sk)
{
	__u64 key = (__u64)sk;

	if (state_hashed)
		bpf_map_delete_elem(&hashed_frames, &key);
	else
		bpf_sk_storage_delete(&frames, sk);
}

#endif
