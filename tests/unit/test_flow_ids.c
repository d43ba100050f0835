/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids on their way through flow/: every request has a span and a trace, however little of it came;
 * headers are found in heads whole, in pieces and cut; invalid ones are counted once a request;
 * WebSockets have the ids of their handshake.
 */
#include "flow_websocket.h"

#define TRACE	    "0af7651916cd43dd8448eb211c80319c"
#define PARENT	    "b7ad6b7169203331"
#define TRACEPARENT "traceparent: 00-" TRACE "-" PARENT "-01\r\n"
#define GET(fields) "GET /a HTTP/1.1\r\n" fields "\r\n"
#define OK(fields)  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" fields "\r\nok"

#define assert_same(a, b, member) \
	assert_true(str_eq(request_str(a, member), request_str(b, member)))
#define assert_differ(a, b, member) \
	assert_false(str_eq(request_str(a, member), request_str(b, member)))

/* Its own ids are complete, and nobody's but its own. */
static void assert_fresh(const struct request *r)
{
	assert_int_equal(r->length.span_id, 16);
	assert_int_equal(r->length.trace_id, 32);
	assert_int_equal(r->length.parent_id, 0);
	assert_int_equal(r->parent, PARENT_NONE);
	assert_memory_not_equal(r->span_id, r->trace_id, 16);
	assert_memory_not_equal(r->span_id, r->trace_id + 16, 16);
}

static void assert_child(const struct request *r, const char *trace, const char *parent)
{
	assert_int_equal(r->length.span_id, 16);
	assert_str(request_str(r, trace_id), trace);
	assert_str(request_str(r, parent_id), parent);
	assert_memory_not_equal(r->span_id, r->parent_id, 16);
	assert_int_equal(r->parent, PARENT_HEADER);
}

static void test_both_roles(void **state)
{
	struct feed *f = *state;
	struct link server = link_open(f, 1, ROLE_SERVER), client = link_open(f, 2, ROLE_CLIENT);

	for (int i = 0; i < 2; i++) {
		struct link *l = i ? &client : &server;

		link_request(f, l, GET(TRACEPARENT), 0);
		link_response(f, l, OK(""));
		link_request(f, l, GET(""), 0);
		link_response(f, l, OK(TRACEPARENT)); /* not in an answer */
		assert_child(seen(f, 2 * i), TRACE, PARENT);
		assert_fresh(seen(f, 2 * i + 1));
	}
	assert_differ(seen(f, 0), seen(f, 2), span_id);
	assert_differ(seen(f, 1), seen(f, 3), span_id);
	assert_differ(seen(f, 1), seen(f, 3), trace_id);
	assert_int_equal(seen(f, 0)->id_source, ID_FROM_TCP);
}

static void test_pipelined(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l,
		     GET("b3: 8448eb211c80319c-" PARENT "\r\n") GET("b3: 0\r\n") GET("b3: x\r\n"),
		     0);
	link_response(f, &l, OK("") OK("") OK(""));
	assert_child(seen(f, 0), "00000000000000008448eb211c80319c", PARENT);
	assert_fresh(seen(f, 1));
	assert_fresh(seen(f, 2));
	assert_differ(seen(f, 1), seen(f, 2), trace_id);
	assert_int_equal(feed_stats(f)->ids_invalid[TRACE_B3], 1);
}

/* Parsed again with each piece, counted once; a header that comes after an invalid one is found. */
static void test_pieces(void **state)
{
	static const char head[] = GET("traceparent: 00-0\r\nX-B3-TraceId: " TRACE
				       "\r\nx-request-id: r1\r\nX-B3-SpanId: " PARENT "\r\n");
	struct feed *f = *state;

	for (unsigned i = 0; i < 20; i++) {
		struct link l = link_open(f, 1 + i, ROLE_SERVER);

		send_pieces(f, &l, MESSAGE_REQUEST, head, 5 + i, 1 + i);
		send_pieces(f, &l, MESSAGE_RESPONSE, OK("X-Request-ID: r2\r\n"), 9, 7);
		assert_child(seen(f, i), TRACE, PARENT);
		assert_str(request_str(seen(f, i), request_id), "r1");
		assert_int_equal(seen(f, i)->id_source, ID_FROM_HEADER);
		assert_int_equal(feed_stats(f)->ids_invalid[TRACE_TRACEPARENT], i + 1);
		assert_int_equal(feed_stats(f)->ids_invalid[TRACE_B3_MULTI], 0);
		link_close(f, &l);
	}
}

/* What stands behind the capture limit is not known to be missing. */
static void test_cut(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);
	char head[CAPTURE_BYTES + 100] =
		"GET /a HTTP/1.1\r\nX-B3-TraceId: " TRACE "\r\nUber-Trace-Id: 0:0:0:0\r\nX: ";

	memset(head + strlen(head), 'x', sizeof(head) - strlen(head) - 1);
	link_request(f, &l, head, 0);
	link_response(f, &l, OK(""));
	assert_fresh(seen(f, 0));
	assert_int_equal(feed_stats(f)->ids_invalid[TRACE_B3_MULTI], 0);
	assert_int_equal(feed_stats(f)->ids_invalid[TRACE_UBER], 1);
}

