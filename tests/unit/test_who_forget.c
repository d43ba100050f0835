/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When an identity is let go, and when not. Time is a number that each look moves on.
 */
#include "fake_proc.h"

#define TTL 10

static char forgotten[8192]; /* names, a space behind each */

static void on_forgotten(void *ctx, const struct owner *owner)
{
	size_t n = strlen(forgotten);

	assert_null(ctx);
	assert_true(n + owner->service.n + 2 < sizeof(forgotten));
	memcpy(forgotten + n, owner->service.p, owner->service.n);
	strcpy(forgotten + n + owner->service.n, " ");
}

/* What one look at this time names. */
static const char *look(struct world *w, uint64_t now)
{
	forgotten[0] = '\0';
	who_forget(w->who, now, TTL, on_forgotten, NULL);
	return forgotten;
}

/* What is named from now on, when all time in the world passes. */
static const char *look_long(struct world *w, uint64_t now)
{
	forgotten[0] = '\0';
	for (int i = 0; i < 4; i++)
		who_forget(w->who, now + (TTL + 1) * i, TTL, on_forgotten, NULL);
	return forgotten;
}

static uint32_t identities(const struct world *w)
{
	return table_count(who_identities(w->who));
}

static void test_gone_for_longer_than_the_ttl(void **state)
{
	const struct owner *owner;
	struct world w;
	uint32_t before, id;

	(void)state;
	world_open(&w, 64);
	before = identities(&w);
	put_process(&w, 10, 1, "web\0");
	owner = who_is(w.who, 10, 0);
	id = owner->id;
	assert_string_equal(look(&w, 1000), "");
	who_exit(w.who, 10, 1100);
	assert_string_equal(look(&w, 1100), "");
	assert_string_equal(look(&w, 1100 + TTL), "");
	assert_string_equal(look(&w, 1100 + TTL + 1), "web ");
	assert_string_equal(look_long(&w, 2000), ""); /* once */

	/* the same process, spoken of late: the same name, given out anew */
	vanish(&w, 10);
	assert_ptr_equal(who_is(w.who, 10, 0), owner);
	assert_int_equal(owner->id, id);
	assert_string_equal(look(&w, 3000), "");
	assert_string_equal(look(&w, 3000 + TTL + 1), "web ");

	/* its pid has another bearer: nothing points to the identity, its place is free */
	put_process(&w, 10, 2, "db\0");
	assert_who(&w, 10, 0, "db");
	assert_string_equal(look(&w, 4000), "");
	assert_int_equal(identities(&w), before + 1);
	put_process(&w, 11, 2, "web\0");
	assert_who(&w, 11, 0, "web");
	assert_true(who_is(w.who, 11, 0)->id > id + 1); /* an id of its own */
	world_close(&w);
}

static void test_no_ttl_keeps(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "web\0");
	assert_who(&w, 10, 0, "web");
	who_exit(w.who, 10, 5);
	forgotten[0] = '\0';
	for (uint64_t now = 10; now < 1000; now += 100)
		who_forget(w.who, now, 0, on_forgotten, NULL);
	assert_string_equal(forgotten, "");
	world_close(&w);
}

static void test_one_worker_is_enough(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	for (uint32_t pid = 10; pid < 14; pid++) {
		put_process(&w, pid, 1, "nginx: worker process\0");
		assert_who(&w, pid, 0, "nginx");
	}
	for (uint32_t pid = 10; pid < 13; pid++)
		who_exit(w.who, pid, 5);
	assert_string_equal(look_long(&w, 1000), "");
	who_exit(w.who, 13, 1500);
	assert_string_equal(look_long(&w, 2000), "nginx ");
	world_close(&w);
}

