/* SPDX-License-Identifier: Apache-2.0 */
/* Streams in the registry: a gauge that comes back, and no day-long request in the latency. */
#include "metrics_text.h"

#define SECOND 1000000000ULL
#define LABELS "{service=\"cart\",http_route=\"/events\"}"

static struct request stream_of(const char *route, enum request_stream state, uint64_t added)
{
	struct request r = make(&cart, "GET", route, 200);

	r.stream = (uint8_t)state;
	r.stream_added = added;
	r.response_bytes = 1000;
	r.end = r.first_byte + 61 * SECOND;
	return r;
}

static void tell(struct metrics *m, const char *route, enum request_stream state, uint64_t added)
{
	struct request r = stream_of(route, state, added);

	metrics_stream(m, &r);
}

static void test_life(void **state)
{
	struct metrics *m = new_metrics(100, 10);

	(void)state;
	tell(m, "/events", STREAM_BEGUN, 10);
	tell(m, "/events", STREAM_BEGUN, 0);
	assert_line(m, "http_server_streams" LABELS " 2");
	assert_line(m, "http_server_streams_opened_total" LABELS " 2");
	assert_absent(m, "http_server_stream_duration_seconds");
	tell(m, "/events", STREAM_OPEN, 200);
	assert_line(m, "http_server_stream_bytes_total" LABELS " 210");
	tell(m, "/events", STREAM_OVER, 3000);
	assert_line(m, "http_server_streams" LABELS " 1");
	assert_line(m, "http_server_streams_opened_total" LABELS " 2");
	assert_line(m, "http_server_stream_bytes_total" LABELS " 3210");
	assert_line(m, "http_server_stream_duration_seconds_sum" LABELS " 61");
	assert_line(m, "http_server_stream_duration_seconds_bucket"
		       "{service=\"cart\",http_route=\"/events\",le=\"60\"} 0");
	assert_line(m, "http_server_stream_duration_seconds_bucket"
		       "{service=\"cart\",http_route=\"/events\",le=\"300\"} 1");
	assert_line(m, "http_server_stream_duration_seconds_bucket"
		       "{service=\"cart\",http_route=\"/events\",le=\"86400\"} 1");
	tell(m, "/events", STREAM_OVER, 0);
	assert_line(m, "http_server_streams" LABELS " 0");
	assert_absent(m, "http_server_request_duration_seconds");
	metrics_free(m);
}

/* The request counts with the time to its first byte; its body is the stream's. */
static void test_request(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = stream_of("/events", STREAM_BEGUN, 0);
	struct metrics_top top;

	(void)state;
	metrics_count(m, &r);
	assert_line(m, SERVER_COUNT
		    "{service=\"cart\",http_request_method=\"GET\",http_route=\"/events\","
		    "http_response_status_code=\"200\"} 1");
	assert_line(m, "http_server_request_duration_seconds_sum"
		       "{service=\"cart\",http_request_method=\"GET\",http_route=\"/events\","
		       "http_response_status_code=\"200\"} 0.0003");
	assert_absent(m, "http_server_response_body_size_bytes");
	assert_int_equal(metrics_top(m, &top, 1), 1);
	assert_int_equal(top.mean_ns, 300000);
	metrics_free(m);
}

static void test_of_a_client(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = stream_of("/events", STREAM_BEGUN, 10);

	(void)state;
	r.role = ROLE_CLIENT;
	metrics_count(m, &r);
	metrics_stream(m, &r);
	r.stream = STREAM_OVER;
	metrics_stream(m, &r);
	assert_absent(m, "http_server_stream");
	assert_line(m, "http_client_request_duration_seconds_sum"
		       "{service=\"cart\",http_request_method=\"GET\",http_route=\"/events\","
		       "http_response_status_code=\"200\"} 0.0003");
	metrics_free(m);
}

/* Routes past the cap share one gauge, and each stream leaves the one that it went to. */
static void test_caps(void **state)
{
	struct metrics *m = new_metrics(100, 2);
	unsigned series;
	char route[16];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 5; i++) {
			snprintf(route, sizeof(route), "/e%u", i);
			tell(m, route, round ? STREAM_OVER : STREAM_BEGUN, 1);
		}
		assert_int_equal(sum_of(m, "http_server_streams{", &series), round ? 0 : 5);
		assert_int_equal(series, 3);
	}
	assert_line(m, "http_server_streams{service=\"cart\",http_route=\"other\"} 0");
	assert_line(m, "http_server_streams_opened_total{service=\"cart\",http_route=\"other\"} 3");
	metrics_free(m);
}

/* With its service all figures went; what ends after that takes nobody below zero. */
static void test_forgotten(void **state)
{
	struct metrics *m = new_metrics(100, 10);

	(void)state;
	tell(m, "/events", STREAM_BEGUN, 0);
	metrics_forget(m, cart.id);
	assert_absent(m, "http_server_streams");
	tell(m, "/events", STREAM_OVER, 0);
	assert_line(m, "http_server_streams" LABELS " 0");
	metrics_free(m);
}

static void test_not_every_request_is_heard_of(void **state)
{
	struct metrics *m = metrics_new(
		&(struct metrics_options){.series_max = 100, .routes_max = 10, .no_active = true});

	(void)state;
	assert_non_null(m);
	tell(m, "/events", STREAM_BEGUN, 1);
	tell(m, "/events", STREAM_OVER, 1);
	assert_absent(m, "http_server_stream");
	metrics_free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_of_a_client),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_not_every_request_is_heard_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
