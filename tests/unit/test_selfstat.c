/* SPDX-License-Identifier: Apache-2.0 */
/* The agent about itself: every family from the start, values where they belong. And the page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "out/metrics.h"
#include "out/page.h"
#include "out/process.h"
#include "out/selfstat.h"

static const uint64_t kernel[COUNT_MAX] = {
	[COUNT_RING_FULL] = 1,	  [COUNT_NO_STATE] = 2,	 [COUNT_UNREADABLE] = 3,
	[COUNT_TLS] = 4,	  [COUNT_UNKNOWN] = 5,	 [COUNT_IO_URING] = 6,
	[COUNT_LIFE_FULL] = 7,	  [COUNT_SHED_FULL] = 8, [COUNT_PIPELINED] = 9,
	[COUNT_CLOSES_LOST] = 10,
};
static const struct selfstat_program programs[] = {{"recv", true, 1500000000, 3},
						   {"send", false, 0, 0}};
static const struct selfstat_protocol protocols[] = {{"http/1", 11, 12, 21, 13, 14},
						     {"tls", 0, 0, 0, 0, 0}};
static const struct selfstat_lost lost[] = {{"http/1", "evicted", 15}};

static const struct selfstat_header headers[] = {{"traceparent", 22}, {"b3", 0}};

static const struct selfstat full = {
	.version = "1.2.3",
	.backend = "sock",
	.start_time = 1700000000.25,
	.ring_bytes = 16,
	.kernel = kernel,
	.log_lines = 17,
	.log_lines_dropped = 18,
	.log_lines_sampled = 21,
	.log_lines_above_rate = 22,
	.series = 19,
	.series_overflows = 20,
	.programs = programs,
	.program_count = 2,
	.probe_times = true,
	.protocols = protocols,
	.protocol_count = 2,
	.lost = lost,
	.lost_count = 1,
	.ids_invalid = headers,
	.ids_invalid_count = 2,
};

static char *text_of(const struct selfstat *s, enum prom_format format)
{
	struct buf b;
	struct prom p = {&b, format};

	buf_init_growing(&b, 1 << 20);
	selfstat_write(s, &p);
	buf_char(&b, '\0');
	assert_false(b.full);
	return b.p;
}

static void assert_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	if (!at)
		print_error("missing: %s\nin:\n%s\n", line, text);
	assert_non_null(at);
	assert_true(at == text || at[-1] == '\n');
	assert_int_equal(at[strlen(line)], '\n');
}

static void test_values(void **state)
{
	static const char *const lines[] = {
		"sonde_build_info{version=\"1.2.3\"} 1",
		"sonde_backend{name=\"sock\"} 1",
		"sonde_programs_attached{program=\"recv\"} 1",
		"sonde_programs_attached{program=\"send\"} 0",
		"sonde_probe_misses_total{program=\"recv\"} 3",
		"sonde_probe_misses_total{program=\"send\"} 0",
		"sonde_probe_seconds_total{program=\"recv\"} 1.5",
		"sonde_ring_bytes 16",
		"sonde_transactions_seen_total{protocol=\"http/1\"} 11",
		"sonde_transactions_counted_total{protocol=\"http/1\"} 12",
		"sonde_transactions_shed_total{protocol=\"http/1\"} 21",
		"sonde_transactions_shed_total{protocol=\"tls\"} 0",
		"sonde_transactions_open{protocol=\"http/1\"} 13",
		"sonde_parse_errors_total{protocol=\"http/1\"} 14",
		"sonde_parse_errors_total{protocol=\"tls\"} 0",
		"sonde_transactions_lost_total{protocol=\"http/1\",reason=\"evicted\"} 15",
		"sonde_ids_invalid_total{header=\"traceparent\"} 22",
		"sonde_ids_invalid_total{header=\"b3\"} 0",
		"sonde_unseen_total{reason=\"no_state\"} 2",
		"sonde_unseen_total{reason=\"unreadable\"} 3",
		"sonde_unseen_total{reason=\"tls\"} 4",
		"sonde_unseen_total{reason=\"unknown_protocol\"} 5",
		"sonde_unseen_total{reason=\"io_uring\"} 6",
		"sonde_unseen_total{reason=\"pipelined\"} 9",
		"sonde_records_lost_total{reason=\"ring_full\"} 1",
		"sonde_records_lost_total{reason=\"process_table_full\"} 7",
		"sonde_records_lost_total{reason=\"close\"} 10",
		"sonde_shed_overflow_total 8",
		"sonde_log_lines_total 17",
		"sonde_log_lines_dropped_total 18",
		"sonde_log_lines_suppressed_total{reason=\"sample\"} 21",
		"sonde_log_lines_suppressed_total{reason=\"rate\"} 22",
		"sonde_series 19",
		"sonde_series_overflow_total 20",
		"process_start_time_seconds 1700000000.25",
		"process_threads 1",
		"# TYPE process_cpu_seconds_total counter",
	};
	char *text = text_of(&full, PROM_TEXT);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_line(text, lines[i]);
	free(text);
	text = text_of(&full, PROM_OPENMETRICS);
	assert_line(text, "# UNIT process_cpu_seconds seconds");
	assert_line(text, "# TYPE sonde_series_overflow counter");
	free(text);
}

static void test_zero_from_the_start(void **state)
{
	static const uint64_t nothing[COUNT_MAX] = {0};
	struct selfstat empty = {.version = "1", .backend = "", .kernel = nothing};
	char *text = text_of(&empty, PROM_TEXT);

	(void)state;
	assert_line(text, "sonde_log_lines_dropped_total 0");
	assert_line(text, "sonde_unseen_total{reason=\"tls\"} 0");
	assert_line(text, "sonde_records_lost_total{reason=\"ring_full\"} 0");
	assert_line(text, "sonde_unseen_total{reason=\"pipelined\"} 0");
	assert_line(text, "sonde_records_lost_total{reason=\"close\"} 0");
	assert_line(text, "sonde_shed_overflow_total 0");
	assert_line(text, "sonde_log_lines_suppressed_total{reason=\"rate\"} 0");
	assert_line(text, "sonde_series_overflow_total 0");
	assert_null(strstr(text, "sonde_backend{"));
	free(text);
}

static void forget(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

static void test_tables(void **state)
{
	struct table *t = table_new(&(struct table_options){.name = "small",
							    .capacity = 2,
							    .key_size = sizeof(int),
							    .entry_size = sizeof(int),
							    .evicted = forget});
	const struct table *tables[] = {t};
	struct selfstat s = full;
	char *text;

	(void)state;
	assert_non_null(t);
	for (int key = 1; key <= 5; key++)
		assert_non_null(table_add(t, &key));
	s.tables = tables;
	s.table_count = 1;
	text = text_of(&s, PROM_TEXT);
	assert_line(text, "sonde_table_entries{table=\"small\"} 2");
	assert_line(text, "sonde_table_evictions_total{table=\"small\"} 3");
	free(text);
	table_free(t);
}

static void test_process(void **state)
{
	struct process before, after;
	int fd;

	(void)state;
	process_read(&before);
	assert_true(before.resident_bytes > 0 && before.virtual_bytes > before.resident_bytes);
	assert_true(before.open_fds >= 3 && before.max_fds >= before.open_fds);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	process_read(&after);
	assert_int_equal(after.open_fds, before.open_fds + 1);
	assert_true(after.cpu_seconds >= before.cpu_seconds);
	close(fd);
}

static void test_page(void **state)
{
	static const struct owner owner = {.id = 1, .service = {"<b>&'\"", 6}};
	struct metrics *m =
		metrics_new(&(struct metrics_options){.series_max = 100, .routes_max = 10});
	struct page page = {"1.2.3<", "sock", true, m};
	struct request r = {
		.owner = &owner, .role = ROLE_SERVER, .status = 500, .start = 1, .end = 2500001};
	struct buf b;

	(void)state;
	assert_non_null(m);
	buf_init_growing(&b, 1 << 20);
	page_write(&page, &b);
	buf_char(&b, '\0');
	assert_non_null(strstr(b.p, "No requests were served yet."));
	assert_non_null(strstr(b.p, "Version 1.2.3&lt;, backend sock, ready."));
	b.n = 0;
	metrics_count(m, &r);
	page.ready = false;
	page_write(&page, &b);
	buf_char(&b, '\0');
	assert_non_null(strstr(b.p, "<td>&lt;b&gt;&amp;&#39;&quot;<td><td><td><td class=\"n\">1"
				    "<td class=\"n\">1<td class=\"n\">2.5 ms"));
	assert_non_null(strstr(b.p, "not ready"));
	assert_non_null(strstr(b.p, "href=\"metrics\""));
	assert_null(strstr(b.p, "<script"));
	buf_close(&b);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_zero_from_the_start),
		cmocka_unit_test(test_tables), cmocka_unit_test(test_process),
		cmocka_unit_test(test_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
