/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairing when something is missing: an answer, a record, room, sense. Whatever is lost, a
 * transaction is counted by one side only, and everything that began is told to be over once.
 */
#include "base/table.h"
#include "flow_records.h"

#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
#define HEAD  "HEAD /h HTTP/1.1\r\n\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

static void lost_request(struct feed *f, struct link *l, const char *text)
{
	f->lose = true;
	link_request(f, l, text, 0);
	f->lose = false;
}

static void lost_response(struct feed *f, struct link *l, const char *text)
{
	f->lose = true;
	link_response(f, l, text);
	f->lose = false;
}

static uint64_t lost_evicted(const struct feed *f)
{
	return feed_stats(f)->lost[PROTO_http1][LOST_EVICTED];
}

static void test_no_answer(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo", 0);
	link_close(f, &l);
	assert_request(f, 0, "POST", "/a", 0);
	assert_int_equal(seen(f, 0)->error, REQUEST_ABORTED);
	assert_int_equal(seen(f, 0)->first_byte, 0);
	assert_int_equal(seen(f, 0)->end, f->now);
	assert_int_equal(seen(f, 0)->response_bytes, REQUEST_SIZE_UNKNOWN);
	l = link_open(f, 2, ROLE_SERVER); /* with half a head */
	link_request(f, &l, "GET /half HT", 0);
	link_close(f, &l);
	assert_int_equal(f->done, 2);
	assert_request(f, 1, "GET", "/half", 0);
	assert_int_equal(seen(f, 1)->error, REQUEST_ABORTED);
	l = link_open(f, 3, ROLE_SERVER); /* which leaves nothing behind */
	link_request(f, &l, "PUT /whole HT", 0);
	link_more(f, &l, MESSAGE_REQUEST, STR("TP/1.1\r\n\r\n"));
	link_response(f, &l, OK);
	assert_request(f, 2, "PUT", "/whole", 200);
}

static void test_answer_cut_short(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10);
	link_body(f, &l, STR("0123"));
	link_close(f, &l);
	assert_request(f, 0, "GET", "/a", 200);
	assert_int_equal(seen(f, 0)->error, REQUEST_ABORTED);
	assert_int_equal(seen(f, 0)->response_bytes, 4);

	/* here the close tells of a later response, so this one may have been whole */
	l = link_open(f, 2, ROLE_SERVER);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10);
	lost_request(f, &l, GET_B);
	lost_response(f, &l, OK_10);
	link_body(f, &l, STR("0123456789"));
	link_end(f, &l);
	assert_int_equal(f->done, 1);
	link_close(f, &l);
	assert_int_equal(f->done, 2);
	assert_int_equal(seen(f, 1)->error, REQUEST_OK);
	assert_int_equal(seen(f, 1)->response_bytes, 0);
}

static void test_tentative(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "FETCH something else\r\n\r\n", DATA_TENTATIVE);
	link_request(f, &l, "PURGE /x HTTP/1.1\r\n", DATA_TENTATIVE);
	assert_int_equal(feed_stats(f)->open[PROTO_http1], 0);
	link_close(f, &l);
	assert_int_equal(f->begun, 0);
	assert_int_equal(feed_stats(f)->counted[PROTO_http1], 0);
	assert_int_equal(feed_stats(f)->parse_errors[PROTO_http1], 0);

	l = link_open(f, 2, ROLE_SERVER);
	link_request(f, &l, "PURGE /x HTTP/1.1\r\n\r\n", DATA_TENTATIVE);
	assert_int_equal(f->begun, 0);
	link_response(f, &l, OK);
	assert_int_equal(f->done, 1);
	assert_request(f, 0, "PURGE", "/x", 200);
}

/* An answer proves the rest: then the close counts all that had none, and here none is refuted. */
static void test_tentative_close_untold(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "PURGE /x HTTP/1.1\r\n\r\n", DATA_TENTATIVE);
	link_request(f, &l, "PURGE /y HTTP/1.1\r\n\r\n", DATA_TENTATIVE);
	link_response(f, &l, OK);
	f->lose = true;
	link_close(f, &l);
	link_close(f, &l); /* it is said once */
	f->lose = false;
	feed_orphans(f);
	assert_int_equal(f->kernel.aborted, 1);
	assert_int_equal(feed_stats(f)->found[PROTO_http1], 0);
	assert_int_equal(f->counted, 1);
}

