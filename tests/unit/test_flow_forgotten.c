/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel half says of a connection's past when there is nothing here that it could be
 * about: the connection was forgotten, its requests had no room, or nobody saw them. Pipelined
 * requests, which have no number of their own, must not be taken for those.
 */
#include "base/table.h"
#include "flow_records.h"

#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
#define PUT_C "PUT /c HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static uint64_t lost(const struct feed *f, enum flow_lost reason)
{
	return feed_stats(f)->lost[PROTO_http1][reason];
}

static void lost_response(struct feed *f, struct link *l)
{
	f->lose = true;
	link_response(f, l, OK);
	f->lose = false;
}

/* Of three requests in one read each is given its own answer. */
static void pipeline(struct feed *f, struct link *l)
{
	unsigned i = f->done;

	link_request(f, l, GET GET_B PUT_C, 0);
	link_response(f, l, "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n");
	link_response(f, l, "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n");
	link_response(f, l, "HTTP/1.1 203 N\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(f->done, i + 3);
	assert_request(f, i, "GET", "/a", 201);
	assert_request(f, i + 1, "GET", "/b", 202);
	assert_request(f, i + 2, "PUT", "/c", 203);
}

/* A table of one connection, and another one comes. */
static void forget(struct feed *f)
{
	struct link other = link_open(f, 99, ROLE_SERVER);

	link_close(f, &other);
}

static void start(struct feed *f, struct link *l)
{
	feed_start(f, 1, 4);
	*l = link_open(f, 1, ROLE_SERVER);
}

/* Roll calls: those that do not answer twice are gone, with what they had open. */
static void test_absent(void **state)
{
	struct link l, rest;
	struct feed f;

	(void)state;
	feed_start(&f, 4, 4);
	l = link_open(&f, 1, ROLE_SERVER);
	rest = link_open(&f, 2, ROLE_SERVER);
	link_request(&f, &l, GET, 0);
	link_request(&f, &rest, GET, 0);
	feed_roll_call(&f, rest.id, f.now + 1);
	assert_int_equal(table_count(flow_table(f.flow)), 2);
	feed_roll_call(&f, rest.id, f.now + 1);
	assert_int_equal(table_count(flow_table(f.flow)), 1);
	assert_int_equal(lost(&f, LOST_EVICTED), 1);
	link_response(&f, &rest, OK);
	assert_int_equal(f.counted, 1);
	for (int i = 0; i < 2; i++) /* heard of since: it may have come after the question */
		feed_roll_call(&f, 0, f.now);
	assert_int_equal(table_count(flow_table(f.flow)), 1);
	feed_end(&f);
}

/* What it had open when it made room is open until it is answered, or closes. */
static void test_open_before(void **state)
{
	struct link l;
	struct feed f;

	(void)state;
	start(&f, &l);
	link_request(&f, &l, GET, 0);
	forget(&f);
	assert_int_equal(lost(&f, LOST_EVICTED), 0);
	assert_int_equal(feed_stats(&f)->open[PROTO_http1], 1);
	link_response(&f, &l, OK);
	assert_request(&f, 0, "GET", "/a", 200);
	link_request(&f, &l, GET_B, 0);
	forget(&f);
	link_close(&f, &l);
	assert_int_equal(f.counted, 2);
	assert_request(&f, 1, "GET", "/b", 0);
	link_request(&f, &l, GET, 0);
	forget(&f);
	for (int i = 0; i < 2; i++)
		feed_roll_call(&f, 0, f.now + 1);
	assert_int_equal(lost(&f, LOST_EVICTED), 1);
	f.inexact = true; /* its close never comes */
	feed_end(&f);
}

static void test_counted_before(void **state)
{
	struct feed f;
	struct link l;

	(void)state;
	start(&f, &l);
	for (int i = 0; i < 3; i++) {
		link_request(&f, &l, GET, 0);
		link_response(&f, &l, OK);
	}
	forget(&f);
	pipeline(&f, &l);
	link_close(&f, &l); /* says that six began; three of them were counted long ago */
	assert_int_equal(f.counted, 6);
	assert_int_equal(lost(&f, LOST_UNREAD), 0);
	feed_end(&f);
}

static void test_shed_before(void **state)
{
	struct feed f;
	struct link l;

	(void)state;
	start(&f, &l);
	for (int i = 0; i < 3; i++) {
		link_request(&f, &l, GET, 0);
		lost_response(&f, &l);
	}
	link_request(&f, &l, GET, 0);
	link_response(&f, &l, OK);
	forget(&f);
	pipeline(&f, &l);
	link_close(&f, &l);
	assert_int_equal(f.kernel.shed, 3);
	assert_int_equal(f.counted, 4);
	feed_end(&f);
}

static void test_unknown_before(void **state)
{
	struct feed f;
	struct link l;

	(void)state;
	start(&f, &l);
	lost_response(&f, &l); /* to a request from before the agent */
	pipeline(&f, &l);
	link_request(&f, &l, GET, 0);
	link_response(&f, &l, OK OK); /* one too many, */
	lost_response(&f, &l);	      /* and another one */
	pipeline(&f, &l);
	link_close(&f, &l);
	assert_int_equal(f.counted, 7);
	assert_int_equal(lost(&f, LOST_UNREAD), 0);
	feed_end(&f);
}

/* Answered without a record, and there was no room for it when it came. */
static void test_homeless_before(void **state)
{
	struct link l, rest;
	struct feed f;

	(void)state;
	feed_start(&f, 2, 3);
	rest = link_open(&f, 1, ROLE_SERVER);
	link_request(&f, &rest, GET GET GET, 0);
	l = link_open(&f, 2, ROLE_SERVER);
	link_request(&f, &l, GET, 0);
	lost_response(&f, &l);
	link_response(&f, &rest, OK OK OK);
	assert_int_equal(f.done, 3);
	pipeline(&f, &l);
	link_close(&f, &l);
	assert_int_equal(f.kernel.shed, 1);
	assert_int_equal(f.counted, 6);
	assert_int_equal(lost(&f, LOST_EVICTED), 0);
	feed_end(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absent),	       cmocka_unit_test(test_open_before),
		cmocka_unit_test(test_counted_before), cmocka_unit_test(test_shed_before),
		cmocka_unit_test(test_unknown_before), cmocka_unit_test(test_homeless_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
