/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents without headers: threads that are known to do one thing at a time. Which request is a
 * call made for, and above all when is that not said.
 */
#include "flow_parent.h"

#define FAILED "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
#define TRACED                \
	"GET /b HTTP/1.1\r\n" \
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"

#define ROOTED(root) "GET /b HTTP/1.1\r\nX-Amzn-Trace-Id: Root=1-" root "\r\n\r\n"

#define DOUBT 64 /* requests after which a thread is trusted again */

static void test_waiting_thread(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	for (int turn = 0; turn < 3; turn++) {
		ask_by(f, &s, 7, DATA_WAITING);
		assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
		answer_by(f, &s, 7);
		assert_child();
	}
}

static void test_other_threads(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	ask_by(f, &s, 7, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 8), PARENT_NONE);
	assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
	f->tgid = 200;
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	f->tgid = 100;
	answer_by(f, &s, 7);
	ask_by(f, &s, 7, 0); /* a read that does not wait: it may be an event loop */
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &s, 7);
}

static void test_header_wins(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	ask_by(f, &s, 7, DATA_WAITING);
	link_request(f, &c, TRACED, 0);
	link_response(f, &c, OK);
	answer_by(f, &s, 7);
	assert_int_equal(last[0].parent, PARENT_HEADER);
	assert_str(request_str(&last[0], parent_id), "b7ad6b7169203331");
	assert_str(request_str(&last[0], trace_id), "0af7651916cd43dd8448eb211c80319c");
}

/* A head that names a trace and no parent, or the same trace and another parent. */
static void test_header_names_a_trace(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	f->tid = 7;
	link_request(f, &s, TRACED, DATA_WAITING);
	link_request(f, &c, ROOTED("5759e988-bd862e3fe1be46a994272793"), 0);
	link_response(f, &c, OK);
	assert_int_equal(last[1].parent, PARENT_NONE);
	assert_str(request_str(&last[1], trace_id), "5759e988bd862e3fe1be46a994272793");
	link_request(f, &c, ROOTED("0af76519-16cd43dd8448eb211c80319c"), 0);
	link_response(f, &c, OK);
	assert_int_equal(last[1].parent, PARENT_THREAD);
	link_request(f, &c, TRACED, 0);
	link_response(f, &c, OK);
	assert_int_equal(last[1].parent, PARENT_HEADER);
	assert_str(request_str(&last[1], parent_id), "b7ad6b7169203331");
	link_response(f, &s, OK);
	assert_memory_equal(last[0].trace_id, last[1].trace_id, 32);
}

static void test_after_the_answer(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	ask_by(f, &s, 7, DATA_WAITING);
	f->tid = 7;
	link_response(f, &s, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	link_body(f, &s, STR("0123456789"));
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	link_close(f, &s);
}

/* Its place in the pool is another request's by then. */
static void test_call_outlives_it(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	ask_by(f, &s, 7, DATA_WAITING);
	ask_by(f, &c, 7, 0);
	answer_by(f, &s, 7);
	ask_by(f, &s, 7, DATA_WAITING);
	answer_by(f, &c, 7);
	assert_int_equal(last[1].role, ROLE_CLIENT);
	assert_int_equal(last[1].parent, PARENT_NONE);
	answer_by(f, &s, 7);
}

static void test_call_without_answer(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	ask_by(f, &s, 7, DATA_WAITING);
	ask_by(f, &c, 7, 0);
	link_close(f, &c);
	link_response(f, &s, FAILED);
	assert_int_equal(last[0].error, REQUEST_ABORTED);
	assert_child();
}

static void test_two_on_one_thread(void **state)
{
	struct feed *f = *state;
	struct link a = open_by(f, 1, ROLE_SERVER, 7), b = open_by(f, 2, ROLE_SERVER, 7);
	struct link c = open_by(f, 3, ROLE_CLIENT, 7);

	ask_by(f, &a, 7, DATA_WAITING);
	ask_by(f, &b, 7, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &a, 7);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &b, 7);
	for (int i = 0; i <= DOUBT; i++) {
		ask_by(f, &a, 7, DATA_WAITING);
		assert_int_equal(call_on(f, &c, 7), i == DOUBT ? PARENT_THREAD : PARENT_NONE);
		answer_by(f, &a, 7);
	}
}

/* It reads another one's while its call waits: a loop after all. */
static void test_thread_that_does_not_wait(void **state)
{
	struct feed *f = *state;
	struct link a = open_by(f, 1, ROLE_SERVER, 7), b = open_by(f, 2, ROLE_SERVER, 7);
	struct link c = open_by(f, 3, ROLE_CLIENT, 7);

	ask_by(f, &a, 7, DATA_WAITING);
	ask_by(f, &c, 7, 0);
	ask_by(f, &b, 7, DATA_WAITING);
	answer_by(f, &c, 7);
	assert_int_equal(last[1].role, ROLE_CLIENT);
	assert_int_equal(last[1].parent, PARENT_NONE);
	answer_by(f, &a, 7);
	answer_by(f, &b, 7);
}

/* One after the other on a connection is no event loop's doing, but which one is it now? */
static void test_two_in_one_read(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	f->tid = 7;
	link_request(f, &s, GET GET, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &s, 7);
	assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
	answer_by(f, &s, 7);
	ask_by(f, &s, 7, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
	answer_by(f, &s, 7);
}

static void test_handed_over(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);

	ask_by(f, &s, 7, DATA_WAITING);
	answer_by(f, &s, 8);
	ask_by(f, &s, 7, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &s, 7);
}

static void test_lost(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);
	struct link lost = open_by(f, 3, ROLE_SERVER, 8);

	ask_by(f, &s, 7, DATA_WAITING);
	f->lose = true;
	serve_one(f, &lost, 8, DATA_WAITING);
	f->lose = false;
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &s, 7);
	ask_by(f, &s, 7, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
	answer_by(f, &s, 7);
	link_close(f, &lost);
}

/* The answer has no record: then the thread seems to read another request too early. */
static void test_lost_answer(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 7);
	struct link next = open_by(f, 3, ROLE_SERVER, 7);

	ask_by(f, &s, 7, DATA_WAITING);
	f->lose = true;
	answer_by(f, &s, 7);
	f->lose = false;
	ask_by(f, &next, 7, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &next, 7);
	link_close(f, &s);
	ask_by(f, &next, 7, DATA_WAITING);
	assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
	answer_by(f, &next, 7);
}

static void test_off(void **state)
{
	struct feed f;
	struct link s, c;

	(void)state;
	feed_start_with(&f, &(struct flow_options){
				    .connections_max = 4, .exchanges_max = 4, .no_parents = true});
	f.check = keep;
	s = open_by(&f, 1, ROLE_SERVER, 7);
	c = open_by(&f, 2, ROLE_CLIENT, 7);
	ask_by(&f, &s, 7, DATA_WAITING);
	assert_int_equal(call_on(&f, &c, 7), PARENT_NONE);
	answer_by(&f, &s, 7);
	feed_end(&f);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup_keeping, teardown)
	TEST(waiting_thread),	    TEST(other_threads),	TEST(header_wins),
	TEST(header_names_a_trace), TEST(after_the_answer),	TEST(call_outlives_it),
	TEST(call_without_answer),  TEST(two_on_one_thread),	TEST(thread_that_does_not_wait),
	TEST(two_in_one_read),	    TEST(handed_over),		TEST(lost),
	TEST(lost_answer),	    cmocka_unit_test(test_off),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
