/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of an exchange: one request, and what is known of its response. The sink hears of it when it
 * begins and when it is over. The invariant: every begun() is followed by exactly one done(), which
 * says whether the request is to be counted here. A tentative one begins only when an answer has
 * proved it; one that nothing proved was never seen, so it is taken off what was found. A stream is
 * counted when it begins, so that its request is not open while it lasts.
 */
#include "flow/conn.h"

void exchange_begin(struct flow *f, struct conn *c, struct exchange *x)
{
	if (x->begun)
		return;
	x->begun = true;
	f->stats.open[c->protocol]++;
	x->request.owner = f->options.begun(f->options.ctx, &x->request);
}

static uint64_t body_size(uint64_t moved, uint64_t head)
{
	return head && moved >= head ? moved - head : REQUEST_SIZE_UNKNOWN;
}

/* What is known of it by now. */
static void fill(const struct conn *c, struct exchange *x)
{
	struct request *r = &x->request;

	r->local = c->local;
	r->peer = c->peer;
	if (r->error == REQUEST_ABORTED && !r->first_byte && x->handshake.upgrade)
		r->handshake = HANDSHAKE_REFUSED;
	r->request_bytes = body_size(x->request_moved, x->request_head);
	if (x->request_body != REQUEST_SIZE_UNKNOWN) /* less: answered before it had come */
		r->request_bytes = r->request_bytes >= x->request_body ? x->request_body
								       : REQUEST_SIZE_UNKNOWN;
	r->response_bytes = r->first_byte ? body_size(x->response_moved, x->response_head)
					  : REQUEST_SIZE_UNKNOWN;
}

/* learn: this is its count. */
static void route(struct flow *f, struct request *r, bool learn)
{
	r->length.route = (uint16_t)routes_of(f->routes, r, learn, r->route);
}

static void stream_fill(struct exchange *x, enum request_stream state)
{
	struct request *r = &x->request;
	uint64_t told = x->stream_told;

	r->stream = (uint8_t)state;
	if (r->response_bytes != REQUEST_SIZE_UNKNOWN && r->response_bytes > told)
		x->stream_told = r->response_bytes;
	r->stream_added = x->stream_told - told;
}

static void account(struct flow *f, struct conn *c, bool counted)
{
	f->stats.open[c->protocol]--;
	f->stats.counted[c->protocol] += counted;
	c->balance -= counted;
}

void exchange_stream(struct flow *f, struct conn *c, struct exchange *x)
{
	bool begins = x->request.stream == STREAM_NONE;

	fill(c, x);
	route(f, &x->request, begins);
	stream_fill(x, begins ? STREAM_BEGUN : STREAM_OPEN);
	if (begins)
		account(f, c, true);
	f->options.stream(f->options.ctx, &x->request);
}

static void deliver(struct flow *f, struct conn *c, struct exchange *x, bool counted)
{
	if (!x->begun) {
		conn_found(f, c, -1); /* tentative, and nothing proved it */
		return;
	}
	fill(c, x);
	if (!x->request.first_byte)
		request_id_unanswered(f, c, x);
	route(f, &x->request, counted && !x->request.stream);
	if (x->request.stream)
		stream_fill(x, STREAM_OVER);
	else
		account(f, c, counted);
	f->options.done(f->options.ctx, &x->request, counted);
}

void exchange_end(struct flow *f, struct conn *c, struct exchange *x, bool counted)
{
	if (c->filling == x)
		c->filling = NULL;
	parent_end(f, x);
	deliver(f, c, x, counted);
	request_id_ended(c, x);
	exchange_free(f, x);
}

void exchange_drop(struct flow *f, struct conn *c, struct exchange *x)
{
	if (x->begun) {
		exchange_end(f, c, x, false);
		return;
	}
	if (c->filling == x)
		c->filling = NULL;
	parent_end(f, x);
	request_id_ended(c, x);
	exchange_free(f, x);
}

struct exchange *queue_pop(struct conn *c)
{
	struct exchange *x = c->first;

	if (!x)
		return NULL;
	c->first = x->next;
	if (!c->first)
		c->last = &c->first;
	return x;
}

struct exchange *exchange_start(struct flow *f, struct conn *c, uint32_t pid, uint32_t tid,
				uint32_t txn, uint64_t start)
{
	struct exchange *x = exchange_new(f);

	if (!x)
		return NULL;
	x->request.conn = c->id;
	x->request.role = c->role;
	x->request.proto = protos[c->protocol];
	x->request.local = c->local;
	x->request.peer = c->peer;
	x->request.pid = pid;
	x->request.tid = tid;
	x->request.txn = txn;
	x->request.start = start;
	trace_new(&f->random, &x->request);
	return x;
}
