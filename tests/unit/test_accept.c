/* SPDX-License-Identifier: Apache-2.0 */
/* Content negotiation: what clients really send, and what nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "out/accept.h"

static void test_negotiation(void **state)
{
	static const struct {
		const char *accept;
		enum prom_format format;
	} cases[] = {
		{"", PROM_TEXT},
		{"*/*", PROM_TEXT},
		{"text/html", PROM_TEXT},
		{"application/openmetrics-text", PROM_OPENMETRICS},
		{"APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\"", PROM_OPENMETRICS},
		{"application/openmetrics-text;version=2.0.0", PROM_TEXT},
		{"application/openmetrics-text;q=0", PROM_TEXT},
		{"application/openmetrics-text;q=0.4,text/plain;q=0.5", PROM_TEXT},
		{"text/plain;q=0.5,application/openmetrics-text;q=0.5", PROM_OPENMETRICS},
		{"application/openmetrics-text;q=0.500,text/plain;q=0.501", PROM_TEXT},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,"
		 "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
		 "*/*;q=0.1",
		 PROM_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9",
		 PROM_OPENMETRICS},
		{",;,=;;q=,q=1;,", PROM_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(accept_format(str_of(cases[i].accept)), cases[i].format);
}

static void test_gzip(void **state)
{
	(void)state;
	assert_true(accept_gzip(STR("gzip")));
	assert_true(accept_gzip(STR("br;q=1.0, GZIP;q=0.001, *;q=0")));
	assert_true(accept_gzip(STR("*")));
	assert_false(accept_gzip(STR("*;q=0")));
	assert_false(accept_gzip(STR("gzip;q=0.000, *")));
	assert_false(accept_gzip(STR("identity, x-gzipped")));
	assert_false(accept_gzip((struct str){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
