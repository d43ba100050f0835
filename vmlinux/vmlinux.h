/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel as bpf/ sees it: base types, then the few structs and constants of the architecture,
 * written by extract.sh. All field accesses are relocated at load time (CO-RE), so only names and
 * types matter here, not offsets. __VMLINUX_H__ tells libbpf's headers that this is the kernel's side.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef _Bool bool;
typedef signed char __s8;
typedef unsigned char __u8, u8;
typedef short __s16;
typedef unsigned short __u16, u16;
typedef int __s32, s32;
typedef unsigned int __u32, u32;
typedef long long __s64, s64;
typedef unsigned long long __u64, u64;
typedef __u16 __be16;
typedef __u32 __be32, __wsum;
typedef __u64 __be64;
typedef int pid_t;
typedef unsigned long size_t;
typedef u64 io_req_flags_t;

#define true  1
#define false 0
#define NULL  ((void *)0)

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#endif

typedef struct {
	int counter;
} atomic_t;

#if defined(__TARGET_ARCH_x86)
#include "x86.h"
#elif defined(__TARGET_ARCH_arm64)
#include "arm64.h"
#endif

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif
