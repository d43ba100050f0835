/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel half's WebSocket connections, played: a socket with sums that only grow, swept or at
 * its end, and the handshake as records of a link. The sink is a watch that keeps what it is told,
 * adds up what was added, and insists on the order: opened once, then closed once.
 */
#ifndef SONDE_TEST_FLOW_WEBSOCKET_H
#define SONDE_TEST_FLOW_WEBSOCKET_H

#include "base/clock.h"
#include "base/table.h"
#include "flow_records.h"

/* The example of RFC 6455, section 1.3. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define ASKING "GET /rooms/17 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
#define ASK    ASKING "X-Request-ID: r1\r\nSec-WebSocket-Key: " KEY "\r\n\r\n"
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
#define AGREE  SWITCH "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
#define WRONG  SWITCH "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"

#define SOCKETS_MAX 64 /* ids */
#define TOLD_MAX    64

struct told {
	enum websocket_event what;
	struct websocket w;
};

struct watch {
	struct feed feed; /* first: the sink's ctx */
	unsigned opened, closed, progressed;
	unsigned told_count;
	struct told told[TOLD_MAX]; /* the first ones */
	struct websocket_counts sums[SOCKETS_MAX];
	unsigned invalid[2];
	bool is_open[SOCKETS_MAX], was_open[SOCKETS_MAX];
};

static const struct owner watch_owner = {.id = 9};

static inline void add_up(uint64_t *sum, const uint64_t *added, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += added[i];
}

static inline void watch_order(struct watch *watch, enum websocket_event what,
			       const struct websocket *w)
{
	static const struct websocket_counts none;
	bool opens = what == WEBSOCKET_OPENED;

	assert_in_range(w->conn, 0, SOCKETS_MAX - 1);
	assert_int_equal(watch->is_open[w->conn], !opens);
	assert_false(opens && watch->was_open[w->conn]);
	assert_ptr_equal(w->owner, opens ? NULL : &watch_owner);
	if (opens || what == WEBSOCKET_PROGRESSED)
		assert_memory_equal(&w->added, &none, sizeof(none));
	assert_int_equal(!!w->closed, what == WEBSOCKET_CLOSED);
	watch->is_open[w->conn] = what != WEBSOCKET_CLOSED;
	watch->was_open[w->conn] = true;
}

static inline const struct owner *watch_sink(void *ctx, enum websocket_event what,
					     const struct websocket *w)
{
	struct watch *watch = ctx;

	watch_order(watch, what, w);
	watch->opened += what == WEBSOCKET_OPENED;
	watch->closed += what == WEBSOCKET_CLOSED;
	watch->progressed += what == WEBSOCKET_PROGRESSED;
	for (int dir = 0; dir < 2; dir++)
		watch->invalid[dir] += w->invalid_added[dir];
	add_up((uint64_t *)&watch->sums[w->conn], (const uint64_t *)&w->added,
	       sizeof(w->added) / sizeof(uint64_t));
	assert_memory_equal(&watch->sums[w->conn], what == WEBSOCKET_OPENED ? &w->added : &w->total,
			    sizeof(w->added));
	if (watch->told_count < TOLD_MAX)
		watch->told[watch->told_count++] = (struct told){what, *w};
	return what == WEBSOCKET_CLOSED ? NULL : &watch_owner;
}

static inline void watch_start_with(struct watch *watch, const struct flow_options *options)
{
	struct flow_options o = *options;

	memset(watch, 0, sizeof(*watch));
	o.websocket = watch_sink;
	feed_start_with(&watch->feed, &o);
}

static inline void watch_start(struct watch *watch)
{
	watch_start_with(watch, &(struct flow_options){.connections_max = 16, .exchanges_max = 16});
}

static inline uint32_t watch_count(const struct watch *watch)
{
	const struct table *tables[FLOW_TABLES];

	flow_tables(watch->feed.flow, tables);
	return table_count(tables[2]);
}

/* Nothing is left over. */
static inline void watch_end(struct watch *watch)
{
	assert_int_equal(watch_count(watch), 0);
	assert_int_equal(watch->opened, watch->closed);
	feed_end(&watch->feed);
}

static inline const struct told *told_last(const struct watch *watch)
{
	assert_true(watch->told_count);
	return &watch->told[watch->told_count - 1];
}

static inline struct event_websocket socket_of(struct watch *watch, uint64_t id, uint8_t role)
{
	watch->feed.now += STEP;
	return (struct event_websocket){.head = {.conn = id,
						 .tgid = 100,
						 .tid = 101,
						 .kind = EVENT_WEBSOCKET,
						 .role = role},
					.remote = {10, 0, 0, 2},
					.local_port = 8080,
					.remote_port = 40000,
					.family = AF_INET,
					.opened = watch->feed.now};
}

static inline void socket_move(struct event_websocket *e, enum event_dir dir,
			       enum event_websocket_type type, uint64_t bytes)
{
	e->messages[dir][type]++;
	e->bytes[dir][type] += bytes;
}

static inline void socket_close_frame(struct event_websocket *e, enum event_dir dir, uint16_t code)
{
	socket_move(e, dir, WEBSOCKET_CLOSE, code == 1005 ? 0 : 2);
	e->close_code[dir] = code;
	if (!e->close_first)
		e->close_first = (uint8_t)(1 + dir);
}

static inline void socket_sweep(struct watch *watch, struct event_websocket *e)
{
	watch->feed.now += STEP;
	e->head.time = watch->feed.now;
	flow_websocket(watch->feed.flow, e);
}

static inline void socket_over(struct watch *watch, struct event_websocket *e,
			       enum event_closer closer)
{
	e->flags |= WEBSOCKET_OVER;
	e->closer = (uint8_t)closer;
	socket_sweep(watch, e);
}

/* A request that asks for a WebSocket, and what is answered. */
static inline struct link shake(struct watch *watch, uint64_t id, uint8_t role, const char *answer)
{
	struct link l = link_open(&watch->feed, id, role);

	link_request(&watch->feed, &l, ASK, 0);
	link_response(&watch->feed, &l, answer);
	return l;
}

static inline int watch_setup(void **state)
{
	static struct watch watch;

	watch_start(&watch);
	*state = &watch;
	return 0;
}

static inline int watch_teardown(void **state)
{
	watch_end(*state);
	return 0;
}

static inline void assert_shaken(const struct websocket *w)
{
	assert_str(request_str(w, target), "/rooms/17");
	assert_str(request_str(w, route), "/rooms/{id}");
	assert_str(request_str(w, host), "h");
	assert_str(request_str(w, protocol), "chat");
	assert_str(request_str(w, request_id), "r1");
	assert_int_equal(w->local.ip[3], 1);
	assert_int_equal(w->peer.ip[3], 2);
}

/* A watch a test. */
#define WATCHED(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)

#endif
