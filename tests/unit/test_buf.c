/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer: bounds first (all or nothing, at every size), then each form. JSON strings are
 * checked against the rules of RFC 3629 by trying all leads and borders.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static char memory[4096];

#define assert_text(b, text) assert_true(str_eq(buf_view(b), str_of(text)))

static struct buf fixed(size_t size)
{
	struct buf b;

	buf_init_fixed(&b, memory, size);
	return b;
}

static void test_fixed_full(void **state)
{
	struct buf b = fixed(4);

	(void)state;
	memory[4] = '#';
	buf_text(&b, "abc");
	buf_text(&b, "de");
	assert_true(b.full);
	assert_text(&b, "abc");
	buf_char(&b, 'f');
	assert_text(&b, "abcf");
	buf_char(&b, 'g');
	buf_u64(&b, 1);
	buf_printf(&b, "%d", 2);
	assert_text(&b, "abcf");
	assert_true(b.full);
	assert_int_equal(memory[4], '#');
}

static void test_fixed_exact(void **state)
{
	struct buf b = fixed(4);

	(void)state;
	buf_bytes(&b, "abcd", 4);
	buf_bytes(&b, NULL, 0);
	buf_str(&b, (struct str){NULL, 0});
	buf_text(&b, NULL);
	assert_false(b.full);
	assert_text(&b, "abcd");
}

static void test_growing(void **state)
{
	struct buf b;

	(void)state;
	buf_init_growing(&b, 5000);
	for (int i = 0; i < 5000; i++)
		buf_char(&b, (char)('a' + i % 26));
	assert_false(b.full);
	assert_int_equal(b.n, 5000);
	assert_int_equal(b.p[4999], 'a' + 4999 % 26);
	buf_char(&b, 'x');
	assert_true(b.full);
	assert_int_equal(b.n, 5000);
	buf_close(&b);
	buf_close(NULL);
}

static void test_growing_small_max(void **state)
{
	struct buf b;

	(void)state;
	buf_init_growing(&b, 10);
	buf_text(&b, "01234567890");
	assert_true(b.full);
	assert_int_equal(b.n, 0);
	buf_text(&b, "0123456789");
	assert_text(&b, "0123456789");
	buf_close(&b);
}

static void test_integers(void **state)
{
	static const uint64_t values[] = {
		0,	   1,	9,    10,    11,	 99,	     100,
		101,	   999, 1000, 12345, 4294967295, 4294967296, 9999999999999999999u,
		UINT64_MAX};
	char expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf b = fixed(sizeof(memory));

		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
		buf_u64(&b, values[i]);
		assert_text(&b, expected);
		b = fixed(sizeof(memory));
		snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
		buf_i64(&b, (int64_t)values[i]);
		assert_text(&b, expected);
	}
}

static void test_integer_limits(void **state)
{
	struct buf b = fixed(sizeof(memory));

	(void)state;
	buf_i64(&b, INT64_MIN);
	buf_char(&b, ' ');
	buf_i64(&b, INT64_MAX);
	assert_text(&b, "-9223372036854775808 9223372036854775807");
}

static void test_hex(void **state)
{
	struct buf b = fixed(sizeof(memory));

	(void)state;
	buf_hex(&b, 0xdeadbeef, 8);
	buf_char(&b, ' ');
	buf_hex(&b, 0xf, 16);
	buf_char(&b, ' ');
	buf_hex(&b, 0x1234, 2);
	buf_hex(&b, 1, 0);
	assert_text(&b, "deadbeef 000000000000000f 34");
}

static void test_fixed_point(void **state)
{
	static const struct {
		uint64_t value;
		int places;
		const char *text;
	} rows[] = {
		{12400, 3, "12.4"},
		{12000, 3, "12"},
		{0, 3, "0"},
		{1, 3, "0.001"},
		{10, 3, "0.01"},
		{1234, 0, "1234"},
		{1000, 0, "1000"},
		{1234567, 6, "1.234567"},
		{UINT64_MAX, 9, "18446744073.709551615"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = fixed(sizeof(memory));

		buf_fixed(&b, rows[i].value, rows[i].places);
		assert_text(&b, rows[i].text);
	}
}

static void test_double(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0, "0"},
		{-0.0, "-0"},
		{1, "1"},
		{-17, "-17"},
		{0.1, "0.1"},
		{0.0001, "0.0001"},
		{0.075, "0.075"},
		{1e15, "1e+15"},
		{2.5, "2.5"},
		{1e-7, "1e-07"},
		{1e300, "1e+300"},
		{1.0 / 3, "0.3333333333333333"},
		{0.1 + 0.2, "0.30000000000000004"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
		{NAN, "NaN"},
		{123456789012345, "123456789012345"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = fixed(sizeof(memory));

		buf_double(&b, rows[i].value);
		assert_text(&b, rows[i].text);
	}
}

static void test_double_reads_back(void **state)
{
	uint64_t bits = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct buf b = fixed(sizeof(memory));
		double value;

		bits = bits * 6364136223846793005u + 1442695040888963407u;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		buf_double(&b, value);
		buf_char(&b, '\0');
		assert_true(strtod(memory, NULL) == value);
	}
}

