/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a report: both forms have the same words, and the JSON is strict whatever stands there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/report.h"

static const struct finding rows[] = {
	{.section = "kernel", .name = "release", .found = "6.1", .remedy = "unsaid"},
	{.section = "hook", .name = "a", .gives = "sends"},
	{.section = "right", .name = "b", .found = "held", .gives = "loading"},
	{.section = "right",
	 .name = "c",
	 .state = FINDING_FAIL,
	 .found = "not held",
	 .gives = "loading",
	 .remedy = "give it"},
	{.section = "hook", .name = "d", .state = FINDING_LOST, .gives = "retransmits"},
	{.section = "kernel", .name = "e", .state = FINDING_UNKNOWN, .found = "?", .gives = "all"},
	{.section = "limit", .name = "f"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* The caller frees it. */
static char *write_rows(bool json, const struct finding *f, size_t n, const struct conclusion *c)
{
	char *text = NULL;
	size_t size = 0;
	struct report r = {.to = open_memstream(&text, &size), .json = json};

	assert_non_null(r.to);
	report_begin(&r, "1.2.3");
	for (size_t i = 0; i < n; i++)
		report_add(&r, &f[i]);
	report_end(&r, c);
	fclose(r.to);
	return text;
}

static json_t *read_rows(const struct finding *f, size_t n, const struct conclusion *c)
{
	char *text = write_rows(true, f, n, c);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(root);
	free(text);
	return root;
}

static const char *member(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_text(void **state)
{
	char *text = write_rows(false, rows, ROWS,
				&(struct conclusion){.works = true, .backend = "sock"});

	(void)state;
	assert_string_equal(text,
			    "ok    kernel   release                6.1\n"
			    "ok    hook     a                      sends\n"
			    "ok    right    b                      held: loading\n"
			    "FAIL  right    c                      not held; lost without it: "
			    "loading; give it\n"
			    "lost  hook     d                      lost without it: "
			    "retransmits\n"
			    "?     kernel   e                      ?: all\n"
			    "ok    limit    f                      \n"
			    "sonde works here, with backend sock\n");
	free(text);
}

static void test_json(void **state)
{
	static const char *const states[] = {"ok", "ok", "ok", "fail", "lost", "unknown", "ok"};
	json_t *root = read_rows(rows, ROWS, &(struct conclusion){.why = "no \"rights\""});
	json_t *found = json_object_get(root, "findings"), *row;
	size_t i;

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	assert_string_equal(member(root, "version"), "1.2.3");
	assert_true(json_is_false(json_object_get(root, "works")));
	assert_string_equal(member(root, "why"), "no \"rights\"");
	assert_null(json_object_get(root, "backend"));
	assert_int_equal(json_array_size(found), ROWS);
	json_array_foreach(found, i, row)
	{
		assert_string_equal(member(row, "section"), rows[i].section);
		assert_string_equal(member(row, "name"), rows[i].name);
		assert_string_equal(member(row, "state"), states[i]);
		assert_int_equal(!json_object_get(row, "found"), !rows[i].found);
		assert_int_equal(!json_object_get(row, "gives"), !rows[i].gives);
	}
	assert_null(json_object_get(json_array_get(found, 0), "remedy"));
	assert_string_equal(member(json_array_get(found, 3), "remedy"), "give it");
	json_decref(root);
}

static void test_json_of_nothing(void **state)
{
	json_t *root = read_rows(NULL, 0, &(struct conclusion){.works = true, .backend = "sock"});

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "findings")), 0);
	assert_true(json_is_true(json_object_get(root, "works")));
	assert_string_equal(member(root, "backend"), "sock");
	assert_null(json_object_get(root, "why"));
	json_decref(root);
}

/* Paths may hold any bytes, and any number of them. */
static void test_json_of_any_bytes(void **state)
{
	char bytes[2048];
	struct finding f = {"a", "b", FINDING_LOST, bytes, bytes, bytes};
	json_t *root;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		bytes[i] = (char)(i % 255 + 1);
	bytes[sizeof(bytes) - 1] = '\0';
	root = read_rows(&f, 1, &(struct conclusion){.why = bytes});
	assert_non_null(member(json_array_get(json_object_get(root, "findings"), 0), "remedy"));
	json_decref(root);
	memset(bytes, 1, sizeof(bytes) - 1); /* the longest: each is escaped */
	f = (struct finding){"a", "b", FINDING_LOST, bytes, bytes, bytes};
	json_decref(read_rows(&f, 1, &(struct conclusion){.why = bytes}));
	free(write_rows(false, &f, 1, &(struct conclusion){.why = bytes}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_nothing),
		cmocka_unit_test(test_json_of_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
