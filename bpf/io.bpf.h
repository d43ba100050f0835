/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where the bytes of a hit are. The hook gives a socket and a count; the registers of the system
 * call that is just ending still hold its arguments, and a table by system call number (filled by
 * the loader for its architecture) says which form they have. No enter hook, no stash. Of a
 * vectored call the first buffers are looked at here, the others only when a head or a tail needs
 * them.
 *
 * What io_uring moves is found by its request, see uring.bpf.c.
 *
 * Refused: kernel threads have no user registers; calls that move pages (sendfile, splice) have no
 * bytes in user memory; of several messages in one call the hook does not say which it was. These
 * count bytes, unread.
 */
#ifndef SONDE_IO_BPF_H
#define SONDE_IO_BPF_H

#include "maps.bpf.h"
#include "arch.bpf.h"
#include "life.bpf.h"
#include "state.bpf.h"
#include <bpf/bpf_core_read.h>

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000

#define O_NONBLOCK 04000

#define MSG_OOB	     0x1
#define MSG_PEEK     0x2
#define MSG_TRUNC    0x20
#define MSG_DONTWAIT 0x40
#define MSG_ERRQUEUE 0x2000

#define IO_NEAR 2    /* buffers of a vectored call that are looked at in any case */
#define IO_FAR	64   /* and that may be looked at for a head or a tail */
#define IO_MOST 1024 /* of one call, and messages: the kernel's own limits */

struct user_iovec {
	__u64 base;
	__u64 len;
};

#define MSG_IOV 16 /* behind msg_name and msg_namelen */

struct user_msghdr_part { /* of struct msghdr, from msg_iov */
	__u64 iov;
	__u64 iovlen;
};

/* A record wants its connection's to go out before it. */
enum hit_again { HIT_FIRST = 0, HIT_AGAIN = 1 };

/* One send or receive, without kernel pointers so that global functions can take it. */
struct hit {
	__u64 now;
	__u64 vector;			 /* address of the call's array of struct iovec */
	struct user_iovec near[IO_NEAR]; /* of it; unused ones are empty */
	__u32 tgid;			 /* of the current task */
	__u32 tid;
	__u32 moved;
	__u32 seq;	 /* position of its first byte in its own direction */
	__u32 ack;	 /* position reached in the other one */
	__u32 ring_used; /* bytes */
	__u32 dir;	 /* enum event_dir */
	__u16 vectors;	 /* length of the array, at most IO_MOST */
	__u8 detail;	 /* enum event_detail: what may go out of it */
	__u8 in_kernel;	 /* the array is the kernel's copy */
	__u8 again;	 /* enum hit_again */
	__u8 said;	 /* that it cannot be read has been counted */
	__u8 hole;	 /* bytes before it were read without a hit */
	__u8 unseen;	 /* what moved is not known, and nobody will say */
	__u8 waiting;	 /* the call would have waited for bytes */
};

extern struct io_table io_table;

/* A call that moved bytes of a socket. Never in memory: hooks pass it on in registers, or know it
 * when they are compiled. */
struct io_call {
	struct sock *sk;
	struct task_struct *task;   /* the current one */
	const struct pt_regs *regs; /* hashed: of its system call that has just ended */
	__u32 moved;
	__u32 dir;
	int flags;   /* MSG_* */
	bool hashed; /* where the socket's state is, see state.bpf.h */
};

/* Counts the hit as unseen, once. Always false. */
static __always_inline bool io_unseen(struct hit *hit, __u32 why)
{
	if (!hit->said)
		count(why);
	hit->said = 1;
	return false;
}

/* uring.bpf.c: the bytes that an io_uring request has just moved; false if they are not known. sk
 * is the socket's address: no more than a number. */
int uring_find(struct hit *hit, __u64 sk);

static __always_inline bool io_vector(struct hit *hit, __u64 vector, __u64 n)
{
	__u64 bytes = (n < IO_NEAR ? n : IO_NEAR) * sizeof(struct user_iovec);

	hit->vector = vector;
	hit->vectors = n < IO_MOST ? n : IO_MOST;
	/* clang 14 loses the bound otherwise */
	asm volatile("" : "+r"(bytes));
	if (bytes && bytes <= sizeof(hit->near) &&
	    !bpf_probe_read_user(hit->near, bytes, (void *)vector))
		return true;
	return io_unseen(hit, COUNT_UNREADABLE);
}

static __always_inline bool io_message(struct hit *hit, __u64 address)
{
	struct user_msghdr_part msg;

	if (!bpf_probe_read_user(&msg, sizeof(msg), (void *)(address + MSG_IOV)))
		return io_vector(hit, msg.iov, msg.iovlen);
	return io_unseen(hit, COUNT_UNREADABLE);
}

/* The address of the struct sock behind a file; 0 if that is no socket. */
static __always_inline __u64 io_sk(const struct file *at)
{
	const struct file *file = state_cast(at, struct file);
	const struct socket *socket = state_cast(state_load(file, private_data), struct socket);

	return (__u64)state_load(socket, file) == (__u64)at ? (__u64)state_load(socket, sk) : 0;
}

