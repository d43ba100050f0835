/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses that nobody is known to have asked for. At a client the answer may be read before the
 * hook of its request has run: it pairs with the request that follows, if that one was sent before
 * the answer was read, and with no other. At a server such a response began before the agent.
 */
#include "flow_records.h"

#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

static void lost_request(struct feed *f, struct link *l, const char *text)
{
	f->lose = true;
	link_request(f, l, text, 0);
	f->lose = false;
}

static void test_early(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	for (unsigned i = 0; i < 2; i++) {
		link_early(f, &l,
			   "HTTP/1.1 203 N\r\nX-Request-ID: r\r\nContent-Length: 2\r\n\r\nok",
			   sizeof(GET) - 1);
		assert_int_equal(f->begun, i);
		link_request(f, &l, GET, 0);
		assert_int_equal(f->done, i + 1);
		assert_request(f, i, "GET", "/a", 203);
		assert_str(request_str(seen(f, i), request_id), "r");
		assert_int_equal(seen(f, i)->first_byte, l.response_time);
		assert_int_equal(seen(f, i)->start, l.response_time);
		assert_int_equal(seen(f, i)->response_bytes, 2);
	}
	link_early(f, &l, OK_10, sizeof(GET) - 1);
	link_request(f, &l, GET, 0);
	assert_int_equal(f->done, 2);
	link_body(f, &l, STR("0123456789"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 3);
	link_early(f, &l, OK, 4);
	link_request(f, &l, "GET /\x01 HTTP/1.1\r\n\r\n", 0);
	assert_int_equal(f->done, 4);
	assert_request(f, 3, "GET", "", 200);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 0);
}

static void test_early_unrelated(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	link_early(f, &l, OK, 0); /* to a request from before the agent */
	link_early(f, &l, OK, 0);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 1);
	link_request(f, &l, GET, 0);
	assert_int_equal(f->done, 0);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 2);
	link_response(f, &l, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");
	assert_request(f, 0, "GET", "/a", 404);
	link_early(f, &l, OK, 0);
	link_close(f, &l);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 3);
	assert_int_equal(f->done, 1);
}

/* It was sent for all that: the kernel half says that nobody can count it. */
static void test_early_request_untold(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	link_early(f, &l, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n", 1000);
	lost_request(f, &l, GET);
	assert_int_equal(f->kernel.unread, 1);
	assert_int_equal(f->kernel.held, 0);
	lost_request(f, &l, GET);
	link_response(f, &l, OK_10);
	link_request(f, &l, GET_B, 0);
	link_response(f, &l, OK);
	assert_int_equal(f->done, 2);
	assert_request(f, 0, "GET", "", 200);
	assert_request(f, 1, "GET", "/b", 200);
	link_early(f, &l, "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n", sizeof(GET) - 1);
	lost_request(f, &l, GET);
	link_close(f, &l); /* not aborted: it had an answer */
	assert_int_equal(f->done, 2);
	assert_int_equal(f->kernel.unread, 2);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 2);
}

/* Without a record of the answer nobody needs to know of the request, or only to drop it. */
static void test_early_both_untold(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	f->lose = true;
	link_early(f, &l, OK, sizeof(GET) - 1);
	link_request(f, &l, GET, 0);
	f->lose = false;
	link_request(f, &l, GET_B, 0);
	assert_int_equal(f->kernel.shed, 1);
	assert_int_equal(f->begun, 1);
	link_response(f, &l, OK);
	assert_request(f, 0, "GET", "/b", 200);
	f->lose = true; /* a request from before the agent: never its own */
	link_early(f, &l, OK, 0);
	f->lose = false;
	link_request(f, &l, GET, 0);
	assert_int_equal(f->kernel.unclaimed, 1);
	link_response(f, &l, OK);
	assert_request(f, 1, "GET", "/a", 200);
	assert_int_equal(f->kernel.shed, 1);
	link_close(f, &l);
	assert_int_equal(f->done, 2);
}

/* The answer has no record, but its late request has: the kernel half counts them, and says so. */
static void test_early_untold(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	f->lose = true;
	link_early(f, &l, OK, sizeof(GET) - 1);
	f->lose = false;
	link_request(f, &l, GET, 0); /* its own, late */
	assert_int_equal(feed_stats(f)->open[PROTO_http1], 1);
	link_request(f, &l, GET_B, 0);
	assert_int_equal(f->kernel.shed, 1);
	assert_int_equal(f->done, 1);
	assert_false(f->seen[0].counted);
	link_response(f, &l, OK);
	assert_request(f, 1, "GET", "/b", 200);
	link_close(f, &l);
	assert_int_equal(f->done, 2);
}

static void test_early_in_pieces(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT), other = link_open(f, 2, ROLE_CLIENT);

	link_early(f, &l, "HTTP/1.1 200 OK\r\nCont", sizeof(GET) - 1);
	lost_request(f, &l, GET);
	link_request(f, &l, GET_B, 0);
	link_response(f, &l, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(f->done, 1);
	assert_request(f, 0, "GET", "/b", 404);

	/* its request's head is in pieces too, and over before the rest of it comes */
	link_early(f, &l, "HTTP/1.1 204 N\r\nX: y", 4);
	link_request(f, &l, "GET /a HT", 0);
	link_end(f, &l);
	assert_int_equal(f->done, 2);
	link_request(f, &other, GET_B, 0);
	link_more(f, &l, MESSAGE_REQUEST, STR("TP/1.1\r\n\r\n"));
	link_response(f, &other, OK);
	assert_int_equal(f->done, 3);
	assert_request(f, 2, "GET", "/b", 200);
}

static void test_unpaired_at_server(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_response(f, &l, OK);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 1);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK OK); /* one too many */
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 2);
	link_close(f, &l);
	assert_int_equal(f->done, 2);
	assert_request(f, 0, "GET", "/a", 200);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	TEST(early),
	TEST(early_unrelated),
	TEST(early_request_untold),
	TEST(early_untold),
	TEST(early_both_untold),
	TEST(early_in_pieces),
	TEST(unpaired_at_server),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
