/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading procfs: environments in windows, command lines, and files that are not what they should
 * be.
 */
#include "fake_proc.h"

/* The variable at every place around the end of the window, and behind a variable too long for it.
 */
static void test_environ_borders(void **state)
{
	static const struct str variable = {"\0OTEL_SERVICE_NAME=edge\0B=2", 28};
	static char text[20000];
	struct world w;

	(void)state;
	world_open(&w, 512);
	for (uint32_t i = 0; i < 64; i++) {
		size_t at = 4096 - 32 + i;

		memset(text, 'x', sizeof(text));
		memcpy(text + at, variable.p, variable.n);
		put_process(&w, 100 + i, 1, "p\0");
		put(&w, 100 + i, "environ", (struct str){text, at + variable.n});
		assert_who(&w, 100 + i, 0, "edge");
		for (size_t gap = 100; gap < at; gap += 100)
			text[gap] = '\0';
		put_process(&w, 200 + i, 1, "p\0");
		put(&w, 200 + i, "environ", (struct str){text, at + variable.n});
		assert_who(&w, 200 + i, 0, "edge");
	}
	memset(text, 'x', sizeof(text));
	memcpy(text, "OTEL_SERVICE_NAME=", 18);
	put_process(&w, 50, 1, "p\0");
	put(&w, 50, "environ", (struct str){text, sizeof(text)});
	assert_who(&w, 50, 0, "p"); /* would have to be cut: refused */
	world_close(&w);
}

static void test_environ_is_bounded(void **state)
{
	size_t n = 80000;
	char *text = malloc(n);
	struct world w;

	(void)state;
	world_open(&w, 64);
	memset(text, '\0', n);
	memcpy(text + 70000, "OTEL_SERVICE_NAME=far", 22);
	put_process(&w, 10, 1, "p\0");
	put(&w, 10, "environ", (struct str){text, n});
	assert_who(&w, 10, 0, "p");
	memcpy(text + 60000, "OTEL_SERVICE_NAME=near", 23);
	put_process(&w, 11, 1, "p\0");
	put(&w, 11, "environ", (struct str){text, n});
	assert_who(&w, 11, 0, "near");
	free(text);
	world_close(&w);
}

static void test_workers_take_the_parents_name(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_process(&w, 10, 1, "python3\0-m\0uvicorn\0");
	put_stat(&w, 11, 'S', 10, 2);
	put(&w, 11, "cmdline", STR("python3\0-c\0spawn_main()\0--multiprocessing-fork\0"));
	put_stat(&w, 12, 'S', 77, 2);
	put(&w, 12, "cmdline", STR("python3\0-c\0spawn_main()\0--multiprocessing-fork\0"));
	who_hint(w.who, 12, STR("python3"), 0);
	assert_who(&w, 11, 0, "uvicorn");
	assert_who(&w, 12, 0, "python3");
	world_close(&w);
}

static void test_long_class_path(void **state)
{
	static char line[9000];
	struct world w;

	(void)state;
	world_open(&w, 64);
	memset(line, 'j', sizeof(line));
	memcpy(line, "java\0-cp\0", 9);
	memcpy(line + sizeof(line) - 13, "\0kafka.Kafka\0", 13);
	put_stat(&w, 10, 'S', 1, 1);
	put(&w, 10, "cmdline", (struct str){line, sizeof(line)});
	assert_who(&w, 10, 0, "Kafka");
	world_close(&w);
}

static void test_bad_procfs(void **state)
{
	struct proc proc;
	struct world w;

	(void)state;
	world_open(&w, 64);
	put(&w, 10, "stat", STR("10 (x"));
	assert_int_not_equal(proc_find(&proc, w.folder, 10), 0);
	put(&w, 10, "stat", STR("10 (x)"));
	assert_int_not_equal(proc_find(&proc, w.folder, 10), 0);
	put(&w, 10, "stat", STR("10 (x) S 1 2 3"));
	assert_int_not_equal(proc_find(&proc, w.folder, 10), 0);
	put_stat(&w, 10, 'S', 42, 4711);
	assert_int_equal(proc_find(&proc, w.folder, 10), 0);
	assert_int_equal(proc.parent, 42);
	assert_int_equal(proc.start, 4711);
	assert_false(proc.zombie);
	assert_int_equal(proc_find(&proc, "/proc", (uint32_t)getpid()), 0);
	assert_int_equal(proc.parent, getppid());
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environ_borders),
		cmocka_unit_test(test_environ_is_bounded),
		cmocka_unit_test(test_workers_take_the_parents_name),
		cmocka_unit_test(test_long_class_path),
		cmocka_unit_test(test_bad_procfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
