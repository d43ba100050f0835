/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemplars: which requests become one, in which bucket they stand, which one stays, and how many
 * there can be.
 */
#include "metrics_text.h"

#include "base/clock.h"
#include "base/table.h"

#define SECOND NS_PER_SECOND
#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define SERIES                                                                              \
	"http_server_request_duration_seconds_bucket{service=\"cart\",http_request_method=" \
	"\"GET\",le="
#define IN_0_005 SERIES "\"0.005\"} "

static bool kept;

static bool is_kept(void *ctx, const struct request *r)
{
	(void)ctx;
	(void)r;
	return kept;
}

static const struct clock clock_of_test = {.offset = 1795300000 * (int64_t)SECOND};

static struct metrics *new_registry(void)
{
	struct metrics *m = metrics_new(&(struct metrics_options){
		.series_max = 2000, .routes_max = 10, .is_kept = is_kept, .clock = &clock_of_test});

	assert_non_null(m);
	kept = false;
	return m;
}

/* 2 ms long, over at `end`. */
static void count(struct metrics *m, const char *trace_id, enum request_parent parent, uint64_t end)
{
	struct request r = make(&cart, "GET", "", 0);

	request_set(&r, trace_id, str_of(trace_id));
	r.parent = (uint8_t)parent;
	r.end = end;
	r.start = end - 2 * NS_PER_MS;
	r.first_byte = end - NS_PER_MS;
	metrics_count(m, &r);
}

static void assert_shown(const struct metrics *m, const char *piece, bool shown)
{
	char *text = text_as(m, PROM_OPENMETRICS);

	if (!strstr(text, piece) == shown)
		print_error("%s: %s\nin:\n%s\n", shown ? "missing" : "there", piece, text);
	assert_true(!strstr(text, piece) != shown);
	free(text);
}

static const struct table *table_of(const struct metrics *m)
{
	const struct table *tables[METRICS_TABLES];

	metrics_tables(m, tables);
	for (unsigned i = 0; i < METRICS_TABLES; i++)
		if (!strcmp(table_name(tables[i]), "metrics_exemplars"))
			return tables[i];
	return NULL;
}

static void test_stands_in_its_bucket(void **state)
{
	struct metrics *m = new_registry();

	(void)state;
	count(m, TRACE, PARENT_HEADER, 5 * SECOND);
	assert_shown(m, SERIES "\"0.0025\"} 1 # {trace_id=\"" TRACE "\"} 0.002 1795300005\n", true);
	assert_shown(m, SERIES "\"0.001\"} 0\n", true);
	assert_shown(m, IN_0_005 "1\n", true);
	assert_shown(m, SERIES "\"+Inf\"} 1\n", true);
	assert_absent(m, "trace_id");
	assert_absent(m, " # ");
	metrics_free(m);
}

static void test_client(void **state)
{
	struct metrics *m = new_registry();
	struct request r = make(&cart, "GET", "", 0);

	(void)state;
	r.role = ROLE_CLIENT;
	r.parent = PARENT_HEADER;
	request_set(&r, trace_id, STR(TRACE));
	metrics_count(m, &r);
	assert_shown(m,
		     "http_client_request_duration_seconds_bucket{service=\"cart\","
		     "http_request_method=\"GET\",le=\"0.0025\"} 1 # {trace_id=\"" TRACE "\"}",
		     true);
	metrics_free(m);
}

/* Bytes have none, and neither has the time to the first byte, which is no request's whole. */
static void test_only_durations(void **state)
{
	struct metrics *m = new_registry();
	char *text, *at;
	unsigned n = 0;

	(void)state;
	count(m, TRACE, PARENT_HEADER, SECOND);
	text = text_as(m, PROM_OPENMETRICS);
	for (at = text; (at = strstr(at, "trace_id")); at++)
		n++;
	assert_int_equal(n, 1);
	free(text);
	metrics_free(m);
}

static void test_none_without_a_trace(void **state)
{
	struct metrics *m = new_registry();

	(void)state;
	kept = true;
	count(m, "", PARENT_NONE, SECOND);
	assert_shown(m, " # {", false);
	assert_int_equal(table_count(table_of(m)), 0);
	metrics_free(m);
}