static void test_lost_request(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	lost_request(f, &l, "POST /lost HTTP/1.1\r\n\r\n");
	f->now += STEP;
	link_response(f, &l, OK);
	assert_request(f, 0, "POST", "", 200);
	assert_int_equal(seen(f, 0)->start, l.request_time);
	assert_int_equal(seen(f, 0)->end, l.response_time);
	assert_int_equal(seen(f, 0)->request_bytes, REQUEST_SIZE_UNKNOWN);
	lost_request(f, &l, HEAD); /* whose answer has no body, in spite of its length */
	link_response(f, &l, OK_10);
	assert_request(f, 1, "HEAD", "", 200);
	lost_request(f, &l, "PURGE /lost HTTP/1.1\r\n\r\n"); /* without a row */
	link_response(f, &l, OK);
	assert_request(f, 2, "", "", 200);
	lost_request(f, &l, GET);
	link_close(f, &l);
	assert_int_equal(f->done, 4);
	assert_request(f, 3, "GET", "", 0);
	assert_int_equal(seen(f, 3)->error, REQUEST_ABORTED);
	assert_int_equal(seen(f, 3)->start, l.request_time);
}

static void test_lost_response(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, HEAD, 0);
	lost_response(f, &l, OK_10);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10); /* not of the HEAD: a body follows */
	assert_int_equal(f->done, 1);
	assert_false(f->seen[0].counted);
	link_body(f, &l, STR("0123456789"));
	flow_tick(f->flow);
	assert_int_equal(f->done, 2);
	assert_request(f, 1, "GET", "/a", 200);

	link_request(f, &l, GET_B, 0);
	lost_response(f, &l, OK);
	link_request(f, &l, GET_B, 0);
	link_close(f, &l); /* the first was counted by the kernel half, the second had no answer */
	assert_int_equal(f->done, 4);
	assert_false(f->seen[2].counted);
	assert_request(f, 3, "GET", "/b", 0);
	assert_int_equal(f->counted, 2);
}

static void test_lost_open(void **state)
{
	struct feed *f = *state;
	struct link l, again;

	f->lose = true;
	l = link_open(f, 1, ROLE_SERVER);
	f->lose = false;
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	assert_request(f, 0, "GET", "/a", 200);
	assert_int_equal(seen(f, 0)->local.family, 0);
	again = link_open(f, 1, ROLE_SERVER); /* the kernel half says it again */
	assert_int_equal(again.id, l.id);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 1)->local.port, 8080);

	f->lose = true;
	l = link_open(f, 2, ROLE_SERVER);
	f->lose = false;
	link_request(f, &l, GET, 0);
	link_open(f, 2, ROLE_SERVER);
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 2)->local.port, 8080);
	assert_int_equal(seen(f, 2)->peer.port, 40000);
}

static void test_lost_end(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	link_response(f, &l, "HTTP/1.1 200 OK\r\n\r\n");
	link_body(f, &l, STR("body"));
	flow_tick(f->flow);
	f->lose = true;
	link_end(f, &l);
	f->lose = false;
	lost_request(f, &l, GET_B);
	link_response(f, &l, OK);
	assert_int_equal(f->done, 2);
	assert_request(f, 0, "GET", "/a", 200);
	assert_int_equal(seen(f, 0)->response_bytes, 4);
}

static void test_evicted(void **state)
{
	struct feed *f = *state;
	struct link l[20];

	for (unsigned i = 0; i < 20; i++) {
		l[i] = link_open(f, i + 1, ROLE_SERVER);
		link_request(f, &l[i], i == 1 ? "GET /ha" : GET, i == 0 ? DATA_TENTATIVE : 0);
		if (i == 2)
			link_response(f, &l[i], OK_10);
		if (i == 3)
			link_response(f, &l[i], "HTTP/1.1 2");
	}
	assert_int_equal(f->done, 2); /* 16 have room, and the others are heard of again */
	assert_int_equal(f->counted, 2);
	assert_request(f, 0, "GET", "/a", 200);
	assert_request(f, 1, "GET", "/a", 0);
	assert_int_equal(lost_evicted(f), 0);
	for (unsigned i = 0; i < 20; i++)
		link_close(f, &l[i]);
	assert_int_equal(f->counted, 17);     /* the first may have been anything, */
	assert_int_equal(lost_evicted(f), 2); /* and there are 16 places for requests */
	assert_int_equal(table_count(flow_table(f->flow)), 0);
}

/* Its close was lost: nothing is heard of it any more. One that moves bytes without records stays.
 */
