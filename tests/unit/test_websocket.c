/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket connections: sums of the kernel half and handshakes come in any order, more than once,
 * or not at all. What is told is each connection once, and of each figure as much as there was. The
 * watch of flow_websocket.h insists on that after each call.
 */
#include "flow/conn.h"
#include "flow_websocket.h"

static void test_life(void **state)
{
	struct watch *watch = *state;
	struct link l = shake(watch, 1, ROLE_SERVER, AGREE);
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	assert_int_equal(watch->opened, 0); /* nothing was heard of it */
	socket_move(&e, DIR_IN, WEBSOCKET_TEXT, 5);
	socket_sweep(watch, &e);
	assert_int_equal(watch->told_count, 2);
	assert_int_equal(watch->told[0].what, WEBSOCKET_OPENED);
	assert_int_equal(watch->told[1].what, WEBSOCKET_MOVED);
	assert_shaken(&watch->told[0].w);
	assert_int_equal(watch->told[0].w.opened, e.opened);
	assert_int_equal(watch->told[0].w.pid, 100);
	assert_int_equal(watch->told[0].w.role, ROLE_SERVER);
	assert_false(watch->told[0].w.resumed);
	assert_int_equal(watch->told[1].w.added.bytes[DIR_IN][WEBSOCKET_TEXT], 5);
	socket_sweep(watch, &e); /* nothing new */
	assert_int_equal(watch->told_count, 2);
	socket_move(&e, DIR_OUT, WEBSOCKET_BINARY, 7);
	socket_close_frame(&e, DIR_IN, 1001);
	e.undelivered = 3;
	socket_over(watch, &e, CLOSER_PEER);
	assert_int_equal(watch->told_count, 3);
	assert_int_equal(watch->told[2].what, WEBSOCKET_CLOSED);
	assert_shaken(&watch->told[2].w);
	assert_int_equal(watch->told[2].w.closed, e.head.time);
	assert_int_equal(watch->told[2].w.close_code, 1001);
	assert_int_equal(watch->told[2].w.initiator, INITIATOR_CLIENT);
	assert_int_equal(watch->told[2].w.undelivered, 3);
	assert_int_equal(watch->told[2].w.added.messages[DIR_OUT][WEBSOCKET_BINARY], 1);
	assert_int_equal(watch->told[2].w.added.messages[DIR_IN][WEBSOCKET_TEXT], 0);
	assert_int_equal(watch->told[2].w.total.messages[DIR_IN][WEBSOCKET_TEXT], 1);
	assert_int_equal(watch->feed.seen[0].request.handshake, HANDSHAKE_ACCEPTED);
	link_close(&watch->feed, &l);
}

static void test_sweep_before_handshake(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_CLIENT);

	socket_move(&e, DIR_OUT, WEBSOCKET_TEXT, 1);
	socket_sweep(watch, &e);
	socket_move(&e, DIR_OUT, WEBSOCKET_TEXT, 1);
	socket_sweep(watch, &e);
	assert_int_equal(watch->told_count, 0);
	shake(watch, 1, ROLE_CLIENT, AGREE);
	assert_int_equal(watch->told_count, 2); /* though no further sum came */
	assert_shaken(&watch->told[0].w);
	assert_int_equal(watch->told[1].w.added.messages[DIR_OUT][WEBSOCKET_TEXT], 2);
	socket_over(watch, &e, CLOSER_LOCAL);
}

static void test_close_before_handshake(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	socket_move(&e, DIR_OUT, WEBSOCKET_PING, 4);
	socket_over(watch, &e, CLOSER_RESET);
	assert_int_equal(watch->opened, 1);
	assert_int_equal(told_last(watch)->w.total.messages[DIR_OUT][WEBSOCKET_PING], 1);
	shake(watch, 1, ROLE_SERVER, AGREE);
	assert_int_equal(watch_count(watch), 0);
	assert_int_equal(watch->told_count, 2);
}

