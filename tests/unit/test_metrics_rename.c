/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes that get other names: series move and add up, nothing is lost, nobody else's move, and the
 * room that old names took is free again.
 */
#include "metrics_text.h"

/* All "/users/..." become "/users/{*}", all "/scan..." "other". */
static size_t again(const struct route_change *c, struct str old, char to[static REQUEST_ROUTE_MAX])
{
	static const struct str now = {"/users/{*}", 10};

	assert_non_null(c->service.p);
	if (str_has_prefix(old, STR("/scan")))
		return request_fill(to, REQUEST_ROUTE_MAX, STR("other"));
	if (!str_has_prefix(old, STR("/users/")) || str_eq(old, now))
		return 0;
	return request_fill(to, REQUEST_ROUTE_MAX, now);
}

static void rename_routes(struct metrics *m, const char *service, enum event_role role,
			  const char *host)
{
	metrics_rename(m, &(struct route_change){.service = str_of(service),
						 .host = str_of(host),
						 .role = role,
						 .again = again});
}

static void count(struct metrics *m, const struct owner *owner, const char *route, int status,
		  const char *host)
{
	struct request r = make(owner, "GET", route, status);

	if (host) {
		r.role = ROLE_CLIENT;
		request_set(&r, host, str_of(host));
	}
	metrics_count(m, &r);
}

#define LINE(service, route, status)                                                            \
	SERVER_COUNT "{service=\"" service "\",http_request_method=\"GET\",http_route=\"" route \
		     "\",http_response_status_code=\"" status "\"} "

static void test_moves_and_adds(void **state)
{
	struct metrics *m = new_metrics(1000, 10);
	unsigned series;

	(void)state;
	for (int i = 0; i < 9; i++) {
		char route[32];

		snprintf(route, sizeof(route), "/users/u%d", i);
		count(m, &cart, route, i % 3 ? 200 : 404, NULL);
		count(m, &cart, route, 200, "h");
		count(m, &shop, route, 200, NULL);
	}
	count(m, &cart, "/tasks", 200, NULL);
	rename_routes(m, "cart", ROLE_SERVER, NULL);
	assert_line(m, LINE("cart", "/users/{*}", "200") "6");
	assert_line(m, LINE("cart", "/users/{*}", "404") "3");
	assert_line(m, LINE("cart", "/tasks", "200") "1");
	assert_absent(m, SERVER_COUNT
		      "{service=\"cart\",http_request_method=\"GET\",http_route=\"/users/u");
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 19);
	assert_int_equal(series, 3 + 9);
	assert_int_equal(sum_of(m, CLIENT_COUNT, &series), 9);
	/* sums and buckets went with them */
	assert_line(m,
		    "http_server_request_duration_seconds_sum{service=\"cart\",http_request_"
		    "method=\"GET\",http_route=\"/users/{*}\",http_response_status_code=\"200\"} "
		    "0.012");
	rename_routes(m, "cart", ROLE_SERVER, NULL); /* nothing is left to do */
	assert_line(m, LINE("cart", "/users/{*}", "200") "6");
	metrics_free(m);
}

/* Ten names, all taken, become one: nine others find room. */
static void test_room(void **state)
{
	struct metrics *m = new_metrics(1000, 10);
	char route[32];

	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(route, sizeof(route), "/users/u%d", i);
		count(m, &cart, route, 200, NULL);
	}
	rename_routes(m, "cart", ROLE_SERVER, NULL);
	for (int i = 0; i < 10; i++) {
		snprintf(route, sizeof(route), "/r%d", i);
		count(m, &cart, route, 200, NULL);
	}
	assert_line(m, LINE("cart", "/r8", "200") "1");
	assert_absent(m, "/r9");
	assert_line(m, LINE("cart", "other", "200") "1");
	assert_int_equal(metrics_overflows(m), 1);
	metrics_free(m);
}

/* What flow/ calls "other" and what found no place here are one series. */
static void test_other(void **state)
{
	struct metrics *m = new_metrics(1000, 1);

	(void)state;
	count(m, &cart, "/scan1", 404, NULL);
	count(m, &cart, "/no-place", 404, NULL);
	count(m, &cart, "other", 404, NULL);
	assert_line(m, LINE("cart", "other", "404") "2");
	rename_routes(m, "cart", ROLE_SERVER, NULL);
	assert_line(m, LINE("cart", "other", "404") "3");
	assert_absent(m, "/scan1");
	count(m, &cart, "/place", 200, NULL);
	assert_line(m, LINE("cart", "/place", "200") "1");
	metrics_free(m);
	/* nor does it take a place */
	m = new_metrics(1000, 2);
	count(m, &cart, "other", 404, NULL);
	count(m, &cart, "/scan1", 404, NULL);
	count(m, &cart, "/place", 404, NULL);
	assert_int_equal(metrics_overflows(m), 0);
	rename_routes(m, "cart", ROLE_SERVER, NULL);
	assert_line(m, LINE("cart", "other", "404") "2");
	metrics_free(m);
}

#define CLIENT(route, host)                                                              \
	CLIENT_COUNT "{service=\"cart\",http_request_method=\"GET\",http_route=\"" route \
		     "\",http_response_status_code=\"200\",server_address=\"" host "\"} "

/* A client's are those of one host. */
static void test_clients(void **state)
{
	struct metrics *m = new_metrics(1000, 10);

	(void)state;
	for (int i = 0; i < 3; i++) {
		count(m, &cart, "/users/ann", 200, "one");
		count(m, &cart, "/users/bob", 200, "one");
		count(m, &cart, "/users/ann", 200, "two");
		count(m, &cart, "/users/ann", 200, NULL);
	}
	rename_routes(m, "cart", ROLE_CLIENT, "one");
	assert_line(m, CLIENT("/users/{*}", "one") "6");
	assert_line(m, CLIENT("/users/ann", "two") "3");
	assert_line(m, LINE("cart", "/users/ann", "200") "3");
	metrics_free(m);
}

/* A stream that began under the old name ends under the new one. */
static void test_streams(void **state)
{
	struct metrics *m = new_metrics(1000, 10);
	struct request r = make(&cart, "GET", "/users/ann", 200);

	(void)state;
	r.stream = STREAM_BEGUN;
	metrics_stream(m, &r);
	rename_routes(m, "cart", ROLE_SERVER, NULL);
	assert_line(m, "http_server_streams{service=\"cart\",http_route=\"/users/{*}\"} 1");
	r.stream = STREAM_OVER;
	request_set(&r, route, STR("/users/{*}"));
	metrics_stream(m, &r);
	assert_line(m, "http_server_streams{service=\"cart\",http_route=\"/users/{*}\"} 0");
	metrics_free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_and_adds), cmocka_unit_test(test_room),
		cmocka_unit_test(test_other),	       cmocka_unit_test(test_clients),
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
