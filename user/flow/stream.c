/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads, from record bytes to messages. A head that came whole is parsed where it lies, in the
 * ring; one in pieces is put together first, up to the capture limit, and parsed again with each
 * piece. When the limit is reached, or something else begins on the connection, the parser makes do
 * with what is there. The exchange of a request exists from its first byte on, whatever its head
 * turns out to be.
 */
#include "flow/conn.h"

static const struct proto *conn_proto(const struct conn *c)
{
	return protos[c->protocol];
}

/* Keeps bytes for later; false if the head is at the capture limit or no memory is left for it. */
static bool piece_keep(struct flow *f, struct piece **piece, struct str bytes)
{
	struct piece *p = *piece ? *piece : piece_new(f);
	size_t room;

	if (!p)
		return false;
	room = f->options.capture_bytes - p->n;
	if (bytes.n > room)
		bytes.n = room;
	memmove(p->bytes + p->n, bytes.p, bytes.n);
	p->n += bytes.n;
	*piece = p;
	return p->n < f->options.capture_bytes;
}

static struct str piece_view(const struct piece *p)
{
	return (struct str){p->bytes, p->n};
}

static void fill(struct flow *f, struct exchange *x, const struct msg *msg, uint64_t consumed)
{
	struct request *r = &x->request;

	request_set(r, op, msg->op);
	request_set(r, target, msg->target);
	request_set(r, host, msg->host);
	trace_request_id(r, msg->ids);
	x->traced |= trace_parent(r, msg->ids, msg->head_bytes, f->stats.ids_invalid);
	x->handshake = handshake_of(msg);
	x->request_head = msg->head_bytes;
	if (msg->head_bytes && msg->end != MSG_END_MARK)
		x->request_body = consumed - msg->head_bytes + msg->body_left;
}

/* What of its body is not in the bytes that were parsed, the last of which stands before `end`. */
static void expect_body(struct conn *c, const struct msg *msg, uint32_t end)
{
	c->body_end = end + (uint32_t)msg->body_left;
	c->body = msg->head_bytes ? msg->end : MSG_END_HERE;
	c->body_expects = msg->expects;
}

/* Does another message begin right behind msg? */
static bool goes_on(const struct proto *proto, const struct msg *msg, enum msg_kind kind,
		    struct str bytes)
{
	return bytes.n && msg->end == MSG_END_HERE && proto->guess(bytes, kind);
}

/*
 * One or more requests from the first byte of x on; those behind the first were pipelined. Returns
 * the bytes of a head that goes on, whose exchange *x then is; absent if there are none.
 */
static struct str requests(struct flow *f, struct conn *c, const struct event_data *e,
			   struct exchange **x, struct str bytes, bool cut)
{
	const struct proto *proto = conn_proto(c);
	uint32_t seq = (*x)->seq;

	c->body = MSG_END_HERE;
	for (;;) {
		struct msg msg = {.cut = cut};
		int64_t n = proto->parse(MSG_REQUEST, bytes, &msg);

		if (n == 0)
			return bytes;
		(*x)->refused = n < 0;
		seq += (uint32_t)n;
		if (n < 0) {
			f->stats.parse_errors[c->protocol] += !(*x)->tentative;
		} else {
			fill(f, *x, &msg, (uint64_t)n);
			users_fill(f->users, &(*x)->request, &msg);
			headers_fill(f, *x, msg.head);
			expect_body(c, &msg, seq);
			request_id_parsed(f, c, *x, &msg, bytes);
		}
		match_filled(f, c, *x);
		if (n < 0)
			return (struct str){0};
		bytes = str_from(bytes, (size_t)n);
		if (!e || !goes_on(proto, &msg, MSG_REQUEST, bytes))
			return (struct str){0};
		*x = match_request(f, c, e, seq);
		if (!*x)
			return (struct str){0};
		/* what the record says besides its bytes is of the first one */
		request_set(&(*x)->request, op, (struct str){0});
		(*x)->request.queued = 0;
		c->pipelined = true;
		conn_found(f, c, 1);
	}
}

void stream_cut(struct flow *f, struct conn *c, enum event_message message)
{
	struct piece **piece = &c->piece[message];
	struct exchange *x = c->filling;

	if (!*piece)
		return;
	if (message == MESSAGE_RESPONSE) {
		stream_answer(f, c, piece_view(*piece), true);
		return;
	}
	c->filling = NULL;
	if (x)
		requests(f, c, NULL, &x, piece_view(*piece), true);
	piece_free(f, piece);
}

/*
 * An upload can hold lines that look like a request. With a length its end is known; a chunked one
 * is taken to last until it is answered. Only a client that asked first (Expect: 100-continue, RFC
 * 9110 section 10.1.1) may leave the rest out once it is answered.
 */
static bool is_body(const struct conn *c, const struct event_data *e)
{
	if (c->body == MSG_END_MARK)
		return c->first;
	return c->body == MSG_END_LENGTH && (int32_t)(e->seq - c->body_end) < 0 &&
	       (c->first || !c->body_expects);
}

/* The same for a response whose end is known to lie further on, and that nobody waits behind. */
static bool is_answer_body(const struct conn *c, const struct event_data *e)
{
	const struct exchange *x = c->answering;

	return e->flags & DATA_UNPAIRED && x && !c->first && e->txn == x->response_txn + 1 &&
	       (x->end == MSG_END_LENGTH || x->end == MSG_END_MARK);
}

