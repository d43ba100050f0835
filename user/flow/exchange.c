/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of an exchange: one request, and what is known of its response. The sink hears of it when it
 * begins and when it is over. The invariant: every begun() is followed by exactly one done(), which
 * says whether the request is to be counted here. A tentative one begins only when an answer has
 * proved it; one that nothing proved was never seen, so it is taken off what was found.
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

static void deliver(struct flow *f, struct conn *c, struct exchange *x, bool counted)
{
	struct request *r = &x->request;

	if (!x->begun) {
		conn_found(f, c, -1); /* tentative, and nothing proved it */
		return;
	}
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
	r->length.route =
		(uint16_t)route_template(request_str(r, target), r->route, sizeof(r->route));
	f->stats.open[c->protocol]--;
	f->stats.counted[c->protocol] += counted;
	c->balance -= counted;
	f->options.done(f->options.ctx, r, counted);
}

void exchange_end(struct flow *f, struct conn *c, struct exchange *x, bool counted)
{
	if (c->filling == x)
		c->filling = NULL;
	deliver(f, c, x, counted);
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
	return x;
}
