/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table against a naive model: an array in order of use, searched from end to end. Capacities
 * are small, so that the index wraps, clusters and fills all the time. The sequence is random but
 * always the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/table.h"

#define CAPACITY_MAX 64
#define KEYS	     300000

struct entry {
	uint32_t key;
	uint32_t value;
	char more[13]; /* an odd size */
};

struct model {
	unsigned count;
	struct entry entries[CAPACITY_MAX]; /* oldest first */
	struct entry last_evicted;
	unsigned evictions;
};

static void on_evicted(void *ctx, void *entry)
{
	struct model *m = ctx;

	memcpy(&m->last_evicted, entry, sizeof(m->last_evicted));
	m->evictions++;
}

static struct table *make(uint32_t capacity, struct model *m)
{
	struct table_options options = {.name = "test",
					.capacity = capacity,
					.key_size = sizeof(uint32_t),
					.entry_size = sizeof(struct entry),
					.evicted = m ? on_evicted : NULL,
					.ctx = m};

	return table_new(&options);
}

static struct entry *add(struct table *t, uint32_t key)
{
	return table_add(t, &key);
}

static struct entry *find(struct table *t, uint32_t key)
{
	return table_find(t, &key);
}

static void test_empty(void **state)
{
	struct table *t = make(4, NULL);

	(void)state;
	assert_string_equal(table_name(t), "test");
	assert_int_equal(table_count(t), 0);
	assert_null(table_oldest(t));
	assert_null(table_next(t, NULL));
	assert_null(find(t, 1));
	table_free(t);
	table_free(NULL);
}

static void test_no_capacity(void **state)
{
	struct model m = {0};
	struct table *t = make(0, &m);

	(void)state;
	assert_null(add(t, 1));
	assert_null(find(t, 1));
	assert_int_equal(m.evictions, 0);
	table_free(t);
}

static void test_entry(void **state)
{
	struct table *t = make(4, NULL);
	struct entry *e = add(t, 7);

	(void)state;
	assert_int_equal(e->key, 7);
	assert_int_equal(e->value, 0);
	assert_int_equal((uintptr_t)e % 16, 0);
	e->value = 70;
	memset(e->more, 'x', sizeof(e->more));
	assert_ptr_equal(find(t, 7), e);
	assert_null(find(t, 8));
	table_remove(t, e);
	assert_null(find(t, 7));
	assert_int_equal(table_count(t), 0);
	assert_ptr_equal(add(t, 8), e); /* last in, first out, and clean again */
	assert_int_equal(e->value, 0);
	assert_int_equal(e->more[12], 0);
	table_free(t);
}

static void test_full_fails(void **state)
{
	struct table *t = make(3, NULL);

	(void)state;
	for (uint32_t key = 0; key < 3; key++)
		assert_non_null(add(t, key));
	assert_null(add(t, 3));
	assert_int_equal(table_count(t), 3);
	assert_int_equal(table_evictions(t), 0);
	table_remove(t, find(t, 1));
	assert_non_null(add(t, 3));
	assert_null(find(t, 1));
	table_free(t);
}

static void test_full_evicts(void **state)
{
	struct model m = {0};
	struct table *t = make(3, &m);

	(void)state;
	for (uint32_t key = 0; key < 3; key++)
		add(t, key)->value = key * 10;
	table_touch(t, find(t, 0));
	assert_int_equal(add(t, 3)->key, 3);
	assert_int_equal(m.evictions, 1);
	assert_int_equal(m.last_evicted.key, 1);
	assert_int_equal(m.last_evicted.value, 10);
	assert_null(find(t, 1));
	assert_non_null(find(t, 0));
	assert_int_equal(table_evictions(t), 1);
	assert_int_equal(table_count(t), 3);
	table_free(t);
}

static void test_long_keys(void **state)
{
	struct table_options options = {
		.name = "long", .capacity = 8, .key_size = 40, .entry_size = 40};
	struct table *t = table_new(&options);
	char key[40] = {0};

	(void)state;
	for (int i = 0; i < 8; i++) {
		key[39] = (char)i;
		assert_non_null(table_add(t, key));
	}
	for (int i = 0; i < 9; i++) {
		key[39] = (char)i;
		assert_true(!table_find(t, key) == (i == 8));
	}
	table_free(t);
}

