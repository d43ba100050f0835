/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection says: messages in fragments, pings between them, pongs, and the close; and in
 * which pieces that is written. A frame is counted when it stands in the buffer: nobody ends a
 * connection before that is empty.
 */
#ifndef FRAMES_SEND_H
#define FRAMES_SEND_H

#include <sys/uio.h>

#include "frames.h"

#define WRITES_AT_ONCE 32

static inline void put(struct sender *o, const void *from, size_t n)
{
	memcpy(o->buffer + o->end, from, n);
	o->end += n;
}

/* Returns where the mask stands, or NULL. */
static inline const unsigned char *head_put(struct peer *p, unsigned char first, uint64_t length)
{
	unsigned char head[HEAD_MAX] = {first}, masked = p->w->end == CLIENT ? 128 : 0;
	unsigned bytes = length < 126 ? 0 : length < 65536 ? 2 : 8, n = 2;
	uint32_t mask = (uint32_t)random_next(&p->plan);

	head[1] = (unsigned char)(masked | (!bytes ? length : bytes == 2 ? 126 : 127));
	while (bytes--)
		head[n++] = (unsigned char)(length >> (8 * bytes));
	if (masked)
		memcpy(head + n, &mask, 4);
	put(&p->out, head, n + (masked ? 4 : 0));
	p->out.mark = p->out.end;
	return masked ? p->out.buffer + p->out.end - 4 : NULL;
}

static inline void control_put(struct peer *p, enum type type, const struct bytes *b)
{
	const unsigned char *mask = head_put(p, 128 | opcodes[type], b->n);

	for (unsigned i = 0; i < b->n; i++)
		p->out.buffer[p->out.end++] = b->of[i] ^ (mask ? mask[i % 4] : 0);
	traffic_count(p, SENT, type, 1, b->n);
}

static inline struct bytes bytes_make(struct peer *p, unsigned n)
{
	struct bytes b = {.n = (unsigned char)n};

	for (unsigned i = 0; i < n; i++)
		b.of[i] = (unsigned char)random_next(&p->plan);
	return b;
}

static inline void ping_put(struct peer *p)
{
	struct sender *o = &p->out;

	o->ping_bytes = bytes_make(p, random_below(&p->plan, CONTROL_MAX + 1));
	control_put(p, PING, &o->ping_bytes);
	o->ping = true;
	o->ping_time = 0;
	o->ping_end = o->written + (o->end - o->start);
}

/* One that nobody asked for; unlike any ping. */
static inline void pong_put(struct peer *p)
{
	struct bytes b = bytes_make(p, 8 + random_below(&p->plan, CONTROL_MAX - 7));

	control_put(p, PONG, &b);
}

static inline void close_put(struct peer *p)
{
	struct bytes b = {.n = 0};

	close_note(p, code_of(p->number), p->w->end);
	if (codes[p->code] != NO_CODE) {
		b = bytes_make(p, 2 + random_below(&p->plan, CONTROL_MAX - 1));
		b.of[0] = (unsigned char)(codes[p->code] / 256);
		b.of[1] = (unsigned char)codes[p->code];
	}
	control_put(p, CLOSE, &b);
	p->close_sent = true;
}

static inline void message_begin(struct peer *p)
{
	struct sender *o = &p->out;

	o->type = random_below(&p->plan, 2);
	o->message_left = message_size(p);
	o->fragments = random_below(&p->plan, 4) ? 1 : 2 + random_below(&p->plan, 5);
	o->started = false;
}

/* Some are empty. */
static inline void fragment_put(struct peer *p)
{
	struct sender *o = &p->out;
	bool last = o->fragments == 1;
	uint64_t n = last ? o->message_left : random_next(&p->plan) % (o->message_left + 1);
	unsigned char first = last ? 128 : 0;

	if (!o->started)
		first |= opcodes[o->type] | (random_below(&p->plan, 4) ? 0 : 0x40);
	head_put(p, first, n);
	traffic_count(p, SENT, o->type, last, n);
	o->noise = p->w->noise + random_below(&p->plan, 256) * 4096U +
		   (random_below(&p->plan, 4) ? random_below(&p->plan, 4096) : 0);
	o->left = n;
	o->message_left -= n;
	o->fragments--;
	o->started = true;
}

