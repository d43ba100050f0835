/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Backend `syscall`: the end of every system call, for kernels that have no better hook (5.10). A
 * table by number says which calls move bytes of a socket; the others leave at once. The registers
 * still hold the arguments, and the file descriptor leads to the socket, by its address: so state
 * is hashed (state.bpf.h).
 *
 * What moves outside system calls is not seen: io_uring, and 32-bit programs, whose calls have
 * numbers of their own. A descriptor that another thread closes before the call ends leads nowhere.
 */
#ifndef SONDE_BACKEND_SYSCALL_BPF_H
#define SONDE_BACKEND_SYSCALL_BPF_H

#include "hit.bpf.h"
#include <bpf/bpf_tracing.h>

#define MMSGHDR_BYTES	64 /* struct mmsghdr */
#define MMSGHDR_MSG_LEN 56

const volatile __u8 io_ways[IO_CALLS] = {};

/* Bytes that n messages of one call moved together. */
__noinline int call_messages(__u64 vector, __u32 n)
{
	__u32 moved = 0, length;

	for (__u32 i = 0; i < IO_MOST && i < n; i++) {
		if (bpf_probe_read_user(&length, sizeof(length),
					(void *)(vector + i * MMSGHDR_BYTES + MMSGHDR_MSG_LEN)))
			break;
		moved += length;
	}
	return moved;
}

/* The call's MSG_* flags. */
static __always_inline int call_flags(const struct pt_regs *regs, __u8 way)
{
	if (way & IO_FLAGS_THIRD)
		return arch_arg3(regs);
	return way & IO_FLAGS_FOURTH ? arch_arg4(regs) : 0;
}

static __always_inline int call_moved(struct io_call *of, __u32 call, __u8 way)
{
	__u64 address =
		io_sk_of(of->task, way & IO_TO_THIRD ? arch_arg3(of->regs) : arch_arg1(of->regs));

	if (!address)
		return 0;
	of->sk = state_cast(address, struct sock);
	of->dir = way & IO_IN ? DIR_IN : DIR_OUT;
	of->flags = call_flags(of->regs, way);
	if (!conn_wanted(of))
		return 0;
	if (of->moved && io_table.forms[call] == IO_MESSAGES)
		of->moved = call_messages(arch_arg2(of->regs), of->moved);
	if (of->moved)
		return conn_hit(of);
	/* the end of the stream, unless argument 3 says that nothing was asked for */
	if (of->dir == DIR_IN && (way & IO_FLAGS_THIRD || arch_arg3(of->regs)))
		return conn_end_read(of->sk, of->flags);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(call_ended, struct pt_regs *regs, long result)
{
	struct io_call of = {.regs = regs, .moved = result, .hashed = true};
	__u64 call = arch_call(regs);
	__u8 way;

	if (call >= IO_CALLS || result < 0)
		return 0;
	way = io_ways[call];
	if (!way)
		return 0;
	of.task = task_current();
	if (task_get(of.task, arch_flags) & ARCH_FOREIGN)
		return 0;
	return call_moved(&of, call, way);
}

#endif
