/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the hooks call. One core serves every backend. */
#ifndef SONDE_CONN_BPF_H
#define SONDE_CONN_BPF_H

#include "maps.bpf.h"

/*
 * `moved` bytes went through `sk` in direction `dir`, by the current task, in the system call that
 * is just ending (or unreadably, if there is none). flags: the call's MSG_* flags. Always 0.
 */
int conn_moved(struct sock *sk, int moved, __u32 dir, int flags)
	__attribute__((visibility("hidden")));

/* State of a socket, made if absent (then `born` is set and the id minted); NULL when it cannot be.
 */
struct conn *conn_make(struct sock *sk) __attribute__((visibility("hidden")));

/* Before its end: bytes that were read by splice since the last hit. TCP only. */
void conn_settle(struct conn *c, struct sock *sk) __attribute__((visibility("hidden")));

/* The connection is over: says so once, if it was ever opened. */
void conn_close(struct conn *c) __attribute__((visibility("hidden")));

/* The peer's end of the stream was read. Only unix sockets need it: they have no other sign of an
 * end. */
int conn_end_read(struct sock *sk, int flags) __attribute__((visibility("hidden")));

/*
 * Bytes that were read before this position and after the last hit: by splice, for which no hook
 * fires. An urgent byte, and the end of the stream, take a position of their own.
 */
static __always_inline __s32 conn_hole(const struct conn *c, __u32 position)
{
	__s32 hole = position - c->position[DIR_IN];

	return c->position[DIR_IN] && hole > 1 ? hole : 0;
}

#endif
