/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The registers of a system call, by architecture. Unlike libbpf's PT_REGS_PARM*_SYSCALL these are
 * typed loads from the kernel's own struct, which cost nothing; arm64 overwrites argument 1 with
 * the result, but arguments 2 and 3 stay in both.
 *
 * arch_flags of a task, ARCH_FOREIGN: it is in a 32-bit call, which has numbers and registers of
 * its own.
 *
 * arch_is_running(): the call has no result yet. x86-64 holds -ENOSYS in its place until then;
 * arm64 argument 1, which a result may equal by chance.
 */
#ifndef SONDE_ARCH_BPF_H
#define SONDE_ARCH_BPF_H

#include "vmlinux.h"

#define ENOSYS	  38
#define TS_COMPAT 2	    /* x86-64 */
#define TIF_32BIT (1 << 22) /* arm64 */

#if defined(__TARGET_ARCH_x86)
#define arch_call(r)	   ((r)->orig_ax)
#define arch_arg2(r)	   ((r)->si)
#define arch_arg3(r)	   ((r)->dx)
#define arch_arg1(r)	   ((r)->di)
#define arch_arg4(r)	   ((r)->r10)
#define arch_result(r)	   ((r)->ax)
#define arch_flags	   thread_info.status
#define ARCH_FOREIGN	   TS_COMPAT
#define arch_is_running(r) ((__s64)(r)->ax == -ENOSYS)
#elif defined(__TARGET_ARCH_arm64)
#define arch_call(r)	   ((__u64)(r)->syscallno)
#define arch_arg2(r)	   ((r)->regs[1])
#define arch_arg3(r)	   ((r)->regs[2])
#define arch_arg1(r)	   ((r)->orig_x0)
#define arch_arg4(r)	   ((r)->regs[3])
#define arch_result(r)	   ((r)->regs[0])
#define arch_flags	   thread_info.flags
#define ARCH_FOREIGN	   TIF_32BIT
#define arch_is_running(r) ((r)->regs[0] == (r)->orig_x0)
#else
#error "unknown architecture: add its registers here and its types to vmlinux/"
#endif

#endif
