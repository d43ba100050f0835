// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The backends: each is a file of hooks that say which socket moved how many bytes in which
 * direction, and all enter the same path (hit.bpf.h). The loader takes the programs of one. They
 * are one object, because bpftool before 7.3 cannot link two that name the same kernel function.
 */
#ifndef OLD_VERIFIER
#define STATE_CASTS 1
#endif
#include "backend_fexit.bpf.h"
#include "backend_sock.bpf.h"
#include "backend_syscall.bpf.h"

char _license[] SEC("license") = "Dual BSD/GPL";
