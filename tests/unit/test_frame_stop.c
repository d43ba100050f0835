/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What RFC 6455 forbids stops the walk through a direction for good: nothing behind it counts, all
 * of it is unseen, and so is the message that was under way. The same wherever hits cut it.
 */
#include "frame_wire.h"

struct forbidden {
	const char *name;
	unsigned first;
	uint64_t length;
	int form;
	unsigned before; /* first byte of a frame "abc" that goes before; 0: none does */
	bool other_mask;
};

static const struct forbidden table[] = {
	{"opcode 3", FIN | 3, 1, 1, 0, false},
	{"opcode 7", FIN | 7, 0, 1, 0, false},
	{"opcode 11", FIN | 11, 2, 1, 0, false},
	{"opcode 15", FIN | 15, 130, 3, 0, false},
	{"RSV2", FIN | 0x20 | TEXT, 1, 1, 0, false},
	{"RSV3", FIN | 0x10 | TEXT, 1, 1, 0, false},
	{"RSV3 on a control", FIN | 0x10 | PING, 1, 1, 0, false},
	{"RSV1 on a control", FIN | RSV1 | PING, 1, 1, 0, false},
	{"mask", FIN | TEXT, 4, 1, 0, true},
	{"mask of a control", FIN | PONG, 0, 1, 0, true},
	{"mask within a message", FIN, 4, 1, TEXT, true},
	{"fragmented close", CLOSE, 2, 1, 0, false},
	{"fragmented ping", PING, 0, 1, 0, false},
	{"fragmented pong", PONG, 125, 1, 0, false},
	{"ping of 126", FIN | PING, 126, 3, 0, false},
	{"ping of 5 in three bytes", FIN | PING, 5, 3, 0, false},
	{"close of 65536", FIN | CLOSE, 65536, 9, 0, false},
	{"top bit", FIN | BINARY, 1ULL << 63, 9, 0, false},
	{"all bits", FIN | BINARY, ~0ULL, 9, 0, false},
	{"all bits of a continuation", FIN, ~0ULL, 9, BINARY, false},
	{"nothing to continue", FIN, 3, 1, 0, false},
	{"nothing to continue, behind a message", 0, 0, 1, FIN | TEXT, false},
	{"text inside a text", FIN | TEXT, 3, 1, TEXT, false},
	{"binary inside a text", BINARY, 3, 1, TEXT, false},
	{"RSV1 on a continuation", FIN | RSV1, 3, 1, RSV1 | TEXT, false},
};

static struct wire *wire_of(const struct forbidden *f, bool masked)
{
	struct wire *w = wire_new(masked);

	wire_text(w, FIN | TEXT, "first");
	if (f->before)
		wire_text(w, f->before, "abc");
	wire_text(w, FIN | PONG, "p");
	w->masked = masked != f->other_mask;
	wire_head(w, f->first, f->length, f->form);
	w->masked = masked;
	wire_text(w, FIN | TEXT, "never");
	wire_text(w, FIN | CLOSE, "nor this");
	return w;
}

static void assert_stopped(const struct forbidden *f, const struct wire *w, const struct twin *t)
{
	const struct frame_half *h = &t->half;
	struct reference r = {0};
	const char *wrong;

	reference_read(&r, w->bytes, w->n, w->masked);
	assert_true(r.stopped);
	wrong = reference_differs(&r, t);
	if (wrong)
		fail_msg("%s: %s", f->name, wrong);
	assert_int_equal(h->state, FRAME_STOPPED);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_TEXT],
			 f->before == (FIN | TEXT) ? 2 : 1);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_BINARY], 0);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_CLOSE], 0);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_PONG], 1);
	assert_int_equal(twin_unfinished(h), 0);
	assert_int_equal(h->unseen + t->heads + twin_figures(t).bytes[WEBSOCKET_TEXT] + 1, w->n);
}

static void test_forbidden(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(table) / sizeof(table[0]); i++) {
		const struct forbidden *f = &table[i / 2];
		const struct wire *w = wire_of(f, i & 1);

		for (size_t hit = 1; hit <= w->n; hit++) {
			struct twin t;

			twin_start(&t, w->bytes, w->masked);
			t.buffer = hit / 3;
			walk_hits(&t, w, hit);
			assert_stopped(f, w, &t);
		}
	}
}

/* Nothing brings it back: no new hit, no hole, no bytes that cannot be read. */
static void test_for_good(void **state)
{
	struct wire *w = wire_new(true);
	struct twin t;
	size_t unseen;

	(void)state;
	wire_text(w, FIN | TEXT, "first");
	wire_text(w, TEXT, "begun");
	unseen = w->n;
	wire_text(w, FIN | 3, "wrong");
	unseen = w->n - unseen + 5;
	walk_whole(&t, w);
	assert_int_equal(t.half.unseen, unseen);
	for (int i = 0; i < 10; i++) {
		twin_blind(&t, 100);
		t.position += 50;
		wire_text(w, FIN | TEXT, "right");
		walk_hits(&t, w, w->n);
		t.position -= 3;
		wire_text(w, FIN, "right");
		walk_hits(&t, w, w->n);
		unseen += 100 + 50 + 11 + 11;
		assert_int_equal(t.half.unseen, unseen);
		assert_int_equal(t.half.state, FRAME_STOPPED);
	}
	assert_int_equal(t.half.frames, 2);
	assert_int_equal(twin_figures(&t).messages[WEBSOCKET_TEXT], 1);
}

/* Two bytes say it all, but for the length: nobody waits for a payload to refuse a frame. */
static void test_head_is_enough(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct wire *w = wire_new(i);
		struct twin t;

		wire_head(w, FIN | 5, 100, 1);
		walk_whole(&t, w);
		assert_int_equal(t.half.state, FRAME_STOPPED);
		w = wire_new(i);
		wire_head(w, FIN | BINARY, 1ULL << 63, 9);
		walk_whole(&t, w);
		assert_int_equal(t.half.state, FRAME_STOPPED);
		assert_int_equal(t.half.unseen, w->n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_for_good),
		cmocka_unit_test(test_head_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
