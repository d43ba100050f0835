/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of processes and the order of the sources.
 */
#include "fake_proc.h"

static void test_order_of_sources(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	for (uint32_t pid = 10; pid <= 14; pid++)
		put_process(&w, pid, 100, "python3\0-m\0uvicorn\0");
	put(&w, 10, "environ",
	    STR("A=1\0OTEL_RESOURCE_ATTRIBUTES=service.name=weak\0OTEL_SERVICE_NAME=strong\0"));
	put(&w, 11, "environ",
	    STR("OTEL_SERVICE_NAME=\0OTEL_RESOURCE_ATTRIBUTES=a=b, service.name = "
		"my%20shop%2,c=d\0"));
	put(&w, 11, "cgroup", STR("0::/system.slice/unit.service\n"));
	put(&w, 12, "environ", STR("XOTEL_SERVICE_NAME=no\0OTEL_SERVICE_NAMES=no\0"));
	put(&w, 12, "cgroup", STR("0::/system.slice/unit.service\n"));
	put(&w, 14, "environ", STR("OTEL_SERVICE_NAME=last-without-NUL"));

	assert_who(&w, 10, 0, "strong");
	assert_who(&w, 10, 8000, "backend");
	assert_who(&w, 11, 0, "my shop%2");
	assert_who(&w, 12, 0, "unit");
	assert_who(&w, 13, 0, "uvicorn");
	assert_who(&w, 14, 0, "last-without-NUL");
	assert_who(&w, 99, 0, "unknown");
	world_close(&w);
}

static void test_rule_is_remembered_for_clients(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 100, "nginx\0");
	assert_who(&w, 10, 0, "nginx");
	assert_who(&w, 10, 9000, "admin");
	assert_who(&w, 10, 0, "admin");
	assert_who(&w, 10, 8000, "backend");
	assert_who(&w, 10, 9000, "admin");
	assert_who(&w, 10, 0, "backend"); /* the first rule, whatever came first */
	assert_who(&w, 10, 7000, "nginx");
	who_exec(w.who, 10, STR("nginx"), STR("nginx\0"), 0);
	assert_who(&w, 10, 0, "nginx");
	world_close(&w);
}

static void test_answers_are_cached(void **state)
{
	const struct owner *first;
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "one\0");
	put_process(&w, 11, 1, "one\0");
	first = who_is(w.who, 10, 0);
	assert_ptr_equal(first, who_is(w.who, 11, 0)); /* equal identities share one */
	put_process(&w, 10, 1, "two\0");
	assert_ptr_equal(first, who_is(w.who, 10, 0));
	assert_int_not_equal(first->id, 0);
	assert_int_not_equal(first->id, who_is(w.who, 10, 8000)->id);
	assert_int_equal(first->pod.n, 0);
	world_close(&w);
}

static void test_exec_after_fork(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "bash\0");
	assert_who(&w, 10, 0, "bash"); /* looked at between fork and exec */
	put_process(&w, 10, 1, "/usr/bin/curl\0http://x/\0");
	who_exec(w.who, 10, STR("curl"), STR("/usr/bin/curl\0http://x/\0"), 0);
	assert_who(&w, 10, 0, "curl");
	world_close(&w);
}

static void test_gone_before_the_look(void **state)
{
	char cut[EVENT_ARGS_MAX];
	struct world w;

	(void)state;
	world_open(&w, 64);
	who_exec(w.who, 10, STR("python3"), STR("python3\0/srv/job.py\0"), 0);
	who_exit(w.who, 10, 5);
	assert_who(&w, 10, 0, "job");
	who_hint(w.who, 11, STR("curl"), 0);
	who_exit(w.who, 11, 5);
	assert_who(&w, 11, 0, "curl");
	who_exec(w.who, 12,
		 STR("wg\xff"
		     "t"),
		 STR(""), 0);
	assert_who(&w, 12, 0, "wg_t");
	memset(cut, 'x', sizeof(cut));
	memcpy(cut, "node\0", 5);
	who_exec(w.who, 13, STR("node"), (struct str){cut, sizeof(cut)}, 0);
	assert_who(&w, 13, 0, "node"); /* the script's name was cut off */
	assert_who(&w, 14, 0, "unknown");
	who_hint(w.who, 14, STR("late"), 0);
	assert_who(&w, 14, 0, "late");
	who_exit(w.who, 15, 0); /* never heard of */
	world_close(&w);
}

static void test_pid_reuse(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 100, "old\0");
	assert_who(&w, 10, 8000, "backend");
	assert_who(&w, 10, 7000, "old");
	who_exit(w.who, 10, 5);
	assert_who(&w, 10, 7000, "old"); /* still in procfs, the same */
	put_stat(&w, 10, 'Z', 1, 100);
	assert_who(&w, 10, 7000, "old");
	vanish(&w, 10);
	assert_who(&w, 10, 7000, "old");
	assert_who(&w, 10, 0, "backend");
	put_process(&w, 10, 200, "new\0");
	assert_who(&w, 10, 7000, "new");
	assert_who(&w, 10, 0, "new"); /* nor does the port's rule survive */
	who_exit(w.who, 10, 6);
	who_exec(w.who, 10, STR("third"), STR("third\0"), 0);
	put_process(&w, 10, 300, "third\0");
	assert_who(&w, 10, 0, "third");
	world_close(&w);
}

