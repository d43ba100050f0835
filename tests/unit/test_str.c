/* SPDX-License-Identifier: Apache-2.0 */
/* String views: the absent string in every function, borders, overflow, and the hash's spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"

static const struct str absent = {NULL, 0};

#define assert_view(view, text) assert_true(str_eq((view), STR(text)))

static void test_compare(void **state)
{
	(void)state;
	assert_true(str_eq(absent, absent));
	assert_true(str_eq(absent, STR("")));
	assert_true(str_eq(str_of(NULL), absent));
	assert_true(str_eq(str_of("abc"), STR("abc")));
	assert_false(str_eq(STR("abc"), STR("abd")));
	assert_false(str_eq(STR("abc"), STR("ab")));
	assert_true(str_eq((struct str){"a\0b", 3}, (struct str){"a\0b", 3}));
	assert_false(str_eq((struct str){"a\0b", 3}, (struct str){"a\0c", 3}));
}

static void test_compare_nocase(void **state)
{
	(void)state;
	assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
	assert_true(str_eq_nocase(absent, STR("")));
	assert_false(str_eq_nocase(STR("a"), STR("ab")));
	assert_false(str_eq_nocase(STR("@["), STR("`{"))); /* 0x20 apart, but no letters */
	assert_false(str_eq_nocase(STR("\xc4"), STR("\xe4")));
}

static void test_affixes(void **state)
{
	(void)state;
	assert_true(str_has_prefix(STR("HTTP/1.1"), STR("HTTP/")));
	assert_false(str_has_prefix(STR("HT"), STR("HTTP/")));
	assert_true(str_has_prefix(absent, absent));
	assert_true(str_has_prefix(STR("x"), absent));
	assert_true(str_has_suffix(STR("nginx.service"), STR(".service")));
	assert_false(str_has_suffix(STR("service"), STR(".service")));
	assert_true(str_has_suffix(STR("x"), absent));
	assert_true(str_has_suffix(absent, absent));
	assert_false(str_has_suffix(absent, STR("x")));
}

static void test_trim(void **state)
{
	(void)state;
	assert_view(str_trim(STR(" \t a b\t ")), "a b");
	assert_view(str_trim(STR(" \t ")), "");
	assert_view(str_trim(STR("\r\n")), "\r\n");
	assert_null(str_trim(absent).p);
}

static void test_from(void **state)
{
	struct str s = STR("abc");

	(void)state;
	assert_view(str_from(s, 0), "abc");
	assert_view(str_from(s, 2), "c");
	assert_view(str_from(s, 3), "");
	assert_ptr_equal(str_from(s, 100).p, s.p + 3);
	assert_int_equal(str_from(s, 100).n, 0);
	assert_null(str_from(absent, 5).p);
}

static void test_cut(void **state)
{
	struct str rest = STR("a,,b,");

	(void)state;
	assert_view(str_cut(&rest, ','), "a");
	assert_view(str_cut(&rest, ','), "");
	assert_view(str_cut(&rest, ','), "b");
	assert_non_null(rest.p); /* there was a separator, so an empty part follows */
	assert_view(str_cut(&rest, ','), "");
	assert_null(rest.p);
	assert_null(str_cut(&rest, ',').p);
	assert_null(rest.p);
}

static void test_to_u64(void **state)
{
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x1",
					  "1e3",
					  "18446744073709551616",
					  "99999999999999999999",
					  "1\xb2"};
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(str_to_u64(str_of(bad[i]), &v));
	assert_false(str_to_u64(absent, &v));
	assert_int_equal(v, 7);
	assert_true(str_to_u64(STR("0"), &v));
	assert_int_equal(v, 0);
	assert_true(str_to_u64(STR("00042"), &v));
	assert_int_equal(v, 42);
	assert_true(str_to_u64(STR("18446744073709551615"), &v));
	assert_true(v == UINT64_MAX);
}

static void test_copy(void **state)
{
	char to[4] = "xxx";

	(void)state;
	assert_int_equal(str_copy(to, sizeof(to), STR("ab")), 2);
	assert_string_equal(to, "ab");
	assert_int_equal(str_copy(to, sizeof(to), STR("abcdef")), 3);
	assert_string_equal(to, "abc");
	assert_int_equal(str_copy(to, sizeof(to), absent), 0);
	assert_string_equal(to, "");
	to[0] = 'x';
	assert_int_equal(str_copy(to, 0, STR("ab")), 0);
	assert_int_equal(to[0], 'x');
}

static void test_utf8(void **state)
{
	static const char *const bad[] = {"\x80",
					  "\xbf",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xf0\x8f\xbf\xbf",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xff",
					  "\xc3(",
					  "\xe2\x82(",
					  "\xf0\x9f\x98("};
	static const char *const good[] = {"a",
					   "\x7f",
					   "\xc2\x80",
					   "\xdf\xbf",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xee\x80\x80",
					   "\xef\xbf\xbf",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf"};

	(void)state;
	assert_int_equal(str_utf8(absent), 0);
	assert_int_equal(str_utf8((struct str){"\0", 1}), 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(str_utf8(str_of(bad[i])), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct str s = str_of(good[i]);

		assert_int_equal(str_utf8(s), s.n);
		for (size_t n = 0; n < s.n; n++)
			assert_int_equal(str_utf8((struct str){s.p, n}), 0);
	}
}

/* Reads no byte beyond the end (the sanitizer watches) and heeds each byte and the length. */
static void test_hash_heeds_all(void **state)
{
	unsigned char bytes[64];

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		unsigned char *exact = bytes + sizeof(bytes) - n;
		uint64_t before;

		memset(bytes, 0, sizeof(bytes));
		before = bytes_hash(exact, n);
		assert_true(before == bytes_hash(exact, n));
		if (n)
			assert_true(before != bytes_hash(exact, n - 1));
		for (size_t i = 0; i < n; i++) {
			exact[i] = 1;
			assert_true(before != bytes_hash(exact, n));
			exact[i] = 0;
		}
	}
	assert_true(str_hash(STR("abc")) == bytes_hash("abc", 3));
	assert_true(str_hash(absent) == str_hash(STR("")));
}

/* Counters as keys, the commonest case: low bits must spread as those of a random function do. */
static void test_hash_spreads(void **state)
{
	static unsigned char hit[65536];
	unsigned used = 0;

	(void)state;
	for (uint64_t key = 0; key < 65536; key++) {
		uint64_t slot = bytes_hash(&key, sizeof(key)) & 65535;

		used += !hit[slot];
		hit[slot] = 1;
	}
	/* 65536 * (1 - 1/e) = 41427 */
	assert_in_range(used, 40900, 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),	     cmocka_unit_test(test_compare_nocase),
		cmocka_unit_test(test_affixes),	     cmocka_unit_test(test_trim),
		cmocka_unit_test(test_from),	     cmocka_unit_test(test_cut),
		cmocka_unit_test(test_to_u64),	     cmocka_unit_test(test_copy),
		cmocka_unit_test(test_utf8),	     cmocka_unit_test(test_hash_heeds_all),
		cmocka_unit_test(test_hash_spreads),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
