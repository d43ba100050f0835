/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that come back: who is the same one, for how long, and how often. Then the same through
 * whole connections.
 */
#include "flow/reconnect.h"
#include "flow_websocket.h"

#define WINDOW	    (30 * NS_PER_SECOND)
#define CLIENTS_MAX 4
#define T	    (1000 * NS_PER_SECOND)

static int reconnects_setup(void **state)
{
	*state = reconnects_new(CLIENTS_MAX, WINDOW);
	return *state ? 0 : -1;
}

static int reconnects_teardown(void **state)
{
	reconnects_free(*state);
	return 0;
}

static struct reconnect_client client(uint32_t service, uint8_t ip, const char *user,
				      const char *protocol)
{
	return (struct reconnect_client){.service = service,
					 .peer = {.family = AF_INET, .ip = {10, 0, 0, ip}},
					 .user = str_of(user),
					 .protocol = str_of(protocol)};
}

static bool comes_back(struct reconnects *r, struct reconnect_client lost,
		       struct reconnect_client found)
{
	reconnect_closed(r, &lost, T);
	return reconnect_opened(r, &found, T);
}

static void test_same(void **state)
{
	struct reconnects *r = *state;
	struct reconnect_client other_port = client(1, 1, NULL, "chat");

	other_port.peer.port = 4711;
	assert_true(comes_back(r, client(1, 1, NULL, "chat"), other_port));
	assert_true(comes_back(r, client(1, 1, NULL, NULL), client(1, 1, NULL, "")));
	assert_true(comes_back(r, client(1, 1, "ann", "chat"), client(1, 2, "ann", "news")));
	assert_int_equal(table_count(reconnects_table(r)), 0);
}

static void test_other(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct reconnects *r = reconnects_new(CLIENTS_MAX, WINDOW);
		const struct reconnect_client pairs[6][2] = {
			{client(1, 1, NULL, "chat"), client(1, 2, NULL, "chat")},
			{client(1, 1, NULL, "chat"), client(1, 1, NULL, "news")},
			{client(1, 1, NULL, "chat"), client(2, 1, NULL, "chat")},
			{client(1, 1, "ann", "chat"), client(1, 1, "bob", "chat")},
			{client(1, 1, "ann", "chat"), client(1, 1, NULL, "chat")},
			{client(1, 0, "ann", NULL), client(1, 0, NULL, "ann")},
		};

		assert_false(comes_back(r, pairs[i][0], pairs[i][1]));
		assert_true(reconnect_opened(r, &pairs[i][0], T));
		reconnects_free(r);
	}
}

static void test_window(void **state)
{
	struct reconnects *r = *state;
	struct reconnect_client c = client(1, 1, NULL, "chat");

	reconnect_closed(r, &c, T);
	assert_false(reconnect_opened(r, &c, T - 1)); /* before it was closed */
	assert_true(reconnect_opened(r, &c, T + WINDOW));
	reconnect_closed(r, &c, T);
	assert_false(reconnect_opened(r, &c, T + WINDOW + 1));
	assert_int_equal(table_count(reconnects_table(r)), 0);
}

/* Each closed one accounts for one, however many are one client. */
static void test_each_once(void **state)
{
	struct reconnects *r = *state;
	struct reconnect_client c = client(1, 1, NULL, NULL);
	unsigned back = 0;

	for (unsigned i = 0; i < 1000; i++)
		reconnect_closed(r, &c, T + i * NS_PER_MS);
	for (unsigned i = 0; i < 1500; i++)
		back += reconnect_opened(r, &c, T + 2 * NS_PER_SECOND + i);
	assert_int_equal(back, 1000);
	reconnect_closed(r, &c, T);
	assert_true(reconnect_opened(r, &c, T));
	assert_false(reconnect_opened(r, &c, T));
}

/* One lost every second for two minutes: those of the last 30 s count, give or take a group. */
static void test_steady(void **state)
{
	struct reconnects *r = *state;
	struct reconnect_client c = client(1, 1, NULL, NULL);
	uint64_t now = T;
	unsigned back = 0;

	for (unsigned i = 0; i < 120; i++, now += NS_PER_SECOND)
		reconnect_closed(r, &c, now);
	for (unsigned i = 0; i < 200; i++)
		back += reconnect_opened(r, &c, now);
	assert_in_range(back, 30, 30 + 30 / 7 + 1);
}

/* The one that expires first goes first, so that both count. */
static void test_oldest_first(void **state)
{
	struct reconnects *r = *state;
	struct reconnect_client c = client(1, 1, NULL, NULL);

	reconnect_closed(r, &c, T);
	reconnect_closed(r, &c, T + 20 * NS_PER_SECOND);
	assert_true(reconnect_opened(r, &c, T + 25 * NS_PER_SECOND));
	assert_true(reconnect_opened(r, &c, T + 45 * NS_PER_SECOND));
}

static void test_bounded(void **state)
{
	struct reconnects *r = *state;
	struct reconnect_client first = client(1, 1, NULL, NULL), c;

	reconnect_closed(r, &first, T);
	for (uint8_t ip = 2; ip <= CLIENTS_MAX; ip++) {
		c = client(1, ip, NULL, NULL);
		reconnect_closed(r, &c, T);
	}
	reconnect_closed(r, &first, T); /* in use: another goes */
	c = client(1, 100, NULL, NULL);
	reconnect_closed(r, &c, T);
	assert_int_equal(table_count(reconnects_table(r)), CLIENTS_MAX);
	assert_int_equal(table_evictions(reconnects_table(r)), 1);
	assert_true(reconnect_opened(r, &first, T));
	c = client(1, 2, NULL, NULL);
	assert_false(reconnect_opened(r, &c, T));
}

static void test_off(void **state)
{
	struct reconnects *r = reconnects_new(CLIENTS_MAX, 0);

	(void)state;
	assert_false(comes_back(r, client(1, 1, NULL, NULL), client(1, 1, NULL, NULL)));
	assert_int_equal(table_count(reconnects_table(r)), 0);
	reconnects_free(r);
}

static bool live(struct watch *watch, uint64_t id, uint8_t role, const char *answer)
{
	struct event_websocket e;
	bool reconnect;

	if (answer)
		shake(watch, id, role, answer);
	e = socket_of(watch, id, role);
	socket_sweep(watch, &e);
	reconnect = watch->told_count && told_last(watch)->w.conn == id &&
		    told_last(watch)->w.reconnect;
	socket_over(watch, &e, CLOSER_PEER);
	assert_int_equal(told_last(watch)->w.reconnect, reconnect);
	return reconnect;
}

static void test_connections(void **state)
{
	struct watch watch;

	(void)state;
	watch_start_with(&watch, &(struct flow_options){.connections_max = 16,
							.exchanges_max = 16,
							.reconnect_window_ns = WINDOW});
	assert_false(live(&watch, 1, ROLE_SERVER, AGREE));
	assert_true(live(&watch, 2, ROLE_SERVER, AGREE));
	assert_false(live(&watch, 3, ROLE_SERVER, NULL)); /* who is it? */
	assert_false(live(&watch, 4, ROLE_CLIENT, AGREE));
	assert_false(live(&watch, 5, ROLE_CLIENT, AGREE));
	assert_true(live(&watch, 6, ROLE_SERVER, AGREE));
	watch.feed.now += WINDOW;
	assert_false(live(&watch, 7, ROLE_SERVER, AGREE));
	watch_end(&watch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, reconnects_setup, reconnects_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_same),
		cmocka_unit_test(test_other),
		TEST(test_window),
		TEST(test_each_once),
		TEST(test_steady),
		TEST(test_oldest_first),
		TEST(test_bounded),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
