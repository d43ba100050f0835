/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connections, for the path of a hit (hit.bpf.h) and for the life of sockets (life.bpf.c). */
#ifndef SONDE_CONN_BPF_H
#define SONDE_CONN_BPF_H

#include "line.bpf.h"
#include "state.bpf.h"

#define AF_UNIX	    1
#define AF_INET	    2
#define AF_INET6    10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6

static __always_inline __u16 sock_family(const struct sock *sk)
{
	return sock_get(sk, __sk_common.skc_family);
}

/* TCP or unix. */
static __always_inline bool sock_is_stream(const struct sock *sk, bool hashed)
{
	__u16 family = sock_load(hashed, sk, __sk_common.skc_family);

	if (sock_load(hashed, sk, sk_type) != SOCK_STREAM)
		return false;
	if (likely(sock_load(hashed, sk, sk_protocol) == IPPROTO_TCP))
		return family == AF_INET || family == AF_INET6;
	return family == AF_UNIX;
}

/* No two hits on one processor share a nanosecond. */
static __always_inline __u64 conn_id(void)
{
	return bpf_ktime_get_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
}

/* State of a socket, made if absent (then the id is minted); NULL when it cannot be. */
static __always_inline struct conn *conn_get(struct sock *sk, enum state_how how)
{
	struct conn *c = conn_state(sk, how, state_hashed);

	if (unlikely(!c))
		count(COUNT_NO_STATE);
	else if (unlikely(!c->id))
		c->id = conn_id();
	return c;
}

/* Whose it is. The agent's own are muted. */
static __always_inline void conn_own(struct conn *c, __u32 tgid)
{
	c->tgid = tgid;
	if (tgid == agent_tgid)
		c->framing = CONN_MUTED;
}

/* Says what the connection is; once, and again every half hour. */
void conn_open(struct hit *hit, struct conn *c, struct sock *sk)
	__attribute__((visibility("hidden")));

/* Bytes of a connection that nothing is known of, or that nobody can read: are they looked at all
 * the same? */
bool conn_unclear(struct hit *hit, struct conn *c, struct sock *sk, bool readable)
	__attribute__((visibility("hidden")));

/* Its first hit: accepted connections have been nobody's until now. */
void conn_claim(struct conn *c, __u32 tgid) __attribute__((visibility("hidden")));

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
