/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Framing `line`, as the core calls it. These are global functions: the verifier checks each once,
 * by itself, instead of on every path that leads to it, which keeps a load under a tenth of its
 * limit.
 */
#ifndef SONDE_LINE_BPF_H
#define SONDE_LINE_BPF_H

#include "io.bpf.h"

#define SIGNATURE_BYTES 16
#define ROW_NONE	(-1)
#define ROW_TOKEN	0 /* any RFC 9110 method: tentative */

extern const volatile struct event_signature signatures[SIGNATURE_MAX];

struct window { /* the first bytes of a hit */
	union {
		__u64 word[2];
		__u8 byte[SIGNATURE_BYTES];
	};
};

static __always_inline const volatile struct event_signature *signature(int row)
{
	return &signatures[(__u32)row & (SIGNATURE_MAX - 1)];
}

/* The window travels as two words since memory arguments need kernel 5.12. */
int window_match(__u64 first, __u64 second); /* a row, or ROW_NONE */
int window_is_token_line(__u64 first, __u64 second);

/* The hit's bytes are known (or, with readable 0, only counted); the connection has a role. */
int line_moved(struct hit *hit, struct conn *c, int readable);

#endif
