/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text at a cursor. JSON strings are compared with a writer that takes one character after the
 * other, at every length, place and alignment; each text stands alone in memory, so that reading or
 * writing past it is seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/put.h"

static void test_numbers(void **state)
{
	uint64_t value = 1;

	(void)state;
	for (int i = 0; i < 2000; i++, value = value * 6364136223846793005 + 1442695040888963407) {
		uint64_t number = value >> i % 64;
		char expected[32], text[32] = {0};

		snprintf(expected, sizeof(expected), "%" PRIu64, number);
		assert_ptr_equal(put_u64(text, number), text + strlen(expected));
		assert_string_equal(text, expected);
	}
}

static void test_edges_of_numbers(void **state)
{
	static const uint64_t values[] = {0,	9,    10,    99,     100,	 999,
					  1000, 9999, 10000, 999999, UINT64_MAX, 10000000000};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char expected[32], text[32] = {0};

		snprintf(expected, sizeof(expected), "%" PRIu64, values[i]);
		put_u64(text, values[i]);
		assert_string_equal(text, expected);
	}
}

static void test_digits(void **state)
{
	char text[8] = {0};

	(void)state;
	assert_ptr_equal(put_digits(text, 7, 6), text + 6);
	assert_string_equal(text, "000007");
	put_digits(text, 999999, 6);
	assert_string_equal(text, "999999");
	put_digits(text, 120340, 6);
	assert_string_equal(text, "120340");
}

/* Thousandths read back as the number that they are, without a needless digit. */
static void test_thousandths(void **state)
{
	(void)state;
	for (uint64_t value = 0; value < 30000; value++) {
		char text[PUT_FIXED_MAX + 1] = {0}, *end = put_fixed(text, value, 3);

		assert_int_equal((uint64_t)(strtod(text, NULL) * 1000 + 0.5), value);
		assert_ptr_equal(end, text + strlen(text));
		assert_true(!strchr(text, '.') || end[-1] != '0');
	}
}

static bool is_continuation(const unsigned char *p, const unsigned char *end)
{
	return p < end && (*p & 0xc0) == 0x80;
}

/* Code point and length of the character; -1 and what one U+FFFD stands for. By Unicode's table
 * 3-7, said once more. */
static long decode(const unsigned char *p, const unsigned char *end, size_t *n)
{
	static const struct {
		unsigned char first, last, least, most;
		size_t n;
	} rows[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		    {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
	long point;

	*n = 1;
	if (*p < 0x80)
		return *p;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (*p < rows[i].first || *p > rows[i].last)
			continue;
		if (p + 1 == end || p[1] < rows[i].least || p[1] > rows[i].most)
			return -1;
		point = (*p & (0xff >> (rows[i].n + 1))) << 6 | (p[1] & 0x3f);
		for (*n = 2; *n < rows[i].n; ++*n) {
			if (!is_continuation(p + *n, end))
				return -1;
			point = point << 6 | (p[*n] & 0x3f);
		}
		return point;
	}
	return -1;
}

static size_t reference(char *to, const char *text, size_t length)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + length;
	char *start = to;
	size_t n;

	for (; p < end; p += n) {
		long point = decode(p, end, &n);
		const char *named = point > 0 && point < 0x80
					    ? strchr("\bb\tt\nn\ff\rr\"\"\\\\", (int)point)
					    : NULL;

		if (point < 0)
			to += sprintf(to, "\xef\xbf\xbd");
		else if (named && (named - "\bb") % 2 == 0)
			to += sprintf(to, "\\%c", named[1]);
		else if (point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
			 point == 0x2029)
			to += sprintf(to, "\\u%04lx", point);
		else
			to += sprintf(to, "%.*s", (int)n, (const char *)p);
	}
	return (size_t)(to - start);
}

static void assert_as_reference(const char *text, size_t n)
{
	char *from = malloc(n + !n), *expected = malloc(PUT_JSON_MAX(n) + 16), *to, *end;
	size_t length;

	assert_non_null(from);
	assert_non_null(expected);
	memcpy(from, text, n);
	length = reference(expected, text, n);
	to = malloc(length + !length);
	assert_non_null(to);
	end = put_json(to, (struct str){from, n});
	assert_int_equal(end - to, length);
	assert_memory_equal(to, expected, length);
	free(from);
	free(expected);
	free(to);
}

/* Each byte at each place of texts of each length. */
static void test_json_every_byte(void **state)
{
	char text[40];

	(void)state;
	for (size_t n = 0; n <= sizeof(text); n++) {
		memset(text, 'x', sizeof(text));
		assert_as_reference(text, n);
		for (size_t at = 0; at < n; at++) {
			for (int byte = 0; byte < 256; byte++) {
				text[at] = (char)byte;
				assert_as_reference(text, n);
			}
			text[at] = 'x';
		}
	}
}

/* Bytes that make many kinds of broken UTF-8, in all orders. */
static void test_json_random(void **state)
{
	static const char bytes[] =
		"ab/\"\\\n\x7f\x80\x9f\xa0\xbf\xc2\xc3\xe0\xe2\xed\xef\xf0\xf4\xff"
		"\xa8\x80\x80";
	uint64_t seed = 7;
	char text[64] = {0};

	(void)state;
	for (int round = 0; round < 60000; round++) {
		size_t n = (size_t)round % sizeof(text);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			text[i] = bytes[(seed >> 33) % (sizeof(bytes) - 1)];
		}
		assert_as_reference(text, n);
	}
}

static void test_json_absent(void **state)
{
	char to[1];

	(void)state;
	assert_ptr_equal(put_json(to, (struct str){NULL, 0}), to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),		cmocka_unit_test(test_edges_of_numbers),
		cmocka_unit_test(test_digits),		cmocka_unit_test(test_thousandths),
		cmocka_unit_test(test_json_every_byte), cmocka_unit_test(test_json_random),
		cmocka_unit_test(test_json_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
