/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random streams of sums, stale sums, ends, handshakes and ticks, against a model: what was told as
 * added adds up to the last sum that was given, for each connection that is a WebSocket; one that
 * was refused is never told of. The watch insists on the order of what is told.
 *
 * With a small table some sums find no room. They are not lost: the next one, or the end, has them.
 */
#include "flow_websocket.h"

#define ROUNDS 300
#define STEPS  2000

enum shaking { SHAKE_NONE, SHAKE_RIGHT, SHAKE_WRONG };

struct model {
	struct event_websocket e, stale;
	enum shaking shaking;
	bool begun, swept, shaken, over, refused;
	struct websocket_counts last; /* given */
};

struct game {
	struct watch watch;
	struct model models[SOCKETS_MAX];
	uint64_t random;
	bool roomy;
};

static unsigned below(struct game *g, unsigned n)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return (unsigned)(g->random >> 33) % n;
}

static void begin(struct game *g, struct model *m, unsigned id)
{
	static const enum shaking kinds[] = {SHAKE_NONE, SHAKE_RIGHT, SHAKE_RIGHT, SHAKE_WRONG};

	m->e = socket_of(&g->watch, id, (uint8_t)(id & 1 ? ROLE_SERVER : ROLE_CLIENT));
	m->begun = true;
	m->shaking = kinds[below(g, g->roomy ? 4 : 3)];
	if (m->shaking == SHAKE_NONE && below(g, 2))
		m->e.flags = WEBSOCKET_RESUMED;
	m->stale = m->e;
}

static void move(struct game *g, struct model *m)
{
	enum event_dir dir = below(g, 2) ? DIR_OUT : DIR_IN;

	if (below(g, 10))
		socket_move(&m->e, dir, below(g, WEBSOCKET_TYPES), below(g, 1000));
	else if (below(g, 2))
		m->e.unseen[dir] += below(g, 1000);
	else
		m->e.flags |= dir == DIR_OUT ? WEBSOCKET_INVALID_OUT : WEBSOCKET_INVALID_IN;
}

/* No room for it? Then it was not given. */
static void given(struct game *g, struct model *m, uint64_t id)
{
	if (!g->watch.is_open[id] && !g->roomy && !(m->e.flags & WEBSOCKET_OVER))
		return;
	memcpy(m->last.messages, m->e.messages, sizeof(m->last.messages));
	memcpy(m->last.bytes, m->e.bytes, sizeof(m->last.bytes));
	memcpy(m->last.unseen, m->e.unseen, sizeof(m->last.unseen));
}

static void sweep(struct game *g, struct model *m)
{
	if (m->over || below(g, 4) == 0) {
		socket_sweep(&g->watch, &m->stale);
		return;
	}
	m->stale = m->e;
	m->swept = true;
	socket_sweep(&g->watch, &m->e);
	given(g, m, m->e.head.conn);
}

static void over(struct game *g, struct model *m)
{
	if (m->over) {
		socket_over(&g->watch, &m->e, CLOSER_PEER);
	} else if (g->roomy && (m->swept || m->shaken) && below(g, 3) == 0) {
		flow_websocket_gone(g->watch.feed.flow, m->e.head.conn, ++g->watch.feed.now);
	} else {
		socket_over(&g->watch, &m->e, CLOSER_PEER);
		given(g, m, m->e.head.conn);
	}
	m->over = true;
}

static void shaking(struct game *g, struct model *m)
{
	uint64_t id = m->e.head.conn;
	struct link l;

	if (m->shaken || m->shaking == SHAKE_NONE)
		return;
	m->shaken = true;
	m->refused = m->shaking == SHAKE_WRONG && !g->watch.was_open[id];
	l = shake(&g->watch, id, m->e.head.role, m->shaking == SHAKE_RIGHT ? AGREE : WRONG);
	if (below(g, 2))
		link_close(&g->watch.feed, &l);
}

static void tick(struct game *g)
{
	g->watch.feed.now += below(g, 1000) * NS_PER_MS;
	flow_websockets(g->watch.feed.flow, g->watch.feed.now);
}

static void step(struct game *g)
{
	unsigned id = below(g, SOCKETS_MAX), what = below(g, 100);
	struct model *m = &g->models[id];

	if (!m->begun)
		begin(g, m, id);
	else if (what < 50)
		move(g, m);
	else if (what < 85)
		sweep(g, m);
	else if (what < 92)
		shaking(g, m);
	else if (what < 95)
		over(g, m);
	else
		tick(g);
}

static void check(const struct game *g, unsigned id)
{
	const struct model *m = &g->models[id];

	assert_int_equal(g->watch.was_open[id], m->begun && !m->refused);
	if (g->watch.was_open[id])
		assert_memory_equal(&g->watch.sums[id], &m->last, sizeof(m->last));
}

static void play(struct game *g, uint64_t seed, bool roomy)
{
	memset(g, 0, sizeof(*g));
	g->random = seed;
	g->roomy = roomy;
	watch_start_with(&g->watch, &(struct flow_options){.connections_max = roomy ? 64 : 8,
							   .exchanges_max = 16,
							   .reconnect_window_ns = NS_PER_SECOND,
							   .progress_ns = NS_PER_SECOND});
	for (unsigned i = 0; i < STEPS; i++)
		step(g);
	for (unsigned id = 0; id < SOCKETS_MAX; id++)
		if (g->models[id].begun && !g->models[id].over)
			over(g, &g->models[id]);
	flow_websockets(g->watch.feed.flow, g->watch.feed.now + 100 * NS_PER_SECOND);
	for (unsigned id = 0; id < SOCKETS_MAX; id++)
		check(g, id);
	watch_end(&g->watch);
}

static void test_random(void **state)
{
	static struct game game;

	for (uint64_t round = 1; round <= ROUNDS; round++)
		play(&game, round * 0x9E3779B97F4A7C15ULL, strcmp(*state, "roomy") == 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{"roomy", test_random, NULL, NULL, "roomy"},
		{"full", test_random, NULL, NULL, "full"},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
