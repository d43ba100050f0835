/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opening handshake of RFC 6455, section 4, as an HTTP exchange: rows of what is asked and what
 * is answered, then what a missing record, a cut head and the order of records change.
 */
#include "flow_websocket.h"

#define GET	 "GET /a HTTP/1.1\r\nHost: h\r\n"
#define WITH_KEY "Sec-WebSocket-Key: " KEY "\r\n\r\n"
#define RIGHT	 "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n"
#define OK	 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static const struct row {
	const char *request, *response;
	uint8_t handshake;
} rows[] = {
	{ASK, AGREE, HANDSHAKE_ACCEPTED},
	{ASK, SWITCH RIGHT, HANDSHAKE_ACCEPTED},
	{GET "upgrade: WebSocket\r\nSEC-WEBSOCKET-KEY:" KEY "\r\n\r\n",
	 "HTTP/1.1 101 x\r\nUPGRADE:\tWEBSOCKET\r\nsec-websocket-accept:  " ACCEPT " \r\n\r\n",
	 HANDSHAKE_ACCEPTED},
	{GET "Upgrade: h2c, websocket\r\n" WITH_KEY, SWITCH RIGHT, HANDSHAKE_ACCEPTED},
	{GET "Upgrade: h2c\r\nUpgrade: websocket\r\n" WITH_KEY, SWITCH RIGHT, HANDSHAKE_ACCEPTED},
	{"GET /a HTTP/1.0\r\nUpgrade: websocket\r\n" WITH_KEY,
	 "HTTP/1.0 101 x\r\nUpgrade: websocket\r\n" RIGHT, HANDSHAKE_ACCEPTED},
	{ASK, "HTTP/1.1 103 Hints\r\n\r\n" AGREE, HANDSHAKE_ACCEPTED},
	/* the answer to another key, or to none */
	{ASK, WRONG, HANDSHAKE_REFUSED},
	{ASK, SWITCH "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n",
	 HANDSHAKE_REFUSED},
	{ASK, SWITCH "Sec-WebSocket-Accept: " ACCEPT "=\r\n\r\n", HANDSHAKE_REFUSED},
	{ASK, SWITCH "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n",
	 HANDSHAKE_REFUSED},
	{ASK, SWITCH "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+x?o=\r\n\r\n",
	 HANDSHAKE_REFUSED},
	{ASK, SWITCH "Sec-WebSocket-Accept: " KEY "\r\n\r\n", HANDSHAKE_REFUSED},
	{ASK, SWITCH "\r\n", HANDSHAKE_REFUSED},
	{ASK, "HTTP/1.1 101 x\r\n" RIGHT, HANDSHAKE_REFUSED},
	{ASK, "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n" RIGHT, HANDSHAKE_REFUSED},
	{GET "Upgrade: h2c, websocket\r\n" WITH_KEY, "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n",
	 HANDSHAKE_REFUSED},
	{ASKING "\r\n", SWITCH RIGHT, HANDSHAKE_REFUSED},
	{GET WITH_KEY, SWITCH RIGHT, HANDSHAKE_REFUSED},
	{GET "\r\n", SWITCH RIGHT, HANDSHAKE_REFUSED},
	/* another status */
	{ASK, OK, HANDSHAKE_REFUSED},
	{ASK, "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nContent-Length: 0\r\n" RIGHT,
	 HANDSHAKE_REFUSED},
	{ASK, "HTTP/1.1 426 x\r\nContent-Length: 0\r\n\r\n", HANDSHAKE_REFUSED},
	{ASK, "HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", HANDSHAKE_REFUSED},
	{ASKING "\r\n", "HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n", HANDSHAKE_REFUSED},
	/* no WebSocket was asked for */
	{GET "\r\n", OK, HANDSHAKE_NONE},
	{GET "Upgrade: h2c\r\n\r\n", "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n", HANDSHAKE_NONE},
	{GET "Upgrade: websockets\r\n" WITH_KEY, OK, HANDSHAKE_NONE},
	{GET "Upgrade: h2c\r\n\r\n", SWITCH RIGHT, HANDSHAKE_REFUSED},
	/* an answer that cannot be read */
	{ASK, "HTTP/1.1 101\r\nnot a field\r\n\r\n", HANDSHAKE_NONE},
};

static uint8_t handshake_last(const struct watch *watch)
{
	return seen(&watch->feed, watch->feed.done - 1)->handshake;
}

static void test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct watch watch;
		struct event_websocket e;
		struct link l;
		unsigned opened;

		watch_start(&watch);
		l = link_open(&watch.feed, 1, ROLE_SERVER);
		link_request(&watch.feed, &l, rows[i].request, 0);
		link_response(&watch.feed, &l, rows[i].response);
		e = socket_of(&watch, 1, ROLE_SERVER);
		socket_sweep(&watch, &e);
		opened = watch.opened;
		socket_over(&watch, &e, CLOSER_PEER);
		link_close(&watch.feed, &l);
		if (handshake_last(&watch) != rows[i].handshake ||
		    opened != (rows[i].handshake == HANDSHAKE_ACCEPTED))
			fail_msg("row %u", i);
		watch_end(&watch);
	}
}

