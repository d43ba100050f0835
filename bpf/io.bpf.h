/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
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

struct hit {
	struct sock *sk;
	struct task_struct *task;
	__u64 now;
	__u32 moved;
	__u8 dir;
	__u8 form; /* enum io_form; IO_NONE: unreadable */
	__u8 vectors;
	__u32 last_len; /* of the last buffer that bytes went through; 0: not known */
	__u64 last;	/* its address */
	struct user_iovec iov[IO_VECTORS];
};

extern const volatile __u8 io_forms[IO_CALLS];

/* A call may move less than its buffers hold: which one did it end in? */
static __always_inline void io_last(struct hit *hit)
{
	__u64 left = hit->moved;

	for (int i = 0; i < IO_VECTORS && i < hit->vectors; i++) {
		if (hit->iov[i].len >= left) {
			hit->last = hit->iov[i].base;
			hit->last_len = left;
			return;
		}
		left -= hit->iov[i].len;
	}
}

static __always_inline void io_vector(struct hit *hit, __u64 iov, __u64 n)
{
	if (n > IO_VECTORS)
		n = IO_VECTORS;
	if (n < 1 || bpf_probe_read_user(hit->iov, n * sizeof(hit->iov[0]), (void *)iov)) {
		hit->form = IO_NONE;
		return;
	}
	hit->vectors = n;
	io_last(hit);
}

static __always_inline void io_find(struct hit *hit)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(hit->task);
	struct user_msghdr_part msg;
	__u64 call = arch_call(regs);

	hit->form = hit->task->flags & PF_IO_WORKER ? IO_URING
		    : call < IO_CALLS		    ? io_forms[call]
						    : IO_NONE;
	switch (hit->form) {
	case IO_BUFFER:
		hit->iov[0].base = arch_arg2(regs);
		hit->last = hit->iov[0].base;
		hit->iov[0].len = hit->last_len = hit->moved;
		hit->vectors = 1;
		break;
	case IO_VECTOR:
		io_vector(hit, arch_arg2(regs), arch_arg3(regs));
		break;
	case IO_MESSAGE:
		/* two ints' worth of name and namelen stand before msg_iov */
		if (bpf_probe_read_user(&msg, sizeof(msg), (void *)(arch_arg2(regs) + 16)))
			hit->form = IO_NONE;
		else
			io_vector(hit, msg.iov, msg.iovlen);
		break;
	case IO_URING:
		count(COUNT_IO_URING);
		break;
	}
}

static __always_inline bool io_readable(const struct hit *hit)
{
	return hit->form == IO_BUFFER || hit->form == IO_VECTOR || hit->form == IO_MESSAGE;
}

#endif
