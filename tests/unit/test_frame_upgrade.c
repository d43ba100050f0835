/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a 101 before the first frame: its end is found wherever hits cut it, its frames may
 * be in the same hit, and nothing is walked unless it speaks of WebSocket.
 */
#include "frame_wire.h"

struct upgrade {
	const char *head;
	bool speaks;
};

static const struct upgrade table[] = {
	{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
	 true},
	{"HTTP/1.1 101 S\r\nupgrade: WebSocket\r\nserver: s\r\n\r\n", true},
	{"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUPGRADE:WEBSOCKET\r\n\r\n", true},
	{"HTTP/1.1 101 S\nUpgrade: websocket\n\n", true},
	{"HTTP/1.1 101 S\nUpgrade: websocket\n\r\n", true},
	{"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\n", true},
	{"HTTP/1.1 101 S\r\nX: \r\r\r\nUpgrade: websocket\r\n\r\n", true},
	{"HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\n", false},
	{"HTTP/1.1 101 S\r\nUpgrade: web socket\r\n\r\n", false},
	{"HTTP/1.1 101 S\r\nUpgrade: websocke\r\n\r\n", false},
	{"HTTP/1.1 101 S\r\n\r\n", false},
};

#define UPGRADES (sizeof(table) / sizeof(table[0]))

static void upgrade_start(struct twin *t, const struct wire *w)
{
	twin_start(t, w->bytes, w->masked);
	t->half.state = FRAME_HANDSHAKE;
	t->half.trust = 0;
}

static void assert_upgraded(const struct upgrade *u, const struct wire *w, const struct twin *t)
{
	struct reference r = {0};
	const char *wrong;

	reference_upgrade(&r, w->bytes, w->n, w->masked);
	wrong = reference_differs(&r, t);
	if (wrong)
		fail_msg("%s: %s", u->head, wrong);
	assert_int_equal(t->handshake, strlen(u->head));
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_TEXT], u->speaks);
	assert_int_equal(twin_figures(t).messages[WEBSOCKET_PING], u->speaks);
	assert_int_equal(t->half.state, u->speaks ? FRAME_WALKING : FRAME_STOPPED);
	assert_int_equal(t->half.trust, u->speaks ? FRAME_TRUSTED : 0);
	assert_int_equal(t->half.unseen, u->speaks ? 0 : w->n - strlen(u->head));
}

static const struct wire *wire_of(const struct upgrade *u)
{
	struct wire *w = wire_new(false);

	for (const char *c = u->head; *c; c++)
		wire_byte(w, (uint8_t)*c);
	wire_text(w, FIN | TEXT, "at once, and \r\n\r\n");
	wire_text(w, FIN | PING, "1");
	return w;
}

static void test_cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < UPGRADES; i++) {
		const struct wire *w = wire_of(&table[i]);
		struct twin t;

		for (uint32_t cut = 0; cut <= w->n; cut++) {
			upgrade_start(&t, w);
			twin_hit(&t, cut, false);
			twin_hit(&t, (uint32_t)w->n - cut, false);
			assert_upgraded(&table[i], w, &t);
		}
		for (size_t hit = 1; hit <= w->n; hit++) {
			upgrade_start(&t, w);
			t.buffer = hit / 2;
			walk_hits(&t, w, hit);
			assert_upgraded(&table[i], w, &t);
		}
	}
}

/* An end that does not come is waited for; nothing is said of it. */
static void test_unfinished(void **state)
{
	(void)state;
	for (size_t i = 0; i < UPGRADES; i++) {
		struct wire *w = wire_new(false);
		struct twin t;

		for (const char *c = table[i].head; c[1]; c++)
			wire_byte(w, (uint8_t)*c);
		upgrade_start(&t, w);
		walk_hits(&t, w, w->n);
		assert_int_equal(t.half.state, FRAME_HANDSHAKE);
		assert_int_equal(t.handshake, w->n);
		assert_int_equal(t.half.unseen, 0);
	}
}

/* A head that could not be read whole proves nothing: neither WebSocket nor that it is broken. */
static void test_unreadable(void **state)
{
	const struct wire *w = wire_of(&table[0]);
	size_t head = strlen(table[0].head);

	(void)state;
	for (uint32_t cut = 1; cut + 2 <= head; cut++) {
		for (int way = 0; way < 3; way++) {
			struct twin t;

			upgrade_start(&t, w);
			twin_hit(&t, cut, false);
			if (way == 0)
				twin_miss(&t, 2);
			else if (way == 1)
				twin_hit(&t, 2, true);
			else
				t.position -= 1;
			walk_hits(&t, w, w->n);
			assert_int_equal(t.half.state, FRAME_STOPPED);
			assert_int_equal(t.half.trust, 0);
			assert_int_equal(t.half.frames, 0);
			assert_int_equal(t.half.unseen, w->n - cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
