/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry when something is full, hostile or gone. The rule behind all cases: the counts of
 * all series of a family add up to the requests.
 */
#include "base/table.h"
#include "metrics_text.h"

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

/* A request that began where all go that find no place must not end in a place made since. */
static void test_active_never_falls_below_zero(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	const struct owner late = {.id = 5000, .service = STR("late")};

	(void)state;
	for (uint32_t id = 1; id <= 1024; id++) {
		char name[16];
		struct owner owner = {.id = id};

		snprintf(name, sizeof(name), "s%u", id);
		owner.service = str_of(name);
		metrics_active(m, &owner, 1);
	}
	metrics_active(m, &late, 1);
	metrics_forget(m, 1);
	metrics_active(m, &late, 1);
	assert_line(m, "http_server_active_requests{service=\"late\"} 1");
	metrics_active(m, &late, -1);
	metrics_active(m, &late, -1);
	assert_line(m, "http_server_active_requests{service=\"late\"} 0");
	assert_absent(m, "} -");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes_cap),
		cmocka_unit_test(test_series_cap),
		cmocka_unit_test(test_address_cap),
		cmocka_unit_test(test_global_caps),
		cmocka_unit_test(test_same_names_are_one),
		cmocka_unit_test(test_hostile_routes),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_active_never_falls_below_zero),
		cmocka_unit_test(test_no_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