/* So many that some have the same hash, whatever that is: they differ in four bytes from `at` on.
 */
static void check_many_keys(uint32_t size, uint32_t at)
{
	struct table_options options = {
		.name = "many", .capacity = KEYS, .key_size = size, .entry_size = size};
	struct table *t = table_new(&options);
	char key[40] = {0};

	assert_non_null(t);
	for (uint32_t i = 0; i < KEYS; i++) {
		memcpy(key + at, &i, sizeof(i));
		assert_null(table_find(t, key));
		assert_non_null(table_add(t, key));
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		memcpy(key + at, &i, sizeof(i));
		assert_memory_equal(table_find(t, key), key, size);
	}
	table_free(t);
}

static void test_many_keys(void **state)
{
	static const uint32_t sizes[] = {4, 8, 13, 28, 40};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_many_keys(sizes[i], 0);
		check_many_keys(sizes[i], sizes[i] - 4);
	}
}

static int model_find(const struct model *m, uint32_t key)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->entries[i].key == key)
			return (int)i;
	return -1;
}

static struct entry model_remove(struct model *m, int at)
{
	struct entry e = m->entries[at];

	m->count--;
	memmove(&m->entries[at], &m->entries[at + 1], (m->count - (unsigned)at) * sizeof(e));
	return e;
}

static void assert_same(struct table *t, const struct model *m)
{
	struct entry *e = NULL;

	assert_int_equal(table_count(t), m->count);
	for (unsigned i = 0; i < m->count; i++) {
		e = table_next(t, e);
		assert_non_null(e);
		assert_int_equal(e->key, m->entries[i].key);
		assert_int_equal(e->value, m->entries[i].value);
		assert_ptr_equal(find(t, e->key), e);
	}
	assert_null(table_next(t, e));
	assert_ptr_equal(table_oldest(t), table_next(t, NULL));
}

static void step_add(struct table *t, struct model *m, uint32_t key, uint32_t capacity)
{
	unsigned evictions = m->evictions;

	if (m->count == capacity) {
		struct entry oldest = model_remove(m, 0);

		add(t, key)->value = key ^ 0x55;
		assert_int_equal(m->evictions, evictions + 1);
		assert_int_equal(m->last_evicted.key, oldest.key);
	} else {
		add(t, key)->value = key ^ 0x55;
		assert_int_equal(m->evictions, evictions);
	}
	m->entries[m->count++] = (struct entry){.key = key, .value = key ^ 0x55};
}

static void step(struct table *t, struct model *m, uint32_t random, uint32_t capacity)
{
	uint32_t key = (random >> 8) % (capacity * 2 + 1);
	int at = model_find(m, key);

	if (at < 0) {
		assert_null(find(t, key));
		step_add(t, m, key, capacity);
	} else if (random % 3 == 0) {
		model_remove(m, at);
		table_remove(t, find(t, key));
	} else if (random % 3 == 1) {
		struct entry e = model_remove(m, at);

		m->entries[m->count++] = e;
		table_touch(t, find(t, key));
	} else {
		assert_int_equal(find(t, key)->value, m->entries[at].value);
	}
}

static void test_churn(void **state)
{
	static const uint32_t capacities[] = {1, 2, 3, 5, 8, 16, 33, CAPACITY_MAX};
	uint64_t seed = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		struct model m = {0};
		struct table *t = make(capacities[i], &m);

		for (int n = 0; n < 4000; n++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			step(t, &m, (uint32_t)(seed >> 33), capacities[i]);
			assert_same(t, &m);
		}
		assert_int_equal(table_evictions(t), m.evictions);
		assert_true(m.evictions > 0);
		table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	    cmocka_unit_test(test_no_capacity),
		cmocka_unit_test(test_entry),	    cmocka_unit_test(test_full_fails),
		cmocka_unit_test(test_full_evicts), cmocka_unit_test(test_long_keys),
		cmocka_unit_test(test_many_keys),   cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
