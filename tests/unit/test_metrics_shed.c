/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions that the kernel half counted, into the registry: the same families, labels and
 * buckets as if each had come by itself, but without route, address and sizes.
 */
#include "event.h"
#include "metrics_text.h"

#define FIRST_BYTE_COUNT "http_server_time_to_first_byte_seconds_count"

/* As the kernel half counts: bounds[] beyond the metrics' own are never reached. */
static void times_add(struct event_times *t, uint64_t ns)
{
	const uint64_t *bounds;
	unsigned count = metrics_duration_bounds(&bounds), i = 0;

	while (i < count && ns > bounds[i])
		i++;
	t->buckets[i < count ? i : SHED_BOUNDS]++;
	t->sum += ns;
}

static struct event_shed shed_of(const uint64_t *durations, unsigned n, uint64_t first)
{
	struct event_shed shed = {0};

	for (unsigned i = 0; i < n; i++) {
		times_add(&shed.duration, durations[i]);
		if (first)
			times_add(&shed.first_byte, first);
	}
	return shed;
}

static struct request like(const struct owner *owner, enum event_role role, int status)
{
	struct request r = {.owner = owner, .role = (uint8_t)role, .status = (uint16_t)status};

	request_set(&r, op, STR("GET"));
	return r;
}

static const uint64_t durations[] = {100000, 100001, 7000000000, 10000000000, 10000000001};

static void test_server(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_shed shed = shed_of(durations, 5, 300000);
	struct request r = like(&shop, ROLE_SERVER, 200);

	(void)state;
	metrics_shed(m, &r, &shed);
	metrics_shed(m, &r, &shed);
#define LABELS                                                                             \
	"{service=\"shop\",namespace=\"prod\",pod=\"shop-0\",http_request_method=\"GET\"," \
	"http_response_status_code=\"200\""
#define BUCKET "http_server_request_duration_seconds_bucket" LABELS ",le="
	assert_line(m, SERVER_COUNT LABELS "} 10");
	assert_line(m, "http_server_request_duration_seconds_sum" LABELS "} 54.000400004");
	assert_line(m, BUCKET "\"0.0001\"} 2");
	assert_line(m, BUCKET "\"0.00025\"} 4");
	assert_line(m, BUCKET "\"5\"} 4");
	assert_line(m, BUCKET "\"7.5\"} 6");
	assert_line(m, BUCKET "\"10\"} 8");
	assert_line(m, BUCKET "\"+Inf\"} 10");
	assert_line(m, FIRST_BYTE_COUNT "{service=\"shop\",namespace=\"prod\",pod=\"shop-0\"} 10");
	assert_line(m, "http_server_time_to_first_byte_seconds_sum{service=\"shop\","
		       "namespace=\"prod\",pod=\"shop-0\"} 0.003");
	assert_absent(m, "http_route");
	assert_absent(m, "body_size");
	assert_absent(m, "http_client");
	assert_int_equal(metrics_counted(m), 10);
	assert_int_equal(metrics_overflows(m), 0);
	metrics_free(m);
}

static void test_client(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_shed shed = shed_of(durations, 3, 300000);
	struct request r = like(&cart, ROLE_CLIENT, 404);

	(void)state;
	metrics_shed(m, &r, &shed);
	assert_line(m, CLIENT_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "http_response_status_code=\"404\",error_type=\"404\"} 3");
	assert_absent(m, "http_server");
	assert_absent(m, "server_address");
	metrics_free(m);
}

static void test_aborted(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_shed shed = shed_of(durations, 2, 0);
	struct request r = like(&cart, ROLE_SERVER, 0);
	struct metrics_top top;

	(void)state;
	r.error = REQUEST_ABORTED;
	metrics_shed(m, &r, &shed);
	assert_line(m, SERVER_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "error_type=\"aborted\"} 2");
	assert_absent(m, "time_to_first_byte");
	shed = shed_of(durations + 2, 1, 0);
	r = like(&cart, ROLE_SERVER, 200);
	metrics_shed(m, &r, &shed);
	assert_int_equal(metrics_top(m, &top, 1), 1);
	assert_int_equal(top.requests, 3);
	assert_int_equal(top.errors, 2);
	assert_int_equal(top.mean_ns, (100000 + 100001 + 7000000000) / 3);
	metrics_free(m);
}