static void test_ageing(void **state)
{
	struct feed *f = *state;
	struct link quiet = link_open(f, 1, ROLE_SERVER);
	struct link busy;

	link_request(f, &quiet, GET, 0);
	busy = link_open(f, 2, ROLE_SERVER);
	link_request(f, &busy, GET, 0);
	link_response(f, &busy, "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n");
	flow_age(f->flow, f->now + FLOW_IDLE_NS - 100 * STEP);
	assert_int_equal(table_count(flow_table(f->flow)), 2);
	f->now += FLOW_IDLE_NS;
	link_body(f, &busy, STR("some"));
	flow_tick(f->flow);
	flow_age(f->flow, f->now + STEP);
	assert_int_equal(table_count(flow_table(f->flow)), 1);
	assert_int_equal(lost_evicted(f), 0); /* an answer may come that is late */
	assert_int_equal(feed_stats(f)->open[PROTO_http1], 2);
	link_close(f, &busy);
	for (int i = 0; i < 2; i++)
		feed_roll_call(f, 0, f->now + 1);
	assert_int_equal(lost_evicted(f), 1);
}

static void test_pieces_used_up(void **state)
{
	static struct link l[1100];
	static struct feed f;

	(void)state;
	feed_start(&f, 2000, 2000);
	for (unsigned i = 0; i < 1100; i++) {
		l[i] = link_open(&f, i + 1, ROLE_SERVER);
		link_request(&f, &l[i], "GET /slow HT", 0);
	}
	for (unsigned i = 1099; i < 1100; i--) {
		if (i >= 1050)
			link_response(&f, &l[i], "HTTP/1.1 503 ");
		link_close(&f, &l[i]);
	}
	assert_int_equal(f.counted, 1100);
	for (unsigned i = 0; i < SEEN_MAX; i++)
		assert_request(&f, i, "GET", "/slow", 503);
	feed_end(&f);
}

static void test_garbage(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "GET /\x01 HTTP/1.1\r\n\r\n", 0);
	assert_int_equal(feed_stats(f)->parse_errors[PROTO_http1], 1);
	link_response(f, &l, OK);
	assert_request(f, 0, "GET", "", 200);
	link_request(f, &l, GET, 0);
	link_response(f, &l, "HTTP/1.x nonsense\r\n\r\n");
	assert_int_equal(feed_stats(f)->parse_errors[PROTO_http1], 2);
	assert_int_equal(f->done, 1);
	link_request(f, &l, GET GET_B "\x16\x03 junk", 0);
	link_response(f, &l, OK OK "junk");
	assert_int_equal(f->done, 4);
	assert_request(f, 1, "GET", "/a", 0);
	assert_int_equal(seen(f, 1)->error, REQUEST_OK);
	assert_request(f, 3, "GET", "/b", 200);
	assert_int_equal(feed_stats(f)->parse_errors[PROTO_http1], 2);
	link_request(f, &l, GET "PUT /x HTTP/1.1\r\nno field\r\n\r\n", 0);
	link_response(f, &l, OK OK);
	assert_int_equal(feed_stats(f)->parse_errors[PROTO_http1], 3);
	assert_request(f, 5, "", "", 200); /* what it was is not known */
}

static void test_strange_records(void **state)
{
	struct feed *f = *state;
	struct link l = {.id = 9, .role = ROLE_SERVER};
	struct event_data e = data_of(f, &l, MESSAGE_REQUEST, STR(GET));

	f->inexact = true;
	link_end(f, &l);
	link_close(f, &l);
	assert_int_equal(table_count(flow_table(f->flow)), 0);
	e.protocol = PROTO_COUNT;
	e.flags = DATA_START;
	feed_data(f, &e, STR(GET));
	assert_int_equal(table_count(flow_table(f->flow)), 0);
	e.protocol = PROTO_http1;
	e.flags = 0; /* more of a head that never began */
	feed_data(f, &e, STR(GET));
	e.message = 9;
	feed_data(f, &e, STR(OK));
	assert_int_equal(f->begun, 0);
	e = data_of(f, &l, MESSAGE_REQUEST, STR(GET));
	e.flags = 0xff & ~DATA_TENTATIVE;
	e.row = 255;
	feed_data(f, &e, STR(""));
	assert_int_equal(f->begun, 1);
	l.requests = 1;
	link_close(f, &l);
	l.requests = 1;
	link_response(f, &l, OK); /* late: the old state is gone */
	assert_int_equal(f->done, 2);
	assert_request(f, 1, "", "", 200);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	TEST(no_answer),
	TEST(answer_cut_short),
	TEST(tentative),
	TEST(tentative_close_untold),
	TEST(lost_request),
	TEST(lost_response),
	TEST(lost_open),
	TEST(lost_end),
	TEST(evicted),
	TEST(ageing),
	cmocka_unit_test(test_pieces_used_up),
	TEST(garbage),
	TEST(strange_records),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
