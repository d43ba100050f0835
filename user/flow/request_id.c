/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a request that no header names: a mix of two of TCP's own positions, which the client
 * and the server both see, through NAT too, whatever system calls they use. One is that of the
 * request's first byte. The other, in the other direction, is that at which its answer begins,
 * interim ones included, which is where the answer before it ended.
 *
 * The invariant: an id is from TCP only if the other end has no choice but to compute the same. So
 * nobody is believed about who answers whom: the positions have to prove it. With lost records, or
 * pipelined requests on a connection that began before the agent, they may not. Then the id is a
 * random one, and ID_FROM_HERE says so.
 */
#include <sys/socket.h>

#include "base/hex.h"
#include "flow/conn.h"

#define EMPTY_LINES_MAX 4 /* bytes, between two requests: too few for another one */
#define WARY_REQUESTS	4
#define ID_DIGITS	16

static int32_t distance(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

/*
 * The kernel half numbers requests as they begin, but for those that were pipelined in one read.
 * Once there were any, or bytes that nothing accounts for, only positions say that none is missing.
 * Where records are missing that the numbers account for, they are believed some requests later.
 */
static void doubts_note(struct conn *c, const struct event_data *e, bool gap)
{
	struct streams *s = &c->streams;
	bool jump = e->txn != s->txn && e->txn != s->txn + 1;

	s->doubtful |= (gap && !jump) || c->first || c->pipelined || c->homeless;
	if (jump)
		s->wary = WARY_REQUESTS;
	else if (s->wary)
		s->wary--;
	s->txn = e->txn;
}

void request_id_arrived(struct conn *c, struct exchange *x, const struct event_data *e)
{
	struct streams *s = &c->streams;
	bool known = s->request_ended;
	bool follows = known && x->seq - s->request_end <= EMPTY_LINES_MAX;

	doubts_note(c, e, known && !follows);
	s->sure = (follows && s->sure) ||
		  (!s->doubtful && !s->wary && distance(e->answered, e->txn) <= 1);
	s->request_ended = false;
	x->place.number = ++s->requests;
	x->place.reached = e->ack;
	x->place.follows = follows;
	x->place.sure = s->sure;
	x->place.alone = !c->first;
}

/* Whoever reads them apart from the request does not take them for its beginning. */
static uint32_t empty_lines(struct str head)
{
	uint32_t n = 0;

	while (n < head.n && (head.p[n] == '\r' || head.p[n] == '\n'))
		n++;
	return n;
}

void request_id_parsed(const struct flow *f, struct conn *c, struct exchange *x,
		       const struct msg *msg, struct str bytes)
{
	bool has_end = msg->end == MSG_END_HERE || msg->end == MSG_END_LENGTH;

	x->seq += empty_lines(bytes);
	x->place.unread = !msg->head_bytes && bytes.n < f->options.capture_bytes;
	c->streams.request_end = c->body_end;
	c->streams.request_ended = msg->head_bytes && has_end && !msg->expects;
}

void request_id_answered(struct exchange *x, const struct answer *a)
{
	struct stream_place *p = &x->place;

	p->answer = a->seq + (uint32_t)(a->base - a->interim);
	p->paired = !a->unpaired && !a->hole && a->txn == x->request.txn;
	p->unread |= a->unread || !x->request.status;
}

/* Nothing has moved on the connection before the request, or what it was ended here. */
static bool is_start(const struct conn *c, const struct exchange *x, uint32_t position)
{
	const struct streams *s = &c->streams;

	if (s->answered == ANSWER_END_SAID || (s->answered && !s->doubtful))
		return s->answer_end == position;
	return s->fresh && x->place.number == 1 && x->request.txn == 1;
}

/*
 * Is this response the answer of this request, and where does it begin? It is
 * - if it stands right behind the answer of the request right before this one, or
 * - if nothing else was open when the request came, and the answer begins where one was to begin,
 *   or behind interim responses, or, where the send's hook ran late, before what had been read by
 *   then. (A socket that sends with its SYN has read nothing, and does not know where it begins.)
 */
static bool is_proved(const struct conn *c, const struct exchange *x, uint32_t *position)
{
	const struct streams *s = &c->streams;
	const struct stream_place *p = &x->place;
	bool late = !p->reached || distance(p->reached, p->answer) < 0;

	*position = p->answer;
	if (!p->number)
		return false;
	if (p->follows && s->proved + 1 == p->number && s->answered == ANSWER_END_SAID &&
	    s->answer_end == p->answer)
		return true;
	if (!p->sure || !p->alone)
		return false;
	if (p->reached == p->answer)
		return s->answered != ANSWER_END_SAID || s->answer_end == p->answer;
	if (s->doubtful || c->first)
		return false;
	if (late)
		return is_start(c, x, p->answer) && !c->body_expects;
	*position = p->reached;
	return p->paired && is_start(c, x, p->reached);
}

static bool is_tcp(const struct conn *c)
{
	return c->local.family == AF_INET || c->local.family == AF_INET6;
}

static uint64_t mix(uint64_t x)
{
	x += 0x9E3779B97F4A7C15ULL;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
	return x ^ x >> 31;
}

static void id_write(struct request *r, uint64_t id, enum request_id_source source)
{
	hex_write(r->request_id, id);
	r->length.request_id = ID_DIGITS;
	r->id_source = (uint8_t)source;
}

static void id_set(struct flow *f, const struct conn *c, struct exchange *x, bool known)
{
	struct request *r = &x->request;
	uint64_t positions = (uint64_t)x->seq << 32 | x->place.answer;

	if (r->length.request_id)
		return;
	if (known && is_tcp(c) && !x->place.unread && !x->refused)
		id_write(r, mix(positions), ID_FROM_TCP);
	else
		id_write(r, trace_number(&f->random), ID_FROM_HERE);
}

void request_id_paired(struct flow *f, struct conn *c, struct exchange *x)
{
	uint32_t position;
	bool proved = is_proved(c, x, &position);

	if (proved)
		c->streams.proved = x->place.number;
	x->place.answer = position;
	c->streams.answered = ANSWER_END_UNKNOWN; /* until this one has ended */
	id_set(f, c, x, proved);
}

void request_id_unanswered(struct flow *f, const struct conn *c, struct exchange *x)
{
	struct stream_place *p = &x->place;
	bool known = p->number && p->sure && p->alone && p->reached && is_start(c, x, p->reached);

	p->answer = p->reached;
	id_set(f, c, x, known);
}

void request_id_ended(struct conn *c, const struct exchange *x)
{
	struct streams *s = &c->streams;
	bool said = x->end == MSG_END_HERE || x->end == MSG_END_LENGTH;
	uint64_t moved = said ? x->response_wanted : x->response_moved;

	s->answered = ANSWER_END_UNKNOWN;
	if (!x->request.first_byte) /* nobody saw whether others were answered with it */
		s->sure &= !s->doubtful;
	if (!x->request.first_byte || !x->response_head || !(said || x->whole))
		return;
	s->answered = said ? ANSWER_END_SAID : ANSWER_END_SEEN;
	s->answer_end = x->response_seq + (uint32_t)moved;
}

/* There are requests that nobody saw, unless it is one from before the agent. */
void request_id_unpaired(struct conn *c)
{
	c->streams.doubtful |= c->streams.fresh || c->streams.requests;
	c->streams.answered = ANSWER_END_UNKNOWN;
}
