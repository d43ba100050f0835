/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow/ under test: a sink that keeps what comes out, a progress table of one slot, and the kernel
 * half's counters. One feed is one node. Each feed ends with the sum of the loss funnel: what was
 * seen is counted by one side, or lost.
 */
#ifndef SONDE_TEST_FLOW_FEED_H
#define SONDE_TEST_FLOW_FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "flow/flow.h"
#include "flow_kernel.h"

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
	uint64_t queued;    /* what the next records say of it */
	uint32_t tgid, tid; /* who moves the bytes */
	uint32_t lost;	    /* records that found no room */
	unsigned begun, done, counted;
	unsigned streams, streams_open;
	uint64_t stream_bytes;
	struct request stream;	    /* as the sink was last told of one */
	struct seen seen[SEEN_MAX]; /* the first ones */
	struct event_progress progress;
	bool lose;    /* records find no room in the ring */
	bool inexact; /* no balance: the kernel half would not write such records, or room is short
		       */
	void (*check)(const struct request *r, bool counted); /* of each that is over */
	struct kernel kernel;
};

static const struct owner *feed_begun(void *ctx, const struct request *r)
{
	static const struct owner owner = {.id = 7};
	struct feed *f = ctx;

	assert_non_null(r->proto);
	f->begun++;
	return &owner;
}

static void feed_stream(void *ctx, const struct request *r)
{
	struct feed *f = ctx;
	bool begins = r->stream == STREAM_BEGUN;

	assert_true(f->done < f->begun);
	assert_int_equal(r->owner->id, 7);
	assert_true(begins || (r->stream == STREAM_OPEN && f->streams_open));
	f->streams += begins;
	f->streams_open += begins;
	f->stream_bytes += r->stream_added;
	f->stream = *r;
}

static void feed_done(void *ctx, const struct request *r, bool counted)
{
	struct feed *f = ctx;

	assert_true(f->done < f->begun);
	assert_int_equal(r->owner->id, 7);
	if (f->check)
		f->check(r, counted);
	if (r->stream) {
		assert_true(r->stream == STREAM_OVER && counted && f->streams_open);
		f->streams_open--;
		f->stream_bytes += r->stream_added;
	}
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

/* The options but for what every feed has. */
static inline void feed_start_with(struct feed *f, const struct flow_options *options)
{
	struct flow_options o = *options;

	*f = (struct feed){.now = 1000000, .tgid = 100, .tid = 101};
	o.capture_bytes = CAPTURE_BYTES;
	o.begun = feed_begun;
	o.stream = feed_stream;
	o.done = feed_done;
	o.progress = feed_progress;
	o.ctx = f;
	f->flow = flow_new(&o);
	assert_non_null(f->flow);
}

static inline void feed_start(struct feed *f, uint32_t connections, uint32_t exchanges)
{
	feed_start_with(f, &(struct flow_options){.connections_max = connections,
						  .exchanges_max = exchanges});
}

static inline const struct flow_stats *feed_stats(const struct feed *f)
{
	return flow_stats(f->flow);
}

static inline void feed_roll_call(struct feed *f, uint64_t present, uint64_t before)
{
	flow_roll(f->flow);
	flow_present(f->flow, present);
	flow_absent(f->flow, before);
}

/* Of all transactions: seen, less what became of them; 0 once everything has been read. */
static inline int64_t feed_missing(const struct feed *f)
{
	const struct flow_stats *s = feed_stats(f);
	const struct kernel *k = &f->kernel;
	int64_t seen = (int64_t)(k->begun - k->refuted) + s->found[PROTO_http1];
	uint64_t known = s->counted[PROTO_http1] + k->shed + k->aborted + k->unread +
			 s->open[PROTO_http1] + k->held - k->settled;

	for (int reason = 0; reason < LOST_COUNT; reason++)
		known += s->lost[PROTO_http1][reason];
	return seen - (int64_t)known;
}

/* Closes that found no room reach the reader later. */
static inline void feed_orphans(struct feed *f)
{
	for (unsigned i = 0; i < f->kernel.orphan_count; i++)
		flow_close(f->flow, &f->kernel.orphans[i]);
	f->kernel.orphan_count = 0;
}

/* Everything that began is over, was told once, and is counted, or lost, by one side. */
static inline void feed_end(struct feed *f)
{
	feed_orphans(f);
	if (!f->inexact)
		assert_int_equal(feed_missing(f), 0);
	assert_int_equal(f->begun, f->done);
	assert_int_equal(f->streams_open, 0);
	assert_int_equal(feed_stats(f)->open[PROTO_http1], 0);
	assert_int_equal(feed_stats(f)->counted[PROTO_http1], f->counted);
	flow_free(f->flow);
	f->flow = NULL;
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
