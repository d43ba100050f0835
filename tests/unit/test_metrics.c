/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: which requests go where, under which labels, in which bucket, and the page's table.
 */
#include <sys/socket.h>

#include "metrics_text.h"

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
	assert_line(m, "http_server_active_requests{service=\"cart\"} 0");
	assert_absent(m, "} -");
	metrics_free(m);
}

static void test_life(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_life life = {
		.opened = {1, 2, 3},
		.connect_failures = 4,
		.retransmits = {0, 5, 6},
		.uring_unread = 7,
	};

	(void)state;
	metrics_life(m, &cart, &life);
	metrics_life(m, &cart, &life);
	assert_line(m, "tcp_connections_opened_total{service=\"cart\"} 2");
	assert_line(m, "tcp_connections_opened_total{service=\"cart\",role=\"server\"} 4");
	assert_line(m, "tcp_connections_opened_total{service=\"cart\",role=\"client\"} 6");
	assert_line(m, "tcp_connect_failures_total{service=\"cart\",role=\"client\"} 8");
	assert_line(m, "tcp_retransmits_total{service=\"cart\",role=\"server\"} 10");
	assert_line(m, "tcp_retransmits_total{service=\"cart\",role=\"client\"} 12");
	assert_line(m, "sonde_unseen_io_total{service=\"cart\",reason=\"io_uring\"} 14");
	assert_absent(m, "tcp_connect_failures_total{service=\"cart\"}");
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
		cmocka_unit_test(test_active),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
