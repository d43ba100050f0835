/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk through WebSocket frames where bytes are missing: within a payload nothing is lost;
 * beyond it the walk is, and finds a frame where the next hit begins. What it takes for a frame
 * there by mistake does not stop it.
 */
#include "frame_wire.h"

enum way { MISSED, FAULTY, UNREADABLE, WAYS }; /* in no hit; its bytes fault; nobody tries */

static void walk_next(struct twin *t, uint32_t n)
{
	twin_hit(t, n, false);
	assert_walked(t);
}

static void walk_hole(struct twin *t, uint32_t n, enum way way)
{
	if (way == MISSED)
		twin_miss(t, n);
	else if (way == FAULTY)
		twin_hit(t, n, true);
	else
		twin_blind(t, n);
	if (way == UNREADABLE)
		t->at += n;
	assert_walked(t);
}

/* Behind a loss nothing counts before so many frames were right. */
static void walk_trusted(struct twin *t, struct wire *w)
{
	for (int i = 0; i < FRAME_TRUSTED; i++)
		wire_text(w, FIN | PONG, "right");
	walk_hits(t, w, w->n);
	assert_int_equal(t->half.trust, FRAME_TRUSTED);
}

static void test_within_a_payload(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * WAYS; i++) {
		struct wire *w = wire_new(i & 1);
		uint32_t head = w->masked ? 8 : 4;
		struct twin t;

		wire_zeros(w, FIN | BINARY, 1000);
		wire_text(w, FIN | TEXT, "next");
		for (uint32_t begin = 0; begin < 1000; begin += 100) {
			twin_start(&t, w->bytes, w->masked);
			walk_next(&t, head + begin);
			/* also a hole that ends with the frame */
			walk_hole(&t, begin ? 1000 - begin : 500, i / 2);
			walk_hits(&t, w, w->n);
			assert_int_equal(twin_figures(&t).messages[WEBSOCKET_BINARY], 1);
			assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_BINARY], 1000);
			assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 1);
			assert_int_equal(t.half.unseen, 0);
			assert_int_equal(t.half.trust, FRAME_TRUSTED);
		}
	}
}

/* The walk goes on with the hit that begins with a frame; what was under way is unseen. */
static void test_beyond_a_payload(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * WAYS; i++) {
		struct wire *w = wire_new(i & 1);
		uint32_t mask = w->masked ? 4 : 0, begun, holed;
		struct twin t;

		wire_text(w, TEXT, "one");
		wire_text(w, 0, "two of it");
		begun = (uint32_t)w->n - 4;
		wire_text(w, FIN, "three");
		wire_text(w, FIN | TEXT, "unseen too");
		holed = (uint32_t)w->n;
		wire_text(w, 0, "of what nobody saw");
		wire_text(w, FIN, "begin");
		wire_text(w, FIN | BINARY, "found");
		twin_start(&t, w->bytes, w->masked);
		walk_next(&t, begun);
		walk_hole(&t, holed - begun, i / 2);
		walk_hits(&t, w, w->n);
		walk_trusted(&t, w);
		assert_int_equal(t.half.state, FRAME_WALKING);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 0);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_BINARY], 1);
		assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_BINARY], 5);
		/* its own payload, two frames with heads, and what went on with something */
		assert_int_equal(t.half.unseen, 3 + 9 + 2 + mask + 5 + 2 + mask + 10 + 18 + 5);
		assert_int_equal(t.half.frames, 5 + FRAME_TRUSTED);
		assert_int_equal(twin_unfinished(&t.half), 0);
	}
}

/* What goes on with a message that nobody saw begin belongs to none, also if its end is not seen.
 */
static void test_begin_behind_the_unseen(void **state)
{
	struct wire *w = wire_new(true);
	struct twin t;

	(void)state;
	wire_text(w, 0, "end that");
	wire_text(w, FIN | PING, "!");
	wire_text(w, TEXT, "new");
	wire_text(w, FIN, "one");
	twin_start(&t, w->bytes, w->masked);
	twin_hit(&t, 0, false);
	t.position += 10;
	walk_hits(&t, w, w->n);
	walk_trusted(&t, w);
	assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 1);
	assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_TEXT], 6);
	assert_int_equal(t.half.unseen, 10 + 8);
}

/* A hole at each place and of each length of a stream, and then three frames, a hit each. */
static void test_holes_anywhere(void **state)
{
	struct wire *w = wire_new(true);
	uint32_t n, at[4];
	struct twin t;

	(void)state;
	wire_text(w, TEXT, "he");
	wire_text(w, FIN | PING, "123456789");
	wire_text(w, FIN, "llo");
	n = (uint32_t)w->n;
	for (int i = 0; i < 3; i++) {
		at[i] = (uint32_t)w->n;
		wire_text(w, FIN | BINARY, "found");
	}
	at[3] = (uint32_t)w->n;
	for (uint32_t begin = 1; begin < n; begin++) {
		for (uint32_t end = begin + 2; end <= n; end++) {
			twin_start(&t, w->bytes, w->masked);
			walk_next(&t, begin);
			walk_hole(&t, end - begin, end % WAYS);
			if (end < n)
				walk_next(&t, n - end);
			if (t.half.state == FRAME_STOPPED)
				fail_msg("stopped by a hole from %u to %u", begin, end);
		}
	}
	twin_start(&t, w->bytes, w->masked);
	walk_next(&t, n - 1);
	twin_miss(&t, 1 + at[1] - at[0]);
	walk_next(&t, at[2] - at[1]);
	walk_next(&t, at[3] - at[2]);
	walk_trusted(&t, w);
	assert_int_equal(twin_figures(&t).messages[WEBSOCKET_BINARY], 2);
}

