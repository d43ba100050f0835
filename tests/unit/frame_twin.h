/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user-space twin of the kernel half's walk through WebSocket frames: bpf/frame.bpf.h as it is,
 * over a stream in memory. Hits, their buffers, holes and bytes that cannot be read are made by
 * hand. After each of them the law must hold: bytes of whole messages + bytes of what is not whole
 * yet + heads of frames + unseen = bytes moved. The first thing that went wrong stays in `wrong`.
 */
#ifndef SONDE_FRAME_TWIN_H
#define SONDE_FRAME_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a buffer of a hit holds. Addresses are offsets in the stream. */
struct frame_window {
	const uint8_t *stream;
	size_t begin, end;
	bool unreadable;
	bool overrun; /* a byte beside it was asked for */
};

static struct frame_window frame_window;

static int frame_read(void *to, uint32_t n, uint64_t addr)
{
	const struct frame_window *w = &frame_window;

	if (addr < w->begin || addr > w->end || n > w->end - addr) {
		frame_window.overrun = true;
		return -1;
	}
	if (w->unreadable)
		return -1;
	memcpy(to, w->stream + addr, n);
	return 0;
}

#define frame_now() 1

#include "frame.bpf.h"

#define TWIN_STEPS_MAX 8192 /* of a hit, as FRAMES_MAX of bpf/frames.bpf.c */

struct twin {
	struct frame_half half;
	struct frame_next next;
	struct frame_wholes wholes;
	const uint8_t *stream;
	size_t at;	   /* where in the stream the next hit begins */
	size_t buffer;	   /* bytes of a hit's buffers; 0: it has one */
	uint32_t position; /* of it, as TCP counts */
	uint32_t expected; /* if no byte was missed */
	uint64_t moved;
	uint64_t heads;
	uint64_t shadow_heads; /* of frames that are not trusted */
	uint64_t messages;     /* that had been counted */
	uint64_t handshake;    /* bytes of the 101's head */
	uint64_t controls;     /* all control frames that may be acted upon, folded */
	const char *wrong;
};

static inline void twin_start(struct twin *t, const uint8_t *stream, bool masked)
{
	memset(t, 0, sizeof(*t));
	t->stream = stream;
	t->position = 0xfffffff0; /* soon to begin again at 0 */
	t->half.masked = masked ? FRAME_MASKED : 0;
	t->half.trust = FRAME_TRUSTED;
}

static inline void twin_check(struct twin *t, bool right, const char *wrong)
{
	if (!right && !t->wrong)
		t->wrong = wrong;
}

/* By RFC 6455, not by what the walk says. */
static inline unsigned wire_head_size(const uint8_t *head)
{
	static const unsigned extended[128] = {[126] = 2, [127] = 8};

	return 2 + extended[head[1] & 127] + (head[1] >> 7) * 4;
}

static inline uint64_t control_fold(uint64_t all, unsigned opcode, uint64_t length,
				    uint64_t payload)
{
	all = (all ^ payload) * 0x9e3779b97f4a7c15;
	return (all ^ (length << 8 | opcode)) * 0xbf58476d1ce4e5b9;
}

static inline uint64_t twin_unfinished(const struct frame_half *h)
{
	return h->message_bytes + (h->left ? h->length - h->left : 0);
}

/* What the kernel half would tell. */
static inline struct frame_figures twin_figures(const struct twin *t)
{
	struct frame_figures sum = t->half.figures;

	for (int i = WEBSOCKET_TEXT; i <= WEBSOCKET_BINARY; i++) {
		sum.messages[i] += t->wholes.messages[i];
		sum.bytes[i] += t->wholes.bytes[i];
	}
	return sum;
}

/* Hits that frame_whole() took. */
static inline uint64_t twin_wholes(const struct twin *t)
{
	return t->wholes.messages[WEBSOCKET_TEXT] + t->wholes.messages[WEBSOCKET_BINARY];
}

static inline uint64_t figures_bytes(struct frame_figures f)
{
	uint64_t sum = 0;

	for (int i = 0; i < WEBSOCKET_TYPES; i++)
		sum += f.bytes[i];
	return sum;
}

static inline uint64_t twin_accounted(const struct twin *t)
{
	return t->heads + t->handshake + t->half.unseen + t->half.head_n +
	       figures_bytes(twin_figures(t)) + twin_unfinished(&t->half) + t->shadow_heads +
	       figures_bytes(t->half.shadow);
}

static inline void twin_ended(struct twin *t, int step)
{
	const struct frame_half *h = &t->half;

	if (step != FRAME_END || !(h->first & FRAME_CONTROL) || h->trust < FRAME_TRUSTED)
		return;
	t->controls = control_fold(t->controls, h->first & 15, h->length, h->payload);
}

/* Frames in the shadow are believed, which counts messages, or go. */
static inline void twin_settle(struct twin *t)
{
	uint64_t messages = 0;

	for (int i = 0; i < WEBSOCKET_TYPES; i++)
		messages += t->half.figures.messages[i];
	if (!t->half.shadow_heads) {
		t->heads += messages > t->messages ? t->shadow_heads : 0;
		t->shadow_heads = 0;
	}
	t->messages = messages;
	twin_check(t, t->shadow_heads == t->half.shadow_heads, "heads in the shadow");
	twin_check(t, t->half.trust < FRAME_TRUSTED || !figures_bytes(t->half.shadow),
		   "trusted, and in the shadow");
}