static void test_request_id(void **state)
{
	static const struct {
		const char *request, *response, *id;
	} cases[] = {
		{GET("X-Request-ID: 1\r\n"), OK("X-Request-ID: 2\r\n"), "1"},
		{GET("X-Correlation-ID: 1\r\n"), OK("X-Request-ID: 2\r\n"), "1"},
		{GET("x-correlation-id: 3\r\nX-REQUEST-ID: 1\r\n"), OK(""), "1"},
		{GET(""), OK("X-Request-ID: 2\r\n"), "2"},
		{GET("X-Request-ID:\r\n"), OK("X-Correlation-ID: 2\r\n"), "2"},
		{GET(""), OK(""), ""},
	};
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool known = *cases[i].id;

		link_request(f, &l, cases[i].request, 0);
		link_response(f, &l, cases[i].response);
		if (known)
			assert_str(request_str(seen(f, i), request_id), cases[i].id);
		assert_int_equal(seen(f, i)->id_source, known ? ID_FROM_HEADER : ID_FROM_TCP);
	}
}

/* The answer is read before the hook of its request has run. */
static void test_early(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	link_early(f, &l, OK("X-Request-ID: r1\r\n"), sizeof(GET(TRACEPARENT)) - 1);
	link_request(f, &l, GET(TRACEPARENT), 0);
	assert_child(seen(f, 0), TRACE, PARENT);
	assert_str(request_str(seen(f, 0), request_id), "r1");
	assert_int_equal(seen(f, 0)->id_source, ID_FROM_HEADER);
	link_early(f, &l, OK("X-Request-ID: r1\r\n"), sizeof(GET("X-Request-ID: r0\r\n")) - 1);
	link_request(f, &l, GET("X-Request-ID: r0\r\n"), 0);
	assert_str(request_str(seen(f, 1), request_id), "r0");
}

/* No record of its request, no head that can be read, no answer: they have ids all the same. */
static void test_little_is_known(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER), other = link_open(f, 2, ROLE_SERVER);

	f->lose = true;
	link_request(f, &l, GET(TRACEPARENT), 0);
	f->lose = false;
	link_response(f, &l, OK("X-Request-ID: r1\r\n"));
	assert_fresh(seen(f, 0));
	assert_str(request_str(seen(f, 0), request_id), "r1");
	link_request(f, &l, "GET /a HT", 0);
	link_close(f, &l);
	assert_fresh(seen(f, 1));
	assert_int_equal(seen(f, 1)->error, REQUEST_ABORTED);
	f->lose = true;
	link_request(f, &other, GET(""), 0);
	f->lose = false;
	link_close(f, &other);
	assert_fresh(seen(f, 2));
	assert_int_equal(seen(f, 2)->error, REQUEST_ABORTED);
	for (unsigned i = 0; i < 3; i++) {
		assert_differ(seen(f, i), seen(f, (i + 1) % 3), span_id);
		assert_differ(seen(f, i), seen(f, (i + 1) % 3), trace_id);
	}
}

/* The same ids while it lasts, and in the calls between. */
static void test_stream(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET("uber-trace-id: 1a:b:0:1\r\n"), 0);
	link_response(f, &l, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
	assert_child(&f->stream, "0000000000000000000000000000001a", "000000000000000b");
	link_close(f, &l);
	assert_same(&f->stream, seen(f, 0), span_id);
	assert_same(&f->stream, seen(f, 0), trace_id);
}

/* All lines of a connection have the ids of its handshake. */
static void test_websocket(void **state)
{
	static const char *const asks[] = {ASKING TRACEPARENT "Sec-WebSocket-Key: " KEY "\r\n\r\n",
					   ASK};
	struct watch *watch = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct link l = link_open(&watch->feed, i + 1, ROLE_SERVER);
		struct event_websocket e = socket_of(watch, i + 1, ROLE_SERVER);

		link_request(&watch->feed, &l, asks[i], 0);
		link_response(&watch->feed, &l, AGREE);
		socket_over(watch, &e, CLOSER_PEER);
	}
	assert_int_equal(watch->told_count, 4);
	for (unsigned i = 0; i < 4; i++) {
		const struct websocket *w = &watch->told[i].w;
		const struct request *r = seen(&watch->feed, i / 2);

		assert_int_equal(w->length.span_id, 16);
		assert_same(w, r, span_id);
		assert_same(w, r, trace_id);
		assert_same(w, r, parent_id);
		assert_same(w, r, request_id);
		assert_int_equal(w->parent, i < 2 ? PARENT_HEADER : PARENT_NONE);
		assert_int_equal(w->id_source, i < 2 ? ID_FROM_TCP : ID_FROM_HEADER);
	}
	assert_child(seen(&watch->feed, 0), TRACE, PARENT);
	assert_fresh(seen(&watch->feed, 1));
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	TEST(both_roles),	 TEST(pipelined), TEST(pieces),		 TEST(cut),
	TEST(request_id),	 TEST(early),	  TEST(little_is_known), TEST(stream),
	WATCHED(test_websocket),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
