/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairing. Requests wait in a queue; a response takes the oldest. Its end is known by the head (a
 * length, an end mark, the close), and until then the connection is on the waiting list, where a
 * tick looks how far it has got.
 *
 * Not everything has a record. A response carries its number, its request's time and method, so a
 * request without one is still counted; a request whose response has none is dropped here, since
 * the kernel half counts it. A response that nobody asked for began before the agent, or its
 * request's hook runs late in another thread: then it waits as `early` for one request.
 */
#include "flow/conn.h"
#include "proto/rows.h"

/* Where nothing waits, all that is yet to be dropped was of requests that are gone, unless it is
 * the answer of this one, which came before it. */
static void answered_forget(struct conn *c, const struct event_data *e)
{
	bool late = (int32_t)(e->answered - e->txn) >= 0;

	if (c->first)
		return;
	c->to_drop = late && c->to_drop;
	c->to_lose = 0;
}

struct exchange *match_request(struct flow *f, struct conn *c, const struct event_data *e,
			       uint32_t seq)
{
	struct exchange *x = exchange_start(f, c, e->head.tgid, e->head.tid, e->txn, e->head.time);

	answered_forget(c, e);
	c->homeless |= !x;
	if (!x) {
		parents_miss(f->parents);
		return NULL;
	}
	request_set(&x->request, op, proto_row_op(e->row));
	x->seq = seq;
	x->request.queued = e->queued;
	x->tentative = e->flags & DATA_TENTATIVE;
	request_id_arrived(c, x, e);
	*c->last = x;
	c->last = &x->next;
	parent_begin(f, x, e);
	if (!x->tentative)
		exchange_begin(f, c, x);
	return x;
}

static void wait_stop(struct conn *c)
{
	if (!c->waiting_link)
		return;
	*c->waiting_link = c->waiting_next;
	if (c->waiting_next)
		c->waiting_next->waiting_link = c->waiting_link;
	c->waiting_link = NULL;
}

static void wait_start(struct flow *f, struct conn *c)
{
	c->waiting_next = f->waiting;
	c->waiting_link = &f->waiting;
	if (f->waiting)
		f->waiting->waiting_link = &c->waiting_next;
	f->waiting = c;
}

int match_ended(const struct conn *c, const struct exchange *x, uint64_t tail)
{
	char bytes[sizeof(tail)];
	size_t skip = 0;

	switch (x->end) {
	case MSG_END_HERE:
		return 2;
	case MSG_END_LENGTH:
		return x->response_moved >= x->response_wanted ? 2 : 0;
	case MSG_END_CLOSE:
		return 1;
	case MSG_END_MARK:
		break;
	}
	memcpy(bytes, &tail, sizeof(tail)); /* little endian: the last byte stands last */
	while (skip < sizeof(bytes) && !bytes[skip])
		skip++;
	return protos[c->protocol]->ends((struct str){bytes + skip, sizeof(bytes) - skip});
}

static bool complete(const struct conn *c, struct exchange *x, uint64_t tail)
{
	x->whole = match_ended(c, x, tail) == 2;
	return x->whole;
}

/* What a response's head and record say, into the exchange that it answers. */
static void answer_fill(const struct conn *c, struct exchange *x, const struct msg *msg,
			const struct answer *a, uint64_t consumed)
{
	x->request.status = msg->status;
	x->request.first_byte = a->time;
	x->request.end = a->last;
	x->response_txn = a->txn;
	x->response_head = msg->head_bytes;
	x->response_moved = msg->tunnel ? consumed : a->moved; /* no body stands behind it */
	x->response_base = a->base;
	x->response_seq = a->seq + (uint32_t)a->base;
	x->response_wanted = consumed + msg->body_left;
	x->end = msg->end;
	x->streams = msg->streams;
	if (!c->pipelined) /* else they are of all requests that came together */
		x->request_moved = a->request_bytes;
	trace_request_id(&x->request, msg->ids);
	request_id_answered(x, a);
}

