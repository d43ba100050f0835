/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk through WebSocket frames after a loss counts into a shadow, until FRAME_TRUSTED frames
 * were walked: payload that looks like frames is never counted, and what was right is not lost.
 * A close frame is believed earlier if it is the very last that the connection said.
 */
#include "frame_wire.h"

#define LOST_CONNECTIONS 2000
#define LOST_HITS	 200
#define NOISE		 (8 << 20)

static uint64_t random_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t figures_messages(struct frame_figures f)
{
	uint64_t sum = 0;

	for (int i = 0; i < WEBSOCKET_TYPES; i++)
		sum += f.messages[i];
	return sum;
}

static void assert_nothing_counted(const struct twin *t)
{
	assert_walked(t);
	assert_int_equal(figures_messages(twin_figures(t)), 0);
	assert_int_equal(figures_bytes(twin_figures(t)), 0);
	assert_int_equal(twin_figures(t).close_code, 0);
	assert_int_equal(t->controls, 0);
}

/* Ten bytes went by that nobody saw. */
static void twin_lose(struct twin *t)
{
	t->half.placed = 1;
	t->expected = t->half.position = t->position;
	t->position += 10;
	twin_hit(t, 0, false);
}

static void twin_start_lost(struct twin *t, const struct wire *w)
{
	twin_start(t, w->bytes, w->masked);
	twin_lose(t);
}

static void walk_rest(struct twin *t, const struct wire *w)
{
	walk_hits(t, w, w->n);
}

/* Lost within payload that goes on and on: of its hits many look like a frame's begin. */
static void test_random_payload(void **state)
{
	static uint64_t noise[NOISE / 8];
	uint64_t seed = 1, frames = 0;

	(void)state;
	for (size_t i = 0; i < NOISE / 8; i++)
		noise[i] = random_next(&seed);
	for (int i = 0; i < LOST_CONNECTIONS; i++) {
		uint32_t longest = 1 << (1 + i % 14);
		struct twin t;

		twin_start(&t, (uint8_t *)noise, i & 1);
		twin_lose(&t);
		t.at = random_next(&seed) % (NOISE - LOST_HITS * longest);
		for (int hit = 0; hit < LOST_HITS; hit++)
			twin_hit(&t, 1 + (uint32_t)(random_next(&seed) % longest), false);
		twin_over(&t);
		assert_nothing_counted(&t);
		assert_int_not_equal(t.half.state, FRAME_STOPPED);
		frames += t.half.frames;
	}
	assert_true(frames > LOST_CONNECTIONS);
}

/* All of it counts at once, with the frame that makes it trusted. */
static void test_until_trusted(void **state)
{
	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		struct wire *w = wire_new(masked);
		struct twin t;

		twin_start_lost(&t, w);
		for (int i = 1; i < FRAME_TRUSTED; i++) {
			wire_text(w, FIN | (i & 1 ? PING : TEXT), "abc");
			walk_rest(&t, w);
			assert_nothing_counted(&t);
			assert_int_equal(figures_messages(t.half.shadow), i);
		}
		wire_text(w, FIN | BINARY, "de");
		walk_rest(&t, w);
		assert_int_equal(figures_messages(twin_figures(&t)), FRAME_TRUSTED);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_PING], FRAME_TRUSTED / 2);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_BINARY], 1);
		assert_int_equal(figures_bytes(twin_figures(&t)), 3 * (FRAME_TRUSTED - 1) + 2);
		assert_int_equal(t.half.unseen, 10);
		assert_int_equal(t.controls, 0);
		wire_text(w, FIN | PING, "acted upon");
		walk_rest(&t, w);
		assert_int_not_equal(t.controls, 0);
		twin_over(&t);
		assert_int_equal(figures_messages(twin_figures(&t)), FRAME_TRUSTED + 1);
		assert_walked(&t);
	}
}

/* Heads and payload, of whole frames and of one that is under way: refused, lost again, or over. */
static void test_shadow_goes(void **state)
{
	(void)state;
	for (int i = 0; i < 6 * (FRAME_TRUSTED - 2); i++) {
		struct wire *w = wire_new(i & 1);
		struct twin t;

		twin_start_lost(&t, w);
		for (int right = 0; right < i / 6; right++)
			wire_text(w, FIN | (right & 1 ? PONG : BINARY), "abc");
		if (i % 3 == 0) {
			wire_text(w, FIN | 3, "wrong");
		} else {
			wire_text(w, TEXT, "begun");
			wire_head(w, FIN, 50, 1);
			wire_text(w, 0, "so far");
		}
		walk_rest(&t, w);
		if (i % 3 == 1)
			twin_blind(&t, 100);
		else if (i % 3 == 2)
			twin_over(&t);
		assert_nothing_counted(&t);
		assert_int_equal(t.half.unseen, t.moved);
		assert_int_equal(figures_messages(t.half.shadow), 0);
	}
}

