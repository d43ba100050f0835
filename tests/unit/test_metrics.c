/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: labels, buckets, exact sums, caps. The rule behind most cases: whatever is full,
 * the counts of all series of a family add up to the requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/table.h"
#include "out/metrics.h"
#include "out/prom.h"

#define SERVER_COUNT "http_server_request_duration_seconds_count"
#define CLIENT_COUNT "http_client_request_duration_seconds_count"

static const struct owner shop = {
	.id = 1, .service = {"shop", 4}, .namespace = {"prod", 4}, .pod = {"shop-0", 6}};
static const struct owner cart = {.id = 2, .service = {"cart", 4}};

static struct metrics *new_metrics(uint32_t series_max, uint32_t routes_max)
{
	struct metrics *m = metrics_new(
		&(struct metrics_options){.series_max = series_max, .routes_max = routes_max});

	assert_non_null(m);
	return m;
}

static struct request make(const struct owner *owner, const char *op, const char *route, int status)
{
	struct request r = {.owner = owner, .role = ROLE_SERVER, .status = (uint16_t)status};

	request_set(&r, op, str_of(op));
	request_set(&r, route, str_of(route));
	r.start = 1000;
	r.first_byte = r.start + 300000;
	r.end = r.start + 2000000;
	return r;
}

static char *text_of(const struct metrics *m)
{
	struct buf b;
	struct prom p = {&b, PROM_TEXT};

	buf_init_growing(&b, 64 << 20);
	metrics_write(m, &p);
	buf_char(&b, '\0');
	assert_false(b.full);
	return b.p;
}

static void assert_line(const struct metrics *m, const char *line)
{
	char *text = text_of(m), *at = strstr(text, line);

	if (!at)
		print_error("missing: %s\nin:\n%s\n", line, text);
	assert_non_null(at);
	assert_true(at == text || at[-1] == '\n');
	assert_int_equal(at[strlen(line)], '\n');
	free(text);
}

static void assert_absent(const struct metrics *m, const char *piece)
{
	char *text = text_of(m);

	assert_null(strstr(text, piece));
	free(text);
}

/* The sum of all samples whose line starts with `name`; *series: how many there are. */
static uint64_t sum_of(const struct metrics *m, const char *name, unsigned *series)
{
	char *text = text_of(m), *rest = text, *line;
	uint64_t sum = 0;

	*series = 0;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		sum += strtoull(strrchr(line, ' '), NULL, 10);
		++*series;
	}
	free(text);
	return sum;
}

static void test_labels(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = make(&shop, "GET", "/items/{id}", 200);

	(void)state;
	metrics_count(m, &r);
	metrics_count(m, &r);
	assert_line(m, SERVER_COUNT "{service=\"shop\",namespace=\"prod\",pod=\"shop-0\","
				    "http_request_method=\"GET\",http_route=\"/items/{id}\","
				    "http_response_status_code=\"200\"} 2");
	assert_line(m, "# TYPE http_server_request_duration_seconds histogram");
	assert_absent(m, "http_client");
	assert_absent(m, "container=");
	assert_absent(m, "service=\"other\"");
	metrics_free(m);
}

static void test_error_type(void **state)
{
	static const struct {
		uint8_t role, error;
		int status;
		const char *labels;
	} cases[] = {
		{ROLE_SERVER, REQUEST_OK, 404, "http_response_status_code=\"404\"}"},
		{ROLE_SERVER, REQUEST_OK, 500,
		 "http_response_status_code=\"500\",error_type=\"500\"}"},
		{ROLE_SERVER, REQUEST_ABORTED, 0, "http_route=\"/\",error_type=\"aborted\"}"},
		{ROLE_SERVER, REQUEST_OK, 0, "http_route=\"/\"}"},
		{ROLE_SERVER, REQUEST_OK, 60000, "http_route=\"/\",error_type=\"\"}"},
		{ROLE_CLIENT, REQUEST_OK, 399,
		 "http_response_status_code=\"399\",server_address=\"h\"}"},
		{ROLE_CLIENT, REQUEST_OK, 400,
		 "http_response_status_code=\"400\",error_type=\"400\",server_address=\"h\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct metrics *m = new_metrics(100, 10);
		struct request r = make(&cart, "GET", "/", cases[i].status);
		char *text;

		r.role = cases[i].role;
		r.error = cases[i].error;
		request_set(&r, host, STR("h"));
		metrics_count(m, &r);
		text = text_of(m);
		if (cases[i].status < 1000)
			assert_non_null(strstr(text, cases[i].labels));
		else
			assert_null(strstr(text, "error_type"));
		free(text);
		metrics_free(m);
	}
}

static void test_methods(void **state)
{
	static const char *const methods[] = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS",
					      "PATCH",	 "POST",   "PUT", "TRACE"};
	struct metrics *m = new_metrics(100, 10);
	struct request r;
	char line[128];

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		r = make(&cart, methods[i], "", 0);
		metrics_count(m, &r);
		snprintf(line, sizeof(line),
			 SERVER_COUNT "{service=\"cart\",http_request_method=\"%s\"} 1",
			 methods[i]);
		assert_line(m, line);
	}
	r = make(&cart, "get", "", 0);
	metrics_count(m, &r);
	r = make(&cart, "PROPFIND", "", 0);
	metrics_count(m, &r);
	assert_line(m, SERVER_COUNT "{service=\"cart\",http_request_method=\"_OTHER\"} 2");
	metrics_free(m);
}

