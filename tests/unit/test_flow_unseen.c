/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that went by unseen: a response without readable bytes, one behind a hole, a response under
 * way that the next one's position says to be whole, a connection given up in the middle, and
 * requests for which there is no room. What became of the rest is said, never guessed.
 */
#include "flow_records.h"

#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
#define HEAD  "HEAD /h HTTP/1.1\r\n\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

static uint64_t lost(const struct feed *f, enum flow_lost reason)
{
	return feed_stats(f)->lost[PROTO_http1][reason];
}

static void lost_request(struct feed *f, struct link *l, const char *text)
{
	f->lose = true;
	link_request(f, l, text, 0);
	f->lose = false;
}

/* A hit of which no byte could be read: of a file, or from memory that is not there. */
static void link_unreadable(struct feed *f, struct link *l, const char *text)
{
	struct event_data e = response_of(f, l, text, (struct place){0});

	e.flags |= DATA_UNREADABLE;
	e.tail = l->tail = 0;
	l->capturing[MESSAGE_RESPONSE] = false;
	feed_data(f, &e, STR(""));
}

/* Bytes before it were read where no hook fires, and with them all but one answer that was due. */
static void link_behind_hole(struct feed *f, struct link *l, const char *text, size_t unseen)
{
	struct event_data e = response_of(f, l, text, (struct place){.unseen = unseen});

	feed_data(f, &e, str_of(text));
}

/* Bytes of a response that no hit tells of, but its position. */
static void link_unseen(struct link *l, size_t n)
{
	l->position[MESSAGE_RESPONSE] += (uint32_t)n;
}

static void test_unreadable(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	link_unreadable(f, &l, OK);
	assert_int_equal(f->done, 0); /* where it ends is not known either */
	link_request(f, &l, GET_B, 0);
	link_response(f, &l, OK);
	assert_request(f, 0, "GET", "/a", 0);
	assert_int_equal(seen(f, 0)->error, REQUEST_OK);
	assert_int_equal(seen(f, 0)->response_bytes, REQUEST_SIZE_UNKNOWN);
	assert_int_not_equal(seen(f, 0)->first_byte, 0);
	assert_request(f, 1, "GET", "/b", 200);
	assert_int_equal(feed_stats(f)->parse_errors[PROTO_http1], 0);

	link_request(f, &l, GET, 0);
	link_unreadable(f, &l, OK);
	link_close_by(f, &l, CLOSER_RESET); /* whole or cut, nobody knows */
	assert_request(f, 2, "GET", "/a", 0);
	assert_int_equal(seen(f, 2)->error, REQUEST_OK);
}

static void test_behind_hole(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	link_request(f, &l, GET, 0);
	link_request(f, &l, HEAD, 0);
	link_request(f, &l, GET_B, 0);
	link_behind_hole(f, &l, OK, 500); /* of the last one */
	assert_int_equal(f->done, 3);
	assert_false(f->seen[0].counted);
	assert_false(f->seen[1].counted);
	assert_request(f, 2, "GET", "/b", 200);
	assert_int_equal(lost(f, LOST_UNREAD), 2);

	link_request(f, &l, GET, 0); /* with one that waits it is the body of what went before */
	link_behind_hole(f, &l, OK, 500);
	assert_request(f, 3, "GET", "/a", 200);
	assert_int_equal(lost(f, LOST_UNREAD), 2);
}

/* Of requests that went out in one write the kernel half knows one: the others' answers are lost.
 */
static void test_behind_hole_pipelined(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	link_request(f, &l, GET HEAD GET_B, 0);
	link_behind_hole(f, &l, OK, 500);
	assert_int_equal(f->done, 3);
	assert_request(f, 2, "GET", "/b", 200);
	assert_int_equal(f->counted, 1);
	assert_int_equal(lost(f, LOST_UNREAD), 2);
}