/* One of our own counts if its line is kept; whose trace came in a header is known elsewhere. */
static void test_only_what_can_be_looked_up(void **state)
{
	struct metrics *m = new_registry();

	(void)state;
	count(m, "aa", PARENT_NONE, SECOND);
	count(m, "bb", PARENT_THREAD, SECOND);
	assert_shown(m, " # {", false);
	kept = true;
	count(m, "cc", PARENT_THREAD, SECOND);
	assert_shown(m, "# {trace_id=\"cc\"}", true);
	metrics_free(m);
}

static void test_recent_ones_stay(void **state)
{
	struct metrics *m = new_registry();

	(void)state;
	count(m, "aa", PARENT_HEADER, 10 * SECOND);
	count(m, "bb", PARENT_HEADER, 11 * SECOND - 1); /* not for every request */
	assert_shown(m, "# {trace_id=\"aa\"}", true);
	count(m, "cc", PARENT_HEADER, 11 * SECOND);
	assert_shown(m, "# {trace_id=\"cc\"} 0.002 1795300011\n", true);
	count(m, "dd", PARENT_HEADER, 2 * SECOND); /* told late */
	assert_shown(m, "# {trace_id=\"cc\"}", true);
	metrics_free(m);
}

static void test_headers_come_first(void **state)
{
	struct metrics *m = new_registry();

	(void)state;
	kept = true;
	count(m, "own1", PARENT_NONE, 10 * SECOND);
	count(m, "head", PARENT_HEADER, 10 * SECOND + 1);
	assert_shown(m, "# {trace_id=\"head\"}", true);
	count(m, "own2", PARENT_NONE, 70 * SECOND);
	assert_shown(m, "# {trace_id=\"head\"}", true);
	count(m, "own3", PARENT_NONE, 70 * SECOND + 1);
	assert_shown(m, "# {trace_id=\"own3\"}", true);
	metrics_free(m);
}

/* More series than there is room for exemplars: the newest have theirs. */
static void test_bounded(void **state)
{
	enum { SERVICES = 5, STATUSES = 990, MOST = 4096 };
	struct metrics *m = new_registry();
	struct request r;
	char *text, *at;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < SERVICES * STATUSES; i++) {
		static const char *const names[SERVICES] = {"a", "b", "c", "d", "e"};
		struct owner owner = {.id = i / STATUSES + 10,
				      .service = str_of(names[i / STATUSES])};

		r = make(&owner, "GET", "", (int)(i % STATUSES) + 10);
		r.parent = PARENT_HEADER;
		request_set(&r, trace_id, STR(TRACE));
		metrics_count(m, &r);
	}
	assert_int_equal(table_count(table_of(m)), MOST);
	assert_int_equal(table_evictions(table_of(m)), SERVICES * STATUSES - MOST);
	text = text_as(m, PROM_OPENMETRICS);
	for (at = text; (at = strstr(at, " # {")); at++)
		n++;
	assert_int_equal(n, MOST);
	at = strstr(text, "http_server_request_duration_seconds_bucket{service=\"a\"");
	assert_true(strcspn(at, "#") > strcspn(at, "\n")); /* the first one's are gone */
	free(text);
	metrics_free(m);
}

/* A new series in the place of a forgotten one does not inherit. */
static void test_forgotten(void **state)
{
	struct metrics *m = new_registry();

	(void)state;
	count(m, TRACE, PARENT_HEADER, SECOND);
	metrics_forget(m, cart.id);
	kept = true;
	count(m, "new", PARENT_NONE, SECOND);
	assert_shown(m, TRACE, false);
	assert_shown(m, "# {trace_id=\"new\"}", true);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stands_in_its_bucket),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_only_durations),
		cmocka_unit_test(test_none_without_a_trace),
		cmocka_unit_test(test_only_what_can_be_looked_up),
		cmocka_unit_test(test_recent_ones_stay),
		cmocka_unit_test(test_headers_come_first),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
