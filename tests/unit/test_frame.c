/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk through WebSocket frames (bpf/frame.bpf.h), compiled for user space: what is right must
 * come to the same however hits and buffers cut it, which is what RFC 6455 makes of the whole. The
 * twin asserts after each hit that every byte is accounted for. What is wrong, and holes, are in
 * test_frame_stop.c and test_frame_holes.c.
 */
#include "frame_wire.h"

static const size_t lengths[] = {0, 1, 2, 125, 126, 127, 65535, 65536, 65537};

#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * LENGTHS; i++) {
		struct wire *w = wire_new(i & 1);
		struct twin t;

		wire_zeros(w, FIN | BINARY, lengths[i / 2]);
		wire_text(w, FIN | TEXT, "next");
		walk_whole(&t, w);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_BINARY], 1);
		assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_BINARY], lengths[i / 2]);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 1);
		assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_TEXT], 4);
		assert_int_equal(t.half.frames, 2);
		assert_int_equal(t.half.unseen, 0);
		assert_agreed(w, &t);
		walk_all(w, 1000, 0);
		walk_all(w, 4096, 7);
		walk_all(w, 1, 0);
	}
}

/* A length may stand in more bytes than it needs, and servers take it. */
static void test_long_forms(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct wire *w = wire_new(i & 1);
		struct twin t;

		wire_head(w, FIN | TEXT, 5, i & 2 ? 9 : 3);
		wire_payload(w, "hello", 5);
		walk_whole(&t, w);
		assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_TEXT], 5);
		walk_all(w, 1, 0);
	}
}

/* Bytes that stand nowhere and cannot be read, in hits as large as they get. */
static void go_blind(struct twin *t, uint64_t n)
{
	while (n) {
		uint32_t hit = n < 0x7ffff000 ? (uint32_t)n : 0x7ffff000;

		twin_blind(t, hit);
		n -= hit;
	}
	assert_walked(t);
}

static void test_beyond_32_bits(void **state)
{
	const uint64_t length = (5ULL << 32) + 17;

	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		struct wire *w = wire_new(masked);
		struct twin t;

		wire_head(w, BINARY, length, 9);
		twin_start(&t, w->bytes, masked);
		walk_hits(&t, w, w->n);
		go_blind(&t, length);
		assert_int_equal(t.half.frames, 1);
		assert_int_equal(t.half.left, 0);
		assert_int_equal(t.half.message_bytes, length);
		wire_text(w, FIN, "end");
		walk_hits(&t, w, w->n);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_BINARY], 1);
		assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_BINARY], length + 3);
		assert_int_equal(t.half.unseen, 0);
	}
}

static void test_longest(void **state)
{
	struct wire *w = wire_new(false);
	struct twin t;

	(void)state;
	wire_head(w, FIN | BINARY, INT64_MAX, 9);
	wire_text(w, FIN | TEXT, "payload");
	walk_whole(&t, w);
	assert_int_equal(t.half.left, INT64_MAX - 9);
	go_blind(&t, 3ULL << 32);
	assert_int_equal(t.half.left, INT64_MAX - 9 - (3ULL << 32));
	assert_int_equal(t.half.frames, 0);
	assert_int_equal(t.half.unseen, 0);
	t.position -=
		100; /* and now it turns out to be lost: what was taken for payload is unseen */
	twin_hit(&t, 0, false);
	assert_walked(&t);
	assert_int_equal(t.half.unseen, 9 + (3ULL << 32));
	assert_int_equal(twin_unfinished(&t.half), 0);
}

static void put_mixed(struct wire *w)
{
	wire_text(w, TEXT, "he");
	wire_text(w, FIN | PING, "12345678 and more");
	wire_text(w, 0, "llo");
	wire_text(w, FIN | PONG, "");
	wire_text(w, FIN, "");
	wire_text(w, FIN | RSV1 | BINARY, "x");
	wire_frame(w, FIN | CLOSE, "\x03\xe9gone", 6);
}

