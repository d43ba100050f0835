/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the target for frames takes: a byte of flags, a byte for the longest hit, four bytes from
 * which cuts and holes are drawn, and the stream. Read whole, the stream must come to what the
 * reference says; with holes the books must balance.
 */
#ifndef SONDE_FRAME_INPUT_H
#define SONDE_FRAME_INPUT_H

#include "../unit/frame_reference.h"

enum {
	INPUT_MASKED = 1,
	INPUT_UPGRADE = 2,  /* the head of a 101 goes before */
	INPUT_RESUMED = 4,  /* nobody saw the begin */
	INPUT_MISSES = 8,   /* some bytes are in no hit */
	INPUT_FAULTS = 16,  /* some hits cannot be read */
	INPUT_BUFFERS = 32, /* hits have many buffers */
	INPUT_BLIND = 64,   /* there are hits of up to 4 GB that cannot be read */
	INPUT_JUMPS = 128,  /* positions go anywhere */
};

#define INPUT_HEAD 6
#define INPUT_MAX  4096

static inline uint32_t input_draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(*seed >> 32) % below;
}

static inline void input_walk(struct twin *t, const uint8_t *head, size_t n)
{
	uint32_t longest = head[1] + 1, hit;
	uint64_t seed;

	seed = head[2] | head[3] << 8 | head[4] << 16 | (uint64_t)head[5] << 24;
	while (t->at < n) {
		hit = 1 + input_draw(&seed, longest);
		if (head[0] & INPUT_BUFFERS)
			t->buffer = 1 + input_draw(&seed, longest);
		if (hit > n - t->at)
			hit = (uint32_t)(n - t->at);
		if ((head[0] & (INPUT_MISSES | INPUT_JUMPS)) == INPUT_MISSES && hit > 1 &&
		    !input_draw(&seed, 8))
			twin_miss(t, hit);
		else
			twin_hit(t, hit, head[0] & INPUT_FAULTS && !input_draw(&seed, 8));
		if (head[0] & INPUT_JUMPS && !input_draw(&seed, 8))
			t->position += input_draw(&seed, 2) ? input_draw(&seed, UINT32_MAX)
							    : input_draw(&seed, 5) - 2;
		if (head[0] & INPUT_BLIND && !input_draw(&seed, 8))
			twin_blind(t, input_draw(&seed, UINT32_MAX));
	}
}

/* What is wrong with the walk through this input; NULL: nothing. */
static inline const char *input_check(const uint8_t *input, size_t n)
{
	struct reference r = {0};
	struct twin t;
	bool masked;

	if (n < INPUT_HEAD)
		return NULL;
	masked = input[0] & INPUT_MASKED;
	twin_start(&t, input + INPUT_HEAD, masked);
	if (input[0] & INPUT_UPGRADE) {
		t.half.state = FRAME_HANDSHAKE;
		t.half.trust = 0;
	} else if (input[0] & INPUT_RESUMED) {
		t.half.message = MESSAGE_UNKNOWN;
		t.half.trust = 0;
	}
	input_walk(&t, input, n - INPUT_HEAD);
	if (input[0] & (INPUT_MISSES | INPUT_FAULTS | INPUT_BLIND | INPUT_JUMPS) ||
	    (input[0] & (INPUT_RESUMED | INPUT_UPGRADE)) == INPUT_RESUMED) {
		twin_over(&t);
		return t.wrong;
	}
	if (input[0] & INPUT_UPGRADE)
		reference_upgrade(&r, t.stream, n - INPUT_HEAD, masked);
	else
		reference_read(&r, t.stream, n - INPUT_HEAD, masked);
	return reference_differs(&r, &t);
}

struct input_text {
	uint8_t *bytes;
	size_t n, max;
};

static inline void input_byte(struct input_text *text, unsigned byte)
{
	if (text->n < text->max)
		text->bytes[text->n++] = (uint8_t)byte;
}

static inline void input_frame(struct input_text *text, uint64_t *seed, unsigned first, bool masked)
{
	static const uint32_t longest[] = {1, 9, 126, 300, 126, 9};
	uint32_t length = input_draw(seed, longest[input_draw(seed, 6)]);
	unsigned form = length > 125 ? 126 : length;

	if (first & 8 && length > 125)
		form = length = 125;
	else if (!(first & 8) && !input_draw(seed, 8))
		form = 127;
	input_byte(text, first);
	input_byte(text, form | (masked ? 128 : 0));
	for (int i = form == 126 ? 1 : form == 127 ? 7 : -1; i >= 0; i--)
		input_byte(text, i < 4 ? length >> 8 * i & 255 : 0);
	for (uint32_t i = 0; i < length + (masked ? 4 : 0); i++)
		input_byte(text, input_draw(seed, 256));
}

/* A message in one to four frames, with control frames between them. */
static inline void input_message(struct input_text *text, uint64_t *seed, bool masked)
{
	uint32_t frames = 1 + input_draw(seed, 4);
	unsigned first = 1 + input_draw(seed, 2) + 64 * !input_draw(seed, 4);

	for (uint32_t i = 1; i <= frames; i++) {
		input_frame(text, seed, first | (i == frames ? 128 : 0), masked);
		first = 0;
		if (!input_draw(seed, 3))
			input_frame(text, seed, 0x88 + input_draw(seed, 3), masked);
	}
}

/* An input for each seed, always the same. Of three streams one has a byte that is wrong. */
static inline size_t input_make(uint64_t seed, uint8_t input[INPUT_MAX])
{
	static const char upgrade[] =
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n";
	struct input_text text = {input, 0, INPUT_HEAD + 1 + input_draw(&seed, INPUT_MAX / 2)};
	bool masked;

	for (int i = 0; i < INPUT_HEAD; i++)
		input_byte(&text, input_draw(&seed, 256));
	if (input_draw(&seed, 3))
		input[0] &= INPUT_MASKED | INPUT_UPGRADE | INPUT_BUFFERS;
	if (input_draw(&seed, 2))
		input[1] &= 15;
	masked = input[0] & INPUT_MASKED;
	for (size_t i = 0; input[0] & INPUT_UPGRADE && i + 1 < sizeof(upgrade); i++)
		input_byte(&text, (uint8_t)upgrade[i]);
	while (text.n < text.max)
		input_message(&text, &seed, masked);
	if (!input_draw(&seed, 3))
		input[input_draw(&seed, (uint32_t)text.n)] ^= 1 << input_draw(&seed, 8);
	return text.n;
}

#endif