static void test_server_address(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = make(&cart, "GET", "", 0);

	(void)state;
	r.role = ROLE_CLIENT;
	r.peer = (struct request_addr){AF_INET, 80, {10, 0, 0, 7}};
	metrics_count(m, &r);
	r.peer = (struct request_addr){
		AF_INET6, 80, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 7}};
	metrics_count(m, &r);
	r.peer = (struct request_addr){.family = AF_INET6, .ip = {[15] = 1}};
	metrics_count(m, &r);
	request_set(&r, host, STR("api.example"));
	metrics_count(m, &r);
	assert_line(m, CLIENT_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "server_address=\"10.0.0.7\"} 2");
	assert_line(m, CLIENT_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "server_address=\"::1\"} 1");
	assert_line(m, CLIENT_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "server_address=\"api.example\"} 1");
	assert_absent(m, "http_server_request_body_size_bytes");
	metrics_free(m);
}

static void test_buckets(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = make(&cart, "GET", "", 0);

	(void)state;
	r.end = r.start + 100000; /* a bound belongs to its own bucket */
	metrics_count(m, &r);
	r.end = r.start + 100001;
	metrics_count(m, &r);
	r.end = r.start + 10000000001;
	r.response_bytes = 65;
	metrics_count(m, &r);
#define PREFIX                                                                              \
	"http_server_request_duration_seconds_bucket{service=\"cart\",http_request_method=" \
	"\"GET\",le="
	assert_line(m, PREFIX "\"0.0001\"} 1");
	assert_line(m, PREFIX "\"0.00025\"} 2");
	assert_line(m, PREFIX "\"0.075\"} 2");
	assert_line(m, PREFIX "\"10\"} 2");
	assert_line(m, PREFIX "\"+Inf\"} 3");
	assert_line(m, "http_server_request_duration_seconds_sum{service=\"cart\","
		       "http_request_method=\"GET\"} 10.000200002");
	assert_line(m, "http_server_response_body_size_bytes_bucket{service=\"cart\",le=\"64\"} 2");
	assert_line(m,
		    "http_server_response_body_size_bytes_bucket{service=\"cart\",le=\"256\"} 3");
	assert_line(
		m,
		"http_server_response_body_size_bytes_bucket{service=\"cart\",le=\"67108864\"} 3");
	assert_line(m, "http_server_response_body_size_bytes_sum{service=\"cart\"} 65");
	assert_line(m, "http_server_time_to_first_byte_seconds_sum{service=\"cart\"} 0.0009");
	metrics_free(m);
}

static void test_unknown_times(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = make(&cart, "GET", "", 0);

	(void)state;
	r.start = 0;
	metrics_count(m, &r);
	r = make(&cart, "GET", "", 0);
	r.first_byte = 0;
	r.end = r.start - 1;
	metrics_count(m, &r);
	assert_line(m, SERVER_COUNT "{service=\"cart\",http_request_method=\"GET\"} 2");
	assert_line(m, "http_server_request_duration_seconds_sum{service=\"cart\","
		       "http_request_method=\"GET\"} 0");
	assert_absent(m, "time_to_first_byte");
	metrics_free(m);
}