static void test_printf(void **state)
{
	struct buf b = fixed(8);

	(void)state;
	buf_printf(&b, "%s-%d", "ab", 12);
	assert_text(&b, "ab-12");
	buf_printf(&b, "%s", "");
	assert_false(b.full);
	buf_printf(&b, "%d", 12345);
	assert_true(b.full);
	assert_text(&b, "ab-12");
}

static void json_is(struct str s, size_t most, const char *expected)
{
	struct buf b = fixed(sizeof(memory));

	buf_json(&b, s, most);
	assert_false(b.full);
	buf_char(&b, '\0');
	assert_string_equal(memory, expected);
}

#define REPLACED "\xef\xbf\xbd"

static void test_json_plain(void **state)
{
	(void)state;
	json_is((struct str){NULL, 0}, 10, "\"\"");
	json_is(STR("/api/tasks/42"), 100, "\"/api/tasks/42\"");
	json_is(STR("a\"b\\c/"), 100, "\"a\\\"b\\\\c/\"");
	json_is(STR("\b\f\n\r\t"), 100, "\"\\b\\f\\n\\r\\t\"");
	json_is((struct str){"\0\x01\x1f\x7f", 4}, 100, "\"\\u0000\\u0001\\u001f\\u007f\"");
}

static void test_json_utf8(void **state)
{
	(void)state;
	json_is(STR("stra\xc3\x9f"
		    "e \xe2\x82\xac \xf0\x9f\x98\x80"),
		100,
		"\"stra\xc3\x9f"
		"e \xe2\x82\xac \xf0\x9f\x98\x80\"");
	json_is(STR("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"), 100, "\"\\u2028\\u2029\xe2\x80\xaa\"");
	json_is(STR("\xc2\x80\xc2\x9f\xc2\xa0"), 100, "\"\\u0080\\u009f\xc2\xa0\"");
	json_is(STR("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), 100,
		"\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
}

static void test_json_not_utf8(void **state)
{
	(void)state;
	json_is(STR("a\xff"
		    "b"),
		100, "\"a" REPLACED "b\"");
	json_is(STR("\x80"), 100, "\"" REPLACED "\"");
	json_is(STR("\xc3"), 100, "\"" REPLACED "\"");
	json_is(STR("\xc3("), 100, "\"" REPLACED "(\"");
	json_is(STR("\xc0\xaf"), 100, "\"" REPLACED REPLACED "\"");		 /* overlong */
	json_is(STR("\xe0\x9f\xbf"), 100, "\"" REPLACED REPLACED REPLACED "\""); /* overlong */
	json_is(STR("\xf0\x8f\xbf\xbf"), 100,
		"\"" REPLACED REPLACED REPLACED REPLACED "\"");			 /* same */
	json_is(STR("\xed\xa0\x80"), 100, "\"" REPLACED REPLACED REPLACED "\""); /* surrogate */
	json_is(STR("\xf4\x90\x80\x80"), 100, "\"" REPLACED REPLACED REPLACED REPLACED "\"");
	json_is(STR("\xe2\x82"), 100, "\"" REPLACED "\"");
	json_is(STR("\xe2\x82\""), 100, "\"" REPLACED "\\\"\"");
}

static void test_json_cut(void **state)
{
	(void)state;
	json_is(STR("abcdef"), 3, "\"abc\"");
	json_is(STR("abcdef"), 0, "\"\"");
	json_is(STR("ab\xe2\x82\xac"), 5, "\"ab\xe2\x82\xac\"");
	json_is(STR("ab\xe2\x82\xac"), 4, "\"ab\"");
	json_is(STR("ab\xe2\x82\xac"), 3, "\"ab\"");
	json_is(STR("ab\xe2\x82\xac"), 2, "\"ab\"");
	json_is(STR("\xe2\x82\xac"), 2, "\"\"");
	json_is(STR("a\xf0\x9f\x98\x80z"), 4, "\"a\"");
	json_is(STR("\x80\x80\x80\x80\x80\x80"), 5,
		"\"" REPLACED REPLACED REPLACED REPLACED REPLACED "\"");
}

/* At every size: the whole string or nothing. */
static void test_json_full(void **state)
{
	static const char text[] = "plain \"\n\x01\xff\xe2\x80\xa8\xe2\x82\xac end";
	struct buf whole = fixed(sizeof(memory));
	size_t n;

	(void)state;
	buf_json(&whole, STR(text), 100);
	n = whole.n;
	for (size_t size = 0; size < n; size++) {
		struct buf b = fixed(size);

		buf_json(&b, STR(text), 100);
		assert_true(b.full);
		assert_int_equal(b.n, 0);
	}
	whole = fixed(n);
	buf_json(&whole, STR(text), 100);
	assert_false(whole.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_full), cmocka_unit_test(test_fixed_exact),
		cmocka_unit_test(test_growing),	   cmocka_unit_test(test_growing_small_max),
		cmocka_unit_test(test_integers),   cmocka_unit_test(test_integer_limits),
		cmocka_unit_test(test_hex),	   cmocka_unit_test(test_fixed_point),
		cmocka_unit_test(test_double),	   cmocka_unit_test(test_double_reads_back),
		cmocka_unit_test(test_printf),	   cmocka_unit_test(test_json_plain),
		cmocka_unit_test(test_json_utf8),  cmocka_unit_test(test_json_not_utf8),
		cmocka_unit_test(test_json_cut),   cmocka_unit_test(test_json_full),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
