/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket connections in the registry when something is full, hostile or gone: all are counted,
 * and the gauge comes back to zero and never falls below.
 */
#include "metrics_websocket.h"

/* Peers may close with any number: those that have a meaning stand alone, as far as there is room.
 */
static void test_close_codes(void **state)
{
	struct metrics *m = new_metrics(1000, 50);
	unsigned series;

	(void)state;
	for (unsigned code = 0; code <= UINT16_MAX; code++) {
		open_one(m, &cart, ROLE_SERVER);
		close_one(m, &cart, ROLE_SERVER, (uint16_t)code);
	}
	assert_int_equal(sum_of(m, "websocket_connections_closed_total{", &series), 65536);
	assert_int_equal(series, 51);
	assert_line(m, CLOSED "\"1000\",initiator=\"network\"} 1");
	assert_line(m, CLOSED "\"3000\",initiator=\"network\"} 1");
	assert_line(m, CLOSED "\"other\",initiator=\"network\"} 65486");
	assert_absent(m, "close_code=\"999\"");
	assert_absent(m, "close_code=\"1016\"");
	assert_absent(m, "close_code=\"5000\"");
	assert_int_equal(metrics_overflows(m), 16 + 2000 - 50);
	assert_line(m, "websocket_connections" SERVER "0");
	metrics_free(m);
}

/* Few series are allowed: the sums hold, and the gauge comes back to zero. */
static void test_series_cap(void **state)
{
	for (uint32_t cap = 1; cap < 20; cap += 3) {
		struct metrics *m = new_metrics(cap, 1000);
		unsigned series;

		(void)state;
		for (unsigned code = 4000; code < 4100; code++)
			open_one(m, &cart, code % 2 ? ROLE_SERVER : ROLE_CLIENT);
		assert_int_equal(sum_of(m, "websocket_connections{", &series), 100);
		for (unsigned code = 4000; code < 4100; code++)
			close_one(m, &cart, code % 2 ? ROLE_SERVER : ROLE_CLIENT, (uint16_t)code);
		assert_int_equal(sum_of(m, "websocket_connections_closed_total{", &series), 100);
		assert_true(series <= (cap < 2 ? 2 : cap));
		assert_int_equal(sum_of(m, "websocket_connections{", &series), 0);
		assert_absent(m, "} -");
		metrics_free(m);
	}
}

/* Its series are gone: the end of a connection must not take one from nothing. */
static void test_forgotten(void **state)
{
	struct metrics *m = new_metrics(100, 10);

	(void)state;
	open_one(m, &cart, ROLE_SERVER);
	open_one(m, &shop, ROLE_SERVER);
	metrics_forget(m, cart.id);
	assert_absent(m, "cart");
	close_one(m, &cart, ROLE_SERVER, 1000);
	assert_line(m, "websocket_connections" SERVER "0");
	assert_line(m, "websocket_connections{" SHOP ",role=\"server\"} 1");
	assert_absent(m, "} -");
	open_one(m, &cart, ROLE_SERVER);
	assert_line(m, "websocket_connections" SERVER "1");
	metrics_free(m);
}

struct numbered {
	char name[16];
	struct owner owner;
};

static void number_one(struct numbered *n, uint32_t id)
{
	*n = (struct numbered){.owner = {.id = id}};
	snprintf(n->name, sizeof(n->name), "s%u", id);
	n->owner.service = str_of(n->name);
}

/* Opens one where there is no place for it, one in the place that is made then, and closes both. */
static void come_late(struct metrics *m, const char *elsewhere)
{
	const struct owner late = {.id = 5000, .service = STR("late")};
	unsigned series;

	open_one(m, &late, ROLE_CLIENT);
	assert_line(m, elsewhere);
	metrics_forget(m, 1);
	open_one(m, &late, ROLE_CLIENT);
	assert_line(m, "websocket_connections{service=\"late\",role=\"client\"} 1");
	close_one(m, &late, ROLE_CLIENT, 1000);
	close_one(m, &late, ROLE_CLIENT, 1000);
	assert_int_equal(sum_of(m, "websocket_connections{", &series), 0);
	assert_absent(m, "} -");
}

/* Opened where all go that find no place, closed in a place made since. */
static void test_gauge_finds_its_place(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct numbered n;

	(void)state;
	for (uint32_t id = 1; id <= 1024; id++) {
		number_one(&n, id);
		metrics_active(m, &n.owner, 1);
	}
	come_late(m, "websocket_connections{service=\"other\",role=\"client\"} 1");
	metrics_free(m);
}

/* The same where all series are in use, so that not even a role is told apart. */
static void test_gauge_finds_the_last_place(void **state)
{
	struct metrics *m = new_metrics(2000, 200);
	struct numbered n;

	(void)state;
	for (uint32_t id = 1; id <= 60; id++) {
		number_one(&n, id);
		count_routes(m, &n.owner, 200);
	}
	come_late(m, "websocket_connections{service=\"other\"} 1");
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_codes),
		cmocka_unit_test(test_series_cap),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_gauge_finds_its_place),
		cmocka_unit_test(test_gauge_finds_the_last_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
