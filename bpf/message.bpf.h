/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A message begins: numbers, times and pairing, the same whether its first bytes came in one hit or
 * in several, and whether a record of it goes out or not.
 */
#ifndef SONDE_MESSAGE_BPF_H
#define SONDE_MESSAGE_BPF_H

#include "line.bpf.h"
#include "shed.bpf.h"
#include "emit.bpf.h"

#define STATUS_BYTES 12 /* HTTP/1.1 200 */

extern const volatile __u64 slow_ns;

/*
 * An answer that does not end the exchange: the three digits of the status begin at byte 9, and 101
 * is none. A 100 is often followed by the answer proper in the same hit; then that is what begins.
 */
static __always_inline bool message_is_interim(const struct window *w)
{
	return w->byte[9] == '1' && !(w->byte[10] == '0' && w->byte[11] == '1');
}

/* A connection mostly says the same again: its last row is tried before all others. */
static __always_inline int message_match(const struct window *w, const struct half *h, __u32 kind)
{
	const volatile struct event_signature *last = signature(h->row);
	int row;

	if (likely(h->row && (w->word[0] & last->mask[0]) == last->value[0] &&
		   (w->word[1] & last->mask[1]) == last->value[1]))
		return h->row;
	row = window_match(w->word[0], w->word[1]);
	if (row == ROW_NONE && kind == MESSAGE_REQUEST &&
	    window_is_token_line(w->word[0], w->word[1]))
		return ROW_TOKEN;
	return row != ROW_NONE && signature(row)->message == kind ? row : ROW_NONE;
}

/* After 101, or 2xx to a CONNECT, the connection speaks something else. */
static __always_inline void message_tunnel(struct conn *c, const struct window *w, __u32 kind)
{
	if (kind != MESSAGE_RESPONSE)
		return;
	if (w->byte[9] == '2' && unlikely(signature(c->half[MESSAGE_REQUEST].row)->tunnel))
		c->framing = CONN_MUTED;
	if (unlikely(w->byte[9] == '1' && w->byte[10] == '0' && w->byte[11] == '1'))
		c->framing = CONN_UPGRADING;
}

/* message.bpf.c, global only so that the verifier looks at them once. */
struct small_head;
struct large_head;
int head_follows_small(struct small_head *head, __u32 captured);
int head_follows_large(struct large_head *head, __u32 captured);
int head_border(struct large_head *head);

/* message.bpf.c: says how far the last response got, if that took more than one hit. */
int message_end(struct hit *hit, struct conn *c, int over);

/*
 * More responses than requests have begun. Either this request's own was read by another thread
 * before the hook of the send ran here: then the response's ack lies past the request's first byte,
 * and the numbers will meet. Or requests were pipelined in one read, or one began before the agent:
 * then this side's number, which only it writes, is set forward.
 */
static __always_inline bool message_is_late(const struct conn *c, __u32 seq)
{
	return unlikely((__s32)(c->half[MESSAGE_RESPONSE].count - c->half[MESSAGE_REQUEST].count) >
			0) &&
	       (__s32)(c->unpaired_ack - seq) > 0;
}

static __always_inline void message_renumber(struct conn *c, __u32 seq)
{
	__u32 responses = c->half[MESSAGE_RESPONSE].count;

	if (unlikely((__s32)(responses - c->half[MESSAGE_REQUEST].count) > 0) &&
	    !message_is_late(c, seq))
		c->half[MESSAGE_REQUEST].count = responses;
}

static __always_inline void half_begin(struct half *h, const struct part *p, int row)
{
	h->time = h->last = p->time;
	h->bytes = p->moved;
	h->hits = 1;
	h->tail = 0;
	h->captured = 0;
	h->capturing = 1;
	h->row = row;
}

/* Nothing more of the last response will come: user space is told, or it is counted here. */
static __always_inline void response_over(struct hit *hit, struct conn *c, bool request_follows)
{
	if (c->shed)
		shed_settle(c);
	else if (unlikely(c->half[MESSAGE_RESPONSE].hits > 1))
		message_end(hit, c, request_follows);
}

/* A late request takes the response that waits for it to be counted here. */
static __always_inline void shed_claim(struct conn *c, const struct part *p, bool told)
{
	if (likely(c->shed != SHED_UNCLAIMED) || !message_is_late(c, p->seq))
		return;
	c->shed = SHED_PENDING;
	c->shed_start = p->time;
	c->unknown--;
	c->dropped += told;
}

/* Without a record. If its response came before it, and with a record, user space gives that up:
 * nobody asked for it. Returns whether the request is counted. */
static __always_inline bool request_untold(struct conn *c, bool late)
{
	if (likely(!late) || c->shed)
		return held_set(c, c->half[MESSAGE_REQUEST].count);
	count(COUNT_UNREAD);
	c->counted++;
	return false;
}

static __always_inline __u8 request_begin(struct hit *hit, struct conn *c, const struct part *p,
					  int row, bool told)
{
	struct half *request = &c->half[MESSAGE_REQUEST];
	bool late = message_is_late(c, p->seq);

	shed_claim(c, p, told);
	if (!line_owed(c) && !late)
		response_over(hit, c, true);
	half_begin(request, p, row);
	message_renumber(c, p->seq);
	request->count++;
	c->starts[request->count % STARTS] = p->time;
	c->half[MESSAGE_RESPONSE].capturing = 0;
	c->begun++;
	if (told || !request_untold(c, late))
		count(COUNT_REQUESTS);
	return DATA_START | (c->tentative ? DATA_TENTATIVE : 0);
}

