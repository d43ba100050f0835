/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket connections: sums of the kernel half and handshakes come in any order, more than once,
 * or not at all. What is told is each connection once, and of each figure as much as there was. The
 * watch of flow_websocket.h insists on that after each call.
 */
#include "flow_websocket.h"

static int watch_setup(void **state)
{
	static struct watch watch;

	watch_start(&watch);
	*state = &watch;
	return 0;
}

static int watch_teardown(void **state)
{
	watch_end(*state);
	return 0;
}

static void assert_shaken(const struct websocket *w)
{
	assert_str(request_str(w, target), "/rooms/17");
	assert_str(request_str(w, route), "/rooms/{id}");
	assert_str(request_str(w, host), "h");
	assert_str(request_str(w, protocol), "chat");
	assert_str(request_str(w, request_id), "r1");
	assert_int_equal(w->local.ip[3], 1);
	assert_int_equal(w->peer.ip[3], 2);
}

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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, watch_setup, watch_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_sweep_before_handshake),
		TEST(test_close_before_handshake),
		TEST(test_no_handshake),
		TEST(test_late_by_sum),
		TEST(test_resumed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
