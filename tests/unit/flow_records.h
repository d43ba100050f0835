/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel half, played: builds the records that bpf/ would write and feeds them to flow/. A link
 * is a connection, with the numbers and positions that the kernel half keeps. Where a test wants
 * records lost (`lose`), the kernel half does as with a full ring: what it can it counts by itself,
 * a close waits until feed_orphans().
 */
#ifndef SONDE_TEST_FLOW_RECORDS_H
#define SONDE_TEST_FLOW_RECORDS_H

#include <stdlib.h>
#include <sys/socket.h>

#include "flow_feed.h"
#include "proto/rows.h"

static inline struct event_head link_head(struct feed *f, const struct link *l, uint8_t kind)
{
	f->now += STEP;
	return (struct event_head){.conn = l->id,
				   .time = f->now,
				   .tgid = f->tgid,
				   .tid = f->tid,
				   .kind = kind,
				   .role = l->role,
				   .lost = f->lost};
}

static inline struct link link_open(struct feed *f, uint64_t id, uint8_t role)
{
	struct link l = {.id = id, .role = role, .position = {0xfffffff0, 5000}};
	struct event_open e = {.head = link_head(f, &l, EVENT_OPEN),
			       .local = {10, 0, 0, 1},
			       .remote = {10, 0, 0, 2},
			       .local_port = 8080,
			       .remote_port = 40000,
			       .family = AF_INET,
			       .born = 1,
			       .protocol = PROTO_http1};

	l.told = !f->lose;
	if (!f->lose)
		flow_open(f->flow, &e);
	return l;
}

static inline uint8_t row_of(struct str text)
{
	enum proto_number protocol;
	const struct signature *s;

	for (unsigned row = 1; (s = proto_row(row, &protocol)); row++)
		if (str_has_prefix(text, (struct str){s->bytes, s->length}))
			return (uint8_t)row;
	return 0;
}

static inline uint64_t tail_of(struct str bytes)
{
	size_t n = bytes.n < 8 ? bytes.n : 8;
	uint64_t tail = 0;

	memcpy((char *)&tail + 8 - n, bytes.p + bytes.n - n, n);
	return tail;
}

/* The bytes stand alone in memory, so that reading past them is seen. */
static inline void feed_data(struct feed *f, struct event_data *e, struct str text)
{
	size_t n = text.n < CAPTURE_BYTES ? text.n : CAPTURE_BYTES;
	char *bytes = malloc(n + !n);

	assert_non_null(bytes);
	memcpy(bytes, text.p, n);
	e->captured = (uint16_t)n;
	f->lost += f->lose;
	if (!f->lose)
		flow_data(f->flow, e, (struct str){bytes, n});
	free(bytes);
}

static inline struct event_data data_of(struct feed *f, struct link *l, uint8_t message,
					struct str text)
{
	struct event_data e = {.head = link_head(f, l, EVENT_DATA),
			       .message = message,
			       .protocol = PROTO_http1,
			       .moved = (uint32_t)text.n,
			       .tail = tail_of(text),
			       .queued = f->queued,
			       .seq = l->position[message],
			       .ack = l->position[!message]};

	l->position[message] += e.moved;
	return e;
}

static inline void link_untold(const struct link *l, struct event_data *e)
{
	e->dropped = (uint16_t)l->dropped;
	e->unknown = l->unknown;
}

static inline void link_request(struct feed *f, struct link *l, const char *text, uint8_t flags)
{
	struct event_data e = data_of(f, l, MESSAGE_REQUEST, str_of(text));

	l->row = row_of(str_of(text));
	l->request_time = e.head.time;
	l->request_bytes = e.moved;
	e.answered = l->responses;
	l->tentative |= flags & DATA_TENTATIVE;
	e.flags = kernel_request(&f->kernel, l, e.seq, !f->lose) | (flags & DATA_WAITING);
	e.row = l->row;
	e.txn = l->requests;
	link_untold(l, &e);
	feed_data(f, &e, str_of(text));
}

/* What stands behind a response in `seq` and `ack` besides its own bytes. */
struct place {
	size_t ahead;  /* bytes of a request that the client has sent, and whose hook runs later */
	size_t unseen; /* bytes read before it where no hook fires: DATA_HOLE */
};

static inline struct event_data response_of(struct feed *f, struct link *l, const char *text,
					    struct place at)
{
	struct event_data e;

