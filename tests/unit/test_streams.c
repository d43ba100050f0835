/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of events: the request counts when the stream begins and is not open while it lasts; the
 * sink hears of every byte, and once of the end, whoever brings it about.
 */
#include "flow_records.h"

#define GET    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define EVENTS "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define MARKED EVENTS "Transfer-Encoding: chunked\r\n\r\n"
#define CLOSED EVENTS "\r\n"
#define EVENT  "9\r\ndata: 1\n\n\r\n" /* 14 bytes */

static uint64_t counted(const struct feed *f)
{
	return feed_stats(f)->counted[PROTO_http1];
}

static uint64_t open_requests(const struct feed *f)
{
	return feed_stats(f)->open[PROTO_http1];
}

static struct link stream_open(struct feed *f, uint64_t id, uint8_t role, const char *head)
{
	struct link l = link_open(f, id, role);

	link_request(f, &l, GET, 0);
	link_response(f, &l, head);
	return l;
}

static void test_life(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);
	uint64_t start, first_byte;

	link_request(f, &l, GET, 0);
	start = l.request_time;
	assert_int_equal(open_requests(f), 1);
	link_response(f, &l, MARKED);
	first_byte = l.response_time;
	assert_int_equal(f->streams_open, 1);
	assert_int_equal(open_requests(f), 0);
	assert_int_equal(counted(f), 1);
	assert_int_equal(feed_missing(f), 0);
	assert_int_equal(request_latency(&f->stream), first_byte - start);
	assert_str(request_str(&f->stream, route), "/a");
	for (unsigned i = 1; i <= 3; i++) {
		link_body(f, &l, STR(EVENT));
		flow_tick(f->flow);
		flow_tick(f->flow);
		assert_int_equal(f->stream_bytes, i * 14);
	}
	assert_int_equal(f->done, 0);
	link_body(f, &l, STR("0\r\n\r\n"));
	flow_tick(f->flow);
	assert_request(f, 0, "GET", "/a", 200);
	assert_int_equal(seen(f, 0)->stream, STREAM_OVER);
	assert_int_equal(seen(f, 0)->error, REQUEST_OK);
	assert_int_equal(seen(f, 0)->response_bytes, 47);
	assert_int_equal(f->stream_bytes, 47);
	assert_int_equal(seen(f, 0)->end, l.response_time);
	assert_int_equal(request_latency(seen(f, 0)), first_byte - start);
	assert_int_equal(counted(f), 1);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 1)->stream, STREAM_NONE);
	assert_int_equal(f->streams, 1);
}

/* It leaves when it has heard enough: that is how most streams end. The server's own death is
 * another thing, and where the close ends the body nobody can tell. */
static void test_ends_with_the_connection(void **state)
{
	static const struct {
		const char *head;
		uint8_t role, closer, error;
	} cases[] = {
		{MARKED, ROLE_SERVER, CLOSER_PEER, REQUEST_OK},
		{MARKED, ROLE_SERVER, CLOSER_RESET, REQUEST_OK},
		{MARKED, ROLE_SERVER, CLOSER_UNKNOWN, REQUEST_OK},
		{MARKED, ROLE_SERVER, CLOSER_LOCAL, REQUEST_ABORTED},
		{MARKED, ROLE_CLIENT, CLOSER_LOCAL, REQUEST_OK},
		{MARKED, ROLE_CLIENT, CLOSER_PEER, REQUEST_ABORTED},
		{MARKED, ROLE_CLIENT, CLOSER_RESET, REQUEST_ABORTED},
		{CLOSED, ROLE_SERVER, CLOSER_LOCAL, REQUEST_OK},
		{CLOSED, ROLE_SERVER, CLOSER_RESET, REQUEST_OK},
		{CLOSED, ROLE_CLIENT, CLOSER_PEER, REQUEST_OK},
		{CLOSED, ROLE_CLIENT, CLOSER_RESET, REQUEST_ABORTED},
	};
	struct feed *f = *state;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link l = stream_open(f, i + 1, cases[i].role, cases[i].head);

		link_body(f, &l, STR(EVENT));
		f->now += 3600ULL * 1000000000; /* in silence */
		link_close_by(f, &l, cases[i].closer);
		assert_request(f, i, "GET", "/a", 200);
		assert_int_equal(seen(f, i)->error, cases[i].error);
		assert_int_equal(seen(f, i)->end, f->now);
		assert_int_equal(seen(f, i)->response_bytes, 14);
		assert_int_equal(f->stream_bytes, (i + 1) * 14);
		assert_int_equal(f->streams_open, 0);
	}
	assert_int_equal(f->streams, f->done);
}

/* Its end mark was the last that it sent, and only the close says so. */
static void test_end_mark_before_the_close(void **state)
{
	struct feed *f = *state;
	struct link l = stream_open(f, 1, ROLE_SERVER, MARKED);

	link_body(f, &l, STR("0\r\n\r\n"));
	link_close_by(f, &l, CLOSER_LOCAL);
	assert_int_equal(seen(f, 0)->error, REQUEST_OK);
	assert_int_equal(seen(f, 0)->end, l.response_time);
}

/* Bytes went by unseen: how it went on is not known. */
static void test_unseen(void **state)
{
	struct feed *f = *state;
	struct link l = stream_open(f, 1, ROLE_SERVER, MARKED);

	link_body(f, &l, STR(EVENT));
	link_close_by(f, &l, CLOSER_UNSEEN);
	assert_int_equal(seen(f, 0)->error, REQUEST_OK);
	assert_int_equal(seen(f, 0)->end, l.response_time);
}

