/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which lines are written.
 *
 * The sample is drawn by a hash of the trace id that has no seed, so that every agent on a trace's
 * way keeps all of its lines or none, and one that keeps more keeps those too. What matters
 * (errors, aborted, slow) is kept whatever the share.
 *
 * The rate is a bucket: time is the credit, a line costs what it says, and what was not spent is
 * kept for so long only. The last second of it is for what matters: when there are too many lines,
 * errors are the last to go. The invariant: over any span of time there are never more lines than
 * the rate allows for that span and two seconds. Time is that of the lines, so a burst that was
 * read late is judged by when it happened.
 */
#include "out/jsonlog_choice.h"

#include "base/clock.h"
#include "proto/websocket.h"

/* Credit that lines which do not matter leave; as much again is for them. At least a line's. */
static uint64_t reserve_of(const struct choice *c)
{
	return c->price > NS_PER_SECOND ? c->price : NS_PER_SECOND;
}

void choice_init(struct choice *c, const struct jsonlog_options *options)
{
	*c = (struct choice){.sample = options->sample,
			     .slow_ns = options->slow_ns,
			     .price = options->rate ? NS_PER_SECOND / options->rate : 0};
	c->credit = 2 * reserve_of(c);
}

/* Without a trace by the request's id, which both of its ends may have; else by the transaction. */
static uint32_t sample_of(const struct request *r)
{
	struct str id = r->length.trace_id ? request_str(r, trace_id) : request_str(r, request_id);
	uint64_t transaction[] = {r->conn, r->txn};
	uint64_t hash = id.n ? str_hash(id) : bytes_hash(transaction, sizeof(transaction));

	return (uint32_t)((hash >> 32) * JSONLOG_SAMPLE_ALL >> 32);
}

static bool matters(const struct choice *c, const struct request *r)
{
	return r->error != REQUEST_OK || r->status >= 500 || request_latency(r) >= c->slow_ns;
}

/* Lines come roughly in the order of their times; an older one adds nothing. */
static void earn(struct choice *c, uint64_t time)
{
	uint64_t most = 2 * reserve_of(c), passed = time > c->time ? time - c->time : 0;

	c->time += passed;
	c->credit = passed < most - c->credit ? c->credit + passed : most;
}

static bool spend(struct choice *c, uint64_t time, bool matters)
{
	earn(c, time);
	if (c->credit < c->price + (matters ? 0 : reserve_of(c))) {
		c->suppressed[SUPPRESSED_RATE]++;
		return false;
	}
	c->credit -= c->price;
	return true;
}

bool choice_wants(const struct choice *c, const struct request *r)
{
	return c->sample >= JSONLOG_SAMPLE_ALL || matters(c, r) ||
	       (c->sample && sample_of(r) < c->sample);
}

bool choice_takes(struct choice *c, const struct request *r)
{
	if (!choice_wants(c, r)) {
		c->suppressed[SUPPRESSED_SAMPLE]++;
		return false;
	}
	return !c->price || spend(c, r->end, matters(c, r));
}

bool choice_takes_websocket(struct choice *c, enum websocket_event what, const struct websocket *w,
			    uint64_t now)
{
	bool warn = what == WEBSOCKET_CLOSED && websocket_code_is_abnormal(w->close_code);

	return !c->price || spend(c, now, warn);
}