static void test_zombie_keeps_its_exec_name(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	who_exec(w.who, 10, STR("curl"), STR("curl\0http://x/\0"), 0);
	put_stat(&w, 10, 'Z', 1, 100);
	put(&w, 10, "cmdline", STR(""));
	who_exit(w.who, 10, 5);
	assert_who(&w, 10, 0, "curl");
	world_close(&w);
}

static void test_hint_after_exit_is_another_process(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	who_exec(w.who, 10, STR("old"), STR("old\0"), 0);
	assert_who(&w, 10, 0, "old");
	who_exit(w.who, 10, 5);
	who_hint(w.who, 10, STR("young"), 0);
	assert_who(&w, 10, 0, "young");
	world_close(&w);
}

static void test_eviction(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 8);
	put_process(&w, 1, 1, "server\0");
	assert_who(&w, 1, 8000, "backend");
	for (uint32_t pid = 100; pid < 400; pid++) {
		who_exec(w.who, pid, STR("sh"), STR("sh\0"), 0);
		assert_who(&w, pid, 0, "sh");
		who_exit(w.who, pid, 5);
	}
	assert_int_equal(table_count(who_table(w.who)), 8);
	assert_int_equal(table_evictions(who_table(w.who)), 0);
	assert_who(&w, 1, 0, "backend"); /* exited ones made room, the idle server stayed */
	for (uint32_t pid = 500; pid < 600; pid++)
		who_exec(w.who, pid, STR("sh"), STR("sh\0"), 0);
	assert_int_equal(table_count(who_table(w.who)), 8);
	assert_true(table_evictions(who_table(w.who)) > 80);
	assert_who(&w, 1, 0, "server"); /* forgotten and looked at again */
	world_close(&w);
}

/* Connections are counted by process and asked about when many of them are long gone. */
static void test_strangers_take_no_place(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 8);
	for (uint32_t pid = 1; pid <= 8; pid++) {
		put_process(&w, pid, 1, "server\0");
		assert_who(&w, pid, 8000, "backend");
	}
	for (uint32_t pid = 100; pid < 200; pid++)
		assert_who(&w, pid, 0, "unknown");
	assert_who(&w, 200, 9000, "admin"); /* but the port's rule holds for whoever served it */
	assert_who(&w, 200, 7000, "unknown");
	assert_int_equal(table_count(who_table(w.who)), 8);
	assert_int_equal(table_evictions(who_table(w.who)), 0);
	for (uint32_t pid = 1; pid <= 8; pid++)
		assert_who(&w, pid, 0, "backend");
	put_process(&w, 100, 1, "late\0");
	assert_who(&w, 100, 0, "late"); /* nor is the bad answer kept */
	put(&w, 101, "stat", STR(""));	/* in doubt it is there */
	assert_who(&w, 101, 0, "unknown");
	assert_int_equal(table_evictions(who_table(w.who)), 2);
	world_close(&w);
}

static void test_a_new_bearer_is_not_removed_as_exited(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 4);
	who_exec(w.who, 1, STR("old"), STR("old\0"), 0);
	who_exit(w.who, 1, 5);
	who_exit(w.who, 1, 6);
	who_exec(w.who, 1, STR("new"), STR("new\0"), 0);
	for (uint32_t pid = 10; pid < 13; pid++)
		who_exec(w.who, pid, STR("sh"), STR("sh\0"), 0);
	assert_who(&w, 1, 0, "new");
	who_exec(w.who, 13, STR("sh"), STR("sh\0"), 0);
	assert_who(&w, 1, 0, "new");
	assert_int_equal(table_evictions(who_table(w.who)), 1);
	world_close(&w);
}

static void test_use_protects_from_eviction(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 100);
	who_exec(w.who, 1, STR("busy"), STR("busy\0"), 0);
	who_exec(w.who, 2, STR("idle"), STR("idle\0"), 0);
	for (uint32_t pid = 100; pid < 1000; pid++) {
		who_exec(w.who, pid, STR("sh"), STR("sh\0"), 0);
		assert_who(&w, 1, 0, "busy");
	}
	assert_who(&w, 2, 0, "unknown");
	world_close(&w);
}

static void test_identities_are_bounded(void **state)
{
	uint32_t last = 0, others = 0;
	struct world w;

	(void)state;
	world_open(&w, 64);
	for (uint32_t i = 0; i < 4200; i++) {
		char name[16];
		const struct owner *owner;

		snprintf(name, sizeof(name), "n%u", i);
		who_exec(w.who, i + 1, str_of(name), (struct str){NULL, 0}, 0);
		owner = who_is(w.who, i + 1, 0);
		if (str_eq(owner->service, STR("other"))) {
			others++;
			continue;
		}
		assert_true(owner->id > last);
		last = owner->id;
		assert_service(owner->service, name);
	}
	/* "unknown", "other" and the two rules have their places */
	assert_int_equal(others, 4200 - (4096 - 4));
	assert_int_equal(last, 4096);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_sources),
		cmocka_unit_test(test_rule_is_remembered_for_clients),
		cmocka_unit_test(test_answers_are_cached),
		cmocka_unit_test(test_exec_after_fork),
		cmocka_unit_test(test_gone_before_the_look),
		cmocka_unit_test(test_pid_reuse),
		cmocka_unit_test(test_zombie_keeps_its_exec_name),
		cmocka_unit_test(test_hint_after_exit_is_another_process),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_strangers_take_no_place),
		cmocka_unit_test(test_a_new_bearer_is_not_removed_as_exited),
		cmocka_unit_test(test_use_protects_from_eviction),
		cmocka_unit_test(test_identities_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