/* Refused once, asked again on the same connection. */
static void test_again(void **state)
{
	struct watch *watch = *state;
	struct link l = shake(watch, 1, ROLE_SERVER, OK);
	struct event_websocket e;

	assert_int_equal(handshake_last(watch), HANDSHAKE_REFUSED);
	link_request(&watch->feed, &l, ASK, 0);
	link_response(&watch->feed, &l, AGREE);
	assert_int_equal(handshake_last(watch), HANDSHAKE_ACCEPTED);
	e = socket_of(watch, 1, ROLE_SERVER);
	socket_over(watch, &e, CLOSER_PEER);
	assert_str(request_str(&told_last(watch)->w, target), "/rooms/17");
}

/* The client's answer is read before the hook of its request has run. */
static void early(struct watch *watch, uint64_t id, const char *answer)
{
	struct link l = link_open(&watch->feed, id, ROLE_CLIENT);

	link_early(&watch->feed, &l, answer, strlen(ASK));
	link_request(&watch->feed, &l, ASK, 0);
}

static void test_early(void **state)
{
	struct watch *watch = *state;
	struct event_websocket e;

	early(watch, 1, AGREE);
	assert_int_equal(handshake_last(watch), HANDSHAKE_ACCEPTED);
	e = socket_of(watch, 1, ROLE_CLIENT);
	socket_over(watch, &e, CLOSER_PEER);
	assert_str(request_str(&told_last(watch)->w, target), "/rooms/17");
	assert_str(request_str(&told_last(watch)->w, protocol), "chat");
	early(watch, 2, WRONG);
	assert_int_equal(handshake_last(watch), HANDSHAKE_REFUSED);
	early(watch, 3, OK);
	assert_int_equal(handshake_last(watch), HANDSHAKE_REFUSED);
	e = socket_of(watch, 2, ROLE_CLIENT);
	socket_over(watch, &e, CLOSER_PEER);
	assert_int_equal(watch->opened, 1);
}

/* Its request had no record: nothing speaks against it. */
static void test_request_lost(void **state)
{
	struct watch *watch = *state;
	struct link l = link_open(&watch->feed, 1, ROLE_SERVER);
	struct event_websocket e;

	watch->feed.lose = true;
	link_request(&watch->feed, &l, ASK, 0);
	watch->feed.lose = false;
	link_response(&watch->feed, &l, AGREE);
	assert_int_equal(handshake_last(watch), HANDSHAKE_ACCEPTED);
	e = socket_of(watch, 1, ROLE_SERVER);
	socket_sweep(watch, &e);
	assert_int_equal(watch->opened, 1);
	assert_str(request_str(&told_last(watch)->w, protocol), "chat");
	assert_str(request_str(&told_last(watch)->w, target), "");
	socket_over(watch, &e, CLOSER_PEER);
}

#define LONG                                                                                   \
	"X-Long: ............................................................................" \
	"................................................................................\r\n"

/* Heads beyond --capture-bytes: the key and its answer may stand there, or not. */
static void test_cut(void **state)
{
	struct watch *watch = *state;
	struct link l = link_open(&watch->feed, 1, ROLE_SERVER);

	link_request(&watch->feed, &l, ASKING LONG LONG WITH_KEY, 0);
	link_response(&watch->feed, &l, SWITCH RIGHT);
	assert_int_equal(handshake_last(watch), HANDSHAKE_ACCEPTED);
	l = link_open(&watch->feed, 2, ROLE_SERVER);
	link_request(&watch->feed, &l, ASK, 0);
	link_response(&watch->feed, &l, SWITCH LONG LONG "\r\n");
	assert_int_equal(handshake_last(watch), HANDSHAKE_ACCEPTED);
	l = link_open(&watch->feed, 3, ROLE_SERVER);
	link_request(&watch->feed, &l, GET LONG LONG "\r\n", 0); /* may have asked */
	link_response(&watch->feed, &l, SWITCH RIGHT);
	assert_int_equal(handshake_last(watch), HANDSHAKE_ACCEPTED);
	l = link_open(&watch->feed, 4, ROLE_SERVER);
	link_request(&watch->feed, &l, ASK, 0);
	link_response(&watch->feed, &l,
		      SWITCH "Sec-WebSocket-Accept: " KEY "\r\n" LONG LONG "\r\n");
	assert_int_equal(handshake_last(watch), HANDSHAKE_REFUSED); /* by what is there */
	for (unsigned id = 1; id < 5; id++)
		flow_websocket_gone(watch->feed.flow, id, watch->feed.now);
}

static void test_aborted(void **state)
{
	struct watch *watch = *state;
	struct link l = link_open(&watch->feed, 1, ROLE_SERVER);

	link_request(&watch->feed, &l, ASK, 0);
	link_close(&watch->feed, &l);
	assert_int_equal(handshake_last(watch), HANDSHAKE_REFUSED);
	l = link_open(&watch->feed, 2, ROLE_SERVER);
	link_request(&watch->feed, &l, GET "\r\n", 0);
	link_close(&watch->feed, &l);
	assert_int_equal(handshake_last(watch), HANDSHAKE_NONE);
}

/* Frames in the same write belong to no response. */
static void test_frames_behind(void **state)
{
	struct watch *watch = *state;

	shake(watch, 1, ROLE_SERVER, AGREE "\x81\x05hello\x81\x05HTTP/");
	assert_int_equal(watch->feed.done, 1);
	assert_int_equal(handshake_last(watch), HANDSHAKE_ACCEPTED);
	assert_int_equal(seen(&watch->feed, 0)->response_bytes, 0);
	flow_websocket_gone(watch->feed.flow, 1, watch->feed.now);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), WATCHED(test_again), WATCHED(test_early),
		WATCHED(test_request_lost),  WATCHED(test_cut),	  WATCHED(test_aborted),
		WATCHED(test_frames_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
