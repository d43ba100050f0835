/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --user-id and --user-id-key-file: what the list means, what is refused and how that is said, and
 * which key is taken.
 */
#include "option_input.h"

static char line[512];

static const struct {
	const char *list;
	unsigned count;
	bool hash;
	struct user_source last;
} lists[] = {
	{"header,jwt", 2, false, {USER_JWT, {"sub", 3}}},
	{"header", 1, false, {USER_HEADER, {NULL, 0}}},
	{"jwt", 1, false, {USER_JWT, {"sub", 3}}},
	{"off", 0, false, {0}},
	{"hash", 2, true, {USER_JWT, {"sub", 3}}},
	{"hash,header", 1, true, {USER_HEADER, {NULL, 0}}},
	{"jwt,hash,header", 2, true, {USER_HEADER, {NULL, 0}}},
	{"header:X-Auth-Request-User", 1, false, {USER_HEADER, {"X-Auth-Request-User", 19}}},
	{"header:a,header:b,header:c,header:d,jwt:e,jwt:f,jwt:g,jwt:https://h.i/j",
	 8,
	 false,
	 {USER_JWT, {"https://h.i/j", 13}}},
};

static void test_lists(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct options o;
		struct input in;

		snprintf(line, sizeof(line), "--user-id=%s", lists[i].list);
		assert_int_equal(parse(&o, &in, line, ""), 0);
		assert_int_equal(o.user.source_count, lists[i].count);
		assert_int_equal(o.user.hash, lists[i].hash);
		assert_int_equal(!!o.user.key.n, lists[i].hash);
		if (lists[i].count) {
			struct user_source *last = &o.user.sources[lists[i].count - 1];

			assert_int_equal(last->kind, lists[i].last.kind);
			assert_true(str_eq(last->name, lists[i].last.name));
		}
		options_free(&o);
	}
}

static void test_default(void **state)
{
	struct options o;
	struct input in;

	(void)state;
	assert_int_equal(parse(&o, &in, "", ""), 0);
	assert_int_equal(o.user.source_count, 2);
	assert_int_equal(o.user.sources[0].kind, USER_HEADER);
	assert_int_equal(o.user.sources[1].kind, USER_JWT);
	assert_false(o.user.hash);
	assert_null(o.user_key);
	options_free(&o);
}

static const char *const refused[] = {
	"foo",
	"headers",
	"off,hash",
	"off,header",
	"header,",
	",header",
	"header,,jwt",
	"header,_jwt",
	"header:",
	"jwt:",
	"header:a:b",
	"header:Authorization",
	"header:proxy-authorization",
	"header:Cookie",
	"hash:x",
	"HASH",
	"header:\xc3\xa9\x7f",
	"header:a,header:b,header:c,header:d,jwt:e,jwt:f,jwt:g,jwt:h,jwt:i",
	"jwt:01234567890123456789012345678901234567890123456789012345678901234",
};

#define TAKES                                                                                \
	": must be off, or a list of header, header:NAME, jwt, jwt:CLAIM and hash, such as " \
	"header,jwt,hash; no header that carries secrets\n"

static void test_refused(void **state)
{
	struct options o;
	struct input in;

	(void)state;
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char expected[1024];

		snprintf(line, sizeof(line), "--user-id=%s", refused[i]);
		snprintf(expected, sizeof(expected), "sonde: %s" TAKES, line);
		for (char *p = expected; *p; p++)
			*p = (char)(*p == 0x7f ? '?' : *p);
		assert_int_equal(parse(&o, &in, line, ""), -EINVAL);
		assert_string_equal(said, expected);
	}
	assert_int_equal(parse(&o, &in, "--user-id=", ""), -EINVAL);
	assert_string_equal(said, "sonde: --user-id" TAKES);
	assert_int_equal(parse(&o, &in, "", "SONDE_USER_ID=x"), -EINVAL);
	assert_string_equal(said, "sonde: SONDE_USER_ID=x" TAKES);
}

static const char *with_key(void)
{
	snprintf(line, sizeof(line), "--user-id=hash --user-id-key-file=%s", file_path);
	return line;
}

static void assert_key(const char *text, const char *key)
{
	struct options o;
	struct input in;

	write_file(text);
	assert_int_equal(parse(&o, &in, with_key(), ""), 0);
	assert_true(str_eq(o.user.key, str_of(key)));
	options_free(&o);
	assert_null(o.user_key);
}

/* With or without the newline that editors add. */
static void test_key(void **state)
{
	(void)state;
	assert_key("0123456789abcdef", "0123456789abcdef");
	assert_key("0123456789abcdef\n", "0123456789abcdef");
	assert_key("0123456789abcdef\r\n", "0123456789abcdef");
	assert_key("\n 0123456789abcdef \n\n", "\n 0123456789abcdef ");
}