static void assert_mixed(const struct twin *t)
{
	const struct frame_half *h = &t->half;

	assert_int_equal(twin_figures(t).messages[WEBSOCKET_TEXT], 1);
	assert_int_equal(twin_figures(t).bytes[WEBSOCKET_TEXT], 5);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_BINARY], 1);
	assert_int_equal(twin_figures(t).bytes[WEBSOCKET_BINARY], 1);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_PING], 1);
	assert_int_equal(twin_figures(t).bytes[WEBSOCKET_PING], 17);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_PONG], 1);
	assert_int_equal(twin_figures(t).bytes[WEBSOCKET_PONG], 0);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_CLOSE], 1);
	assert_int_equal(twin_figures(t).bytes[WEBSOCKET_CLOSE], 6);
	assert_int_equal(h->frames, 7);
	assert_int_equal(twin_figures(t).close_code, 1001);
}

static void test_mixed(void **state)
{
	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		struct wire *w = wire_new(masked);
		struct twin t;

		put_mixed(w);
		walk_whole(&t, w);
		assert_mixed(&t);
		assert_agreed(w, &t);
	}
}

/* Three hits, or one hit of three buffers, cut at each pair of bytes. */
static void walk_pairs(const struct wire *w)
{
	for (uint32_t a = 0; a <= w->n; a++) {
		for (uint32_t b = a; b <= w->n; b++) {
			struct twin t;

			twin_start(&t, w->bytes, w->masked);
			twin_hit(&t, a, false);
			twin_hit(&t, b - a, false);
			twin_hit(&t, (uint32_t)w->n - b, false);
			assert_agreed(w, &t);
		}
	}
}

static void test_cut_at_each_pair(void **state)
{
	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		struct wire *w = wire_new(masked);

		put_mixed(w);
		walk_pairs(w);
		w = wire_new(masked);
		wire_zeros(w, FIN | TEXT, 126);
		wire_head(w, FIN | BINARY, 3, 9);
		wire_payload(w, "abc", 3);
		wire_text(w, FIN | PING, "1234567");
		walk_pairs(w);
	}
}

static void test_cut_evenly(void **state)
{
	(void)state;
	for (int masked = 0; masked < 2; masked++) {
		struct wire *w = wire_new(masked);

		put_mixed(w);
		for (size_t hit = 1; hit <= w->n; hit++)
			for (size_t buffer = 1; buffer <= hit; buffer++)
				walk_all(w, hit, buffer);
	}
}

/* What the walk keeps of a control frame: its first eight bytes, not masked. */
static void test_control_payload(void **state)
{
	static const char payload[] = "\x0f\xa0pqrstuvwxyz";

	(void)state;
	for (size_t n = 0; n < 2 * sizeof(payload); n++) {
		struct wire *w = wire_new(n & 1);
		size_t length = n / 2, kept = length < 8 ? length : 8;
		uint64_t want = 0;
		struct twin t;

		memcpy(&want, payload, kept);
		wire_text(w, FIN | PING, "zzzzzzzzzzzz"); /* left from before */
		wire_frame(w, FIN | CLOSE, payload, length);
		walk_whole(&t, w);
		assert_int_equal(t.half.payload, want);
		assert_int_equal(twin_figures(&t).close_code, length < 2 ? 1005 : 4000);
		walk_all(w, 1, 0);
	}
}

/* As many as a hit has steps; what lies behind is unseen, and the next hit is not. */
static void test_many_in_a_hit(void **state)
{
	static const int counts[] = {512, TWIN_STEPS_MAX, TWIN_STEPS_MAX + 10};

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct wire *w = wire_new(i & 1);
		int frames = counts[i / 2];
		int walked = frames < TWIN_STEPS_MAX ? frames : TWIN_STEPS_MAX;
		struct twin t;

		for (int k = 0; k < frames; k++)
			wire_text(w, FIN | TEXT, "message");
		walk_whole(&t, w);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], walked);
		assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_TEXT], 7 * walked);
		assert_int_equal(t.half.unseen, (frames - walked) * (i & 1 ? 13 : 9));
		for (int k = 0; k < FRAME_TRUSTED; k++)
			wire_text(w, FIN | TEXT, "after");
		walk_hits(&t, w, w->n);
		assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], walked + FRAME_TRUSTED);
	}
}

