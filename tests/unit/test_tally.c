/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums by process, on real maps of the kernel: as root and where bpf() is allowed, else skipped.
 * The law: what stands in the map is given out once, and an entry leaves the map only when its
 * process has ended and its figures are here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kern/tally.h"

#define WORDS	    3
#define ENTRIES	    600 /* more than one system call fetches */
#define CPUS_MAX    1024
#define SKIP_REASON "skipped: no BPF map can be made (%s): needs root and bpf()\n"

struct key {
	uint32_t pid;
	uint32_t detail;
};

struct map {
	int fd;
	unsigned copies;
	struct tally *tally;
	unsigned given;
	bool refuses;
	struct key last;
	uint64_t sums[WORDS]; /* of all that was given */
};

static void map_open(struct map *m, enum bpf_map_type type, uint32_t capacity)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	int cpus = libbpf_num_possible_cpus();

	memset(m, 0, sizeof(*m));
	m->copies = type == BPF_MAP_TYPE_PERCPU_HASH ? (unsigned)cpus : 1;
	m->fd = bpf_map_create(type, "tally", sizeof(struct key), WORDS * sizeof(uint64_t), ENTRIES,
			       &options);
	if (m->fd < 0) {
		print_message(SKIP_REASON, strerror(errno));
		skip();
	}
	assert_in_range(cpus, 1, CPUS_MAX);
	m->tally = tally_new(&(struct tally_options){.name = "tally",
						     .fd = m->fd,
						     .capacity = capacity,
						     .key_size = sizeof(struct key),
						     .words = WORDS,
						     .processors = m->copies});
	assert_non_null(m->tally);
}

static void map_close(struct map *m)
{
	tally_free(m->tally);
	close(m->fd);
}

/* The sum over all processors: the kernel half's, of which each has its part. */
static void map_set(const struct map *m, struct key key, uint64_t a, uint64_t b, uint64_t c)
{
	static uint64_t values[CPUS_MAX][WORDS];
	uint64_t rest[WORDS] = {a, b, c};

	for (unsigned cpu = 0; cpu < m->copies; cpu++)
		for (unsigned i = 0; i < WORDS; i++) {
			values[cpu][i] = cpu + 1 < m->copies ? rest[i] / 2 : rest[i];
			rest[i] -= values[cpu][i];
		}
	assert_int_equal(bpf_map_update_elem(m->fd, &key, values, BPF_ANY), 0);
}

static bool map_has(const struct map *m, struct key key)
{
	static uint64_t values[CPUS_MAX][WORDS];

	return bpf_map_lookup_elem(m->fd, &key, values) == 0;
}

static bool take(void *ctx, const void *key, const uint64_t *added)
{
	struct map *m = ctx;

	if (m->refuses)
		return false;
	m->given++;
	memcpy(&m->last, key, sizeof(m->last));
	for (unsigned i = 0; i < WORDS; i++)
		m->sums[i] += added[i];
	return true;
}

static void give(struct map *m)
{
	m->given = 0;
	memset(m->sums, 0, sizeof(m->sums));
	tally_give(m->tally, take, m);
}

static void look(struct map *m)
{
	tally_read(m->tally);
	give(m);
}

static void assert_sums(const struct map *m, uint64_t a, uint64_t b, uint64_t c)
{
	assert_int_equal(m->sums[0], a);
	assert_int_equal(m->sums[1], b);
	assert_int_equal(m->sums[2], c);
}

/* It does not outlive this one, whatever fails here. */
static pid_t child_start(void)
{
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			pause();
		_exit(0);
	}
	return pid;
}

static void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static const enum bpf_map_type types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH};

static void test_given_once(void **state)
{
	struct key key = {(uint32_t)getpid(), 7};
	struct map m;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		map_open(&m, types[i], 8);
		look(&m);
		assert_int_equal(m.given, 0);
		map_set(&m, key, 100, 0, 1);
		look(&m);
		assert_int_equal(m.given, 1);
		assert_memory_equal(&m.last, &key, sizeof(key));
		assert_sums(&m, 100, 0, 1);
		look(&m);
		assert_int_equal(m.given, 0);
		map_set(&m, key, 150, 7, 1);
		tally_read(m.tally);
		map_set(&m, key, 151, 9, 1);
		look(&m);
		assert_int_equal(m.given, 1);
		assert_sums(&m, 51, 9, 0);
		give(&m);
		assert_int_equal(m.given, 0);
		assert_true(map_has(&m, key)); /* the process lives */
		map_close(&m);
	}
}