/* The requests of a hole without a record are the kernel half's to lose. */
static void test_behind_hole_untold(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	lost_request(f, &l, GET);
	link_request(f, &l, GET, 0);
	link_request(f, &l, GET_B, 0);
	link_behind_hole(f, &l, OK, 500);
	assert_int_equal(f->kernel.unread, 1);
	assert_int_equal(lost(f, LOST_UNREAD), 1);
	assert_int_equal(f->done, 2);
	assert_request(f, 1, "GET", "/b", 200);

	link_request(f, &l, GET, 0);
	link_request(f, &l, GET_B, 0);
	f->lose = true; /* of the answer behind the hole as well */
	link_behind_hole(f, &l, OK, 500);
	f->lose = false;
	link_request(f, &l, HEAD, 0);
	assert_int_equal(f->kernel.shed, 1);
	assert_int_equal(f->done, 4);
	assert_int_equal(lost(f, LOST_UNREAD), 2);
	link_response(f, &l, OK_10);
	assert_request(f, 4, "HEAD", "/h", 200);
}

/* Everything that was due was among the unseen bytes, as the close finds. */
static void test_hole_at_close(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	link_request(f, &l, GET, 0);
	lost_request(f, &l, GET_B);
	kernel_skip(&f->kernel, &l, 0);
	link_close(f, &l);
	assert_int_equal(f->counted, 0);
	assert_int_equal(lost(f, LOST_UNREAD), 1);
	assert_int_equal(f->kernel.unread, 1);
}

/* The next response's position says that this one came whole, or how much of it never did. */
static void test_passed(void **state)
{
	static const struct {
		size_t unseen;
		uint64_t bytes;
	} cases[] = {
		{10, 10}, /* just so */
		{90, 10}, /* and something else behind it */
		{0, 3},	  /* its reader took no more */
		{5, REQUEST_SIZE_UNKNOWN},
	};
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t last;

		link_request(f, &l, GET, 0);
		link_response(f, &l, OK_10 "012");
		last = l.response_time;
		link_request(f, &l, GET_B, 0);
		link_unseen(&l, cases[i].unseen);
		link_response(f, &l, OK);
		assert_int_equal(f->done, 2 * i + 2);
		assert_request(f, 2 * i, "GET", "/a", 200);
		assert_int_equal(seen(f, 2 * i)->response_bytes, cases[i].bytes);
		assert_int_equal(seen(f, 2 * i)->end, last);
		assert_request(f, 2 * i + 1, "GET", "/b", 200);
	}
}

/* The slot knows of its last bytes, though neither an END nor a tick came before the next one. */
static void test_passed_by_progress(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);
	uint64_t last;

	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10 "012");
	link_body(f, &l, STR("3456789"));
	last = l.response_time;
	link_request(f, &l, GET_B, 0);
	link_response(f, &l, OK);
	assert_request(f, 0, "GET", "/a", 200);
	assert_int_equal(seen(f, 0)->response_bytes, 10);
	assert_int_equal(seen(f, 0)->end, last);
}

/* A line in a body that looks like a response is none, wherever the body's end is known to be. */
static void test_not_passed(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	link_response(f, &l, "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n");
	link_response(f, &l, OK); /* 40 bytes of it */
	assert_int_equal(f->done, 0);
	link_response(f, &l, "HTTP/1.1 500 No no !"); /* and the last 20 */
	assert_int_equal(f->done, 1);
	assert_request(f, 0, "GET", "/a", 200);
	assert_int_equal(seen(f, 0)->response_bytes, 60);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 0);
	link_response(f, &l, OK); /* nothing is left that this could belong to */
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 1);
}

/* It goes on, but what was open is not to be known: neither aborted nor counted. */
static void test_given_up(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	lost_request(f, &l, GET_B);
	link_close_by(f, &l, CLOSER_UNSEEN);
	assert_int_equal(f->done, 2);
	assert_int_equal(f->counted, 0);
	assert_int_equal(lost(f, LOST_UNREAD), 2);

	l = link_open(f, 2, ROLE_SERVER); /* in the middle of a response: that one is counted */
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK_10 "012");
	link_close_by(f, &l, CLOSER_UNSEEN);
	assert_request(f, 2, "GET", "/a", 200);
	assert_int_equal(seen(f, 2)->error, REQUEST_OK);
	assert_int_equal(lost(f, LOST_UNREAD), 2);
}