/* When the request that the next response answers began; 0: not known. */
static __always_inline __u64 request_start(const struct conn *c)
{
	__u32 next = c->half[MESSAGE_RESPONSE].count + 1;

	return c->half[MESSAGE_REQUEST].count - next < STARTS ? c->starts[next % STARTS] : 0;
}

static __always_inline __u16 status_of(const struct window *w)
{
	__u32 status = 0;

	for (int i = 9; i < STATUS_BYTES; i++) {
		__u32 digit = w->byte[i] - '0';

		if (digit > 9)
			return 0;
		status = status * 10 + digit;
	}
	return status;
}

static __always_inline void shed_begin(const struct hit *hit, struct conn *c, const struct part *p,
				       const struct window *w, bool owed)
{
	__u64 start = owed ? request_start(c) : 0;

	c->shed_key.tgid = hit->tgid;
	c->shed_key.status = status_of(w);
	c->shed_key.role = c->role;
	c->shed_key.protocol = c->protocol;
	c->shed_key.row = c->half[MESSAGE_REQUEST].row;
	c->shed_start = start ? start : p->time;
	c->shed = owed ? SHED_PENDING : SHED_UNCLAIMED;
	if (!owed)
		c->unknown++;
	else if (!(c->held & held_bit(c->half[MESSAGE_RESPONSE].count + 1)))
		c->dropped++;
}

static __always_inline __u8 response_begin(struct hit *hit, struct conn *c, const struct part *p,
					   const struct window *w, int row, bool told)
{
	struct half *response = &c->half[MESSAGE_RESPONSE];
	bool owed = line_owed(c);

	response_over(hit, c, false);
	if (unlikely(hit->hole))
		response_skip(c, 1);
	if (!told)
		shed_begin(hit, c, p, w, owed);
	half_begin(response, p, row);
	c->ended_bytes = 0;
	c->half[MESSAGE_REQUEST].capturing = 0;
	c->tentative = 0;
	response->count++;
	if (told)
		held_clear(c, response->count);
	if (unlikely(!owed))
		c->unpaired_ack = hit->ack;
	return DATA_START | (owed ? 0 : DATA_UNPAIRED) | (hit->hole ? DATA_HOLE : 0);
}

static __always_inline __u8 message_number(struct hit *hit, struct conn *c, const struct part *p,
					   __u32 kind, const struct window *w, int row, bool told)
{
	return kind == MESSAGE_REQUEST ? request_begin(hit, c, p, row, told)
				       : response_begin(hit, c, p, w, row, told);
}

/* A message begins; returns the flags of its record. */
#ifdef OLD_VERIFIER
int message_begin_words(__u32 kind, int row, int told, __u64 first, __u64 second);

static __always_inline __u8 message_begin(struct hit *hit, struct conn *c, const struct part *p,
					  __u32 kind, const struct window *w, int row, bool told)
{
	struct part *begins = &((struct place *)hit)->begins;

	begins->time = p->time;
	begins->seq = p->seq;
	begins->moved = p->moved;
	return message_begin_words(kind, row, told, w->word[0], w->word[1]);
}
#else
static __always_inline __u8 message_begin(struct hit *hit, struct conn *c, const struct part *p,
					  __u32 kind, const struct window *w, int row, bool told)
{
	return message_number(hit, c, p, kind, w, row, told);
}
#endif

/*
 * answered: responses begun before the record's place in the ring was taken, so that a response
 * that a request's record counts stands before it.
 */
static __always_inline void message_fill(struct event_data *e, struct hit *hit, struct conn *c,
					 const struct part *p, __u32 kind, __u8 flags,
					 __u32 answered)
{
	const struct half *request = &c->half[MESSAGE_REQUEST];
	const struct half *h = &c->half[kind & 1];
	__u32 behind = flags & DATA_UNPAIRED ? STARTS : request->count - h->count;

	emit_head_by(&e->head, EVENT_DATA, p->time, hit->tgid, hit->tid);
	e->head.conn = c->id;
	e->head.role = c->role;
	e->message = kind;
	e->flags = flags | (hit->waiting ? DATA_WAITING : 0);
	e->row = kind == MESSAGE_REQUEST ? h->row : request->row;
	e->protocol = c->protocol;
	e->txn = h->count;
	e->seq = p->seq;
	e->ack = hit->ack;
	e->moved = p->moved;
	e->queued = queue_ns(c->queued);
	e->dropped = c->dropped;
	e->answered = kind == MESSAGE_REQUEST ? answered : h->count;
	e->unknown = c->unknown;
	e->request_time = likely(behind < STARTS) ? c->starts[h->count % STARTS] : 0;
	e->request_bytes = likely(!behind) ? request->bytes : 0;
}

/* No record, for want of room or by --detail: a head that goes on is of no use. */
static __always_inline void message_untold(struct half *h, bool wanted)
{
	if (wanted)
		count(COUNT_RING_FULL);
	emit_missed();
	h->capturing = 0;
}

#endif
