/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups by number, and processes that are gone before anyone looks at them in procfs.
 */
#include "fake_cluster.h"

#include "who/groups.h"

#define PODS "/kubepods/burstable/pod"

static uint32_t count(struct world *w)
{
	const struct table *tables[WHO_TABLES];

	who_tables(w->who, tables);
	return table_count(tables[WHO_TABLES - 1]);
}

static uint64_t evictions(struct world *w)
{
	const struct table *tables[WHO_TABLES];

	who_tables(w->who, tables);
	return table_evictions(tables[WHO_TABLES - 1]);
}

static void refresh(struct world *w, unsigned rounds)
{
	while (rounds--)
		who_refresh(w->who);
}

static void test_kept_is_what_says_something(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	who_cgroup(w.who, 1, STR("/"));
	who_cgroup(w.who, 2, STR("/user.slice/session-1.scope"));
	who_cgroup(w.who, 3, STR(""));
	assert_int_equal(count(&w), 0);
	who_cgroup(w.who, 4, STR("//system.slice/shop.service"));
	who_cgroup(w.who, 4, STR("//system.slice/shop.service"));
	who_cgroup(w.who, 5, STR("/docker/" ID1));
	assert_int_equal(count(&w), 2);
	who_exec(w.who, 10, STR("curl"), STR("curl\0"), 4);
	assert_string_equal(all(&w, 10, 0), "shop|||");
	who_exec(w.who, 11, STR("curl"), STR("curl\0"), 5);
	assert_string_equal(all(&w, 11, 0), "curl|||111111111111");
	who_exec(w.who, 12, STR("curl"), STR("curl\0"), 3);
	assert_string_equal(all(&w, 12, 0), "curl|||");
	who_hint(w.who, 13, STR(""), 5);
	assert_string_equal(all(&w, 13, 0), "unknown|||111111111111");
	world_close(&w);
}

static void test_gone_before_the_first_look(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app");
	who_cgroup(w.who, 7, STR(PODS UID1 "/" ID1));
	who_exec(w.who, 10, STR("server"), STR("/srv/server\0"), 7);
	who_hint(w.who, 11, STR("forked"), 7);
	who_exit(w.who, 10, 5);
	who_cgroup_gone(w.who, 7);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|app");
	assert_string_equal(all(&w, 11, 0), "web|shop|web-x2k4q|app");
	assert_string_equal(all(&w, 10, 9000), "admin|shop|web-x2k4q|app");
	cluster_close(&w);
}

/* Which container it is says only the link, long after its end. */
static void test_link_after_the_end(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app pods/shop_web-x2k4q_" UID1 "/daprd");
	who_cgroup(w.who, 7, STR(PODS UID1 "/" ID1));
	who_hint(w.who, 10, STR("app"), 7);
	who_exit(w.who, 10, 5);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|?");
	shell(&w, "touch containers/web-x2k4q_shop_app-" ID1 ".log");
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|app");
	cluster_close(&w);
}

/* Its own variables are read while it lives, and outlast it. */
static void test_service_of_one_that_went_on(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app pods/shop_web-x2k4q_" UID1 "/daprd");
	who_cgroup(w.who, 7, STR(PODS UID1 "/" ID1));
	put_process(&w, 10, 1, "python3\0/srv/app.py\0");
	put(&w, 10, "environ", STR("OTEL_SERVICE_NAME=checkout\0"));
	who_hint(w.who, 10, STR("app"), 7);
	assert_string_equal(all(&w, 10, 0), "checkout|shop|web-x2k4q|?");
	vanish(&w, 10);
	shell(&w, "touch containers/web-x2k4q_shop_app-" ID1 ".log");
	assert_string_equal(all(&w, 10, 0), "checkout|shop|web-x2k4q|app");
	cluster_close(&w);
}

/* The pid has another bearer already, or procfs says no more than "/" of one that is ending. */
static void test_the_number_comes_before_procfs(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-0_" UID1 "/app pods/shop_db-0_" UID2 "/app");
	who_cgroup(w.who, 7, STR(PODS UID1 "/" ID1));
	put_in(&w, 10, UID2, ID2);
	who_hint(w.who, 10, STR("app"), 7);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-0|app");
	put_in(&w, 11, UID2, ID2);
	who_hint(w.who, 11, STR("app"), 8); /* which nobody knows */
	assert_string_equal(all(&w, 11, 0), "db|shop|db-0|app");
	cluster_close(&w);
}

/* Its exec was in another cgroup, as that of a runtime's helper is. */
static void test_moved_between_two_records(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-0_" UID1 "/app");
	who_cgroup(w.who, 3, STR("/system.slice/containerd.service"));
	who_cgroup(w.who, 7, STR(PODS UID1 "/" ID1));
	who_exec(w.who, 10, STR("server"), STR("server\0"), 3);
	assert_string_equal(all(&w, 10, 0), "containerd|||");
	who_hint(w.who, 10, STR("server"), 7);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-0|app");
	who_hint(w.who, 10, STR("server"), 0);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-0|app");
	cluster_close(&w);
}

static void test_bounded(void **state)
{
	char path[128];
	struct world w;

	(void)state;
	world_open(&w, 64);
	for (uint64_t i = 1; i <= 5000; i++) {
		int n = snprintf(path, sizeof(path), "/system.slice/u%u.service", (unsigned)i);

		who_cgroup(w.who, i, (struct str){path, (size_t)n});
		if (i <= 1000)
			who_cgroup_gone(w.who, i);
	}
	assert_int_equal(count(&w), 4000); /* those that are gone made room */
	assert_int_equal(evictions(&w), 0);
	for (uint64_t i = 5001; i <= 5100; i++)
		who_cgroup(w.who, i, STR("/system.slice/x.service"));
	assert_int_equal(count(&w), 4096);
	assert_int_equal(evictions(&w), 4);
	for (uint64_t i = 1001; i <= 5100; i++)
		who_cgroup_gone(w.who, i);
	refresh(&w, 299);
	assert_int_equal(count(&w), 4096);
	refresh(&w, 1);
	assert_int_equal(count(&w), 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_is_what_says_something),
		cmocka_unit_test(test_gone_before_the_first_look),
		cmocka_unit_test(test_link_after_the_end),
		cmocka_unit_test(test_service_of_one_that_went_on),
		cmocka_unit_test(test_the_number_comes_before_procfs),
		cmocka_unit_test(test_moved_between_two_records),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