/* Its record was lost: at the next sum, or at a tick, nobody waits for it any more. */
static void test_no_handshake(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);
	struct event_websocket idle = socket_of(watch, 2, ROLE_SERVER);

	socket_move(&e, DIR_IN, WEBSOCKET_TEXT, 1);
	socket_move(&idle, DIR_IN, WEBSOCKET_TEXT, 1);
	socket_sweep(watch, &e);
	socket_sweep(watch, &idle);
	flow_websockets(watch->feed.flow, idle.opened + 2 * NS_PER_SECOND);
	assert_int_equal(watch->opened, 1); /* the other is not that old */
	flow_websockets(watch->feed.flow, idle.opened + 2 * NS_PER_SECOND + 1);
	assert_int_equal(watch->opened, 2);
	assert_int_equal(watch->sums[2].messages[DIR_IN][WEBSOCKET_TEXT], 1);
	assert_int_equal(told_last(watch)->w.length.target, 0);
	shake(watch, 2, ROLE_SERVER, AGREE); /* at last */
	socket_over(watch, &idle, CLOSER_PEER);
	assert_shaken(&told_last(watch)->w);
	socket_over(watch, &e, CLOSER_PEER);
	assert_int_equal(told_last(watch)->w.length.target, 0);
}

static void test_late_by_sum(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	socket_sweep(watch, &e);
	watch->feed.now += 2 * NS_PER_SECOND;
	socket_sweep(watch, &e);
	assert_int_equal(watch->opened, 1);
	socket_over(watch, &e, CLOSER_PEER);
}

static void test_resumed(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	e.flags = WEBSOCKET_RESUMED;
	socket_sweep(watch, &e);
	assert_int_equal(watch->opened, 1);
	assert_true(watch->told[0].w.resumed);
	socket_over(watch, &e, CLOSER_PEER);
	assert_true(told_last(watch)->w.resumed);
}

/* An accept key that is wrong: what follows is no WebSocket, in whatever order it comes. */
static void test_refused(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_CLIENT);

	shake(watch, 1, ROLE_CLIENT, WRONG);
	assert_int_equal(watch->feed.seen[0].request.handshake, HANDSHAKE_REFUSED);
	socket_move(&e, DIR_IN, WEBSOCKET_TEXT, 1);
	socket_sweep(watch, &e);
	flow_websockets(watch->feed.flow, e.head.time + 100 * NS_PER_SECOND);
	socket_sweep(watch, &e);
	socket_over(watch, &e, CLOSER_LOCAL);
	socket_sweep(watch, &e);
	e = socket_of(watch, 2, ROLE_CLIENT);
	socket_sweep(watch, &e);
	shake(watch, 2, ROLE_CLIENT, WRONG);
	flow_websockets(watch->feed.flow, e.head.time + 100 * NS_PER_SECOND);
	socket_over(watch, &e, CLOSER_LOCAL);
	assert_int_equal(watch->told_count, 0);
}

/* What was told cannot be taken back. */
static void test_refused_too_late(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	e.flags = WEBSOCKET_RESUMED;
	socket_sweep(watch, &e);
	shake(watch, 1, ROLE_SERVER, WRONG);
	socket_over(watch, &e, CLOSER_PEER);
	assert_int_equal(watch->closed, 1);
}

static void test_twice(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER), stale;

	shake(watch, 1, ROLE_SERVER, AGREE);
	socket_move(&e, DIR_IN, WEBSOCKET_TEXT, 10);
	stale = e;
	socket_move(&e, DIR_IN, WEBSOCKET_TEXT, 20);
	socket_sweep(watch, &e);
	socket_sweep(watch, &stale);
	assert_int_equal(watch->sums[1].bytes[DIR_IN][WEBSOCKET_TEXT], 30);
	socket_over(watch, &e, CLOSER_PEER);
	socket_over(watch, &e, CLOSER_PEER);
	socket_sweep(watch, &stale);
	flow_websocket_gone(watch->feed.flow, 1, watch->feed.now);
	flow_websockets(watch->feed.flow, watch->feed.now + 100 * NS_PER_SECOND);
	assert_int_equal(watch->opened, 1);
	assert_int_equal(watch->closed, 1);
	assert_int_equal(watch->sums[1].bytes[DIR_IN][WEBSOCKET_TEXT], 30);
}