/* The same without room in the ring: the kernel half loses it, and nothing is aborted. */
static void test_given_up_untold(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	f->lose = true;
	link_close_by(f, &l, CLOSER_UNSEEN);
	f->lose = false;
	assert_int_equal(f->kernel.unread, 1);
	assert_int_equal(f->kernel.aborted, 0);
	feed_orphans(f);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->counted, 0);
	assert_int_equal(lost(f, LOST_UNREAD), 0);
}

/* A request without an exchange loses its detail; the response still counts it. */
static void test_exchanges_used_up(void **state)
{
	struct feed f;
	struct link l[4];

	(void)state;
	feed_start(&f, 16, 2);
	for (unsigned i = 0; i < 4; i++) {
		l[i] = link_open(&f, i + 1, ROLE_SERVER);
		link_request(&f, &l[i], GET GET_B, 0);
	}
	assert_int_equal(f.begun, 2);
	link_response(&f, &l[3], OK);
	assert_int_equal(f.counted, 0);
	assert_int_equal(lost(&f, LOST_EVICTED), 1);
	link_response(&f, &l[0], OK);
	link_response(&f, &l[2], OK);
	assert_int_equal(f.counted, 2);
	for (unsigned i = 0; i < 4; i++)
		link_close(&f, &l[i]);
	/* 1 was aborted, but had no home; of the second of 0, which was pipelined, nobody knows */
	assert_int_equal(lost(&f, LOST_EVICTED), 2);
	assert_int_equal(f.counted, 2);
	assert_int_equal(lost(&f, LOST_UNREAD), 1);
	assert_int_equal(feed_stats(&f)->found[PROTO_http1], 1);
	feed_end(&f);
}

/* For a request without an exchange the close makes up: it is lost, once. */
static void test_homeless(void **state)
{
	struct link l, rest[2];
	struct feed f;

	(void)state;
	feed_start(&f, 16, 2);
	for (unsigned i = 0; i < 2; i++) {
		rest[i] = link_open(&f, i + 1, ROLE_SERVER);
		link_request(&f, &rest[i], GET, 0);
	}
	l = link_open(&f, 3, ROLE_SERVER);
	link_request(&f, &l, GET_B, 0);
	assert_int_equal(f.begun, 2);
	link_close(&f, &l);
	assert_int_equal(lost(&f, LOST_EVICTED), 1);
	assert_int_equal(feed_missing(&f), 0);

	l = link_open(&f, 4, ROLE_SERVER); /* answered without a record: the kernel half counts */
	link_request(&f, &l, GET_B, 0);
	f.lose = true;
	link_response(&f, &l, OK);
	f.lose = false;
	link_close(&f, &l);
	assert_int_equal(f.kernel.shed, 1);
	assert_int_equal(lost(&f, LOST_EVICTED), 1);

	l = link_open(&f, 5, ROLE_SERVER); /* not even the close has room */
	link_request(&f, &l, GET_B, 0);
	f.lose = true;
	link_close(&f, &l);
	f.lose = false;
	feed_orphans(&f);
	assert_int_equal(f.kernel.aborted, 1);
	assert_int_equal(lost(&f, LOST_EVICTED), 1);
	assert_int_equal(feed_missing(&f), 0);
	for (unsigned i = 0; i < 2; i++)
		link_response(&f, &rest[i], OK);
	assert_int_equal(f.counted, 2);
	feed_end(&f);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	TEST(unreadable),
	TEST(behind_hole),
	TEST(behind_hole_untold),
	TEST(behind_hole_pipelined),
	TEST(hole_at_close),
	TEST(passed),
	TEST(passed_by_progress),
	TEST(not_passed),
	TEST(given_up),
	TEST(given_up_untold),
	cmocka_unit_test(test_exchanges_used_up),
	cmocka_unit_test(test_homeless),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