static void test_sums_stay_exact(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = make(&cart, "GET", "", 0);

	(void)state;
	r.end = r.start + 100000000000000;
	metrics_count(m, &r);
	r.end = r.start + 1;
	for (int i = 0; i < 1000; i++)
		metrics_count(m, &r);
	assert_line(m, "http_server_request_duration_seconds_sum{service=\"cart\","
		       "http_request_method=\"GET\"} 100000.000001");
	metrics_free(m);
}

static void count_routes(struct metrics *m, const struct owner *owner, unsigned routes)
{
	for (unsigned i = 0; i < routes; i++) {
		char route[32];
		struct request r;

		snprintf(route, sizeof(route), "/r%u", i);
		r = make(owner, "GET", route, 200);
		metrics_count(m, &r);
	}
}

static void test_routes_cap(void **state)
{
	struct metrics *m = new_metrics(1000, 5);
	unsigned series;

	(void)state;
	count_routes(m, &cart, 20);
	count_routes(m, &cart, 20);
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 40);
	assert_int_equal(series, 6);
	assert_int_equal(metrics_overflows(m), 30);
	assert_int_equal(metrics_counted(m), 40);
	assert_line(m, SERVER_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "http_route=\"other\",http_response_status_code=\"200\"} 30");
	count_routes(m, &shop, 5); /* another service has its own five */
	assert_int_equal(metrics_overflows(m), 30);
	metrics_free(m);
}

static void test_series_cap(void **state)
{
	for (uint32_t cap = 1; cap < 60; cap += 7) {
		struct metrics *m = new_metrics(cap, 1000);
		unsigned series;

		(void)state;
		count_routes(m, &cart, 200);
		for (int status = 100; status < 1000; status++) {
			struct request r = make(&cart, status % 2 ? "GET" : "PUT", "/r1", status);

			metrics_count(m, &r);
		}
		assert_int_equal(sum_of(m, SERVER_COUNT, &series), 1100);
		assert_true(series <= (cap < 2 ? 2 : cap));
		assert_true(metrics_overflows(m) >= 1100 - cap);
		assert_line(m, "http_server_request_body_size_bytes_count{service=\"cart\"} 1100");
		metrics_free(m);
	}
}

static void test_address_cap(void **state)
{
	struct metrics *m = new_metrics(1000, 5);
	unsigned series;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct request r = make(&cart, "GET", "", 0);
		char host[16];

		r.role = ROLE_CLIENT;
		snprintf(host, sizeof(host), "h%u", i);
		request_set(&r, host, str_of(host));
		metrics_count(m, &r);
	}
	assert_int_equal(sum_of(m, CLIENT_COUNT, &series), 20);
	assert_int_equal(series, 6);
	assert_line(m, CLIENT_COUNT
		    "{service=\"cart\",http_request_method=\"GET\",server_address=\"other\"} 15");
	metrics_free(m);
}

/* More series than the registry holds, from more services than it knows: still all are counted. */
static void test_global_caps(void **state)
{
	struct metrics *m = new_metrics(2000, 200);
	unsigned series;

	(void)state;
	for (uint32_t id = 1; id <= 1500; id++) {
		char name[16];
		struct owner owner = {.id = id};

		snprintf(name, sizeof(name), "s%u", id);
		owner.service = str_of(name);
		count_routes(m, &owner, 30);
	}
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 1500 * 30);
	assert_int_equal(sum_of(m, "http_server_request_body_size_bytes_count", &series), 45000);
	assert_int_equal(metrics_counted(m), 45000);
	assert_true(metrics_series(m) <= 10000);
	assert_true(metrics_overflows(m) > 0);
	metrics_free(m);
}

/* Owners come and go, names stay: the same names are one set of series. */
static void test_same_names_are_one(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct owner again = cart;
	struct request r;
	unsigned series;

	(void)state;
	again.id = 77;
	r = make(&cart, "GET", "/", 200);
	metrics_count(m, &r);
	r.owner = &again;
	metrics_count(m, &r);
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 2);
	assert_int_equal(series, 1);
	metrics_forget(m, cart.id); /* 77 still has them */
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 2);
	metrics_free(m);
}

/* Bytes that are not UTF-8 must not become two series with the same text. */
static void test_hostile_routes(void **state)
{
	static const char *const routes[] = {"/\xff", "/\xfe", "/\x01", "/\xef\xbf\xbd", "/\x7f"};
	struct metrics *m = new_metrics(100, 10);
	unsigned series;

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct request r = make(&cart, "GET", routes[i % 5], 0);

		metrics_count(m, &r);
	}
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 10);
	assert_int_equal(series, 1);
	assert_line(m, SERVER_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "http_route=\"/\xef\xbf\xbd\"} 10");
	metrics_free(m);
}