/* Between two frames. */
static inline bool aside_put(struct peer *p)
{
	struct sender *o = &p->out;
	unsigned dice = random_below(&p->plan, 32);

	if (dice < 2 && !o->ping)
		ping_put(p);
	else if (dice == 2)
		pong_put(p);
	else
		return false;
	return true;
}

/* The next frame; false: there is nothing to say. */
static inline bool frame_put(struct peer *p)
{
	struct sender *o = &p->out;

	if (p->close_sent || p->state != OPEN)
		return false;
	if (o->pong && !p->close_received) {
		control_put(p, PONG, &o->pong_bytes);
		o->pong = false;
	} else if (o->fragments) {
		if (p->close_received || !aside_put(p))
			fragment_put(p);
	} else if (o->messages) {
		o->messages--;
		message_begin(p);
	} else if (o->pings && !o->ping) {
		o->pings--;
		ping_put(p);
	} else if (p->close_received || (p->close_wanted && !o->pings)) {
		close_put(p);
	} else {
		return false;
	}
	return true;
}

/* A payload may be longer than the noise: it begins again then. */
static inline void payload_put(struct peer *p)
{
	struct sender *o = &p->out;
	size_t room = OUT_SIZE - o->end;
	size_t noise = (size_t)(p->w->noise + NOISE_SIZE + IO_MAX - o->noise);
	size_t n = o->left < room ? (size_t)o->left : room;

	n = n < noise ? n : noise;
	put(o, o->noise, n);
	o->left -= n;
	o->noise = n == noise ? p->w->noise : o->noise + n;
}

static inline void buffer_fill(struct peer *p)
{
	struct sender *o = &p->out;

	if (!o->buffer && !(o->buffer = malloc(OUT_SIZE)))
		fail("malloc");
	memmove(o->buffer, o->buffer + o->start, o->end - o->start);
	o->mark = o->mark > o->start ? o->mark - o->start : 0;
	o->end -= o->start;
	o->start = 0;
	while (o->end < p->manner->io_max)
		if (o->left)
			payload_put(p);
		else if ((p->manner->whole && o->end) || !frame_put(p))
			break;
}

/* Heads apart from their payloads, heads in two parts, or anything; never over `n`. */
static inline size_t cut(struct peer *p, size_t n)
{
	struct sender *o = &p->out;
	size_t mark = o->mark > o->start + 1 ? o->mark - o->start : 0;
	unsigned dice = random_below(&p->chance, 8);

	if (mark && mark <= n && dice < 2)
		return mark - dice;
	return n;
}

static inline ssize_t write_some(struct peer *p, size_t n)
{
	unsigned char *from = p->out.buffer + p->out.start;
	size_t first = cut(p, n);
	struct iovec parts[2] = {{from, first}, {from + first, n - first}};

	if (p->out.whole || p->manner->whole)
		return write(p->fd, from, n);
	if (random_below(&p->chance, 2))
		return write(p->fd, from, first);
	return writev(p->fd, parts, 2);
}

static inline void written(struct peer *p, size_t n)
{
	struct sender *o = &p->out;

	o->start += n;
	o->written += n;
	if (o->ping && !o->ping_time && o->written >= o->ping_end)
		o->ping_time = now();
}

/* 1: there is more; 0: all has gone; -1: the connection is broken. */
static inline int transmit(struct peer *p)
{
	struct sender *o = &p->out;

	for (unsigned i = 0; i < WRITES_AT_ONCE; i++) {
		size_t n = o->whole ? IO_MAX : io_size(p);
		ssize_t some;

		if (o->end - o->start < n)
			buffer_fill(p);
		if (o->end == o->start)
			return 0;
		some = write_some(p, n < o->end - o->start ? n : o->end - o->start);
		if (some < 0)
			return errno == EAGAIN ? 1 : -1;
		o->whole = false;
		written(p, (size_t)some);
	}
	return 1;
}

#endif
