/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exposition formats, character by character: both are contracts with programs that nobody here
 * controls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "out/prom.h"

static const struct prom_family counter = {"seen_total", PROM_COUNTER, NULL, "Things seen."};
static const struct prom_family gauge = {"ring_bytes", PROM_GAUGE, "bytes",
					 "Size\\ of \"it\".\nTwo."};
static const struct prom_family histogram = {"took_seconds", PROM_HISTOGRAM, "seconds", "Time."};

static char memory[4096];
static struct buf out;

static struct prom start(enum prom_format format)
{
	buf_init_fixed(&out, memory, sizeof(memory));
	return (struct prom){&out, format};
}

static void expect(const char *text)
{
	assert_false(out.full);
	memory[out.n] = '\0';
	assert_string_equal(memory, text);
}

static void test_counter_text(void **state)
{
	struct prom p = start(PROM_TEXT);

	(void)state;
	prom_family(&p, &counter);
	prom_u64(&p, &counter, NULL, 0, UINT64_MAX);
	prom_end(&p);
	expect("# HELP seen_total Things seen.\n# TYPE seen_total counter\n"
	       "seen_total 18446744073709551615\n");
}

static void test_counter_openmetrics(void **state)
{
	struct prom p = start(PROM_OPENMETRICS);

	(void)state;
	prom_family(&p, &counter);
	prom_u64(&p, &counter, NULL, 0, 7);
	prom_end(&p);
	expect("# HELP seen Things seen.\n# TYPE seen counter\nseen_total 7\n# EOF\n");
}

static void test_help_and_unit(void **state)
{
	struct prom p = start(PROM_TEXT);

	(void)state;
	prom_family(&p, &gauge);
	expect("# HELP ring_bytes Size\\\\ of \"it\".\\nTwo.\n# TYPE ring_bytes gauge\n");
	p = start(PROM_OPENMETRICS);
	prom_family(&p, &gauge);
	expect("# HELP ring_bytes Size\\\\ of \\\"it\\\".\\nTwo.\n# TYPE ring_bytes gauge\n"
	       "# UNIT ring_bytes bytes\n");
}

static void test_labels(void **state)
{
	const struct prom_label labels[] = {
		{"a", STR("x\\y\"z\n")}, {"empty", {NULL, 0}}, {"b", STR("\xc3\xa4{},=")}};
	struct prom p = start(PROM_TEXT);

	(void)state;
	prom_u64(&p, &counter, labels, 3, 1);
	prom_u64(&p, &counter, labels + 1, 1, 2);
	expect("seen_total{a=\"x\\\\y\\\"z\\n\",b=\"\xc3\xa4{},=\"} 1\nseen_total 2\n");
}

static void test_double(void **state)
{
	struct prom p = start(PROM_TEXT);

	(void)state;
	prom_double(&p, &gauge, NULL, 0, 0.25);
	prom_double(&p, &gauge, NULL, 0, -3);
	prom_double(&p, &gauge, NULL, 0, NAN);
	expect("ring_bytes 0.25\nring_bytes -3\n");
}

static const double bounds[] = {0.0001, 0.5, 1, 10};
static const uint64_t counts[] = {1, 0, 2, 0, 4};
static const struct prom_buckets buckets = {
	.bounds = bounds, .bound_count = 4, .counts = counts, .sum = 50.5};

static void test_histogram_text(void **state)
{
	const struct prom_label labels[] = {{"service", STR("a\"b")}};
	struct prom p = start(PROM_TEXT);

	(void)state;
	prom_histogram(&p, &histogram, labels, 1, &buckets);
	expect("took_seconds_bucket{service=\"a\\\"b\",le=\"0.0001\"} 1\n"
	       "took_seconds_bucket{service=\"a\\\"b\",le=\"0.5\"} 1\n"
	       "took_seconds_bucket{service=\"a\\\"b\",le=\"1\"} 3\n"
	       "took_seconds_bucket{service=\"a\\\"b\",le=\"10\"} 3\n"
	       "took_seconds_bucket{service=\"a\\\"b\",le=\"+Inf\"} 7\n"
	       "took_seconds_sum{service=\"a\\\"b\"} 50.5\n"
	       "took_seconds_count{service=\"a\\\"b\"} 7\n");
}

static void test_histogram_openmetrics(void **state)
{
	struct prom p = start(PROM_OPENMETRICS);

	(void)state;
	prom_histogram(&p, &histogram, NULL, 0, &buckets);
	expect("took_seconds_bucket{le=\"0.0001\"} 1\n"
	       "took_seconds_bucket{le=\"0.5\"} 1\n"
	       "took_seconds_bucket{le=\"1.0\"} 3\n"
	       "took_seconds_bucket{le=\"10.0\"} 3\n"
	       "took_seconds_bucket{le=\"+Inf\"} 7\n"
	       "took_seconds_sum 50.5\n"
	       "took_seconds_count 7\n");
}

static const struct prom_exemplar exemplars[] = {
	{STR("4bf92f3577b34da6a3ce929d0e0e4736"), 0.0001, 1795300000123},
	{{NULL, 0}, 0, 0},
	{STR("a\"b"), 0.75, 0},
	{{NULL, 0}, 0, 0},
	{STR("c"), 11, 1795300001000},
};

static void test_exemplars(void **state)
{
	struct prom_buckets with = buckets;
	struct prom p = start(PROM_OPENMETRICS);

	(void)state;
	with.exemplars = exemplars;
	prom_histogram(&p, &histogram, NULL, 0, &with);
	expect("took_seconds_bucket{le=\"0.0001\"} 1 # "
	       "{trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"}"
	       " 0.0001 1795300000.123\n"
	       "took_seconds_bucket{le=\"0.5\"} 1\n"
	       "took_seconds_bucket{le=\"1.0\"} 3 # {trace_id=\"a\\\"b\"} 0.75\n"
	       "took_seconds_bucket{le=\"10.0\"} 3\n"
	       "took_seconds_bucket{le=\"+Inf\"} 7 # {trace_id=\"c\"} 11 1795300001\n"
	       "took_seconds_sum 50.5\n"
	       "took_seconds_count 7\n");
	p = start(PROM_TEXT);
	prom_histogram(&p, &histogram, NULL, 0, &with);
	assert_null(memchr(memory, '#', out.n));
}

static void test_labels_too_long(void **state)
{
	static char text[9000];
	struct prom_label label = {"a", {text, sizeof(text)}};
	struct prom p;

	(void)state;
	memset(text, 'x', sizeof(text));
	p = start(PROM_TEXT);
	prom_histogram(&p, &histogram, &label, 1, &buckets);
	assert_true(out.full);
}

static void test_content_types(void **state)
{
	(void)state;
	assert_string_equal(prom_content_type(PROM_TEXT),
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(prom_content_type(PROM_OPENMETRICS),
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_text),
		cmocka_unit_test(test_counter_openmetrics),
		cmocka_unit_test(test_help_and_unit),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_histogram_text),
		cmocka_unit_test(test_histogram_openmetrics),
		cmocka_unit_test(test_exemplars),
		cmocka_unit_test(test_labels_too_long),
		cmocka_unit_test(test_content_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