/* Nobody asked about the master or the new worker, but the server goes on. */
static void test_parent_keeps_the_server(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 5, 1, "bash\0");
	put_process(&w, 10, 1, "nginx: master process\0");
	put_process(&w, 11, 2, "nginx: worker process\0");
	put_stat(&w, 11, 'S', 10, 2);
	put_process(&w, 20, 2, "curl\0");
	put_stat(&w, 20, 'S', 5, 2);
	assert_who(&w, 11, 8000, "backend");
	assert_who(&w, 11, 0, "backend");
	assert_who(&w, 11, 7000, "nginx");
	assert_who(&w, 20, 0, "curl");
	who_exit(w.who, 11, 5);
	who_exit(w.who, 20, 5);
	assert_string_equal(look_long(&w, 1000), "curl ");
	who_exit(w.who, 10, 1500);
	look_long(&w, 2000);
	assert_non_null(strstr(forgotten, "nginx "));
	assert_non_null(strstr(forgotten, "backend "));
	world_close(&w);
}

static void test_back_in_time(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "web\0");
	assert_who(&w, 10, 0, "web");
	who_exit(w.who, 10, 5);
	assert_string_equal(look(&w, 100), "");
	put_process(&w, 11, 1, "web\0");
	assert_who(&w, 11, 0, "web");
	assert_string_equal(look_long(&w, 100 + TTL + 1), "");
	who_exit(w.who, 11, 500);
	assert_string_equal(look(&w, 600), ""); /* counted from here, not from 100 */
	assert_string_equal(look(&w, 600 + TTL), "");
	assert_string_equal(look(&w, 601 + TTL), "web ");
	world_close(&w);
}

static void test_exec_leaves_the_identity(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "launcher\0");
	put_process(&w, 20, 1, "server\0");
	assert_who(&w, 10, 0, "launcher");
	assert_who(&w, 20, 0, "server");
	put_process(&w, 10, 1, "app\0");
	who_exec(w.who, 10, STR("app"), STR("app\0"), 0);
	who_exec(w.who, 20, STR("server"), STR("server\0"), 0); /* itself anew, and then quiet */
	assert_string_equal(look_long(&w, 1000), "launcher ");
	world_close(&w);
}

static void test_rules_live_with_their_servers(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "nginx\0");
	put_process(&w, 11, 1, "nginx\0");
	assert_who(&w, 10, 8000, "backend");
	assert_who(&w, 10, 9000, "admin");
	assert_who(&w, 11, 9000, "admin");
	assert_string_equal(look_long(&w, 1000), "");
	who_exit(w.who, 10, 1500);
	assert_string_equal(look_long(&w, 2000), "backend ");
	who_exit(w.who, 11, 2500);
	assert_string_equal(look_long(&w, 3000), "admin ");
	put_process(&w, 12, 1, "nginx\0");
	assert_who(&w, 12, 8000, "backend");
	who_exit(w.who, 12, 3500);
	assert_string_equal(look_long(&w, 4000), "backend ");
	world_close(&w);
}

static void test_open_requests_hold(void **state)
{
	const struct owner *owner;
	struct world w;

	(void)state;
	world_open(&w, 4);
	put_process(&w, 10, 1, "web\0");
	owner = who_is(w.who, 10, 0);
	who_hold(owner);
	who_hold(owner);
	who_exit(w.who, 10, 5);
	vanish(&w, 10);
	for (uint32_t pid = 20; pid < 40; pid++) /* the entry goes, too */
		who_exec(w.who, pid, STR("sh"), STR("sh\0"), 0);
	assert_string_equal(look_long(&w, 1000), "");
	who_release(owner);
	assert_string_equal(look_long(&w, 2000), "");
	assert_service(owner->service, "web");
	who_release(owner);
	assert_string_equal(look_long(&w, 3000), "web ");
	world_close(&w);
}

static void test_evicted_alive_is_kept(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 4);
	put_process(&w, 10, 1, "alive\0");
	put_process(&w, 11, 1, "exited\0");
	put_process(&w, 12, 1, "vanished\0");
	put_process(&w, 13, 1, "ruled\0");
	assert_who(&w, 10, 0, "alive");
	assert_who(&w, 11, 0, "exited");
	assert_who(&w, 12, 0, "vanished");
	assert_who(&w, 13, 8000, "backend");
	who_exit(w.who, 11, 5);
	vanish(&w, 12);
	for (uint32_t pid = 20; pid < 40; pid++)
		who_exec(w.who, pid, STR("sh"), STR("sh\0"), 0);
	look_long(&w, 1000);
	assert_non_null(strstr(forgotten, "exited "));
	assert_non_null(strstr(forgotten, "vanished "));
	assert_null(strstr(forgotten, "alive "));
	assert_null(strstr(forgotten, "backend "));
	world_close(&w);
}

