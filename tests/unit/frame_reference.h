/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What RFC 6455 makes of one direction of a connection, read from the whole stream at once, and
 * how the twin's walk through it in pieces compares. Shares nothing with the walk.
 */
#ifndef SONDE_FRAME_REFERENCE_H
#define SONDE_FRAME_REFERENCE_H

#include "frame_twin.h"

struct reference {
	uint64_t messages[5], bytes[5]; /* text, binary, close, ping, pong */
	uint64_t frames, heads;
	uint64_t head_part;  /* bytes of a head that is not whole */
	uint64_t unfinished; /* payload bytes of what is not whole */
	uint64_t unseen;
	uint64_t controls;
	uint64_t handshake;
	uint16_t close_code;
	bool stopped;
	int open; /* opcode of the message that goes on, or 0 */
};

struct wire_frame {
	unsigned fin, rsv, opcode, masked, short_length;
	uint64_t length;
	size_t head; /* bytes before the payload */
	size_t need; /* bytes by which the walk knows it */
	const uint8_t *mask, *payload;
};

/* 0 if so few bytes do not tell. */
static inline int wire_read(struct wire_frame *f, const uint8_t *b, size_t n)
{
	size_t at = 2;

	if (n < 2)
		return 0;
	*f = (struct wire_frame){.fin = b[0] >> 7,
				 .rsv = b[0] >> 4 & 7,
				 .opcode = b[0] & 15,
				 .masked = b[1] >> 7,
				 .short_length = b[1] & 127};
	f->head = wire_head_size(b);
	f->length = f->short_length;
	f->need = f->head;
	if (f->opcode >= 8 && f->length < 126)
		f->need += f->length < 8 ? f->length : 8;
	if (n < f->need)
		return 0;
	if (f->short_length >= 126)
		f->length = 0;
	for (int i = f->short_length == 126 ? 2 : f->short_length == 127 ? 8 : 0; i > 0; i--)
		f->length = f->length * 256 + b[at++];
	f->mask = f->masked ? b + at : (const uint8_t *)"\0\0\0";
	f->payload = b + f->head;
	return 1;
}

static inline const char *wire_fault(const struct wire_frame *f, bool masked, int open)
{
	if (f->rsv & 3)
		return "RSV2 or RSV3";
	if (f->masked != masked)
		return "mask";
	if ((f->opcode > 2 && f->opcode < 8) || f->opcode > 10)
		return "reserved opcode";
	if (f->opcode >= 8)
		return !f->fin		       ? "fragmented control"
		       : f->rsv		       ? "RSV1 on a control"
		       : f->short_length > 125 ? "long control"
					       : NULL;
	if (f->length >> 63)
		return "length";
	if (f->opcode)
		return open ? "a message inside a message" : NULL;
	return !open ? "nothing to continue" : f->rsv ? "RSV1 on a continuation" : NULL;
}

static inline void reference_control(struct reference *r, const struct wire_frame *f)
{
	uint8_t clear[8] = {0};
	uint64_t payload;

	for (unsigned i = 0; i < f->length && i < sizeof(clear); i++)
		clear[i] = f->payload[i] ^ f->mask[i % 4];
	memcpy(&payload, clear, sizeof(payload));
	r->controls = control_fold(r->controls, f->opcode, f->length, payload);
	if (f->opcode == 8 && !r->close_code)
		r->close_code =
			f->length > 1 && (clear[0] || clear[1]) ? clear[0] * 256 + clear[1] : 1005;
	r->messages[f->opcode - 6]++;
	r->bytes[f->opcode - 6] += f->length;
}

static inline void reference_data(struct reference *r, const struct wire_frame *f)
{
	if (f->opcode)
		r->open = f->opcode;
	r->unfinished += f->length;
	if (!f->fin)
		return;
	r->messages[r->open - 1]++;
	r->bytes[r->open - 1] += r->unfinished;
	r->unfinished = 0;
	r->open = 0;
}

static inline void reference_read(struct reference *r, const uint8_t *b, size_t n, bool masked)
{
	struct wire_frame f;

	for (size_t at = 0; at < n; at += f.head + f.length) {
		if (!wire_read(&f, b + at, n - at)) {
			r->head_part = n - at;
			return;
		}
		if (wire_fault(&f, masked, r->open)) {
			r->stopped = true;
			r->unseen = n - at + r->unfinished;
			r->unfinished = 0;
			return;
		}
		r->heads += f.head;
		if (n - at - f.head < f.length) {
			r->unfinished += n - at - f.head;
			return;
		}
		r->frames++;
		if (f.opcode >= 8)
			reference_control(r, &f);
		else
			reference_data(r, &f);
	}
}

/* The head of a 101 goes before; if it does not speak of WebSocket, nothing counts behind it. */
static inline void reference_upgrade(struct reference *r, const uint8_t *b, size_t n, bool masked)
{
	char last[9] = "";
	bool named = false, empty = false, ended = false;
	size_t i;

	for (i = 0; i < n && !ended; i++) {
		memmove(last, last + 1, 7);
		last[7] = (char)(b[i] >= 'A' && b[i] <= 'Z' ? b[i] + 32 : b[i]);
		named |= !memcmp(last, "ebsocket", 8);
		ended = b[i] == '\n' && empty;
		if (b[i] == '\n')
			empty = true;
		else if (b[i] != '\r' || !empty || b[i - 1] == '\r')
			empty = false;
	}
	r->handshake = i;
	if (ended && named) {
		reference_read(r, b + i, n - i, masked);
	} else if (ended) {
		r->stopped = true;
		r->unseen = n - i;
	}
}

/* NULL if the twin walked as it should. */
static inline const char *reference_differs(const struct reference *r, const struct twin *t)
{
	const struct frame_figures figures = twin_figures(t);
	const struct frame_half *h = &t->half;
	const struct {
		uint64_t want, got;
		const char *wrong;
	} rows[] = {
		{0, t->wrong != NULL, t->wrong},
		{r->stopped, h->state == FRAME_STOPPED, "stopped"},
		{r->frames, h->frames + twin_wholes(t), "frames"},
		{r->heads, t->heads, "heads"},
		{r->head_part, h->head_n, "the head that is not whole"},
		{r->unfinished, twin_unfinished(h), "the message that is not whole"},
		{r->unseen, h->unseen, "unseen"},
		{r->handshake, t->handshake, "handshake"},
		{r->controls, t->controls, "payload of control frames"},
		{r->close_code, figures.close_code, "close code"},
		{0, memcmp(r->messages, figures.messages, sizeof(r->messages)) != 0, "messages"},
		{0, memcmp(r->bytes, figures.bytes, sizeof(r->bytes)) != 0, "bytes"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].want != rows[i].got)
			return rows[i].wrong;
	return NULL;
}

#endif
