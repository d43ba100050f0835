/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that come after the question, go, or are too many.
 */
#include "fake_cluster.h"

/* Nothing says which one: the request waits for the link, and is named right at its end. */
static void test_link_after_the_request_began(void **state)
{
	const struct owner *begun;
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app pods/shop_web-x2k4q_" UID1 "/daprd");
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|?");
	assert_string_equal(all(&w, 10, 9000), "admin|shop|web-x2k4q|?");
	assert_string_equal(all(&w, 10, 7000), "web|shop|web-x2k4q|?");
	begun = who_is(w.who, 10, 7000);
	who_hold(begun);
	shell(&w, "ln -s /nowhere containers/web-x2k4q_shop_app-" ID1 ".log");
	assert_string_equal(all(&w, 10, 7000), "web|shop|web-x2k4q|app");
	assert_string_equal(all(&w, 10, 9000), "admin|shop|web-x2k4q|app");
	assert_true(who_is_provisional(begun)); /* what it was given stays what it was */
	assert_int_not_equal(begun->id, who_is(w.who, 10, 7000)->id);
	who_release(begun);
	cluster_close(&w);
}

/* The whole order of the kubelet, looked at between any two steps. */
static void test_nothing_known_yet(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "app|||111111111111?");
	shell(&w, "mkdir pods/shop_web-x2k4q_" UID1);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|?");
	shell(&w, "mkdir pods/shop_web-x2k4q_" UID1 "/app");
	who_refresh(w.who); /* that folder is not watched: asked again a second later */
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|app");
	shell(&w, "mkdir pods/shop_web-x2k4q_" UID1 "/other");
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|app"); /* for good */
	cluster_close(&w);
}

static void test_waits_end(void **state)
{
	const struct owner *late;
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	put_in(&w, 10, UID1, ID1);
	for (int round = 0; round < 5; round++) {
		assert_string_equal(all(&w, 10, 0), "app|||111111111111?");
		who_refresh(w.who);
	}
	late = who_is(w.who, 10, 0);
	assert_false(who_is_provisional(late));
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app");
	assert_ptr_equal(who_is(w.who, 10, 0), late); /* its series are what they are */
	who_exec(w.who, 10, STR("app"), STR("app\0"), 0);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|app");
	cluster_close(&w);
}

/* A process that is gone keeps what was known, and is asked no more. */
static void test_gone_while_waiting(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app pods/shop_web-x2k4q_" UID1 "/daprd");
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|?");
	who_exit(w.who, 10, 5);
	vanish(&w, 10);
	shell(&w, "touch containers/web-x2k4q_shop_app-" ID1 ".log");
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|?");
	for (int round = 0; round < 5; round++)
		who_refresh(w.who);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|"); /* it waits no more */
	cluster_close(&w);
}

static void test_removed_and_made_again(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-0_" UID1 "/app");
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-0|app");
	shell(&w, "rm -r pods/shop_web-0_" UID1 " && mkdir -p pods/shop_web-1_" UID2 "/app");
	assert_string_equal(all(&w, 10, 0), "web|shop|web-0|app"); /* it was found in time */
	put_in(&w, 11, UID1, ID1);
	assert_string_equal(all(&w, 11, 0), "app|||111111111111?");
	put_in(&w, 12, UID2, ID2);
	assert_string_equal(all(&w, 12, 0), "web|shop|web-1|app");
	cluster_close(&w);
}

/* The kubelet may come after the agent, and its folders may be replaced. */
static void test_folders_that_come_later(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "rmdir pods containers");
	who_refresh(w.who);
	shell(&w, "mkdir -p pods/shop_web-0_" UID1 "/app containers");
	who_refresh(w.who);
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-0|app");
	shell(&w, "mv pods old && mkdir -p pods/shop_web-1_" UID2 "/app");
	who_refresh(w.who);
	who_refresh(w.who); /* the first one sees the old folder go */
	put_in(&w, 11, UID2, ID2);
	assert_string_equal(all(&w, 11, 0), "web|shop|web-1|app");
	put_in(&w, 12, UID1, ID1);
	assert_string_equal(all(&w, 12, 0), "app|||111111111111?"); /* all of the old one is void */
	cluster_close(&w);
}

static void test_names_are_bounded(void **state)
{
	const struct table *tables[WHO_TABLES];
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w,
	      "for i in $(seq 10000 13000); do echo pods/a_b-0_57e67067-89e4-4001-bdd4-8632d39$i; "
	      "done | xargs mkdir");
	shell(&w, "mkdir -p pods/shop_web-0_" UID1 "/app");
	who_refresh(w.who);
	who_tables(w.who, tables);
	assert_int_equal(table_count(tables[2]), 2048);
	assert_int_equal(table_evictions(tables[2]), 3002 - 2048);
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-0|app");
	cluster_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_after_the_request_began),
		cmocka_unit_test(test_nothing_known_yet),
		cmocka_unit_test(test_waits_end),
		cmocka_unit_test(test_gone_while_waiting),
		cmocka_unit_test(test_removed_and_made_again),
		cmocka_unit_test(test_folders_that_come_later),
		cmocka_unit_test(test_names_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
