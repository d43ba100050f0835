/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Transactions that the kernel half counts itself. A response without a record leaves what counting
 * needs with its socket; when it is over (the next message, the close) it goes into the table. So a
 * transaction is counted by exactly one side: by user space if its response has a record.
 */
#ifndef SONDE_SHED_BPF_H
#define SONDE_SHED_BPF_H

#include "maps.bpf.h"

enum shed_state {
	SHED_NONE = 0,
	SHED_PENDING = 1,   /* the response under way is to be counted here */
	SHED_UNCLAIMED = 2, /* the same, once the hook of its request has run */
};

/* shed.bpf.c: counts n alike. Times in ns; first 0: its time is not wanted, or there was none. */
#ifdef OLD_VERIFIER
/* The key stands in two words, with n on top. */
int shed_add_words(__u64 low, __u64 high, __u64 start, __u64 first, __u64 end);

static __always_inline int shed_add(const struct event_shed_key *key, __u64 start, __u64 first,
				    __u64 end, __u32 n)
{
	__u64 word[2] = {0, (__u64)n << 32};

	__builtin_memcpy(word, key, sizeof(*key));
	return shed_add_words(word[0], word[1], start, first, end);
}
#else
int shed_add(struct event_shed_key *key, __u64 start, __u64 first, __u64 end, __u32 n);
#endif
/* shed.bpf.c: counts what had no response when the connection ended. */
int shed_abort(struct conn *c, __u64 now) OLD_STATIC;

static __always_inline __u32 held_bit(__u32 txn)
{
	return 1U << (txn & 31);
}

/* The request begins without a record. Returns whether that is counted; it is not if one is held in
 * its place. */
static __always_inline bool held_set(struct conn *c, __u32 txn)
{
	if (unlikely(c->held & held_bit(txn)))
		return false;
	count(COUNT_HELD);
	c->held |= held_bit(txn);
	return true;
}

/* It is open no more, or user space knows of it. Returns whether it was held. */
static __always_inline bool held_clear(struct conn *c, __u32 txn)
{
	if (!(c->held & held_bit(txn)))
		return false;
	count(COUNT_SETTLED);
	c->held &= ~held_bit(txn);
	return true;
}

/* Counts the last response, if that is to be done here. */
static __always_inline void shed_settle(struct conn *c)
{
	const struct half *response = &c->half[MESSAGE_RESPONSE];
	__u8 state = c->shed;

	if (state == SHED_NONE)
		return;
	c->shed = SHED_NONE;
	held_clear(c, response->count);
	c->counted += state == SHED_PENDING;
	if (state == SHED_PENDING)
		shed_add(&c->shed_key, c->shed_start, c->role == ROLE_SERVER ? response->time : 0,
			 response->last, 1);
	else
		count(COUNT_PIPELINED);
}

#endif