void stream_request(struct flow *f, struct conn *c, const struct event_data *e, struct str bytes)
{
	struct piece **piece = &c->piece[MESSAGE_REQUEST];
	struct exchange *x = c->filling;

	if (e->flags & DATA_START) {
		stream_cut(f, c, MESSAGE_REQUEST);
		if ((int32_t)(e->txn - c->answer.txn) > 0) /* no late one that it answers */
			stream_cut(f, c, MESSAGE_RESPONSE);
		match_answered(f, c, &(struct answered){e->answered, e->dropped, e->unknown, true});
		if (is_body(c, e)) {
			c->pipelined = true; /* the kernel half has numbered it */
			conn_found(f, c, -1);
			return;
		}
		x = match_request(f, c, e, e->seq);
	} else if (*piece && x && e->seq - x->seq == (*piece)->n) {
		piece_keep(f, piece, bytes);
		bytes = piece_view(*piece);
	} else {
		return; /* of a body: the head was whole before */
	}
	c->filling = NULL;
	if (!x)
		return;
	bytes = requests(f, c, e, &x, bytes, bytes.n >= f->options.capture_bytes);
	if (*piece)
		(*piece)->n = 0;
	if (bytes.p && !piece_keep(f, piece, bytes))
		bytes = requests(f, c, NULL, &x, bytes, true);
	if (bytes.p)
		c->filling = x;
	else
		piece_free(f, piece);
}

/* One or more responses; returns the bytes of a head that goes on, absent if there are none. */
static struct str responses(struct flow *f, struct conn *c, struct str bytes, bool cut)
{
	const struct proto *proto = conn_proto(c);
	struct answer *a = &c->answer;

	for (;;) {
		struct msg msg = {.cut = cut, .request_op = match_op(c, a)};
		int64_t n = proto->parse(MSG_RESPONSE, bytes, &msg);
		uint64_t moved = a->moved;

		if (n == 0)
			return bytes;
		a->unread = !msg.head_bytes && bytes.n < f->options.capture_bytes;
		if (n < 0) {
			f->stats.parse_errors[c->protocol]++;
			msg = (struct msg){.kind = MSG_RESPONSE, .end = MSG_END_CLOSE};
			n = (int64_t)bytes.n;
		}
		bytes = str_from(bytes, (size_t)n);
		if (!goes_on(proto, &msg, MSG_RESPONSE, bytes))
			bytes = (struct str){0};
		if (bytes.n) /* another one follows: this one is just what was consumed */
			a->moved = (uint64_t)n;
		if (msg.kind != MSG_INTERIM) {
			match_response(f, c, &msg, a, (uint64_t)n);
			a->unpaired = true;
			c->pipelined |= bytes.n > 0;
		}
		a->interim = msg.kind == MSG_INTERIM ? a->interim + (uint64_t)n : 0;
		if (!bytes.n)
			return bytes;
		a->base += (uint64_t)n;
		a->moved = moved > (uint64_t)n ? moved - (uint64_t)n : bytes.n;
	}
}

void stream_answer(struct flow *f, struct conn *c, struct str bytes, bool cut)
{
	struct piece **piece = &c->piece[MESSAGE_RESPONSE];

	bytes = responses(f, c, bytes, cut);
	if (*piece)
		(*piece)->n = 0;
	if (bytes.p && !piece_keep(f, piece, bytes))
		bytes = responses(f, c, bytes, true);
	if (!bytes.p)
		piece_free(f, piece);
}

void stream_response(struct flow *f, struct conn *c, const struct event_data *e, struct str bytes)
{
	struct piece **piece = &c->piece[MESSAGE_RESPONSE];

	if (e->flags & DATA_START)
		match_passed(f, c, e);
	else if (*piece && e->seq - c->answer.seq != c->answer.base + (*piece)->n)
		stream_cut(f, c, MESSAGE_RESPONSE); /* something of it is missing */
	if (e->flags & DATA_START && is_answer_body(c, e)) {
		match_body(f, c, e);
		return;
	}
	if (e->flags & DATA_START) {
		stream_cut(f, c, MESSAGE_REQUEST);
		stream_cut(f, c, MESSAGE_RESPONSE);
		c->answer = (struct answer){
			.time = e->head.time,
			.last = e->head.time,
			.moved = e->moved,
			.tail = e->tail,
			.request_time = e->request_time,
			.request_bytes = e->request_bytes,
			.txn = e->txn,
			.seq = e->seq,
			.ack = e->ack,
			.answered = e->answered,
			.dropped = e->dropped,
			.unknown = e->unknown,
			.pid = e->head.tgid,
			.tid = e->head.tid,
			.row = e->row,
			.unpaired = e->flags & DATA_UNPAIRED,
			.hole = e->flags & DATA_HOLE,
		};
		match_answer(f, c, &c->answer);
		if (e->flags & DATA_UNREADABLE) {
			match_response(f, c, &(struct msg){.end = MSG_END_CLOSE}, &c->answer, 0);
			return;
		}
	} else if (*piece) {
		c->answer.moved += e->moved;
		c->answer.last = e->head.time;
		c->answer.tail = e->tail;
		piece_keep(f, piece, bytes);
		bytes = piece_view(*piece);
	} else {
		if (c->answering)
			match_progress(f, c, e->head.time,
				       c->answering->response_base + c->answering->response_moved +
					       e->moved,
				       e->tail);
		return;
	}
	stream_answer(f, c, bytes, bytes.n >= f->options.capture_bytes);
}
