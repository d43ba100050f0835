/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on the wire for the tests of the walk, and the walk through them in pieces. */
#ifndef SONDE_FRAME_WIRE_H
#define SONDE_FRAME_WIRE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "frame_reference.h"

#define WIRE_MAX 400000

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80, RSV1 = 0x40 };

struct wire {
	uint8_t bytes[WIRE_MAX];
	size_t n;
	bool masked;
};

static inline struct wire *wire_new(bool masked)
{
	static struct wire w;

	w.n = 0;
	w.masked = masked;
	return &w;
}

static inline void wire_byte(struct wire *w, unsigned byte)
{
	assert_true(w->n < WIRE_MAX);
	w->bytes[w->n++] = (uint8_t)byte;
}

/* A head with its length in 1, 3 or 9 bytes. */
static inline void wire_head(struct wire *w, unsigned first, uint64_t length, int form)
{
	unsigned mask = w->masked ? 0x80 : 0;

	wire_byte(w, first);
	wire_byte(w, mask | (form == 1 ? (unsigned)length : form == 3 ? 126 : 127));
	for (int shift = 8 * (form - 2); shift >= 0; shift -= 8)
		wire_byte(w, length >> shift & 255);
	for (int i = 0; w->masked && i < 4; i++)
		wire_byte(w, "\xa1\x02\xf3\x84"[i] & 255);
}

static inline void wire_payload(struct wire *w, const void *payload, size_t n)
{
	const uint8_t *bytes = payload;

	for (size_t i = 0; i < n; i++)
		wire_byte(w, bytes[i] ^ (w->masked ? "\xa1\x02\xf3\x84"[i & 3] & 255 : 0));
}

static inline void wire_frame(struct wire *w, unsigned first, const void *payload, size_t n)
{
	wire_head(w, first, n, n < 126 ? 1 : n < 65536 ? 3 : 9);
	wire_payload(w, payload, n);
}

static inline void wire_text(struct wire *w, unsigned first, const char *payload)
{
	wire_frame(w, first, payload, strlen(payload));
}

static inline void wire_zeros(struct wire *w, unsigned first, size_t n)
{
	static const uint8_t zeros[70000];

	assert_true(n <= sizeof(zeros));
	wire_frame(w, first, zeros, n);
}

static inline void assert_walked(const struct twin *t)
{
	if (t->wrong)
		fail_msg("%s, at byte %zu", t->wrong, t->at);
}

static inline void assert_agreed(const struct wire *w, const struct twin *t)
{
	struct reference r = {0};
	const char *wrong;

	reference_read(&r, w->bytes, w->n, w->masked);
	wrong = reference_differs(&r, t);
	if (wrong)
		fail_msg("%s", wrong);
}

/* In hits of so many bytes; the last one may be shorter. */
static inline void walk_hits(struct twin *t, const struct wire *w, size_t hit)
{
	while (t->at < w->n)
		twin_hit(t, (uint32_t)(w->n - t->at < hit ? w->n - t->at : hit), false);
	assert_walked(t);
}

static inline void walk_all(const struct wire *w, size_t hit, size_t buffer)
{
	struct twin t;

	twin_start(&t, w->bytes, w->masked);
	t.buffer = buffer;
	walk_hits(&t, w, hit);
	assert_agreed(w, &t);
}

/* The whole stream in one hit. */
static inline void walk_whole(struct twin *t, const struct wire *w)
{
	twin_start(t, w->bytes, w->masked);
	walk_hits(t, w, w->n);
}

#endif