static void answering_start(struct flow *f, struct conn *c, struct exchange *x,
			    const struct handshake *answer, uint64_t tail)
{
	exchange_begin(f, c, x);
	parent_answer(f, x, c->answer.tid);
	request_id_paired(f, c, x);
	x->request.handshake = handshake_judge(x, answer);
	if (x->request.handshake && x->request.status == 101)
		websocket_handshake(f, &x->request);
	if (x->request.start > x->request.first_byte)
		x->request.start = x->request.first_byte; /* the send's hook ran late */
	if (x->streams)
		exchange_stream(f, c, x);
	if (complete(c, x, tail)) {
		exchange_end(f, c, x, true);
		return;
	}
	c->answering = x;
	wait_start(f, c);
}

/* Nobody asked for it. */
void match_early_drop(struct flow *f, struct conn *c)
{
	if (!c->early)
		return;
	f->stats.unpaired[c->protocol]++;
	request_id_unpaired(c);
	exchange_free(f, c->early);
	c->early = NULL;
}

/* The response may have come first: see above. */
void match_filled(struct flow *f, struct conn *c, struct exchange *x)
{
	struct exchange *early = c->early;
	struct handshake answer;

	if (!early)
		return;
	if ((int32_t)(c->early_ack - x->seq) <= 0 || x != c->first) {
		match_early_drop(f, c);
		return;
	}
	c->early = NULL;
	queue_pop(c);
	x->request.status = early->request.status;
	x->request.first_byte = early->request.first_byte;
	x->request.end = early->request.end;
	x->response_txn = early->response_txn;
	x->response_head = early->response_head;
	x->response_moved = early->response_moved;
	x->response_base = early->response_base;
	x->response_seq = early->response_seq;
	x->response_wanted = early->response_wanted;
	x->end = early->end;
	x->streams = early->streams;
	x->place.answer = early->place.answer;
	x->place.unread |= early->place.unread;
	if (x->request.id_source != ID_FROM_HEADER && early->request.length.request_id) {
		request_set(&x->request, request_id, request_str(&early->request, request_id));
		x->request.id_source = early->request.id_source;
	}
	headers_adopt(f, x, early);
	answer = early->handshake;
	exchange_free(f, early);
	answering_start(f, c, x, &answer, c->answer.tail);
}

/*
 * Requests that were pipelined in one read have that read's number. If one of their answers had no
 * record, others may have been in the same write: then all with that number are over, unless the
 * next answer is one that the kernel half can give no request.
 */
void match_answered(struct flow *f, struct conn *c, const struct answered *now)
{
	bool gap;

	c->to_drop += (uint16_t)(now->dropped - c->dropped);
	c->to_lose += (int32_t)(now->unknown - c->unknown);
	c->dropped = now->dropped;
	c->unknown = now->unknown;
	gap = c->pipelined && now->paired && (c->to_drop || c->to_lose > 0);
	while ((gap || c->to_drop || c->to_lose > 0) && c->first &&
	       (int32_t)(now->responses - c->first->request.txn) >= 0) {
		if (c->to_drop) {
			c->to_drop--;
		} else {
			conn_lost(f, c, LOST_UNREAD, c->first->begun);
			c->to_lose -= c->to_lose > 0;
		}
		exchange_drop(f, c, queue_pop(c));
	}
	if (!c->first && c->pipelined)
		c->to_drop = c->to_lose = 0;
}

void match_answer(struct flow *f, struct conn *c, const struct answer *a)
{
	match_finish(f, c);
	match_early_drop(f, c);
	match_answered(f, c,
		       &(struct answered){a->answered - 1, a->dropped, a->unknown, !a->unpaired});
	/* what answered all but the last one was never seen */
	while (a->hole && c->first && c->first->next) {
		conn_lost(f, c, LOST_UNREAD, 1);
		exchange_drop(f, c, queue_pop(c));
	}
}

/* Does it answer the oldest request? Else the record of its request was lost. */
static bool answers_first(const struct conn *c, const struct answer *a)
{
	if (!c->first)
		return false;
	if (a->unpaired) /* no answer to what was sent after it */
		return (int32_t)(a->ack - c->first->seq) > 0;
	return c->pipelined || c->first->request.txn == a->txn;
}

