/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents without headers: what makes a process believed whose threads may do several things at
 * once, and what ends that.
 */
#include "flow_parent.h"

#define FAILED "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"

#define SECOND 1000000000ULL
#define TRIALS 32 /* that a process has to pass */

/* As much as a process has to do to be believed, one request at a time. */
static void nest(struct feed *f, struct link *s, struct link *c, unsigned turns)
{
	for (unsigned i = 0; i < turns; i++) {
		ask_by(f, s, 7, 0);
		assert_int_equal(call_on(f, c, 9), PARENT_NONE);
		answer_by(f, s, 7);
	}
}

static enum request_parent nest_one(struct feed *f, struct link *s, struct link *c)
{
	enum request_parent parent;

	ask_by(f, s, 7, 0);
	parent = call_on(f, c, 9);
	answer_by(f, s, 7);
	if (parent == PARENT_THREAD)
		assert_child();
	return parent;
}

static void test_only_one(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 9);
	struct link other = open_by(f, 3, ROLE_SERVER, 7);

	nest(f, &s, &c, 2);
	f->now += 10 * SECOND;
	nest(f, &s, &c, TRIALS - 2);
	assert_int_equal(nest_one(f, &s, &c), PARENT_THREAD);
	ask_by(f, &s, 7, 0);
	f->now += SECOND / 90; /* longer than a thousandth of what it was idle */
	assert_int_equal(call_on(f, &c, 9), PARENT_NONE);
	answer_by(f, &s, 7);
	assert_int_equal(nest_one(f, &s, &c), PARENT_THREAD);
	ask_by(f, &other, 8, 0);
	assert_int_equal(nest_one(f, &s, &c), PARENT_NONE);
	ask_by(f, &s, 7, 0);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &other, 8);
	assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
	answer_by(f, &s, 7);
	ask_by(f, &s, 7, 0);
	ask_by(f, &other, 7, DATA_WAITING); /* from now on in doubt, but the only one it has */
	answer_by(f, &s, 7);
	assert_int_equal(call_on(f, &c, 7), PARENT_THREAD);
	answer_by(f, &other, 7);
}

static void test_not_idle_for_long(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 9);

	nest(f, &s, &c, TRIALS);
	f->now += 9 * SECOND;
	nest(f, &s, &c, 1);
	f->now += SECOND;
	assert_int_equal(nest_one(f, &s, &c), PARENT_THREAD);
}

static void believe(struct feed *f, struct link *s, struct link *c)
{
	nest(f, s, c, TRIALS);
	f->now += 100 * SECOND;
	assert_int_equal(nest_one(f, s, c), PARENT_THREAD);
}

static void test_calls_for_nobody(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 9);

	believe(f, &s, &c);
	assert_int_equal(call_on(f, &c, 9), PARENT_NONE);
	nest(f, &s, &c, 2 * TRIALS);
	f->now += 100 * SECOND;
	nest(f, &s, &c, 1);
	flow_process_new(f->flow, 100); /* another program */
	believe(f, &s, &c);
}

/* A call that goes on when the answer has gone, unless that was an error. */
static void test_calls_that_go_on(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 9);

	believe(f, &s, &c);
	for (int turn = 0; turn < 2; turn++) {
		ask_by(f, &s, 7, 0);
		ask_by(f, &c, 9, 0);
		f->tid = 7;
		link_response(f, &s, turn ? OK : FAILED);
		answer_by(f, &c, 9);
		assert_int_equal(nest_one(f, &s, &c), turn ? PARENT_NONE : PARENT_THREAD);
	}
}

/* A thread that serves and calls while it has nothing open, beside another one's request. */
static void test_thread_goes_on(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 9);
	struct link other = open_by(f, 3, ROLE_SERVER, 8);

	believe(f, &s, &c);
	ask_by(f, &other, 8, 0);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	answer_by(f, &other, 8);
	nest(f, &s, &c, 1);
}

/* Threads that poll, each with one request at a time, and answer it. */
static void apart(struct feed *f, struct link *a, struct link *b, struct link *c, bool found)
{
	ask_by(f, a, 7, 0);
	ask_by(f, b, 8, 0);
	assert_int_equal(call_on(f, c, 8), found ? PARENT_THREAD : PARENT_NONE);
	assert_int_equal(call_on(f, c, 7), found ? PARENT_THREAD : PARENT_NONE);
	answer_by(f, b, 8);
	answer_by(f, a, 7);
}