static inline int twin_step(struct twin *t)
{
	struct frame_half *h = &t->half, was = t->half;
	int step = frame_step(h);

	twin_check(t, h->avail <= was.avail, "a step gave bytes back");
	twin_check(t, step == FRAME_OUT || h->avail < was.avail, "a step went nowhere");
	twin_check(t, h->head_n < FRAME_HEAD_MAX, "a head is too long");
	twin_check(t, h->left <= h->length || h->state == FRAME_HANDSHAKE, "more left than length");
	twin_check(t, was.state != FRAME_STOPPED || h->state == FRAME_STOPPED, "it went on");
	if (was.state == FRAME_HANDSHAKE)
		t->handshake += was.avail - h->avail;
	else if (was.state == FRAME_WALKING && !was.left && (step == FRAME_END || h->left))
		*(was.trust < FRAME_TRUSTED ? &t->shadow_heads : &t->heads) +=
			wire_head_size(t->stream + was.addr - was.head_n);
	twin_settle(t);
	twin_ended(t, step);
	return step;
}

/* Returns how many bytes were not walked. */
static inline uint32_t twin_buffer(struct twin *t, size_t begin, uint32_t n, bool unreadable)
{
	struct frame_half *h = &t->half;
	uint32_t rest;

	frame_window = (struct frame_window){t->stream, begin, begin + n, unreadable, false};
	h->addr = begin;
	h->avail = n;
	while (h->budget && h->avail) {
		h->budget--;
		if (twin_step(t) == FRAME_OUT)
			break;
	}
	twin_check(t, !frame_window.overrun, "it read beside its buffer");
	rest = h->avail;
	h->avail = 0;
	return rest;
}

static inline void twin_place(struct twin *t, uint32_t n)
{
	int32_t hole = (int32_t)(t->position - t->expected);

	/* the first hit may be anywhere, and one byte alone is the stream's end */
	t->moved += (uint64_t)n + (t->half.placed && hole > 1 ? (uint32_t)hole : 0);
	frame_place(&t->half, t->position, n);
	twin_settle(t);
	t->position += n;
	t->expected = t->position;
}

static inline void twin_balance(struct twin *t)
{
	twin_settle(t);
	twin_check(t, twin_accounted(t) == t->moved, "bytes are missing, or counted twice");
}

/* The walk in short, which the kernel half tries first. */
static inline bool twin_whole(struct twin *t, uint32_t n)
{
	uint32_t part = t->buffer && t->buffer < n ? (uint32_t)t->buffer : n;
	struct frame_next next = t->next;
	struct frame_wholes was = t->wholes;
	uint8_t head[FRAME_BRIEF] = {0};

	part = part < FRAME_BRIEF ? part : FRAME_BRIEF;
	if (part < 2)
		return false;
	memcpy(head, t->stream + t->at, part);
	if (!frame_is_next(&t->next, t->position) ||
	    !frame_whole(&t->next, &t->wholes, head, part, n)) {
		twin_check(t,
			   !memcmp(&was, &t->wholes, sizeof(was)) &&
				   !memcmp(&next, &t->next, sizeof(next)),
			   "refused, but changed");
		return false;
	}
	t->moved += n;
	t->heads += wire_head_size(head);
	t->at += n;
	t->position += n;
	twin_check(t, t->position - n == t->expected, "taken behind a hole");
	t->expected = t->position;
	return true;
}

/* A hit of n bytes of the stream; `fault`: one of its buffers cannot be read. */
static inline void twin_hit(struct twin *t, uint32_t n, bool fault)
{
	uint32_t left = n, rest = 0;

	if (!fault && twin_whole(t, n)) {
		twin_balance(t);
		return;
	}
	frame_resume(&t->half, &t->next);
	twin_place(t, n);
	t->half.budget = TWIN_STEPS_MAX;
	while (left && !rest) {
		uint32_t part = t->buffer && t->buffer < left ? (uint32_t)t->buffer : left;

		rest = twin_buffer(t, t->at + n - left, part, fault);
		left -= part - rest;
	}
	if (left)
		twin_ended(t, frame_skip(&t->half, left));
	frame_rest(&t->half, &t->next);
	t->at += n;
	twin_balance(t);
}

/* A hit of n bytes that stand nowhere and cannot be read. */
static inline void twin_blind(struct twin *t, uint32_t n)
{
	frame_resume(&t->half, &t->next);
	twin_place(t, n);
	twin_ended(t, frame_skip(&t->half, n));
	frame_rest(&t->half, &t->next);
	twin_balance(t);
}

/* The connection ends. */
static inline void twin_over(struct twin *t)
{
	bool trusted = t->half.trust >= FRAME_TRUSTED;

	frame_over(&t->half);
	twin_balance(t);
	twin_check(t, !t->shadow_heads, "in the shadow for ever");
	twin_check(t, trusted || t->half.trust || !twin_unfinished(&t->half), "not over");
}

/* n > 1 bytes of the stream move, and no hit tells. */
static inline void twin_miss(struct twin *t, uint32_t n)
{
	t->position += n;
	t->at += n;
}

#endif