/* One without route that came by itself goes into the same series. */
static void test_beside_counted(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_shed shed = shed_of(durations, 1, 0);
	struct request r = like(&cart, ROLE_SERVER, 200), whole = make(&cart, "GET", "", 200);
	unsigned series;

	(void)state;
	metrics_count(m, &whole);
	metrics_shed(m, &r, &shed);
	request_set(&whole, route, STR("/a"));
	metrics_count(m, &whole);
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 3);
	assert_int_equal(series, 2);
	assert_line(m, SERVER_COUNT "{service=\"cart\",http_request_method=\"GET\","
				    "http_response_status_code=\"200\"} 2");
	assert_line(m, "http_server_request_duration_seconds_sum{service=\"cart\","
		       "http_request_method=\"GET\",http_response_status_code=\"200\"} 0.0021");
	assert_int_equal(metrics_counted(m), 3);
	metrics_free(m);
}

static void test_nothing(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_shed shed = {0};
	struct request r = like(&cart, ROLE_SERVER, 200);

	(void)state;
	metrics_shed(m, &r, &shed);
	assert_absent(m, "cart");
	metrics_free(m);
}

static void test_caps(void **state)
{
	struct metrics *m = new_metrics(20, 10);
	struct event_shed shed = shed_of(durations, 5, 1000);
	unsigned series;

	(void)state;
	for (int status = 100; status < 200; status++) {
		struct request r = like(&cart, ROLE_SERVER, status);

		metrics_shed(m, &r, &shed);
	}
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 500);
	assert_true(series <= 20);
	assert_int_equal(sum_of(m, FIRST_BYTE_COUNT, &series), 500);
	assert_int_equal(metrics_counted(m), 500);
	assert_in_range(metrics_overflows(m), 5 * (100 - 20), 499);
	assert_int_equal(metrics_overflows(m) % 5, 0);
	metrics_free(m);
}

static void test_no_owner(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_shed shed = shed_of(durations, 5, 0);
	struct request r = like(NULL, ROLE_SERVER, 200);

	(void)state;
	r.length.op = 0; /* nothing is known but the role */
	r.status = 0;
	metrics_shed(m, &r, &shed);
	assert_line(m, SERVER_COUNT "{service=\"other\",http_request_method=\"_OTHER\"} 5");
	metrics_free(m);
}

static void test_no_active(void **state)
{
	struct metrics *m = metrics_new(
		&(struct metrics_options){.series_max = 100, .routes_max = 10, .no_active = true});
	struct request r = make(&cart, "GET", "/", 200);

	(void)state;
	assert_non_null(m);
	metrics_active(m, &cart, 1);
	metrics_count(m, &r);
	metrics_active(m, &cart, 1);
	assert_absent(m, "http_server_active_requests");
	assert_line(m, "http_server_time_to_first_byte_seconds_count{service=\"cart\"} 1");
	metrics_free(m);
}

/* What the kernel half is told is what is printed. */
static void test_bounds(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_shed shed = shed_of(durations, 1, 0);
	struct request r = like(&cart, ROLE_SERVER, 0);
	const uint64_t *bounds;
	unsigned count = metrics_duration_bounds(&bounds), printed = 0;
	char *text, *at;

	(void)state;
	metrics_shed(m, &r, &shed);
	at = text = text_of(m);
	assert_in_range(count, 2, SHED_BOUNDS);
	while ((at = strstr(at, ",le=\""))) {
		at += 5;
		if (*at == '+')
			break;
		assert_true(printed < count);
		assert_int_equal((uint64_t)(strtod(at, NULL) * 1e9 + 0.5), bounds[printed]);
		assert_true(printed == 0 || bounds[printed] > bounds[printed - 1]);
		printed++;
	}
	assert_int_equal(printed, count);
	free(text);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server),	 cmocka_unit_test(test_client),
		cmocka_unit_test(test_aborted),	 cmocka_unit_test(test_beside_counted),
		cmocka_unit_test(test_nothing),	 cmocka_unit_test(test_caps),
		cmocka_unit_test(test_no_owner), cmocka_unit_test(test_no_active),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
