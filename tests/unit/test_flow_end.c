/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways a response ends: with its head, by a length, an end mark, the close, the next response;
 * seen by records, by the progress slot, or by what the kernel half says later.
 */
#include "flow_records.h"

#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

static void test_no_body(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "HEAD /h HTTP/1.1\r\n\r\n", 0);
	link_response(f, &l, OK_10);
	assert_request(f, 0, "HEAD", "/h", 200);
	link_request(f, &l, GET, 0);
	link_response(f, &l, "HTTP/1.1 204 No\r\n\r\n");
	assert_request(f, 1, "GET", "/a", 204);
	link_request(f, &l, GET, 0);
	link_response(f, &l, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n");
	assert_request(f, 2, "GET", "/a", 304);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(seen(f, i)->response_bytes, 0);
	link_request(f, &l, "CONNECT h:443 HTTP/1.1\r\n\r\n", 0);
	link_response(f, &l, "HTTP/1.1 200 OK\r\n\r\n");
	assert_request(f, 3, "CONNECT", "h:443", 200);
	link_request(f, &l, GET, 0);
	link_response(f, &l, "HTTP/1.1 101 S\r\n\r\n");
	assert_request(f, 4, "GET", "/a", 101);
}

static void test_interim(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "POST /e HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
		     0);
	link_response(f, &l, "HTTP/1.1 100 Continue\r\n\r\n" OK_10);
	assert_int_equal(f->done, 0);
	link_body(f, &l, STR("01234"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 0);
	link_body(f, &l, STR("56789"));
	flow_tick(f->flow);
	assert_request(f, 0, "POST", "/e", 200);
	assert_int_equal(seen(f, 0)->response_bytes, 10);
}

static void test_length_by_progress(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER), other = link_open(f, 2, ROLE_SERVER);
	uint64_t first_byte;

	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10 "0123");
	first_byte = l.response_time;
	link_body(f, &l, STR("45"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 0);
	f->progress.txn = 2; /* of another response: not ours */
	f->progress.response_bytes += 100;
	flow_tick(f->flow);
	assert_int_equal(f->done, 0);
	link_request(f, &other, GET_B, 0);
	link_response(f, &other, OK_10);
	link_body(f, &other, STR("0123456789"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 1);
	assert_int_equal(seen(f, 0)->conn, 2);
	link_body(f, &l, STR("6789"));
	flow_tick(f->flow);
	flow_tick(f->flow);
	assert_int_equal(f->done, 2);
	assert_int_equal(seen(f, 1)->first_byte, first_byte);
	assert_int_equal(seen(f, 1)->end, l.response_time);
	assert_int_equal(seen(f, 1)->response_bytes, 10);
}

/* The slot already tells of a hit whose record is only read afterwards. */
static void test_progress_before_record(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);
	struct event_data e;

	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10 "0");
	e = data_of(f, &l, MESSAGE_RESPONSE, STR("123"));
	l.response_bytes += 3;
	link_body(f, &l, STR("4567"));
	flow_tick(f->flow);
	feed_data(f, &e, STR("123"));
	assert_int_equal(f->done, 0);
	link_body(f, &l, STR("89"));
	flow_tick(f->flow);
	assert_int_equal(seen(f, 0)->response_bytes, 10);
	assert_int_equal(seen(f, 0)->end, l.response_time);
}

static void test_length_otherwise(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10);
	link_body(f, &l, STR("0123456789"));
	link_end(f, &l);
	assert_request(f, 0, "GET", "/a", 200);
	assert_int_equal(seen(f, 0)->response_bytes, 10);
	assert_int_equal(seen(f, 0)->end, l.response_time);

	link_request(f, &l, GET_B, 0); /* the next response ends it */
	link_response(f, &l, OK_10 "0123");
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10 "0");
	assert_request(f, 1, "GET", "/b", 200);
	assert_int_equal(seen(f, 1)->response_bytes, 4);

	link_body(f, &l, STR("123456789")); /* the close does */
	link_close(f, &l);
	assert_int_equal(f->done, 3);
	assert_int_equal(seen(f, 2)->error, REQUEST_OK);
	assert_int_equal(seen(f, 2)->response_bytes, 10);
	assert_int_equal(seen(f, 2)->end, l.response_time);
}

static void test_chunked(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	link_response(f, &l, head);
	link_body(f, &l, STR("5\r\nhello\r\n"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 0);
	link_body(f, &l, STR("0\r\n\r\n"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 1);
	assert_int_equal(seen(f, 0)->response_bytes, 15);
	link_request(f, &l, GET, 0);
	send_pieces(f, &l, MESSAGE_RESPONSE,
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		    sizeof(head) - 1, 11);
	assert_int_equal(f->done, 2);
	assert_int_equal(seen(f, 1)->response_bytes, 11);
}

static void test_chunked_cut(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const struct {
		struct str last;
		enum request_error error;
	} cases[] = {
		{STR("5\r\nhello\r\n"), REQUEST_ABORTED},
		{STR("5\r\nhello\r\n0\r\n"), REQUEST_ABORTED},
		{STR("0\r\nX-Sum: 1\r\n\r\n"), REQUEST_OK},
	};
	struct feed *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link l = link_open(f, i + 1, ROLE_SERVER);

		link_request(f, &l, GET, 0);
		link_response(f, &l, head);
		link_body(f, &l, cases[i].last);
		flow_tick(f->flow);
		assert_int_equal(f->done, i);
		link_close(f, &l);
		assert_request(f, i, "GET", "/a", 200);
		assert_int_equal(seen(f, i)->error, cases[i].error);
	}
}

static void test_until_close(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "GET /c HTTP/1.0\r\n\r\n", 0);
	link_response(f, &l, "HTTP/1.0 200 OK\r\n\r\nsome");
	link_body(f, &l, STR("more"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 0);
	link_body(f, &l, STR("last"));
	link_close(f, &l);
	assert_request(f, 0, "GET", "/c", 200);
	assert_int_equal(seen(f, 0)->error, REQUEST_OK);
	assert_int_equal(seen(f, 0)->response_bytes, 12);
	assert_int_equal(seen(f, 0)->end, l.response_time);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	TEST(no_body),
	TEST(interim),
	TEST(length_by_progress),
	TEST(progress_before_record),
	TEST(length_otherwise),
	TEST(chunked),
	TEST(chunked_cut),
	TEST(until_close),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