struct str match_op(const struct conn *c, const struct answer *a)
{
	if (answers_first(c, a))
		return request_str(&c->first->request, op);
	return proto_row_op(a->unpaired ? 0 : a->row);
}

static struct exchange *answered(struct flow *f, struct conn *c, const struct answer *a)
{
	struct exchange *x;

	if (answers_first(c, a))
		return queue_pop(c);
	if (a->unpaired && c->role != ROLE_CLIENT) {
		f->stats.unpaired[c->protocol]++;
		request_id_unpaired(c);
		return NULL;
	}
	x = exchange_start(f, c, a->pid, a->tid, a->txn,
			   a->request_time ? a->request_time : a->time);
	if (x)
		request_set(&x->request, op, match_op(c, a));
	else if (!a->unpaired)
		conn_lost(f, c, LOST_EVICTED, 1);
	return x;
}

void match_response(struct flow *f, struct conn *c, const struct msg *msg, const struct answer *a,
		    uint64_t consumed)
{
	bool asked = answers_first(c, a);
	struct handshake handshake;
	struct exchange *x;

	match_finish(f, c);
	x = answered(f, c, a);
	if (!x)
		return;
	answer_fill(c, x, msg, a, consumed);
	headers_fill(f, x, msg->head);
	handshake = handshake_of(msg);
	if (handshake.upgrade && msg->status == 101)
		websocket_protocol(f, c->id, a->time, msg->ids[ID_WEBSOCKET_PROTOCOL]);
	if (a->unpaired && !asked) {
		x->handshake = handshake;
		match_early_drop(f, c);
		c->early = x;
		c->early_ack = a->ack;
		return;
	}
	answering_start(f, c, x, &handshake, a->tail);
}

void match_progress(struct flow *f, struct conn *c, uint64_t time, uint64_t moved, uint64_t tail)
{
	struct exchange *x = c->answering;

	/* what is older was of another response with this number, or is in the sum already */
	if (!x || moved <= x->response_base + x->response_moved || time < x->request.end)
		return;
	x->response_moved = moved - x->response_base;
	if (x->end == MSG_END_LENGTH && x->response_moved > x->response_wanted)
		x->response_moved = x->response_wanted;
	x->request.end = time;
	if (complete(c, x, tail))
		match_finish(f, c);
	else if (x->streams)
		exchange_stream(f, c, x);
}

/*
 * Its END stands behind the record that says this, and some of its bytes may have been read where
 * no hook fires: but they all stand before the next response's position.
 */
void match_passed(struct flow *f, struct conn *c, const struct event_data *e)
{
	struct exchange *x = c->answering;
	struct event_progress p;
	uint32_t passed;

	if (!x || x->end != MSG_END_LENGTH)
		return;
	if (f->options.progress(f->options.ctx, c->id, &p) && (uint32_t)p.txn == x->response_txn)
		match_progress(f, c, p.time, p.response_bytes, p.tail);
	if (!c->answering)
		return;
	passed = e->seq - x->response_seq;
	if ((int32_t)(passed - (uint32_t)x->response_wanted) >= 0) {
		x->response_moved = x->response_wanted;
		match_finish(f, c);
	} else if (!(e->flags & DATA_UNPAIRED) && passed != (uint32_t)x->response_moved) {
		x->response_head = 0; /* then how much it was is not known */
	}
}

void match_body(struct flow *f, struct conn *c, const struct event_data *e)
{
	struct exchange *x = c->answering;

	/* the kernel half began to count anew, under the next number */
	x->response_base = 0 - x->response_moved;
	x->response_txn = e->txn;
	match_progress(f, c, e->head.time, e->moved, e->tail);
}

void match_finish(struct flow *f, struct conn *c)
{
	struct exchange *x = c->answering;

	if (!x)
		return;
	wait_stop(c);
	c->answering = NULL;
	exchange_end(f, c, x, true);
}
