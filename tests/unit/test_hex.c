/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits: all of them, at all places, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/hex.h"

static void assert_written(uint64_t value)
{
	char is[17] = "", expected[17];

	hex_write(is, value);
	snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)value);
	assert_string_equal(is, expected);
}

static void test_write(void **state)
{
	(void)state;
	assert_written(0);
	assert_written(UINT64_MAX);
	assert_written(0x0123456789abcdefULL);
	for (int at = 0; at < 16; at++)
		for (uint64_t digit = 0; digit < 16; digit++) {
			assert_written(digit << 4 * at);
			assert_written(~(digit << 4 * at));
		}
}

static void test_digit(void **state)
{
	(void)state;
	for (int c = -128; c < 128; c++) {
		int expected = c >= '0' && c <= '9'   ? c - '0'
			       : c >= 'a' && c <= 'f' ? c - 'a' + 10
			       : c >= 'A' && c <= 'F' ? c - 'A' + 10
						      : -1;

		assert_int_equal(hex_digit((char)c), expected);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_digit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