/* The same of a file descriptor. */
static __always_inline __u64 io_sk_of(const struct task_struct *task, __u32 fd)
{
	const struct files_struct *files = task_get(task, files);
	const struct fdtable *table = task_get(files, fdt);
	struct file *file;

	if (fd >= task_get(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), task_get(table, fd) + fd))
		return 0;
	return io_sk(file);
}

static __always_inline __u8 io_form_of(const struct pt_regs *regs)
{
	__u64 call = arch_call(regs);

	return call < IO_CALLS ? io_table.forms[call] : IO_NONE;
}

/* May the bytes be io_uring's? */
static __always_inline bool io_has_uring(const struct task_struct *task)
{
	if (unlikely(task_get(task, flags) & PF_IO_WORKER))
		return true;
	return bpf_core_field_exists(task->io_uring) && unlikely(task_get(task, io_uring));
}

/*
 * io_uring moves bytes in its own workers, but also as task work: after interrupts, and at the end
 * of any system call, whose registers still tell of that call's own buffer. So for a task that uses
 * it, a call is what moves these bytes only if it is still running and is about this socket. (A
 * tracer's stop at the begin of a call runs task work, too.)
 */
static __always_inline __u8 io_form(const struct io_call *of, const struct pt_regs *regs)
{
	const struct task_struct *task = of->task;
	__u8 form = io_form_of(regs);

	if (of->hashed || likely(!io_has_uring(task)))
		return form;
	if (task_get(task, flags) & PF_IO_WORKER || task_get(task, ptrace) ||
	    !arch_is_running(regs))
		return IO_URING;
	if (form == IO_NO_BYTES || io_sk_of(task, arch_arg1(regs)) == (__u64)of->sk)
		return form;
	return IO_URING;
}

/* Not the address of a socket, which may not be stored, but the same as a number. */
static __always_inline __u64 io_number(const struct sock *sk)
{
	return (__u64)BPF_CORE_READ(sk, sk_socket, sk);
}

/* The registers of the current task's system call. To ask for them is a call, so that is done once.
 */
static __always_inline const struct pt_regs *io_regs(struct task_struct *task)
{
	const struct pt_regs *regs;
	__u64 stack;

	if (!state_casts())
		return task_regs(task);
	stack = (__u64)task_get(task, stack);
	if (unlikely(!io_table.regs_place)) {
		regs = task_regs(task);
		io_table.regs_place = (__u64)regs - stack;
	}
	return state_cast(stack + io_table.regs_place, struct pt_regs);
}

static __always_inline long io_read(struct user_iovec *to, __u64 from)
{
	return bpf_probe_read_user(to, sizeof(*to), (void *)from);
}

/* Where the first bytes of the hit are, and how many stand there at most; 0 of them: that takes
 * io_find(). */
static __always_inline __u64 io_begin(const struct io_call *of, __u64 *n)
{
	const struct pt_regs *regs;
	struct user_iovec first; /* first the array, if that is a message's */
	__u8 form;

	*n = 0;
	if (!of->hashed && io_has_uring(of->task))
		return 0;
	regs = of->hashed ? of->regs : io_regs(of->task);
	form = io_form_of(regs);
	if (likely(form == IO_BUFFER)) {
		*n = of->moved;
		return arch_arg2(regs);
	}
	if (likely(form == IO_VECTOR)) {
		if (io_read(&first, arch_arg2(regs)))
			return 0;
	} else if (form != IO_MESSAGE || io_read(&first, arch_arg2(regs) + MSG_IOV) ||
		   io_read(&first, first.base)) {
		return 0;
	}
	*n = first.len;
	return first.base;
}

/*
 * Finds the bytes of the hit; false if there are none, and counted if they cannot be read.
 */
static __always_inline bool io_find(struct hit *hit, const struct io_call *of)
{
	const struct pt_regs *regs = of->hashed ? of->regs : io_regs(of->task);
	__u8 form = io_form(of, regs);

	if (likely(form == IO_BUFFER)) {
		hit->near[0].base = arch_arg2(regs);
		hit->near[0].len = hit->moved;
		hit->vectors = 1;
		return true;
	}
	if (likely(form == IO_VECTOR))
		return io_vector(hit, arch_arg2(regs), arch_arg3(regs));
	switch (form) {
	case IO_MESSAGES:
		if ((of->hashed ? arch_result(regs) : arch_arg3(regs)) != 1)
			break;
		/* fall through */
	case IO_MESSAGE:
		return io_message(hit, arch_arg2(regs));
	case IO_URING:
		if (URING_IS_READ && uring_find(hit, io_number(of->sk)))
			return true;
		life_add(task_get(of->task, tgid), LIFE_URING_UNREAD);
		hit->unseen = 1;
		return io_unseen(hit, COUNT_IO_URING);
	case IO_NONE:
		return io_unseen(hit, COUNT_UNREADABLE);
	}
	return false; /* not in user memory, or who knows where: unseen where a head was due */
}

#endif