/* What tells of a close frame was read before its reason could not be. */
static void test_close_that_ends_unread(void **state)
{
	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		struct wire *w = wire_new(masked);
		struct twin t;

		wire_text(w, FIN | CLOSE, "\x03\xf3 a long reason");
		twin_start(&t, w->bytes, masked);
		walk_next(&t, masked ? 14 : 10);
		walk_hole(&t, (uint32_t)w->n - (masked ? 14 : 10), UNREADABLE);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_CLOSE], 1);
		assert_int_equal(twin_figures(&t).close_code, 1011);
	}
}

/* Behind a hole, what is no frame is not believed, hit by hit; right ones are. */
static void test_trust(void **state)
{
	struct wire *w = wire_new(false);
	struct twin t;

	(void)state;
	wire_text(w, FIN | TEXT, "first");
	walk_whole(&t, w);
	t.position += 10;
	for (int i = 0; i < 5; i++) {
		for (int right = 0; right < i % FRAME_TRUSTED; right++)
			wire_text(w, FIN | TEXT, "right");
		wire_text(w, FIN | 3, "wrong");
		walk_hits(&t, w, w->n);
		assert_int_equal(t.half.state, FRAME_LOST);
	}
	for (int i = 0; i < FRAME_TRUSTED; i++)
		wire_text(w, FIN | TEXT, "right");
	walk_hits(&t, w, w->n);
	assert_int_equal(t.half.state, FRAME_WALKING);
	wire_text(w, FIN | 3, "wrong");
	walk_hits(&t, w, w->n);
	assert_int_equal(t.half.state, FRAME_STOPPED);
}

/* Behind a hole a hit begins within a payload of one byte, again and again. Zeros, as an example,
 * look like empty continuations. */
static void test_lost_in_one_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		struct wire *w = wire_new(false);
		struct twin t;

		for (int k = 0; k < 98; k++)
			wire_byte(w, i);
		wire_byte(w, 0x33);
		wire_byte(w, 0x33);
		twin_start(&t, w->bytes, w->masked);
		twin_hit(&t, 0, false);
		t.position += 10;
		walk_next(&t, 100);
		if (t.half.state == FRAME_STOPPED)
			fail_msg("stopped by bytes of %u", i);
	}
}

/* Chance must not make a frame from which the walk never comes back. */
static void test_lost_for_ever(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		struct wire *w = wire_new(i & 1);
		struct twin t;

		wire_head(w, FIN | BINARY, (1ULL << 62) >> i / 2, 9);
		twin_start(&t, w->bytes, w->masked);
		twin_hit(&t, 0, false);
		t.position += 10;
		walk_hits(&t, w, w->n);
		assert_int_equal(t.half.state, FRAME_LOST);
		wire_text(w, FIN | TEXT, "found");
		walk_hits(&t, w, w->n);
		walk_trusted(&t, w);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 1);
	}
}

/* Positions that go back: nothing is known. */
static void test_position_goes_back(void **state)
{
	struct wire *w = wire_new(true);
	struct twin t;

	(void)state;
	wire_text(w, TEXT, "begun");
	walk_whole(&t, w);
	t.position -= 1;
	wire_text(w, FIN | TEXT, "found");
	walk_hits(&t, w, w->n);
	walk_trusted(&t, w);
	assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 1);
	assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_TEXT], 5);
	assert_int_equal(t.half.unseen, 5);
}

/* The stream's end has a position of its own, and the last hit may be one further for it. */
static void test_end_of_stream(void **state)
{
	(void)state;
	for (uint32_t cut = 1; cut < 15; cut++) {
		struct wire *w = wire_new(true);
		struct twin t;

		wire_text(w, FIN | TEXT, "last one");
		wire_frame(w, FIN | CLOSE, "\x03\xe8", 2);
		twin_start(&t, w->bytes, w->masked);
		walk_next(&t, cut);
		t.position += 1;
		walk_hits(&t, w, w->n);
		assert_agreed(w, &t);
		assert_int_equal(twin_figures(&t).close_code, 1000);
		assert_int_equal(t.half.unseen, 0);
	}
}

/* Nothing is known of the first frames: they may go on with something. */
static void test_resumed(void **state)
{
	struct wire *w = wire_new(false);
	struct twin t;

	(void)state;
	wire_text(w, RSV1, "goes");
	wire_text(w, FIN | PING, "!");
	wire_text(w, FIN, "on");
	wire_text(w, FIN | TEXT, "new");
	for (size_t hit = 1; hit <= w->n; hit++) {
		twin_start(&t, w->bytes, false);
		t.half.message = MESSAGE_UNKNOWN;
		walk_hits(&t, w, hit);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 1);
		assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_TEXT], 3);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_PING], 1);
		assert_int_equal(t.half.unseen, 6);
		assert_int_equal(t.half.frames + twin_wholes(&t), 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within_a_payload),
		cmocka_unit_test(test_beyond_a_payload),
		cmocka_unit_test(test_begin_behind_the_unseen),
		cmocka_unit_test(test_holes_anywhere),
		cmocka_unit_test(test_close_that_ends_unread),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_lost_in_one_byte),
		cmocka_unit_test(test_lost_for_ever),
		cmocka_unit_test(test_position_goes_back),
		cmocka_unit_test(test_end_of_stream),
		cmocka_unit_test(test_resumed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