/* Calls of other threads for nobody say nothing of those that serve; their own do. */
static void test_threads_and_a_timer(void **state)
{
	struct feed *f = *state;
	struct link a = open_by(f, 1, ROLE_SERVER, 7), b = open_by(f, 2, ROLE_SERVER, 8);
	struct link c = open_by(f, 3, ROLE_CLIENT, 9);

	for (int i = 0; i < TRIALS; i++)
		apart(f, &a, &b, &c, false);
	assert_int_equal(call_on(f, &c, 9), PARENT_NONE);
	apart(f, &a, &b, &c, true);
	assert_int_equal(call_on(f, &c, 7), PARENT_NONE);
	apart(f, &a, &b, &c, false);
}

/* Its answer goes out while its call waits: it does not do one thing after the other. */
static void test_threads_that_go_on(void **state)
{
	struct feed *f = *state;
	struct link a = open_by(f, 1, ROLE_SERVER, 7), b = open_by(f, 2, ROLE_SERVER, 8);
	struct link c = open_by(f, 3, ROLE_CLIENT, 9);

	for (int i = 0; i < TRIALS; i++)
		apart(f, &a, &b, &c, false);
	apart(f, &a, &b, &c, true);
	ask_by(f, &b, 8, 0);
	ask_by(f, &a, 7, 0);
	ask_by(f, &c, 7, 0);
	answer_by(f, &a, 7);
	answer_by(f, &b, 8);
	answer_by(f, &c, 7);
	apart(f, &a, &b, &c, false);
}

/* One of them reads a second request while its call waits. */
static void test_threads_that_share(void **state)
{
	struct feed *f = *state;
	struct link a = open_by(f, 1, ROLE_SERVER, 7), b = open_by(f, 2, ROLE_SERVER, 8);
	struct link c = open_by(f, 3, ROLE_CLIENT, 9);

	for (int i = 0; i < TRIALS; i++)
		apart(f, &a, &b, &c, false);
	ask_by(f, &a, 7, 0);
	ask_by(f, &c, 7, 0);
	ask_by(f, &b, 7, 0);
	answer_by(f, &c, 7);
	assert_int_equal(last[1].parent, PARENT_NONE);
	answer_by(f, &a, 7);
	answer_by(f, &b, 7);
}

static void test_threads_apart(void **state)
{
	struct feed *f = *state;
	struct link a = open_by(f, 1, ROLE_SERVER, 7), b = open_by(f, 2, ROLE_SERVER, 8);
	struct link c = open_by(f, 3, ROLE_CLIENT, 9);

	for (int i = 0; i < TRIALS; i++)
		apart(f, &a, &b, &c, false);
	apart(f, &a, &b, &c, true);
	ask_by(f, &a, 7, 0);
	assert_int_equal(call_on(f, &c, 9), PARENT_NONE);
	ask_by(f, &b, 7, 0); /* two on one thread: never again */
	answer_by(f, &b, 7);
	answer_by(f, &a, 7);
	apart(f, &a, &b, &c, false);
}

static void test_lost_belief(void **state)
{
	struct feed *f = *state;
	struct link s = open_by(f, 1, ROLE_SERVER, 7), c = open_by(f, 2, ROLE_CLIENT, 9);
	struct link lost = open_by(f, 3, ROLE_SERVER, 8);

	believe(f, &s, &c);
	f->lose = true;
	serve_one(f, &lost, 8, 0);
	f->lose = false;
	nest(f, &s, &c, TRIALS - 1);
	believe(f, &s, &c);
	link_close(f, &lost);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup_keeping, teardown)
	TEST(only_one),		  TEST(not_idle_for_long),  TEST(calls_for_nobody),
	TEST(calls_that_go_on),	  TEST(thread_goes_on),	    TEST(threads_and_a_timer),
	TEST(threads_that_go_on), TEST(threads_that_share), TEST(threads_apart),
	TEST(lost_belief),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
