/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How long a request's first byte waited in its socket: the time of its arrival, noted by
 * queue.bpf.c, and that of its read.
 *
 * An arrival is one word, since softirq writes what the reading thread looks at: its time in units
 * of 1,024 ns above, the low bits of its position below. It is of one position: who asks for
 * another one is told nothing.
 */
#ifndef SONDE_QUEUE_BPF_H
#define SONDE_QUEUE_BPF_H

#include "state.bpf.h"

#define QUEUE_UNIT_BITS	    10 /* of a time */
#define QUEUE_POSITION_BITS 24
#define QUEUE_POSITIONS	    ((1ULL << QUEUE_POSITION_BITS) - 1)

static __always_inline __u64 queue_arrival(__u64 time, __u32 position)
{
	return time >> QUEUE_UNIT_BITS << QUEUE_POSITION_BITS | (position & QUEUE_POSITIONS);
}

/* Units that the byte at this position has waited at `time`; 0: not known. */
static __always_inline __u32 queue_waited(const struct conn *c, __u32 position, __u64 time)
{
	__u64 arrival, waited;

	if (!queue_time || c->role == ROLE_CLIENT)
		return 0;
	arrival = *(const volatile __u64 *)&c->arrival;
	if (!arrival || (arrival ^ position) & QUEUE_POSITIONS)
		return 0;
	/* both without the bits that the shift lost */
	waited =
		((time >> QUEUE_UNIT_BITS << QUEUE_POSITION_BITS) - (arrival & ~QUEUE_POSITIONS)) >>
		QUEUE_POSITION_BITS;
	if (waited >> 32)
		return 0; /* an hour, or before it came */
	return waited ? waited : 1;
}

static __always_inline __u64 queue_ns(__u32 waited)
{
	return (__u64)waited << QUEUE_UNIT_BITS;
}

/* Is there an arrival of this position already? */
static __always_inline bool queue_noted(const struct conn *c, __u32 position)
{
	return c->arrival && !((c->arrival ^ position) & QUEUE_POSITIONS);
}

/*
 * At a hit: if all that has come is read, segments that have come until now carried nothing new,
 * such as those that were sent again.
 */
static __always_inline void queue_settle(struct conn *c, const struct tcp_sock *tcp)
{
	__u32 segments, read;

	if (!queue_time)
		return;
	segments = sock_get(tcp, data_segs_in);
	read = sock_get(tcp, copied_seq);
	if (sock_get(tcp, rcv_nxt) != read)
		return;
	c->arrived = read;
	c->segments = segments;
}

#endif
