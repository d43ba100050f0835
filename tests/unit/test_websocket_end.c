/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends of WebSocket connections, and their time until then: who began to close and with which code,
 * sockets that vanished, a full table, progress.
 */
#include "flow_websocket.h"

#define NO_FRAME 2
static const struct ending {
	uint8_t role, first;
	uint16_t code;
	uint8_t closer;
	uint16_t told_code;
	uint8_t initiator;
} endings[] = {
	{ROLE_SERVER, DIR_OUT, 1001, CLOSER_LOCAL, 1001, INITIATOR_SERVER},
	{ROLE_SERVER, DIR_IN, 1000, CLOSER_LOCAL, 1000, INITIATOR_CLIENT},
	{ROLE_CLIENT, DIR_OUT, 4000, CLOSER_PEER, 4000, INITIATOR_CLIENT},
	{ROLE_CLIENT, DIR_IN, 1011, CLOSER_RESET, 1011, INITIATOR_SERVER},
	{ROLE_CLIENT, DIR_IN, 1005, CLOSER_PEER, 1005, INITIATOR_SERVER},
	{ROLE_SERVER, NO_FRAME, 0, CLOSER_LOCAL, 1006, INITIATOR_SERVER},
	{ROLE_SERVER, NO_FRAME, 0, CLOSER_PEER, 1006, INITIATOR_CLIENT},
	{ROLE_CLIENT, NO_FRAME, 0, CLOSER_LOCAL, 1006, INITIATOR_CLIENT},
	{ROLE_CLIENT, NO_FRAME, 0, CLOSER_PEER, 1006, INITIATOR_SERVER},
	{ROLE_CLIENT, NO_FRAME, 0, CLOSER_RESET, 1006, INITIATOR_NETWORK},
	{ROLE_SERVER, NO_FRAME, 0, CLOSER_UNKNOWN, 1006, INITIATOR_NETWORK},
	{ROLE_NONE, DIR_IN, 1000, CLOSER_LOCAL, 1000, INITIATOR_NETWORK},
};

/* The other side answers a close frame with one of its own: the first counts. */
static void test_endings(void **state)
{
	struct watch *watch = *state;

	for (unsigned i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		const struct ending *end = &endings[i];
		struct event_websocket e = socket_of(watch, i, end->role);

		if (end->first != NO_FRAME) {
			socket_close_frame(&e, end->first, end->code);
			socket_close_frame(&e, !end->first, 1002);
		}
		socket_over(watch, &e, end->closer);
		assert_int_equal(told_last(watch)->w.close_code, end->told_code);
		assert_int_equal(told_last(watch)->w.initiator, end->initiator);
	}
}

/* A close frame that came first may be believed only at the end. */
static void test_earlier_close(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	shake(watch, 1, ROLE_SERVER, AGREE);
	socket_close_frame(&e, DIR_OUT, 1000);
	socket_sweep(watch, &e);
	e.close_first = 0;
	socket_close_frame(&e, DIR_IN, 1001);
	socket_over(watch, &e, CLOSER_LOCAL);
	assert_int_equal(told_last(watch)->w.close_code, 1001);
	assert_int_equal(told_last(watch)->w.initiator, INITIATOR_CLIENT);
}

/* Sockets that vanished. */
static void test_gone(void **state)
{
	struct watch *watch = *state;
	struct flow *flow = watch->feed.flow;
	struct event_websocket e = socket_of(watch, 1, ROLE_SERVER);

	shake(watch, 1, ROLE_SERVER, AGREE);
	socket_move(&e, DIR_IN, WEBSOCKET_TEXT, 1);
	socket_sweep(watch, &e);
	flow_websocket_gone(flow, 1, 12345678);
	assert_int_equal(watch->closed, 1);
	assert_int_equal(told_last(watch)->w.close_code, 1006);
	assert_int_equal(told_last(watch)->w.initiator, INITIATOR_NETWORK);
	assert_int_equal(told_last(watch)->w.closed, 12345678);
	socket_over(watch, &e, CLOSER_LOCAL);
	flow_websocket_gone(flow, 1, 12345678);
	assert_int_equal(watch->closed, 1);

	e = socket_of(watch, 2, ROLE_CLIENT); /* its handshake was not known, and it had closed */
	socket_close_frame(&e, DIR_OUT, 1000);
	socket_sweep(watch, &e);
	flow_websocket_gone(flow, 2, 12345678);
	assert_int_equal(watch->opened, 2);
	assert_int_equal(told_last(watch)->w.close_code, 1000);
	assert_int_equal(told_last(watch)->w.initiator, INITIATOR_CLIENT);
	assert_int_equal(watch->sums[2].messages[DIR_OUT][WEBSOCKET_CLOSE], 1);

	shake(watch, 3, ROLE_CLIENT, AGREE); /* nothing else was heard of it */
	flow_websocket_gone(flow, 3, 12345678);
	assert_int_equal(watch->opened, 3);
	assert_shaken(&told_last(watch)->w);
	assert_int_equal(told_last(watch)->w.role, ROLE_CLIENT);
	assert_true(told_last(watch)->w.opened);

	shake(watch, 4, ROLE_CLIENT, WRONG);
	flow_websocket_gone(flow, 4, 12345678);
	flow_websocket_gone(flow, 5, 12345678);
	assert_int_equal(watch->opened, 3);
}