/* Their exit records were lost: a bounded number of looks a time finds them all in the end. */
static void test_lost_exits(void **state)
{
	char command[96];
	struct world w;
	int looks = 0;

	(void)state;
	world_open(&w, 512);
	for (uint32_t pid = 100; pid < 300; pid++) {
		put_process(&w, pid, 7, "worker\0");
		assert_who(&w, pid, 0, "worker");
	}
	put_process(&w, 10, 7, "server\0");
	assert_who(&w, 10, 0, "server");
	snprintf(command, sizeof(command), "cd '%s' && rm -r 1?? 2??", w.folder);
	assert_int_equal(system(command), 0);
	put_process(&w, 299, 8, "another\0"); /* a new bearer of the pid */
	for (uint64_t now = 1000; !strstr(look(&w, now), "worker "); now += TTL + 1)
		assert_true(++looks < 20);
	assert_true(looks >= 200 / 64);
	assert_string_equal(look_long(&w, 5000), "");
	assert_who(&w, 299, 0, "another");
	world_close(&w);
}

/* Each has its turn, again and again, also behind many that live. */
static void test_lost_exits_behind_the_living(void **state)
{
	struct world w;
	uint64_t now = 1000;

	(void)state;
	world_open(&w, 512);
	for (uint32_t pid = 100; pid < 300; pid++) {
		put_process(&w, pid, 7, "server\0");
		assert_who(&w, pid, 0, "server");
	}
	for (uint32_t pid = 400; pid < 403; pid++) {
		int looks = 0;

		put_process(&w, pid, 7, "job\0");
		assert_who(&w, pid, 0, "job");
		for (int i = 0; i < 5; i++)
			assert_string_equal(look(&w, ++now), "");
		vanish(&w, pid);
		while (!strstr(look(&w, now += TTL + 1), "job "))
			assert_true(++looks < 10);
	}
	world_close(&w);
}

/* A zombie may be the main thread of a process whose others go on. */
static void test_zombie_is_not_gone(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "web\0");
	assert_who(&w, 10, 0, "web");
	put_stat(&w, 10, 'Z', 1, 1);
	assert_string_equal(look_long(&w, 1000), "");
	put(&w, 10, "stat", STR("")); /* nor is one that cannot be read */
	assert_string_equal(look_long(&w, 2000), "");
	world_close(&w);
}

/* More names in a row than there are places: with a ttl none has to share "other". */
static void test_places_are_used_again(void **state)
{
	uint32_t last = 0;
	struct world w;
	uint64_t now = 1000;

	(void)state;
	world_open(&w, 8192);
	for (uint32_t i = 1; i < 10000; i++) {
		const struct owner *owner;
		char name[16];

		snprintf(name, sizeof(name), "job%u", i);
		who_exec(w.who, i, str_of(name), STR(""), 0);
		owner = who_is(w.who, i, 0);
		assert_service(owner->service, name);
		assert_true(owner->id > last);
		last = owner->id;
		who_exit(w.who, i, now);
		if (i % 500 == 0)
			look(&w, now += TTL + 1);
	}
	assert_true(identities(&w) < 4096);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone_for_longer_than_the_ttl),
		cmocka_unit_test(test_no_ttl_keeps),
		cmocka_unit_test(test_one_worker_is_enough),
		cmocka_unit_test(test_parent_keeps_the_server),
		cmocka_unit_test(test_back_in_time),
		cmocka_unit_test(test_exec_leaves_the_identity),
		cmocka_unit_test(test_rules_live_with_their_servers),
		cmocka_unit_test(test_open_requests_hold),
		cmocka_unit_test(test_evicted_alive_is_kept),
		cmocka_unit_test(test_lost_exits),
		cmocka_unit_test(test_lost_exits_behind_the_living),
		cmocka_unit_test(test_zombie_is_not_gone),
		cmocka_unit_test(test_places_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