/* Hits that are one message each are taken in short, all others are walked. */
static void test_whole_hits(void **state)
{
	static const struct {
		unsigned first;
		size_t length, buffer;
		unsigned wholes; /* of three such hits */
	} rows[] = {
		{FIN | TEXT, 0, 0, 2},	 {FIN | BINARY, 5, 0, 2},     {FIN | RSV1 | TEXT, 5, 2, 2},
		{FIN | TEXT, 125, 0, 2}, {FIN | TEXT, 126, 0, 2},     {FIN | TEXT, 126, 2, 0},
		{FIN | TEXT, 126, 4, 2}, {FIN | BINARY, 65535, 0, 2}, {FIN | BINARY, 65536, 0, 0},
		{FIN | TEXT, 5, 1, 0},	 {FIN | PING, 5, 0, 0},	      {FIN | CLOSE, 0, 0, 0},
		{TEXT, 5, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire *w = wire_new(i & 1);
		struct twin t;

		for (int k = 0; k < 3; k++)
			wire_zeros(w, k && rows[i / 2].first == TEXT ? 0 : rows[i / 2].first,
				   rows[i / 2].length);
		twin_start(&t, w->bytes, w->masked);
		t.buffer = rows[i / 2].buffer;
		walk_hits(&t, w, w->n / 3);
		assert_agreed(w, &t);
		assert_int_equal(twin_wholes(&t), rows[i / 2].wholes);
	}
}

/* Behind two bytes of a head its length is not known, though the hit may be no longer than it. */
static void test_head_hit(void **state)
{
	struct wire *w = wire_new(false);
	struct twin t;

	(void)state;
	wire_text(w, FIN | TEXT, "first");
	wire_zeros(w, FIN | TEXT, 300);
	twin_start(&t, w->bytes, w->masked);
	t.buffer = 2;
	twin_hit(&t, 7, false);
	twin_hit(&t, 4, false);
	walk_hits(&t, w, 300);
	assert_agreed(w, &t);
	assert_int_equal(twin_figures(&t).bytes[WEBSOCKET_TEXT], 305);
}

/* After a hole, while frames are not trusted again, and amid a message a hit is walked. */
static void test_whole_refused(void **state)
{
	struct wire *w = wire_new(true);
	struct twin t;

	(void)state;
	for (int i = 0; i < 3 + FRAME_TRUSTED; i++)
		wire_text(w, FIN | TEXT, "same");
	wire_text(w, TEXT, "part");
	wire_text(w, FIN | TEXT, "same");
	twin_start(&t, w->bytes, true);
	twin_hit(&t, 10, false);
	twin_miss(&t, 10);
	walk_hits(&t, w, 10);
	assert_int_equal(twin_wholes(&t), 1);
	assert_int_equal(t.half.unseen, 10 + 4 + 10);
	assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 2 + FRAME_TRUSTED);
	assert_int_equal(t.half.state, FRAME_STOPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),	       cmocka_unit_test(test_long_forms),
		cmocka_unit_test(test_beyond_32_bits), cmocka_unit_test(test_longest),
		cmocka_unit_test(test_mixed),	       cmocka_unit_test(test_cut_at_each_pair),
		cmocka_unit_test(test_cut_evenly),     cmocka_unit_test(test_control_payload),
		cmocka_unit_test(test_many_in_a_hit),  cmocka_unit_test(test_whole_hits),
		cmocka_unit_test(test_head_hit),       cmocka_unit_test(test_whole_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
