/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoder of RFC 6455 for reads of any size. It is the reference: what it does not allow ends the
 * worker.
 */
#ifndef FRAMES_RECEIVE_H
#define FRAMES_RECEIVE_H

#include "frames.h"

static inline void allow(const struct peer *p, bool allowed, const char *what)
{
	if (allowed)
		return;
	fprintf(stderr, "frames: the %s's connection %u: %s\n", end_names[p->w->end], p->number,
		what);
	exit(1);
}

static inline unsigned head_wanted(const struct receiver *r)
{
	static const unsigned lengths[] = {[126] = 2, [127] = 8};

	return r->head_size < 2 ? 2 : 2 + lengths[r->head[1] & 127] + (r->head[1] & 128 ? 4 : 0);
}

static inline uint64_t head_length(const struct receiver *r)
{
	unsigned length = r->head[1] & 127, bytes = length == 126 ? 2 : 8;
	uint64_t n = 0;

	if (length < 126)
		return length;
	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | r->head[2 + i];
	return n;
}

static inline bool is_control(const struct receiver *r)
{
	return r->head[0] & 8;
}

static inline unsigned type_of(const struct peer *p)
{
	unsigned opcode = p->in.head[0] & 15;

	if (!opcode)
		return p->in.message;
	for (unsigned i = 0; i < TYPES; i++)
		if (opcodes[i] == opcode)
			return i;
	allow(p, false, "a reserved opcode");
	return 0;
}

static inline void head_check(struct peer *p)
{
	struct receiver *r = &p->in;
	unsigned opcode = r->head[0] & 15;
	bool fin = r->head[0] & 128, masked = r->head[1] & 128;

	allow(p, !p->close_received, "a frame behind the close");
	allow(p, masked == (p->w->end == SERVER), "masked by the wrong end");
	allow(p, !(r->head[0] & 0x30), "a reserved bit");
	allow(p, !(r->head[0] & 0x40) || (opcode && !is_control(r)), "RSV1 on the wrong frame");
	r->left = head_length(r);
	if (is_control(r)) {
		allow(p, fin && r->left <= CONTROL_MAX, "a control frame in parts or too long");
	} else {
		allow(p, r->in_message == !opcode, "fragments out of order");
		r->message = opcode ? type_of(p) : r->message;
		r->in_message = !fin;
	}
	r->control.n = 0;
	r->in_payload = true;
}

static inline void pong_take(struct peer *p)
{
	struct sender *o = &p->out;
	struct samples *s = p->w->samples;
	uint64_t took;

	if (!o->ping || o->ping_bytes.n != p->in.control.n ||
	    memcmp(o->ping_bytes.of, p->in.control.of, p->in.control.n) != 0)
		return;
	allow(p, o->ping_time, "a pong before its ping");
	took = (uint64_t)(now() - o->ping_time);
	s->of[s->count++ % SAMPLES_MAX] = took;
	p->w->counts[ROUND_TRIPS]++;
	p->w->counts[ROUND_TRIPS_NS] += took;
	o->ping = false;
}

static inline void close_take(struct peer *p)
{
	const struct bytes *b = &p->in.control;

	allow(p, b->n != 1, "half a close code");
	close_note(p, code_index(b->n ? b->of[0] * 256U + b->of[1] : NO_CODE), other_end(p));
	p->close_received = true;
	p->out.messages = p->out.pings = 0;
}

static inline void frame_take(struct peer *p)
{
	struct receiver *r = &p->in;
	unsigned type = type_of(p);
	bool whole = r->head[0] & 128;

	traffic_count(p, RECEIVED, type, whole, head_length(r));
	r->messages += whole && type < CLOSE;
	if (type == PING && !p->close_sent) {
		p->out.pong = true;
		p->out.pong_bytes = r->control;
	} else if (type == PONG) {
		pong_take(p);
	} else if (type == CLOSE) {
		close_take(p);
	}
	r->head_size = 0;
	r->in_payload = false;
}

/* Only what control frames carry is looked at. */
static inline size_t payload_take(struct peer *p, const unsigned char *from, size_t n)
{
	struct receiver *r = &p->in;
	const unsigned char *mask = r->head + r->head_size - 4;
	size_t some = n < r->left ? n : (size_t)r->left;

	for (size_t i = 0; is_control(r) && i < some; i++, r->control.n++)
		r->control.of[r->control.n] =
			from[i] ^ (r->head[1] & 128 ? mask[r->control.n % 4] : 0);
	r->left -= some;
	return some;
}

static inline void receive(struct peer *p, const unsigned char *from, size_t n)
{
	struct receiver *r = &p->in;

	while (n) {
		size_t some = 1;

		if (r->in_payload)
			some = payload_take(p, from, n);
		else
			r->head[r->head_size++] = *from;
		from += some;
		n -= some;
		if (!r->in_payload && r->head_size == head_wanted(r))
			head_check(p);
		if (r->in_payload && !r->left)
			frame_take(p);
	}
}

#endif
