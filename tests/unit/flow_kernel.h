/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel half keeps of a connection, and what it counts by itself: the numbers of
 * bpf/message.bpf.h, bpf/shed.bpf.[hc] and conn_close(), without sockets. A message is told of (its
 * record arrives) or not; whoever plays it says so when it begins.
 */
#ifndef SONDE_TEST_FLOW_KERNEL_H
#define SONDE_TEST_FLOW_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "event.h"

#define ORPHANS_MAX 64

struct kernel {
	uint64_t begun;	    /* COUNT_REQUESTS and COUNT_HELD */
	uint64_t held;	    /* COUNT_HELD */
	uint64_t settled;   /* COUNT_SETTLED */
	uint64_t refuted;   /* COUNT_REFUTED */
	uint64_t unclaimed; /* COUNT_PIPELINED */
	uint64_t unread;    /* COUNT_UNREAD */
	uint64_t shed;	    /* counted in struct event_shed: answered ones */
	uint64_t aborted;   /* the same: those that a close ended */
	struct event_close orphans[ORPHANS_MAX];
	unsigned orphan_count;
};

enum shed_state { SHED_NONE, SHED_PENDING, SHED_UNCLAIMED };

struct link {
	uint64_t id;
	uint8_t role;
	uint8_t row;
	bool told; /* a record of it is out */
	bool tentative;
	bool capturing[2]; /* by message */
	enum shed_state shed;
	uint32_t requests, responses, unpaired_ack;
	uint32_t dropped, unknown, begun, counted; /* as in struct event_close */
	uint32_t held;				   /* a bit a request */
	uint32_t position[2];			   /* by message */
	uint64_t request_time, request_bytes;
	uint64_t response_time, response_bytes, tail;
};

static inline bool kernel_owed(const struct link *l)
{
	return (int32_t)(l->requests - l->responses) > 0;
}

static inline bool kernel_late(const struct link *l, uint32_t seq)
{
	return (int32_t)(l->responses - l->requests) > 0 && (int32_t)(l->unpaired_ack - seq) > 0;
}

static inline bool held_is(const struct link *l, uint32_t txn)
{
	return l->held >> (txn & 31) & 1;
}

static inline void held_set(struct kernel *k, struct link *l, uint32_t txn)
{
	k->held += !held_is(l, txn);
	l->held |= 1U << (txn & 31);
}

static inline bool held_clear(struct kernel *k, struct link *l, uint32_t txn)
{
	bool was = held_is(l, txn);

	k->settled += was;
	l->held &= ~(1U << (txn & 31));
	return was;
}

static inline void shed_settle(struct kernel *k, struct link *l)
{
	if (l->shed == SHED_NONE)
		return;
	held_clear(k, l, l->responses);
	l->counted += l->shed == SHED_PENDING;
	k->shed += l->shed == SHED_PENDING;
	k->unclaimed += l->shed == SHED_UNCLAIMED;
	l->shed = SHED_NONE;
}

static inline void request_untold(struct kernel *k, struct link *l, bool late)
{
	if (!late || l->shed) {
		held_set(k, l, l->requests);
		return;
	}
	k->unread++;
	l->counted++;
}

static inline uint8_t kernel_request(struct kernel *k, struct link *l, uint32_t seq, bool told)
{
	bool late = kernel_late(l, seq);

	if (late && l->shed == SHED_UNCLAIMED) {
		l->shed = SHED_PENDING;
		l->unknown--;
		l->dropped += told;
	}
	if (!kernel_owed(l) && !late)
		shed_settle(k, l);
	if ((int32_t)(l->responses - l->requests) > 0 && !late)
		l->requests = l->responses;
	l->requests++;
	l->begun++;
	k->begun++;
	l->capturing[MESSAGE_REQUEST] = told;
	l->capturing[MESSAGE_RESPONSE] = false;
	l->told |= told;
	if (!told)
		request_untold(k, l, late);
	return DATA_START | (l->tentative ? DATA_TENTATIVE : 0);
}

/* Bytes went by unseen, and of the requests that wait all but so many were answered in them. */
static inline void kernel_skip(struct kernel *k, struct link *l, int but)
{
	while ((int32_t)(l->requests - l->responses) > but) {
		l->responses++;
		if (held_clear(k, l, l->responses)) {
			k->unread++;
			l->counted++;
		} else {
			l->unknown++;
		}
	}
}

static inline void shed_begin(struct link *l, bool owed)
{
	l->shed = owed ? SHED_PENDING : SHED_UNCLAIMED;
	l->unknown += !owed;
	l->dropped += owed && !held_is(l, l->responses + 1);
}

static inline uint8_t kernel_response(struct kernel *k, struct link *l, uint32_t ack, bool told,
				      bool hole)
{
	bool owed = kernel_owed(l);

	shed_settle(k, l);
	if (hole)
		kernel_skip(k, l, 1);
	if (!told)
		shed_begin(l, owed);
	l->tentative = false;
	l->responses++;
	l->told |= told;
	l->capturing[MESSAGE_RESPONSE] = told;
	l->capturing[MESSAGE_REQUEST] = false;
	if (told)
		held_clear(k, l, l->responses);
	if (!owed)
		l->unpaired_ack = ack;
	return DATA_START | (owed ? 0 : DATA_UNPAIRED) | (hole ? DATA_HOLE : 0);
}

static inline void close_held(struct kernel *k, struct link *l)
{
	uint32_t held = (uint32_t)__builtin_popcount(l->held);

	k->settled += held;
	k->refuted += l->tentative ? held : 0;
	l->held = 0;
}

/* Is there anything to say? The record is to be filled after this. */
static inline bool kernel_close_tells(struct kernel *k, struct link *l)
{
	shed_settle(k, l);
	if (l->told || (!l->tentative && kernel_owed(l)))
		return true;
	close_held(k, l);
	return false;
}

/* No room in the ring: what had no response is counted here, and the record waits beside it. */
static inline void close_shed(struct kernel *k, struct link *l, struct event_close *e)
{
	uint32_t owed = !l->tentative && kernel_owed(l) ? l->requests - l->responses : 0;

	e->flags |= CLOSE_SHED;
	e->counted += owed;
	*(e->closer == CLOSER_UNSEEN ? &k->unread : &k->aborted) += owed;
	if (l->told && k->orphan_count < ORPHANS_MAX)
		k->orphans[k->orphan_count++] = *e;
}

static inline void kernel_close(struct kernel *k, struct link *l, struct event_close *e, bool told)
{
	if (!told)
		close_shed(k, l, e);
	close_held(k, l);
	l->told = false;
	l->requests = l->responses; /* said once, whoever comes again */
	l->begun = l->counted = 0;
}

#endif
