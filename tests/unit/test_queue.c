/* SPDX-License-Identifier: Apache-2.0 */
/* The time that requests waited to be read: from the record to its request, and to the metrics. */
#include "flow_records.h"
#include "out/metrics.h"
#include "out/prom.h"

#define GET    "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_B  "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define FAMILY "http_server_request_queue_seconds"

/* Each request has its own record's, whatever later records say. */
static void test_of_its_record(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	f->queued = 5000;
	link_request(f, &l, GET, 0);
	f->queued = 7000;
	link_response(f, &l, OK);
	link_request(f, &l, GET_B, 0);
	f->queued = 0;
	link_response(f, &l, OK);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 0)->queued, 5000);
	assert_int_equal(seen(f, 1)->queued, 7000);
	assert_int_equal(seen(f, 2)->queued, 0);
}

/* Where they came in one read, only the first one's position is the record's. */
static void test_pipelined(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	f->queued = 5000;
	link_request(f, &l, GET GET_B, 0);
	link_response(f, &l, OK);
	link_response(f, &l, OK);
	assert_int_equal(f->done, 2);
	assert_int_equal(seen(f, 0)->queued, 5000);
	assert_int_equal(seen(f, 1)->queued, 0);
}

static void test_in_pieces(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	f->queued = 5000;
	send_pieces(f, &l, MESSAGE_REQUEST, GET, 16, 3);
	f->queued = 0;
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 0)->queued, 5000);
}

/* Without its record nobody knows. */
static void test_lost(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	f->queued = 5000;
	f->lose = true;
	link_request(f, &l, GET, 0);
	f->lose = false;
	link_response(f, &l, OK);
	assert_int_equal(f->done, 1);
	assert_int_equal(seen(f, 0)->queued, 0);
}

static char *counted(uint8_t role, uint64_t queued)
{
	static const struct owner owner = {.id = 1, .service = {"shop", 4}};
	struct request r = {.owner = &owner, .role = role, .start = 1, .end = 2, .queued = queued};
	struct metrics *m =
		metrics_new(&(struct metrics_options){.series_max = 100, .routes_max = 10});
	struct buf b;
	struct prom p = {&b, PROM_TEXT};

	assert_non_null(m);
	metrics_count(m, &r);
	buf_init_growing(&b, 1 << 20);
	metrics_write(m, &p);
	buf_char(&b, '\0');
	metrics_free(m);
	return b.p;
}

static void test_family(void **state)
{
	char *text = counted(ROLE_SERVER, 1024000);

	(void)state;
	assert_non_null(strstr(text, "# TYPE " FAMILY " histogram\n"));
	assert_non_null(strstr(text, FAMILY "_bucket{service=\"shop\",le=\"0.001\"} 0\n"));
	assert_non_null(strstr(text, FAMILY "_bucket{service=\"shop\",le=\"0.0025\"} 1\n"));
	assert_non_null(strstr(text, FAMILY "_sum{service=\"shop\"} 0.001024\n"));
	assert_non_null(strstr(text, FAMILY "_count{service=\"shop\"} 1\n"));
	free(text);
}

/* What is not known is not 0, and a client's socket is not the one that it waited in. */
static void test_not_known(void **state)
{
	char *unknown = counted(ROLE_SERVER, 0), *client = counted(ROLE_CLIENT, 5000);

	(void)state;
	assert_null(strstr(unknown, FAMILY));
	assert_null(strstr(client, FAMILY));
	free(unknown);
	free(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(of_its_record),
		TEST(pipelined),
		TEST(in_pieces),
		TEST(lost),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
