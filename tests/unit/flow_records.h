/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel half, played: builds the records that bpf/ would write and feeds them to flow/, with a
 * sink that keeps what comes out and a progress table of one slot. One feed is one node; a link is
 * a connection on it, with the numbers and positions that the kernel half keeps. A record that a
 * test wants lost is built like any other and not fed.
 */
#ifndef SONDE_TEST_FLOW_RECORDS_H
#define SONDE_TEST_FLOW_RECORDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "flow/flow.h"
#include "proto/rows.h"

#define STEP	      1000 /* ns between two records */
#define SEEN_MAX      32
#define CAPTURE_BYTES 256

struct seen {
	struct request request;
	bool counted;
};

struct feed {
	struct flow *flow;
	uint64_t now;
	unsigned begun, done, counted;
	struct seen seen[SEEN_MAX]; /* the first ones */
	struct event_progress progress;
	bool lose; /* records are built, but do not arrive */
};

struct link {
	uint64_t id;
	uint8_t role;
	uint32_t requests, responses, unpaired_ack;
	uint32_t position[2]; /* by message */
	uint8_t row;
	uint64_t request_time, request_bytes;
	uint64_t response_time, response_bytes, tail;
};

static const struct owner *feed_begun(void *ctx, const struct request *r)
{
	static const struct owner owner = {.id = 7};
	struct feed *f = ctx;

	assert_non_null(r->proto);
	f->begun++;
	return &owner;
}

static void feed_done(void *ctx, const struct request *r, bool counted)
{
	struct feed *f = ctx;

	assert_true(f->done < f->begun);
	assert_int_equal(r->owner->id, 7);
	if (f->done < SEEN_MAX)
		f->seen[f->done] = (struct seen){*r, counted};
	f->done++;
	f->counted += counted;
}

static bool feed_progress(void *ctx, uint64_t conn, struct event_progress *p)
{
	struct feed *f = ctx;

	*p = f->progress;
	return p->conn == conn;
}

static inline void feed_start(struct feed *f, uint32_t connections, uint32_t exchanges)
{
	*f = (struct feed){.now = 1000000};
	f->flow = flow_new(&(struct flow_options){.connections_max = connections,
						  .exchanges_max = exchanges,
						  .capture_bytes = CAPTURE_BYTES,
						  .begun = feed_begun,
						  .done = feed_done,
						  .progress = feed_progress,
						  .ctx = f});
	assert_non_null(f->flow);
}

static inline const struct flow_stats *feed_stats(const struct feed *f)
{
	return flow_stats(f->flow);
}

/* Everything that began is over, and was told once. */
static inline void feed_end(struct feed *f)
{
	assert_int_equal(f->begun, f->done);
	assert_int_equal(feed_stats(f)->open[PROTO_http1], 0);
	assert_int_equal(feed_stats(f)->counted[PROTO_http1], f->counted);
	flow_free(f->flow);
	f->flow = NULL;
}

static inline struct event_head link_head(struct feed *f, const struct link *l, uint8_t kind)
{
	f->now += STEP;
	return (struct event_head){.conn = l->id,
				   .time = f->now,
				   .tgid = 100,
				   .tid = 101,
				   .kind = kind,
				   .role = l->role};
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
			       .protocol = PROTO_http1};

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
			       .seq = l->position[message],
			       .ack = l->position[!message]};

	l->position[message] += e.moved;
	return e;
}

static inline void link_request(struct feed *f, struct link *l, const char *text, uint8_t flags)
{
	struct event_data e = data_of(f, l, MESSAGE_REQUEST, str_of(text));

	l->row = row_of(str_of(text));
	l->request_time = e.head.time;
	l->request_bytes = e.moved;
	e.flags = DATA_START | flags;
	e.row = l->row;
	if ((int32_t)(l->responses - l->requests) > 0 && (int32_t)(l->unpaired_ack - e.seq) <= 0)
		l->requests = l->responses;
	e.txn = ++l->requests;
	feed_data(f, &e, str_of(text));
}

static inline struct event_data response_of(struct feed *f, struct link *l, const char *text)
{
	struct event_data e = data_of(f, l, MESSAGE_RESPONSE, str_of(text));

	e.flags = DATA_START;
	if ((int32_t)(l->requests - l->responses) <= 0) {
		e.flags |= DATA_UNPAIRED;
		l->unpaired_ack = e.ack;
	}
	l->responses++;
	e.row = l->row;
	e.txn = l->responses;
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
	struct event_data e = response_of(f, l, text);

	feed_data(f, &e, str_of(text));
}

/* More of a head, as a record. */
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
	feed_data(f, &e, text);
}

/* More of a response's body: only the progress slot hears of it. */
static inline void link_body(struct feed *f, struct link *l, struct str text)
{
	f->now += STEP;
	l->position[MESSAGE_RESPONSE] += (uint32_t)text.n;
	l->response_bytes += text.n;
	l->response_time = f->now;
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
	if (!f->lose)
		flow_end(f->flow, &e);
}

static inline void link_close(struct feed *f, struct link *l)
{
	struct event_close e = {.head = link_head(f, l, EVENT_CLOSE),
				.requests = l->requests,
				.responses = l->responses,
				.request_time = l->request_time,
				.request_bytes = l->request_bytes,
				.response_time = l->response_time,
				.response_bytes = l->response_bytes,
				.tail = l->tail,
				.closer = CLOSER_PEER,
				.row = l->row};

	if (!f->lose)
		flow_close(f->flow, &e);
}

/* A feed a test: setup and teardown of a group. */
static inline int setup(void **state)
{
	static struct feed feed;

	feed_start(&feed, 16, 16);
	*state = &feed;
	return 0;
}

static inline int teardown(void **state)
{
	feed_end(*state);
	return 0;
}

static inline const struct request *seen(const struct feed *f, unsigned i)
{
	assert_true(i < f->done);
	return &f->seen[i].request;
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

#define assert_str(view, text)                                              \
	do {                                                                \
		struct str view_ = (view);                                  \
		assert_int_equal(view_.n, strlen(text));                    \
		assert_memory_equal(view_.n ? view_.p : "", text, view_.n); \
	} while (0)

#define assert_request(f, i, method, path, code)                              \
	do {                                                                  \
		assert_true((i) < (f)->done && (f)->seen[i].counted);         \
		assert_str(request_str(&(f)->seen[i].request, op), method);   \
		assert_str(request_str(&(f)->seen[i].request, target), path); \
		assert_int_equal((f)->seen[i].request.status, code);          \
	} while (0)

#endif
