/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and the templates that they become; room that is too small; bytes beyond the view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flow/flow.h"

static const struct {
	const char *path, *route;
} cases[] = {
	{"", ""},
	{"/", "/"},
	{"*", "*"},
	{"//", "//"},
	{"/api/tasks", "/api/tasks"},
	{"/api/tasks/", "/api/tasks/"},
	{"/api/tasks/1", "/api/tasks/{id}"},
	{"/api/tasks/1/", "/api/tasks/{id}/"},
	{"/api//7//x", "/api//{id}//x"},
	{"/12345678901234567890123", "/{id}"},
	{"/1/2/3", "/{id}/{id}/{id}"},
	{"/v2/oauth2/x86_64", "/v2/oauth2/x86_64"},
	{"/1a", "/1a"},
	{"/-1", "/-1"},
	{"/1.5", "/1.5"},
	{"/550e8400-e29b-41d4-a716-446655440000", "/{id}"},
	{"/550E8400-E29B-41D4-A716-446655440000/x", "/{id}/x"},
	{"/550e8400-e29b-41d4-a716-44665544000", "/550e8400-e29b-41d4-a716-44665544000"},
	{"/550e8400-e29b-41d4-a716-44665544000g", "/550e8400-e29b-41d4-a716-44665544000g"},
	{"/550e8400-e29b-41d4-a7160446655440000", "/550e8400-e29b-41d4-a7160446655440000"},
	{"/deadbeef", "/deadbeef"}, /* a word */
	{"/deadbee1", "/{id}"},
	{"/DEADBEE1", "/{id}"},
	{"/deadbe1", "/deadbe1"},
	{"/d41d8cd98f00b204e9800998ecf8427e", "/{id}"},
	{"/d41d8cd98f00b204e9800998ecf8427g", "/d41d8cd98f00b204e9800998ecf8427g"},
	{"/facade", "/facade"},
	{"example.com:443", "example.com:443"},
	{"42", "{id}"},
	{"/\xc3\xa9/9", "/\xc3\xa9/{id}"},
};

static void test_table(void **state)
{
	char route[REQUEST_ROUTE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length = strlen(cases[i].path), n;
		char *path = malloc(length + !length); /* without NUL: overreading is seen */

		memcpy(path, cases[i].path, length);
		n = route_template((struct str){path, length}, route, sizeof(route) - 1);
		route[n] = '\0';
		assert_string_equal(route, cases[i].route);
		free(path);
	}
	assert_int_equal(route_template((struct str){0}, route, sizeof(route)), 0);
}

/* Whatever the room: whole, or cut at a segment's border with a mark. */
static void test_room(void **state)
{
	static const char path[] = "/orders/12345/items/9";
	static const char whole[] = "/orders/{id}/items/{id}";
	static const char rest[] = "/{rest}";
	static const size_t mark = sizeof(rest) - 1;

	(void)state;
	for (size_t size = 0; size < sizeof(whole) + 4; size++) {
		char *route = malloc(size ? size : 1);
		size_t n = route_template(STR(path), route, size);

		assert_in_range(n, 0, size);
		if (size >= sizeof(whole) - 1) {
			assert_int_equal(n, sizeof(whole) - 1);
			assert_memory_equal(route, whole, n);
		} else if (size < mark) {
			assert_int_equal(n, 0);
		} else {
			assert_memory_equal(route + n - mark, rest, mark);
			assert_memory_equal(route, whole, n - mark);
			assert_true(whole[n - mark] == '/');
		}
		free(route);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