/* Empty continuations are what zeros look like; here behind bytes that may begin a message. */
static void test_small_numbers(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 256; number++) {
		struct wire *w = wire_new(false);
		struct twin t;

		for (int i = 0; i < 40; i++) {
			wire_byte(w, number);
			for (int zero = 0; zero < 31; zero++)
				wire_byte(w, 0);
		}
		twin_start_lost(&t, w);
		walk_rest(&t, w);
		assert_nothing_counted(&t);
		if (t.half.state == FRAME_STOPPED)
			fail_msg("stopped by numbers of %u", number);
	}
}

/* Text of one letter may go on and on with a message that nobody saw begin. */
static void test_one_letter(void **state)
{
	(void)state;
	for (unsigned letter = 0; letter < 128; letter++) {
		struct wire *w = wire_new(false);
		struct twin t;

		for (int i = 0; i < 4000; i++)
			wire_byte(w, letter);
		twin_start_lost(&t, w);
		walk_rest(&t, w);
		for (int i = 0; i < 200; i++)
			wire_byte(w, 0x33);
		walk_rest(&t, w);
		assert_nothing_counted(&t);
		if (t.half.state == FRAME_STOPPED)
			fail_msg("stopped by letters %u", letter);
	}
}

/* The code is held until the frame is trusted, and never in the place of an earlier one. */
static void test_close_in_the_shadow(void **state)
{
	(void)state;
	for (int earlier = 0; earlier < 2; earlier++) {
		struct wire *w = wire_new(true);
		struct twin t;

		twin_start(&t, w->bytes, w->masked);
		if (earlier)
			wire_text(w, FIN | CLOSE, "\x03\xe9");
		walk_rest(&t, w);
		twin_lose(&t);
		wire_text(w, FIN | CLOSE, "\x03\xf3");
		wire_text(w, FIN | 3, "wrong");
		walk_rest(&t, w);
		wire_text(w, FIN | CLOSE, "\x03\xea");
		walk_rest(&t, w);
		for (int i = 1; i < FRAME_TRUSTED; i++) {
			assert_int_equal(twin_figures(&t).close_code, earlier ? 1001 : 0);
			wire_text(w, FIN | CLOSE, "\x03\xeb");
			walk_rest(&t, w);
		}
		assert_int_equal(twin_figures(&t).close_code, earlier ? 1001 : 1002);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_CLOSE],
				 FRAME_TRUSTED + earlier);
	}
}

struct last_words {
	const char *payload; /* of the close frame */
	size_t n;
	unsigned behind; /* bytes of a next head */
	unsigned code;	 /* that is believed; 0: none is */
};

static const struct last_words last_words[] = {
	{"\x03\xe8", 2, 0, 1000}, {"\x03\xe9 going away", 13, 0, 1001},
	{"\x0f\xa0", 2, 0, 4000}, {"", 0, 0, 1005},
	{"\x03\xe8", 2, 1, 0},	  {"\x03\xe7", 2, 0, 0},
	{"\x13\x88", 2, 0, 0},	  {"\x03", 1, 0, 0},
};

/* What ends with a close frame has ended; frames that led to it count as well. */
static void test_close_at_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4 * sizeof(last_words) / sizeof(last_words[0]); i++) {
		const struct last_words *l = &last_words[i / 4];
		struct wire *w = wire_new(i & 1);
		struct twin t;

		twin_start_lost(&t, w);
		if (i & 2)
			wire_text(w, FIN | TEXT, "before it");
		wire_frame(w, FIN | CLOSE, l->payload, l->n);
		if (l->behind)
			wire_byte(w, FIN | TEXT);
		walk_rest(&t, w);
		assert_nothing_counted(&t);
		twin_over(&t);
		assert_walked(&t);
		assert_int_equal(twin_figures(&t).close_code, l->code);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_CLOSE], !!l->code);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], l->code && i & 2);
		assert_int_equal(t.half.unseen, l->code ? 10 : t.moved);
	}
}

/* It is not the last that was said, or not whole. */
static void test_close_not_at_the_end(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct wire *w = wire_new(i & 1);
		struct twin t;

		twin_start_lost(&t, w);
		wire_text(w, FIN | TEXT, "before it");
		wire_text(w, FIN | CLOSE, "\x03\xe8 a reason");
		if (i / 2 == 0)
			wire_text(w, FIN | TEXT, "behind it");
		else if (i / 2 == 1)
			w->n -= 1;
		walk_rest(&t, w);
		if (i / 2 == 2)
			twin_blind(&t, 1);
		twin_over(&t);
		assert_nothing_counted(&t);
		assert_int_equal(t.half.unseen, t.moved);
	}
}

/* 0 is no code that may be sent, and says no more than none. */
static void test_close_code_zero(void **state)
{
	struct wire *w = wire_new(false);
	struct twin t;

	(void)state;
	wire_frame(w, FIN | CLOSE, "\0\0why", 5);
	walk_whole(&t, w);
	assert_int_equal(twin_figures(&t).close_code, 1005);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_payload),
		cmocka_unit_test(test_until_trusted),
		cmocka_unit_test(test_shadow_goes),
		cmocka_unit_test(test_small_numbers),
		cmocka_unit_test(test_one_letter),
		cmocka_unit_test(test_close_in_the_shadow),
		cmocka_unit_test(test_close_at_the_end),
		cmocka_unit_test(test_close_not_at_the_end),
		cmocka_unit_test(test_close_code_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
