/* SPDX-License-Identifier: Apache-2.0 */
/* Times: known instants, the cached second going forwards and backwards, and the offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

static void time_is(struct clock *c, uint64_t monotonic, const char *expected)
{
	char memory[28] = {0};
	struct buf b;

	buf_init_fixed(&b, memory, 27);
	clock_write(c, &b, monotonic);
	assert_false(b.full);
	assert_string_equal(memory, expected);
}

static void test_write(void **state)
{
	struct clock c = {0};

	(void)state;
	time_is(&c, 0, "1970-01-01T00:00:00.000000Z");
	time_is(&c, 999, "1970-01-01T00:00:00.000000Z");
	time_is(&c, 1000, "1970-01-01T00:00:00.000001Z");
	time_is(&c, 951782400 * NS_PER_SECOND - 1, "2000-02-28T23:59:59.999999Z");
	time_is(&c, 951782400 * NS_PER_SECOND, "2000-02-29T00:00:00.000000Z");
	time_is(&c, 1795343445 * NS_PER_SECOND + 123456789, "2026-11-22T10:30:45.123456Z");
	time_is(&c, 1795343445 * NS_PER_SECOND + 5 * NS_PER_MS, "2026-11-22T10:30:45.005000Z");
	time_is(&c, 1795343444 * NS_PER_SECOND, "2026-11-22T10:30:44.000000Z");
	time_is(&c, 4102444800 * NS_PER_SECOND, "2100-01-01T00:00:00.000000Z");
}

static void test_offset(void **state)
{
	struct clock c = {.offset = 1795343445LL * (int64_t)NS_PER_SECOND};

	(void)state;
	assert_true(clock_wall(&c, 5) == 1795343445 * NS_PER_SECOND + 5);
	time_is(&c, 2 * NS_PER_SECOND, "2026-11-22T10:30:47.000000Z");
	c.offset = -(int64_t)NS_PER_SECOND;
	assert_true(clock_wall(&c, 3 * NS_PER_SECOND) == 2 * NS_PER_SECOND);
	time_is(&c, 3 * NS_PER_SECOND, "1970-01-01T00:00:02.000000Z");
}

static void test_full(void **state)
{
	struct clock c = {0};
	char memory[26];
	struct buf b;

	(void)state;
	buf_init_fixed(&b, memory, sizeof(memory));
	clock_write(&c, &b, 0);
	assert_true(b.full);
	assert_int_equal(b.n, 0);
}

/* What was read between two readings of the wall clock lies between them. */
static void test_sync(void **state)
{
	struct clock c;
	time_t before = time(NULL), after;
	uint64_t wall, monotonic = clock_monotonic();

	(void)state;
	clock_sync(&c);
	wall = clock_wall(&c, clock_monotonic());
	after = time(NULL);
	assert_true(clock_monotonic() >= monotonic);
	assert_in_range(wall / NS_PER_SECOND, (uint64_t)before, (uint64_t)after + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_offset),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_sync),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