static void test_many(void **state)
{
	struct map m;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		map_open(&m, types[i], ENTRIES);
		for (uint32_t n = 0; n < ENTRIES; n++)
			map_set(&m, (struct key){0, n}, n, 1, 1000);
		look(&m);
		assert_int_equal(m.given, ENTRIES);
		assert_sums(&m, ENTRIES * (ENTRIES - 1) / 2, ENTRIES, 1000 * ENTRIES);
		map_set(&m, (struct key){0, 5}, 6, 1, 1000);
		look(&m);
		assert_int_equal(m.given, 1);
		assert_int_equal(m.last.detail, 5);
		assert_sums(&m, 1, 0, 0);
		assert_true(map_has(&m, (struct key){0, 5})); /* nobody's: it never ends */
		map_close(&m);
	}
}

static void test_process_ends(void **state)
{
	struct map m;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct key key, other;
		pid_t pid;

		map_open(&m, types[i], 8);
		pid = child_start();
		key = (struct key){(uint32_t)pid, 0};
		other = (struct key){(uint32_t)pid, 1};
		map_set(&m, key, 5, 50, 500);
		look(&m);
		assert_sums(&m, 5, 50, 500);
		map_set(&m, key, 8, 50, 501);
		map_set(&m, other, 1, 1, 1); /* never looked at while it lived */
		child_end(pid);
		look(&m);
		assert_int_equal(m.given, 2);
		assert_sums(&m, 4, 1, 2);
		assert_false(map_has(&m, key));
		assert_false(map_has(&m, other));
		look(&m);
		assert_int_equal(m.given, 0);
		map_set(&m, key, 2, 0, 0); /* counted late, in an entry of its own */
		look(&m);
		assert_sums(&m, 2, 0, 0);
		assert_false(map_has(&m, key));
		map_close(&m);
	}
}

/* What is not taken waits, also of a process that has ended, and goes on to grow. */
static void test_refused(void **state)
{
	struct map m;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct key key;
		pid_t pid;

		map_open(&m, types[i], 8);
		pid = child_start();
		key = (struct key){(uint32_t)pid, 0};
		m.refuses = true;
		map_set(&m, key, 5, 50, 500);
		look(&m);
		map_set(&m, key, 8, 50, 501);
		look(&m);
		child_end(pid);
		look(&m);
		look(&m);
		assert_int_equal(m.given, 0);
		m.refuses = false;
		give(&m);
		assert_int_equal(m.given, 1);
		assert_sums(&m, 8, 50, 501);
		give(&m);
		assert_int_equal(m.given, 0);
		map_close(&m);
	}
}

/* It is counted anew between two looks, before the first was given out. */
static void test_ends_and_goes_on(void **state)
{
	struct map m;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct key key;
		pid_t pid;

		map_open(&m, types[i], 8);
		pid = child_start();
		key = (struct key){(uint32_t)pid, 0};
		map_set(&m, key, 8, 1, 0);
		child_end(pid);
		tally_read(m.tally);
		assert_false(map_has(&m, key));
		map_set(&m, key, 3, 0, 0);
		look(&m);
		assert_int_equal(m.given, 1);
		assert_sums(&m, 11, 1, 0);
		map_close(&m);
	}
}

static void test_no_room(void **state)
{
	struct map m;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		pid_t children[2];
		struct key keys[2];

		map_open(&m, types[i], 1);
		for (unsigned n = 0; n < 2; n++) {
			children[n] = child_start();
			keys[n] = (struct key){(uint32_t)children[n], 0};
		}
		map_set(&m, keys[0], 5, 0, 0);
		look(&m);
		map_set(&m, keys[0], 6, 0, 0);
		map_set(&m, keys[1], 100, 0, 0);
		child_end(children[1]);
		look(&m);
		assert_sums(&m, 1, 0, 0);
		assert_true(map_has(&m, keys[1])); /* ended, but not taken yet */
		child_end(children[0]);
		tally_read(m.tally);
		give(&m);
		assert_int_equal(m.given, 0);
		assert_false(map_has(&m, keys[0]));
		look(&m);
		assert_sums(&m, 100, 0, 0);
		assert_memory_equal(&m.last, &keys[1], sizeof(m.last));
		assert_false(map_has(&m, keys[1]));
		map_close(&m);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_once),	 cmocka_unit_test(test_many),
		cmocka_unit_test(test_process_ends),	 cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ends_and_goes_on), cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