static void test_active(void **state)
{
	struct metrics *m = new_metrics(100, 10);

	(void)state;
	metrics_active(m, &cart, 1);
	metrics_active(m, &cart, 1);
	metrics_active(m, &cart, -1);
	assert_line(m, "http_server_active_requests{service=\"cart\"} 1");
	metrics_active(m, &cart, -1);
	assert_line(m, "http_server_active_requests{service=\"cart\"} 0");
	metrics_active(m, &cart, -1);
	assert_line(m, "http_server_active_requests{service=\"cart\"} -1");
	metrics_free(m);
}

static void test_life(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_life life = {
		.opened = {1, 2, 3}, .connect_failures = 4, .retransmits = {0, 5, 6}};

	(void)state;
	metrics_life(m, &cart, &life);
	metrics_life(m, &cart, &life);
	assert_line(m, "tcp_connections_opened_total{service=\"cart\"} 2");
	assert_line(m, "tcp_connections_opened_total{service=\"cart\",role=\"server\"} 4");
	assert_line(m, "tcp_connections_opened_total{service=\"cart\",role=\"client\"} 6");
	assert_line(m, "tcp_connect_failures_total{service=\"cart\",role=\"client\"} 8");
	assert_line(m, "tcp_retransmits_total{service=\"cart\",role=\"server\"} 10");
	assert_line(m, "tcp_retransmits_total{service=\"cart\",role=\"client\"} 12");
	assert_absent(m, "tcp_connect_failures_total{service=\"cart\"}");
	metrics_free(m);
}

static uint64_t entries(const struct metrics *m)
{
	const struct table *tables[METRICS_TABLES];
	uint64_t n = 0;

	metrics_tables(m, tables);
	for (unsigned i = 0; i < METRICS_TABLES - 1; i++)
		n += table_count(tables[i]);
	return n;
}

static void test_forget(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_life life = {.opened = {1, 1, 1}};
	uint64_t before = entries(m);
	unsigned series;

	(void)state;
	metrics_forget(m, cart.id);
	for (int round = 0; round < 3; round++) {
		count_routes(m, &cart, 20);
		metrics_life(m, &cart, &life);
		count_routes(m, &shop, 5);
		metrics_forget(m, cart.id);
		assert_absent(m, "cart");
		assert_int_equal(sum_of(m, SERVER_COUNT, &series), 5 * (round + 1));
	}
	metrics_forget(m, shop.id);
	assert_int_equal(entries(m), before);
	count_routes(m, &shop, 5);
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 5);
	metrics_free(m);
}

static void test_no_owner(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = make(NULL, "GET", "/", 200);

	(void)state;
	metrics_count(m, &r);
	assert_line(m, "http_server_response_body_size_bytes_count{service=\"other\"} 1");
	metrics_free(m);
}

static void test_top(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct metrics_top top[2];
	struct request r = make(&cart, "GET", "/", 500);
	struct owner third = {.id = 3, .service = {"third", 5}};

	(void)state;
	assert_int_equal(metrics_top(m, top, 2), 0);
	metrics_count(m, &r);
	count_routes(m, &third, 2);
	count_routes(m, &shop, 3);
	assert_int_equal(metrics_top(m, top, 2), 2);
	assert_true(str_eq(top[0].service, STR("shop")));
	assert_true(str_eq(top[0].pod, STR("shop-0")));
	assert_int_equal(top[0].container.n, 0);
	assert_int_equal(top[0].requests, 3);
	assert_int_equal(top[0].mean_ns, 2000000);
	assert_true(str_eq(top[1].service, STR("third")));
	metrics_forget(m, third.id);
	assert_int_equal(metrics_top(m, top, 2), 2);
	assert_int_equal(top[1].errors, 1);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_error_type),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_server_address),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_unknown_times),
		cmocka_unit_test(test_sums_stay_exact),
		cmocka_unit_test(test_routes_cap),
		cmocka_unit_test(test_series_cap),
		cmocka_unit_test(test_address_cap),
		cmocka_unit_test(test_global_caps),
		cmocka_unit_test(test_same_names_are_one),
		cmocka_unit_test(test_hostile_routes),
		cmocka_unit_test(test_active),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_no_owner),
		cmocka_unit_test(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
