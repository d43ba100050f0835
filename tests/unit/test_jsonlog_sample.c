/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The share of lines that --log-sample keeps: drawn by the trace, never of what went wrong or was
 * slow, and every line that is left out is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "out/jsonlog.h"

static struct clock clock_at_zero; /* monotonic is wall */

#define SLOW_NS 1000000
#define TRACES	20000

static struct jsonlog *new_sampled(int fd, uint32_t sample)
{
	struct jsonlog *j = jsonlog_new(&(struct jsonlog_options){.fd = fd,
								  .buffer_bytes = 1 << 20,
								  .form.clock = &clock_at_zero,
								  .sample = sample,
								  .slow_ns = SLOW_NS});

	assert_non_null(j);
	return j;
}

/* Every request was written or left out. */
static void free_sampled(struct jsonlog *j, uint64_t written)
{
	assert_int_equal(jsonlog_flush(j), 0);
	assert_int_equal(jsonlog_lines(j) + jsonlog_suppressed(j, SUPPRESSED_SAMPLE), written);
	assert_int_equal(jsonlog_dropped(j), 0);
	jsonlog_free(j);
}

static bool is_kept(struct jsonlog *j, const struct request *r)
{
	uint64_t before = jsonlog_suppressed(j, SUPPRESSED_SAMPLE);

	jsonlog_write(j, r);
	return jsonlog_suppressed(j, SUPPRESSED_SAMPLE) == before;
}

static struct request request_in_trace(uint32_t trace, uint64_t conn, uint16_t status)
{
	struct request r = {.role = ROLE_SERVER, .status = status, .conn = conn, .txn = 1};
	char id[33];

	snprintf(id, sizeof(id), "%032x", trace);
	request_set(&r, trace_id, str_of(id));
	return r;
}

/* Two agents on a trace's way keep the same ones, and one that keeps more keeps those too. */
static void test_sample_by_trace(void **state)
{
	int fd = open("/dev/null", O_WRONLY);
	struct jsonlog *one = new_sampled(fd, 250000), *other = new_sampled(fd, 250000),
		       *most = new_sampled(fd, 750000);
	uint32_t kept = 0;

	(void)state;
	for (uint32_t trace = 0; trace < TRACES; trace++) {
		struct request here = request_in_trace(trace, 1, 200);
		struct request there = request_in_trace(trace, 1000 + trace, 404);
		bool is = is_kept(one, &here);

		assert_int_equal(is, is_kept(other, &there));
		assert_true(is_kept(most, &here) || !is);
		kept += is;
	}
	assert_in_range(kept, TRACES * 24 / 100, TRACES * 26 / 100);
	assert_in_range(jsonlog_suppressed(most, SUPPRESSED_SAMPLE), TRACES * 24 / 100,
			TRACES * 26 / 100);
	free_sampled(one, TRACES);
	free_sampled(other, TRACES);
	free_sampled(most, TRACES);
	close(fd);
}

/* Without a trace each transaction is drawn for itself, those of one connection too. */
static void test_sample_without_trace(void **state)
{
	int fd = open("/dev/null", O_WRONLY);
	struct jsonlog *j = new_sampled(fd, 100000);
	uint32_t of_one = 0, of_many = 0;

	(void)state;
	for (uint32_t i = 0; i < TRACES; i++) {
		struct request r = {.role = ROLE_SERVER, .status = 200, .conn = 7, .txn = i};

		of_one += is_kept(j, &r);
		r.conn = (uint64_t)i << 8;
		r.txn = 1;
		of_many += is_kept(j, &r);
	}
	assert_in_range(of_one, TRACES * 9 / 100, TRACES * 11 / 100);
	assert_in_range(of_many, TRACES * 9 / 100, TRACES * 11 / 100);
	free_sampled(j, 2 * TRACES);
	close(fd);
}

/* At 0 what is bad is kept all the same, and nothing else; at 1 everything is. */
static void test_sample_edges(void **state)
{
	static const struct {
		struct request request;
		bool kept;
	} cases[] = {
		{{.status = 200}, false},
		{{.status = 404}, false},
		{{.status = 499}, false},
		{{.status = 500}, true},
		{{.status = 599}, true},
		{{.status = 0}, false},
		{{.status = 0, .error = REQUEST_ABORTED}, true},
		{{.status = 200, .error = REQUEST_ABORTED}, true},
		{{.status = 200, .start = 5, .end = 5 + SLOW_NS - 1}, false},
		{{.status = 200, .start = 5, .end = 5 + SLOW_NS}, true},
		/* a stream lasts, which is not slow */
		{{.status = 200,
		  .start = 5,
		  .first_byte = 6,
		  .end = 5 + SLOW_NS,
		  .stream = STREAM_OVER},
		 false},
		{{.status = 200, .start = 5, .first_byte = 5 + SLOW_NS, .stream = STREAM_OVER},
		 true},
	};
	int fd = open("/dev/null", O_WRONLY);
	struct jsonlog *none = new_sampled(fd, 0), *all = new_sampled(fd, JSONLOG_SAMPLE_ALL);
	uint32_t written = 0;

	(void)state;
	for (uint32_t trace = 0; trace < 1000; trace++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++, written++) {
			struct request r = cases[i].request, id = request_in_trace(trace, 1, 0);

			request_set(&r, trace_id, request_str(&id, trace_id));
			assert_int_equal(is_kept(none, &r), cases[i].kept);
			assert_true(is_kept(all, &r));
		}
	}
	assert_int_equal(jsonlog_suppressed(none, SUPPRESSED_SAMPLE), written / 2);
	free_sampled(none, written);
	free_sampled(all, written);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_by_trace),
		cmocka_unit_test(test_sample_without_trace),
		cmocka_unit_test(test_sample_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