static void test_ends_with_the_next_request(void **state)
{
	struct feed *f = *state;
	struct link l = stream_open(f, 1, ROLE_SERVER, MARKED);

	link_body(f, &l, STR(EVENT));
	link_end(f, &l);
	assert_int_equal(f->done, 1);
	assert_int_equal(seen(f, 0)->error, REQUEST_OK);
	assert_int_equal(f->stream_bytes, 14);
	link_request(f, &l, GET, 0);
	link_response(f, &l, MARKED);
	assert_int_equal(f->streams, 2);
	link_close(f, &l);
}

static void test_whole_in_one_write(void **state)
{
	struct feed *f = *state;

	stream_open(f, 1, ROLE_SERVER, MARKED EVENT "0\r\n\r\n");
	stream_open(f, 2, ROLE_SERVER, EVENTS "Content-Length: 9\r\n\r\ndata: 1\n\n");
	assert_int_equal(f->streams, 2);
	assert_int_equal(f->done, 2);
	assert_int_equal(f->stream_bytes, 14 + 5 + 9);
}

static void test_no_streams(void **state)
{
	static const struct {
		const char *request, *response;
	} cases[] = {
		{"HEAD /h HTTP/1.1\r\n\r\n", MARKED},
		{GET, "HTTP/1.1 204 No\r\nContent-Type: text/event-stream\r\n\r\n"},
		{GET, "HTTP/1.1 304 No\r\nContent-Type: text/event-stream\r\n\r\n"},
		{GET, "HTTP/1.1 503 Busy\r\nContent-Type: text/event-stream\r\n"
		      "Content-Length: 0\r\n\r\n"},
		{GET, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"},
		{"GET /a HTTP/1.1\r\nContent-Type: text/event-stream\r\n\r\n", OK},
	};
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		link_request(f, &l, cases[i].request, 0);
		link_response(f, &l, cases[i].response);
		assert_int_equal(f->done, i + 1);
		assert_int_equal(seen(f, i)->stream, STREAM_NONE);
	}
	assert_int_equal(f->streams, 0);
}

/* The head in pieces, and the answer before its request's record. */
static void test_begins_late(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	send_pieces(f, &l, MESSAGE_RESPONSE, MARKED EVENT, 20, 7);
	assert_int_equal(f->streams_open, 1);
	link_close(f, &l);
	assert_int_equal(f->stream_bytes, 14);
	l = link_open(f, 2, ROLE_CLIENT);
	link_early(f, &l, MARKED, strlen(GET));
	assert_int_equal(f->streams, 1);
	link_request(f, &l, GET, 0);
	assert_int_equal(f->streams_open, 1);
	link_close(f, &l);
}

/* Without a record nobody knows what it was: the kernel half counts it, at its end. */
static void test_without_a_record(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	f->lose = true;
	link_response(f, &l, MARKED);
	f->lose = false;
	link_body(f, &l, STR(EVENT));
	flow_tick(f->flow);
	link_close(f, &l);
	assert_int_equal(f->streams, 0);
	assert_int_equal(f->kernel.shed, 1);
	assert_int_equal(counted(f), 0);
}

/* What is told of it once it has been forgotten changes nothing. */
static void test_forgotten(void **state)
{
	struct feed f;
	struct link l, full;

	(void)state;
	feed_start(&f, 1, 4);
	l = stream_open(&f, 1, ROLE_SERVER, MARKED);
	link_body(&f, &l, STR(EVENT));
	flow_tick(f.flow);
	full = stream_open(&f, 2, ROLE_SERVER, MARKED); /* there is room for one */
	assert_int_equal(f.streams, 2);
	assert_int_equal(f.streams_open, 1);
	assert_int_equal(seen(&f, 0)->conn, 1);
	assert_int_equal(seen(&f, 0)->end, l.response_time);
	link_end(&f, &l);
	link_close(&f, &l);
	assert_int_equal(f.done, 1);
	flow_age(f.flow, f.now + FLOW_IDLE_NS + 1);
	assert_int_equal(f.streams_open, 0);
	link_close(&f, &full);
	assert_int_equal(f.done, 2);
	assert_int_equal(f.stream_bytes, 14);
	feed_end(&f);
}

/* Its socket is gone, and nothing has told of its end. */
static void test_missing(void **state)
{
	struct feed *f = *state;
	struct link here = stream_open(f, 1, ROLE_SERVER, MARKED);
	struct link gone = stream_open(f, 2, ROLE_SERVER, MARKED);

	link_body(f, &gone, STR(EVENT));
	flow_tick(f->flow);
	feed_roll_call(f, here.id, f->now + 1);
	assert_int_equal(f->streams_open, 2);
	feed_roll_call(f, here.id, f->now + 1);
	assert_int_equal(f->streams_open, 1);
	assert_int_equal(seen(f, 0)->conn, gone.id);
	assert_int_equal(seen(f, 0)->end, gone.response_time);
	link_close(f, &here);
	f->inexact = true; /* the other one's close never comes */
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	TEST(life),
	TEST(ends_with_the_connection),
	TEST(end_mark_before_the_close),
	TEST(unseen),
	TEST(ends_with_the_next_request),
	TEST(whole_in_one_write),
	TEST(no_streams),
	TEST(begins_late),
	TEST(without_a_record),
	TEST(missing),
	cmocka_unit_test(test_forgotten),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
