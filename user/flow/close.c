/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a connection. What has no response by then is aborted; what had no record is made up
 * for from what the close says. If the kernel half could not send the close at its time
 * (CLOSE_SHED), it has counted what was open, and that is only let go of here.
 *
 * The invariant: whatever began on the connection is counted by one side, or lost by name.
 */
#include "flow/conn.h"
#include "proto/rows.h"

/* A body that the close ends is whole unless that was a reset. */
static bool is_cut(const struct conn *c, const struct exchange *x, const struct event_close *e)
{
	if (x->end == MSG_END_CLOSE)
		return x->response_head && e->closer == CLOSER_RESET;
	return !match_ended(c, x, e->tail);
}

/* Requests that nothing is left of but what the close says: they had no record, and no response. */
static void close_untold(struct flow *f, struct conn *c, const struct event_close *e)
{
	uint32_t untold = flow_close_owes(e) ? e->held : 0;

	if (c->pipelined) {
		conn_lost(f, c, LOST_UNREAD, untold);
		return;
	}
	for (; untold; untold--) {
		struct exchange *x = exchange_start(f, c, e->head.tgid, e->head.tid, e->requests,
						    e->request_time);

		if (!x) {
			conn_lost(f, c, LOST_EVICTED, untold);
			return;
		}
		request_set(&x->request, op, proto_row_op(e->row));
		exchange_begin(f, c, x);
		*c->last = x;
		c->last = &x->next;
	}
}

/* The kernel half has counted what it has seen, once an answer has proved the first ones; what had
 * no record is not here. */
static void close_shed(struct flow *f, struct conn *c, const struct event_close *e)
{
	int32_t told = (int32_t)(e->requests - e->responses - e->held);
	struct exchange *x;

	while ((x = queue_pop(c))) {
		if (e->flags & CLOSE_TENTATIVE || told <= 0) {
			conn_lost(f, c, LOST_UNREAD, x->begun);
			exchange_end(f, c, x, false);
		} else {
			exchange_drop(f, c, x);
			told--;
		}
	}
}

/*
 * Everything that began on the connection is counted here or by the kernel half, or lost. Where
 * requests were pipelined and some records are missing, what is left of that sum cannot be told
 * apart any more; where there was no room for a request, it is what had no response later.
 */
static void close_balance(struct flow *f, struct conn *c, const struct event_close *e,
			  uint32_t waited)
{
	uint32_t refuted = e->flags & CLOSE_TENTATIVE ? e->held : 0;
	int32_t rest = (int32_t)(e->begun - e->counted - refuted) + c->balance;

	if (c->partial && (!c->homeless || c->pipelined || e->flags & CLOSE_SHED))
		return;
	if (c->partial) /* just what is open now: of that some had a place, some had no record */
		rest = (int32_t)(e->requests - e->responses - e->held - waited);
	if (rest > 0 && c->pipelined)
		conn_lost(f, c, LOST_UNREAD, (uint32_t)rest);
	else if (rest > 0 && c->homeless)
		conn_lost(f, c, LOST_EVICTED, (uint32_t)rest);
	else if (rest < 0 && c->pipelined)
		conn_found(f, c, -rest);
}

/*
 * Nothing but the close ends a stream's response. It has lasted until then, however long it was
 * silent, and it is for the client to leave when it has heard enough.
 */
static bool is_stream_cut(const struct conn *c, const struct exchange *x,
			  const struct event_close *e)
{
	bool server = c->role == ROLE_SERVER;

	if (e->closer == CLOSER_RESET)
		return !server;
	return x->end != MSG_END_CLOSE && e->closer == (server ? CLOSER_LOCAL : CLOSER_PEER);
}

static void close_answer(const struct conn *c, struct exchange *x, const struct event_close *e)
{
	if (x->streams)
		x->request.end = e->head.time;
	if (x->streams ? is_stream_cut(c, x, e) : is_cut(c, x, e))
		x->request.error = REQUEST_ABORTED;
}

static uint32_t queue_length(const struct conn *c)
{
	uint32_t n = 0;

	for (const struct exchange *x = c->first; x; x = x->next)
		n++;
	return n;
}

void close_take(struct flow *f, struct conn *c, const struct event_close *e)
{
	bool unseen = e->closer == CLOSER_UNSEEN;
	struct exchange *x = c->answering;
	uint32_t waited;

	if (x && e->responses == x->response_txn) {
		match_progress(f, c, e->response_time, e->response_bytes, e->tail);
		if (c->answering && !unseen)
			close_answer(c, x, e);
	}
	match_finish(f, c);
	match_answered(f, c, &(struct answered){e->responses, e->dropped, e->unknown, true});
	waited = queue_length(c);
	if (e->flags & CLOSE_SHED)
		close_shed(f, c, e);
	close_untold(f, c, e);
	/* a pipelined answer can begin where no hit did: then nothing is known of it */
	while ((x = queue_pop(c))) {
		bool unread =
			(unseen || (c->pipelined && e->response_time)) && x->begun && !x->refused;

		conn_lost(f, c, LOST_UNREAD, unread);
		conn_found(f, c, -(x->begun && x->refused));
		x->request.error = REQUEST_ABORTED;
		x->request.end = e->head.time;
		exchange_end(f, c, x, !unread && !x->refused);
	}
	match_early_drop(f, c);
	close_balance(f, c, e, waited);
}

void close_forget(struct flow *f, struct conn *c)
{
	struct exchange *x;

	match_early_drop(f, c);
	if (c->first)
		parents_miss(f->parents);
	while ((x = queue_pop(c))) {
		conn_lost(f, c, LOST_EVICTED, x->begun);
		exchange_end(f, c, x, false);
	}
}
