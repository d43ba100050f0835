/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The registers of a system call, by architecture. Unlike libbpf's PT_REGS_PARM*_SYSCALL these are
 * typed loads from the kernel's own struct, which cost nothing; arm64 overwrites argument 1 with
 * the result, but arguments 2 and 3 stay in both.
 */
#ifndef SONDE_ARCH_BPF_H
#define SONDE_ARCH_BPF_H

#include "vmlinux.h"

#if defined(__TARGET_ARCH_x86)
#define arch_call(regs) ((regs)->orig_ax)
#define arch_arg2(regs) ((regs)->si)
#define arch_arg3(regs) ((regs)->dx)
#elif defined(__TARGET_ARCH_arm64)
#define arch_call(regs) ((__u64)(regs)->syscallno)
#define arch_arg2(regs) ((regs)->regs[1])
#define arch_arg3(regs) ((regs)->regs[2])
#else
#error "unknown architecture: add its registers here and its types to vmlinux/"
#endif

#endif
