/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop with real descriptors, timers and signals. No test measures time: a timer is awaited,
 * and whatever it takes is fine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct seen {
	struct loop *loop;
	int fd;
	unsigned calls, stop_after;
	int signal;
};

static void seen_call(struct seen *s)
{
	if (++s->calls == s->stop_after)
		loop_stop(s->loop);
}

static void on_readable(void *ctx)
{
	struct seen *s = ctx;
	char byte;

	assert_int_equal(read(s->fd, &byte, 1), 1);
	seen_call(s);
}

static void on_timer(void *ctx)
{
	seen_call(ctx);
}

static void on_signal(void *ctx, int signal)
{
	struct seen *s = ctx;

	s->signal = signal;
	seen_call(s);
}

static void test_fd(void **state)
{
	struct loop *l = loop_new();
	struct seen s = {.loop = l, .stop_after = 3};
	int ends[2];

	(void)state;
	assert_non_null(l);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	s.fd = ends[0];
	assert_int_equal(loop_add_fd(l, ends[0], on_readable, &s), 0);
	assert_int_equal(write(ends[1], "abcd", 4), 4);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(s.calls, 3);
	s.stop_after = 4;
	assert_int_equal(loop_run(l), 0); /* may run again, and has lost nothing */
	assert_int_equal(s.calls, 4);
	loop_free(l);
	assert_int_equal(write(ends[1], "x", 1), 1); /* still the caller's */
	close(ends[0]);
	close(ends[1]);
}

static void test_timers(void **state)
{
	struct loop *l = loop_new();
	struct seen fast = {.loop = l}, slow = {.loop = l, .stop_after = 2};

	(void)state;
	assert_int_equal(loop_add_timer(l, NS_PER_MS, on_timer, &fast), 0);
	assert_int_equal(loop_add_timer(l, 20 * NS_PER_MS, on_timer, &slow), 0);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(slow.calls, 2);
	assert_true(fast.calls >= 1);
	loop_free(l);
}

static void test_signals(void **state)
{
	static const int signals[] = {SIGUSR1, SIGUSR2, 0};
	struct loop *l = loop_new();
	struct seen s = {.loop = l, .stop_after = 1};

	(void)state;
	assert_int_equal(loop_add_signals(l, signals, on_signal, &s), 0);
	assert_int_equal(raise(SIGUSR2), 0); /* blocked: waits, does not kill */
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(s.signal, SIGUSR2);
	s.stop_after = 2;
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(s.signal, SIGUSR1);
	loop_free(l);
}

static void test_stop_before_run(void **state)
{
	struct loop *l = loop_new();

	(void)state;
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	loop_free(l);
}

/* The one that stops is the last to be called, though others are ready. */
static void test_stop_is_at_once(void **state)
{
	struct loop *l = loop_new();
	struct seen s = {.loop = l, .stop_after = 1};
	int ends[2], twin;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	twin = dup(ends[0]);
	s.fd = ends[0];
	assert_int_equal(loop_add_fd(l, ends[0], on_readable, &s), 0);
	assert_int_equal(loop_add_fd(l, twin, on_readable, &s), 0);
	assert_int_equal(write(ends[1], "ab", 2), 2);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(s.calls, 1);
	loop_free(l);
	close(ends[0]);
	close(ends[1]);
	close(twin);
}

static void test_errors(void **state)
{
	struct loop *l = loop_new();
	static const int signals[] = {-5, 0};
	struct seen s = {.loop = l};
	int added = 0;

	(void)state;
	assert_int_equal(loop_add_fd(l, -1, on_readable, &s), -EBADF);
	assert_int_equal(loop_add_timer(l, 0, on_timer, &s), -EINVAL);
	assert_int_equal(loop_add_signals(l, signals, on_signal, &s), -EINVAL);
	while (loop_add_timer(l, NS_PER_SECOND, on_timer, &s) == 0)
		added++;
	assert_int_equal(added, 32);
	assert_int_equal(loop_add_timer(l, NS_PER_SECOND, on_timer, &s), -ENOSPC);
	loop_free(l);
	loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_stop_before_run),
		cmocka_unit_test(test_stop_is_at_once),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