/* The kernel half knows of no WebSocket: an answer that is none to it, or no memory. */
static void test_unheard(void **state)
{
	struct watch *watch = *state;
	uint64_t end;

	shake(watch, 1, ROLE_SERVER, AGREE);
	shake(watch, 2, ROLE_SERVER, WRONG);
	end = watch->feed.seen[1].request.end;
	flow_websockets(watch->feed.flow, end + 60 * NS_PER_SECOND);
	assert_int_equal(watch_count(watch), 1);
	flow_websockets(watch->feed.flow, end + 60 * NS_PER_SECOND + 1);
	assert_int_equal(watch_count(watch), 0);
	assert_int_equal(watch->told_count, 0);
}

static void test_invalid(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	shake(watch, 1, ROLE_SERVER, AGREE);
	socket_sweep(watch, &e);
	e.flags |= WEBSOCKET_INVALID_IN; /* alone, without another figure */
	socket_sweep(watch, &e);
	assert_int_equal(told_last(watch)->what, WEBSOCKET_MOVED);
	assert_true(told_last(watch)->w.invalid_added[DIR_IN]);
	socket_sweep(watch, &e);
	e.flags |= WEBSOCKET_INVALID_OUT;
	socket_over(watch, &e, CLOSER_LOCAL);
	assert_true(told_last(watch)->w.invalid[DIR_IN] && told_last(watch)->w.invalid[DIR_OUT]);
	assert_int_equal(watch->invalid[DIR_IN], 1);
	assert_int_equal(watch->invalid[DIR_OUT], 1);
}

/* All that does not fit is the target's end. */
static void test_long_texts(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);
	static struct request r = {.conn = 1, .handshake = HANDSHAKE_ACCEPTED};
	const struct websocket *w;

	memset(r.target, 't', sizeof(r.target));
	memset(r.host, 'h', sizeof(r.host));
	memset(r.request_id, 'r', sizeof(r.request_id));
	memset(r.user_id, 'u', sizeof(r.user_id));
	memset(r.trace_id, 'i', sizeof(r.trace_id));
	r.length.target = sizeof(r.target);
	r.length.host = sizeof(r.host);
	r.length.request_id = sizeof(r.request_id);
	r.length.user_id = sizeof(r.user_id);
	r.length.trace_id = sizeof(r.trace_id);
	websocket_protocol(watch->feed.flow, 1, e.opened, (struct str){r.target, sizeof(r.target)});
	websocket_handshake(watch->feed.flow, &r);
	socket_over(watch, &e, CLOSER_PEER);
	w = &told_last(watch)->w;
	assert_true(str_eq(request_str(w, host), request_str(&r, host)));
	assert_true(str_eq(request_str(w, request_id), request_str(&r, request_id)));
	assert_true(str_eq(request_str(w, user_id), request_str(&r, user_id)));
	assert_true(str_eq(request_str(w, trace_id), request_str(&r, trace_id)));
	assert_in_range(w->length.target, 256, sizeof(r.target) - 1);
	assert_true(str_has_prefix(request_str(&r, target), request_str(w, target)));
	assert_int_equal(w->length.protocol, sizeof(w->protocol));
	assert_str(request_str(w, parent_id), "");
}

/* Without a sink all goes its way, and nobody hears of it. */
static void test_no_sink(void **state)
{
	static struct watch watch;
	struct event_websocket e;

	(void)state;
	memset(&watch, 0, sizeof(watch));
	feed_start(&watch.feed, 4, 4);
	e = socket_of(&watch, 1, ROLE_SERVER);
	shake(&watch, 1, ROLE_SERVER, AGREE);
	socket_move(&e, DIR_IN, WEBSOCKET_TEXT, 1);
	socket_sweep(&watch, &e);
	assert_int_equal(watch_count(&watch), 1);
	socket_over(&watch, &e, CLOSER_PEER);
	watch_end(&watch);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WATCHED(test_life),
		WATCHED(test_sweep_before_handshake),
		WATCHED(test_close_before_handshake),
		WATCHED(test_no_handshake),
		WATCHED(test_late_by_sum),
		WATCHED(test_resumed),
		WATCHED(test_refused),
		WATCHED(test_refused_too_late),
		WATCHED(test_twice),
		WATCHED(test_unheard),
		WATCHED(test_invalid),
		WATCHED(test_long_texts),
		cmocka_unit_test(test_no_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