	l->position[MESSAGE_RESPONSE] += (uint32_t)at.unseen;
	e = data_of(f, l, MESSAGE_RESPONSE, str_of(text));
	e.ack += (uint32_t)at.ahead;
	e.flags = kernel_response(&f->kernel, l, e.ack, !f->lose, at.unseen);
	e.row = l->row;
	e.txn = e.answered = l->responses;
	link_untold(l, &e);
	if (!(e.flags & DATA_UNPAIRED)) {
		e.request_time = l->request_time;
		e.request_bytes = l->request_bytes;
	}
	l->response_time = e.head.time;
	l->response_bytes = e.moved;
	l->tail = e.tail;
	return e;
}

static inline void link_response(struct feed *f, struct link *l, const char *text)
{
	struct event_data e = response_of(f, l, text, (struct place){0});

	feed_data(f, &e, str_of(text));
}

/* The answer is read before the hook of its request has run: another thread sends. */
static inline void link_early(struct feed *f, struct link *l, const char *text, size_t request)
{
	struct event_data e = response_of(f, l, text, (struct place){.ahead = request});

	feed_data(f, &e, str_of(text));
}

/* More of a head, as a record; none follows one without. */
static inline void link_more(struct feed *f, struct link *l, uint8_t message, struct str text)
{
	struct event_data e = data_of(f, l, message, text);

	e.txn = message == MESSAGE_REQUEST ? l->requests : l->responses;
	if (message == MESSAGE_REQUEST) {
		l->request_bytes += e.moved;
	} else {
		l->response_bytes += e.moved;
		l->response_time = e.head.time;
		l->tail = e.tail;
	}
	l->capturing[message] &= !f->lose;
	if (l->capturing[message])
		feed_data(f, &e, text);
}

/* More of a response's body: only the progress slot hears of it. */
static inline void link_body(struct feed *f, struct link *l, struct str text)
{
	f->now += STEP;
	l->position[MESSAGE_RESPONSE] += (uint32_t)text.n;
	l->response_bytes += text.n;
	l->response_time = f->now;
	if (l->shed)
		return; /* nobody waits for its end */
	l->tail = tail_of(text);
	f->progress = (struct event_progress){.conn = l->id,
					      .txn = l->responses,
					      .time = f->now,
					      .response_bytes = l->response_bytes,
					      .tail = l->tail};
}

static inline void link_end(struct feed *f, struct link *l)
{
	struct event_end e = {.head = link_head(f, l, EVENT_END),
			      .txn = l->responses,
			      .over = 1,
			      .response_bytes = l->response_bytes,
			      .tail = l->tail};

	e.head.time = l->response_time;
	if (!f->lose && !l->shed)
		flow_end(f->flow, &e);
}

static inline void link_close_by(struct feed *f, struct link *l, enum event_closer closer)
{
	bool tells = kernel_close_tells(&f->kernel, l);
	struct event_close e = {.head = link_head(f, l, EVENT_CLOSE),
				.requests = l->requests,
				.responses = l->responses,
				.unknown = l->unknown,
				.closer = (uint8_t)closer,
				.row = l->row,
				.protocol = PROTO_http1,
				.flags = l->tentative ? CLOSE_TENTATIVE : 0,
				.held = (uint32_t)__builtin_popcount(l->held),
				.dropped = l->dropped,
				.begun = l->begun,
				.counted = l->counted,
				.request_time = l->request_time,
				.request_bytes = l->request_bytes,
				.response_time = l->response_time,
				.response_bytes = l->response_bytes,
				.tail = l->tail};

	if (!tells)
		return;
	kernel_close(&f->kernel, l, &e, !f->lose);
	if (!f->lose)
		flow_close(f->flow, &e);
}

static inline void link_close(struct feed *f, struct link *l)
{
	link_close_by(f, l, CLOSER_PEER);
}

/* Cuts the text after `first` bytes, then into pieces of `each`. */
static inline void send_pieces(struct feed *f, struct link *l, uint8_t message, const char *text,
			       size_t first, size_t each)
{
	struct str rest = str_from(str_of(text), first);
	char start[CAPTURE_BYTES];

	str_copy(start, sizeof(start), (struct str){text, first});
	if (message == MESSAGE_REQUEST)
		link_request(f, l, start, 0);
	else
		link_response(f, l, start);
	for (size_t n; rest.n; rest = str_from(rest, n)) {
		n = rest.n < each ? rest.n : each;
		link_more(f, l, message, (struct str){rest.p, n});
	}
}

#endif
