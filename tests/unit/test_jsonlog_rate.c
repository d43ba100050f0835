/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bound of --log-rate: never more lines than it allows, never less than it could, errors the
 * last to go, and every line that is left out is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"
#include "out/jsonlog.h"

#define SLOW_NS (100 * NS_PER_MS)
#define START	(1000 * NS_PER_SECOND)

static struct clock clock_at_zero;

static struct jsonlog *new_log(uint32_t rate, uint32_t sample)
{
	struct jsonlog *j =
		jsonlog_new(&(struct jsonlog_options){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
						      .buffer_bytes = 1 << 20,
						      .form.clock = &clock_at_zero,
						      .sample = sample,
						      .slow_ns = SLOW_NS,
						      .rate = rate});

	assert_non_null(j);
	return j;
}

static uint64_t above(const struct jsonlog *j)
{
	return jsonlog_suppressed(j, SUPPRESSED_RATE);
}

/* So many alike at one time; returns how many were written. */
static uint64_t write_at(struct jsonlog *j, uint64_t time, unsigned count, uint16_t status)
{
	uint64_t before = above(j);
	struct request r = {.role = ROLE_SERVER, .status = status, .start = time, .end = time};

	for (unsigned i = 0; i < count; i++)
		jsonlog_write(j, &r);
	return count - (above(j) - before);
}

static void free_log(struct jsonlog *j, uint64_t written)
{
	assert_int_equal(jsonlog_flush(j), 0);
	assert_int_equal(jsonlog_lines(j) + above(j), written);
	assert_int_equal(jsonlog_suppressed(j, SUPPRESSED_SAMPLE), 0);
	assert_int_equal(jsonlog_dropped(j), 0);
	jsonlog_free(j);
}

static void test_burst_then_rate(void **state)
{
	struct jsonlog *j = new_log(100, JSONLOG_SAMPLE_ALL);

	(void)state;
	assert_int_equal(write_at(j, START, 1000, 200), 100); /* what one second allows */
	for (int tenth = 1; tenth <= 50; tenth++)
		assert_int_equal(write_at(j, START + (uint64_t)tenth * 100 * NS_PER_MS, 60, 200),
				 10);
	/* an hour of silence is no credit for more than a second's */
	assert_int_equal(write_at(j, START + 3600 * NS_PER_SECOND, 1000, 200), 100);
	free_log(j, 1000 + 50 * 60 + 1000);
}

/* In a flood of good ones, errors up to the rate are all written, and good ones get the rest. */
static void test_errors_go_last(void **state)
{
	struct jsonlog *j = new_log(100, JSONLOG_SAMPLE_ALL);
	uint64_t good = 0;

	(void)state;
	assert_int_equal(write_at(j, START, 5000, 200), 100);
	assert_int_equal(write_at(j, START, 100, 500), 100); /* a second's worth is theirs */
	assert_int_equal(write_at(j, START, 100, 500), 0);   /* but a bound is one */
	for (uint64_t tenth = 1; tenth <= 100; tenth++) {
		uint64_t time = START + tenth * 100 * NS_PER_MS;

		good += write_at(j, time, 500, 200);
		assert_int_equal(write_at(j, time, 4, 503), 4);
	}
	/* ten seconds allow 1,000 lines: 400 were errors, and 100 fill what they had taken */
	assert_in_range(good, 496, 504);
	free_log(j, 5000 + 200 + 100 * 504);
}

static void test_what_matters(void **state)
{
	static const struct {
		struct request request;
		bool matters;
	} cases[] = {
		{{.status = 200, .start = 1}, false},
		{{.status = 404, .start = 1}, false},
		{{.status = 500, .start = 1}, true},
		{{.status = 200, .start = 1, .error = REQUEST_ABORTED}, true},
		{{.status = 200, .start = START - SLOW_NS}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct jsonlog *j = new_log(10, JSONLOG_SAMPLE_ALL);
		struct request r = cases[i].request;

		r.start += r.start == 1 ? START - 1 : 0;
		r.end = START;
		write_at(j, START, 10, 200);
		assert_int_equal(above(j), 0);
		jsonlog_write(j, &r);
		assert_int_equal(above(j), !cases[i].matters);
		free_log(j, 11);
	}
}

/* The rate is of what the sample leaves. */
static void test_sample_goes_first(void **state)
{
	struct jsonlog *j = new_log(10, 0);

	(void)state;
	write_at(j, START, 1000, 200);
	assert_int_equal(jsonlog_suppressed(j, SUPPRESSED_SAMPLE), 1000);
	assert_int_equal(above(j), 0);
	assert_int_equal(write_at(j, START, 21, 500), 20);
	jsonlog_free(j);
}

/* Over any span: the lines of it and of two seconds, whatever the order of times. */
static void test_never_more(void **state)
{
	static const uint32_t rates[] = {1, 2, 3, 7, 1000, 999999};
	uint64_t seed = 3;

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct jsonlog *j = new_log(rates[i], JSONLOG_SAMPLE_ALL);
		uint64_t time = START, got = 0, written = 0;

		for (int round = 0; round < 3000; round++, written += 5) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			time += (seed >> 33) % (20 * NS_PER_MS);
			got += write_at(j, time - (seed >> 40) % 1000, 5, seed >> 63 ? 500 : 200);
		}
		assert_true(got <= (time - START) * rates[i] / NS_PER_SECOND + 2 * rates[i] + 1);
		assert_true(got >= (time - START) * rates[i] / NS_PER_SECOND || got == written);
		free_log(j, written);
	}
}

static void test_websockets(void **state)
{
	static const struct owner owner = {.id = 1};
	struct jsonlog *j = new_log(1, JSONLOG_SAMPLE_ALL);
	struct websocket w = {.owner = &owner, .close_code = 1000};

	(void)state;
	jsonlog_websocket(j, WEBSOCKET_OPENED, &w);
	assert_int_equal(above(j), 0);
	jsonlog_websocket(j, WEBSOCKET_CLOSED, &w);
	assert_int_equal(above(j), 1);
	w.close_code = 1006; /* somebody has to look at it */
	jsonlog_websocket(j, WEBSOCKET_CLOSED, &w);
	assert_int_equal(above(j), 1);
	jsonlog_free(j);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_then_rate), cmocka_unit_test(test_errors_go_last),
		cmocka_unit_test(test_what_matters),	cmocka_unit_test(test_sample_goes_first),
		cmocka_unit_test(test_never_more),	cmocka_unit_test(test_websockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