/* A full table: what has no room is told when there is some, or when it ends. */
static void test_full(void **state)
{
	struct event_websocket e[4];
	struct watch watch;

	(void)state;
	watch_start_with(&watch, &(struct flow_options){.connections_max = 2, .exchanges_max = 4});
	for (unsigned i = 0; i < 4; i++) {
		e[i] = socket_of(&watch, i, ROLE_SERVER);
		e[i].flags = WEBSOCKET_RESUMED;
		socket_move(&e[i], DIR_OUT, WEBSOCKET_TEXT, 100 + i);
		socket_sweep(&watch, &e[i]);
	}
	assert_int_equal(watch.opened, 2);
	socket_over(&watch, &e[2], CLOSER_PEER);
	assert_int_equal(watch.opened, 3);
	assert_int_equal(watch.sums[2].bytes[DIR_OUT][WEBSOCKET_TEXT], 102);
	socket_over(&watch, &e[0], CLOSER_PEER);
	socket_sweep(&watch, &e[3]);
	assert_int_equal(watch.opened, 4);
	assert_int_equal(watch.sums[3].bytes[DIR_OUT][WEBSOCKET_TEXT], 103);
	socket_over(&watch, &e[1], CLOSER_PEER);
	socket_over(&watch, &e[3], CLOSER_PEER);
	watch_end(&watch);
}

/* A roll call: one that does not answer is gone, unless it is younger than the question. */
static void test_absent(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e[3];

	for (unsigned i = 0; i < 3; i++) {
		e[i] = socket_of(watch, i, ROLE_SERVER);
		e[i].flags = WEBSOCKET_RESUMED;
		socket_sweep(watch, &e[i]);
	}
	feed_roll_call(&watch->feed, 1, e[2].opened);
	assert_int_equal(watch->closed, 0);
	feed_roll_call(&watch->feed, 1, e[2].opened);
	assert_int_equal(watch->closed, 1);
	assert_int_equal(told_last(watch)->w.conn, 0);
	assert_int_equal(told_last(watch)->w.close_code, 1006);
	feed_roll_call(&watch->feed, 2, e[2].opened + 1);
	feed_roll_call(&watch->feed, 2, e[2].opened + 1);
	assert_int_equal(watch->closed, 2);
	assert_int_equal(told_last(watch)->w.conn, 1);
	socket_over(watch, &e[2], CLOSER_PEER);
	socket_over(watch, &e[0], CLOSER_PEER);
}

static void test_progress(void **state)
{
	struct event_websocket e[3];
	struct watch watch;
	uint64_t start;

	(void)state;
	watch_start_with(&watch, &(struct flow_options){.connections_max = 16,
							.exchanges_max = 4,
							.progress_ns = 10 * NS_PER_SECOND});
	for (unsigned i = 0; i < 3; i++) {
		e[i] = socket_of(&watch, i, ROLE_SERVER);
		e[i].flags = i < 2 ? WEBSOCKET_RESUMED : 0;
		socket_sweep(&watch, &e[i]);
	}
	start = e[0].head.time;
	flow_websockets(watch.feed.flow, start + 10 * NS_PER_SECOND - 1);
	assert_int_equal(watch.progressed, 0);
	flow_websockets(watch.feed.flow, start + 10 * NS_PER_SECOND);
	assert_int_equal(watch.progressed, 1); /* the others are younger */
	assert_int_equal(told_last(&watch)->w.conn, 0);
	flow_websockets(watch.feed.flow, start + 11 * NS_PER_SECOND);
	assert_int_equal(watch.progressed, 3);
	flow_websockets(watch.feed.flow, start + 19 * NS_PER_SECOND);
	assert_int_equal(watch.progressed, 3);
	flow_websockets(watch.feed.flow, start + 20 * NS_PER_SECOND);
	assert_int_equal(watch.progressed, 4);
	for (unsigned i = 0; i < 3; i++)
		socket_over(&watch, &e[i], CLOSER_PEER);
	watch_end(&watch);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WATCHED(test_endings), WATCHED(test_earlier_close), WATCHED(test_gone),
		WATCHED(test_absent),  cmocka_unit_test(test_full), cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