static void test_key_of_the_longest(void **state)
{
	static char text[4096 + 2];
	struct options o;
	struct input in;
	char expected[512];

	(void)state;
	memset(text, 'k', 4096);
	assert_key(text, text);
	text[4096] = 'k';
	write_file(text);
	assert_int_equal(parse(&o, &in, with_key(), ""), -EINVAL);
	snprintf(expected, sizeof(expected), "sonde: %s: key file of more than 4096 bytes\n",
		 file_path);
	assert_string_equal(said, expected);
	assert_null(o.user_key);
}

/* Bytes of any value. */
static void test_key_of_bytes(void **state)
{
	static const char bytes[] = "\0\xff\x80 0123456789ab\0\x01";
	FILE *f = fopen(file_path, "w");
	struct options o;
	struct input in;

	(void)state;
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, sizeof(bytes) - 1, f), sizeof(bytes) - 1);
	fclose(f);
	assert_int_equal(parse(&o, &in, with_key(), ""), 0);
	assert_true(str_eq(o.user.key, (struct str){bytes, sizeof(bytes) - 1}));
	options_free(&o);
}

static void test_key_too_short(void **state)
{
	static const char *const texts[] = {"", "\n", "0123456789abcde", "0123456789abcde\n"};
	struct options o;
	struct input in;
	char expected[512];

	(void)state;
	snprintf(expected, sizeof(expected), "sonde: %s: key file of less than 16 bytes\n",
		 file_path);
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(texts[i]);
		assert_int_equal(parse(&o, &in, with_key(), ""), -EINVAL);
		assert_string_equal(said, expected);
		assert_null(o.user_key);
	}
}

static void test_key_unreadable(void **state)
{
	struct options o;
	struct input in;

	(void)state;
	assert_int_equal(parse(&o, &in, "--user-id=hash --user-id-key-file=/nowhere/key", ""),
			 -EINVAL);
	assert_string_equal(
		said, "sonde: /nowhere/key: cannot read key file: No such file or directory\n");
	assert_int_equal(parse(&o, &in, "--user-id=hash --user-id-key-file=/", ""), -EINVAL);
	assert_string_equal(said, "sonde: /: cannot read key file: Is a directory\n");
	assert_int_equal(parse(&o, &in, "--user-id=hash --user-id-key-file=", ""), -EINVAL);
	assert_string_equal(said, "sonde: --user-id-key-file: must be a file's path\n");
	assert_null(o.user_key);
}

/* Who gives a key counts on the hash. But help is given in any case. */
static void test_key_for_nothing(void **state)
{
	struct options o;
	struct input in;

	(void)state;
	assert_int_equal(parse(&o, &in, "--user-id-key-file=/nowhere", ""), -EINVAL);
	assert_string_equal(said, "sonde: user-id-key-file: a key, but nothing is hashed: add hash "
				  "to user-id, such as --user-id=header,jwt,hash\n");
	assert_int_equal(parse(&o, &in, "--user-id-key-file=/nowhere --help", ""), 0);
	options_free(&o);
}

static void test_config_file(void **state)
{
	struct options o;
	struct input in;

	(void)state;
	write_file("{\"user-id\": \"jwt:oid,hash\", \"user-id-key-file\": \"/nowhere\"}");
	snprintf(line, sizeof(line), "--user-id-key-file=%s --config=%s", file_path, file_path);
	assert_int_equal(parse(&o, &in, line, ""), 0);
	assert_true(o.user.hash);
	assert_true(str_eq(o.user.sources[0].name, STR("oid")));
	assert_true(str_has_prefix(o.user.key, STR("{\"user-id\"")));
	options_free(&o);
}

/* Another one at each start. */
static void test_key_drawn(void **state)
{
	struct options first, second;
	struct input one, two;

	(void)state;
	assert_int_equal(parse(&first, &one, "--user-id=hash", ""), 0);
	assert_int_equal(parse(&second, &two, "check --user-id=hash", ""), 0);
	assert_int_equal(first.user.key.n, 32);
	assert_int_equal(second.user.key.n, 32);
	assert_memory_not_equal(first.user.key.p, second.user.key.p, 32);
	options_free(&first);
	options_free(&second);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_config_file),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_key_of_the_longest),
		cmocka_unit_test(test_key_of_bytes),
		cmocka_unit_test(test_key_too_short),
		cmocka_unit_test(test_key_unreadable),
		cmocka_unit_test(test_key_for_nothing),
		cmocka_unit_test(test_key_drawn),
	};

	return cmocka_run_group_tests(tests, file_setup, file_teardown);
}
