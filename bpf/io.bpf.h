/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where the bytes of a hit are. The hook gives a socket and a count; the registers of the system
 * call that is just ending still hold its arguments, and a table by system call number (filled by
 * the loader for its architecture) says which form they have. No enter hook, no stash.
 *
 * Refused: kernel threads have no user registers; io_uring's workers have someone else's; calls
 * that move pages (sendfile, splice) have no bytes in user memory. These count bytes, unread.
 */
#ifndef SONDE_IO_BPF_H
#define SONDE_IO_BPF_H

#include "maps.bpf.h"
#include "arch.bpf.h"

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000

#define MSG_PEEK     0x2
#define MSG_TRUNC    0x20
#define MSG_ERRQUEUE 0x2000

#define IO_VECTORS 8 /* of a vectored call, looked at */

struct user_iovec {
	__u64 base;
	__u64 len;
};

struct user_msghdr_part { /* of struct msghdr, from msg_iov */
	__u64 iov;
	__u64 iovlen;
};

/* One send or receive, without kernel pointers so that global functions can take it. */
struct hit {
	__u64 now;
	__u64 last;	/* address of the last buffer that bytes went through */
	__u32 last_len; /* bytes in it; 0: not known */
	__u32 moved;
	__u32 dir; /* enum event_dir */
	__u32 seq; /* position of its first byte in its own direction */
	__u32 ack; /* position reached in the other one */
	__u32 unused;
	struct user_iovec iov[IO_VECTORS]; /* unused ones are empty */
};

extern const volatile __u8 io_forms[IO_CALLS];

/* A call may move less than its buffers hold: which one did it end in? */
static __always_inline void io_last(struct hit *hit)
{
	__u64 left = hit->moved;

	for (int i = 0; i < IO_VECTORS; i++) {
		if (hit->iov[i].len >= left) {
			hit->last = hit->iov[i].base;
			hit->last_len = left;
			return;
		}
		left -= hit->iov[i].len;
	}
}

static __always_inline bool io_vector(struct hit *hit, __u64 iov, __u64 n)
{
	if (n > IO_VECTORS)
		n = IO_VECTORS;
	if (n < 1 || bpf_probe_read_user(hit->iov, n * sizeof(hit->iov[0]), (void *)iov)) {
		count(COUNT_UNREADABLE);
		return false;
	}
	io_last(hit);
	return true;
}

static __always_inline __u8 io_form(const struct task_struct *task, const struct pt_regs *regs)
{
	__u64 call = arch_call(regs);

	if (task->flags & PF_IO_WORKER)
		return IO_URING;
	return call < IO_CALLS ? io_forms[call] : IO_NONE;
}

/* Finds the bytes of the hit; false if there are none, and counted if they cannot be read. */
static __always_inline bool io_find(struct hit *hit, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct user_msghdr_part msg;

	switch (io_form(task, regs)) {
	case IO_BUFFER:
		hit->last = hit->iov[0].base = arch_arg2(regs);
		hit->last_len = hit->iov[0].len = hit->moved;
		return true;
	case IO_VECTOR:
		return io_vector(hit, arch_arg2(regs), arch_arg3(regs));
	case IO_MESSAGE:
		/* msg_name and msg_namelen stand before msg_iov */
		if (!bpf_probe_read_user(&msg, sizeof(msg), (void *)(arch_arg2(regs) + 16)))
			return io_vector(hit, msg.iov, msg.iovlen);
		count(COUNT_UNREADABLE);
		return false;
	case IO_URING:
		count(COUNT_IO_URING);
		return false;
	case IO_NONE:
		count(COUNT_UNREADABLE);
		return false;
	}
	return false; /* bytes that never were in user memory */
}

#endif
