/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that somebody wrote: which paths they match, which of several wins, what is refused. */
#include "route_model.h"

#define RULE(text)                             \
	{                                      \
		{NULL, 0},                     \
		{                              \
			text, sizeof(text) - 1 \
		}                              \
	}
#define RULE_OF(s, text)                       \
	{                                      \
		{s, sizeof(s) - 1},            \
		{                              \
			text, sizeof(text) - 1 \
		}                              \
	}

static const struct route_rule rules[] = {
	RULE("/files/{*}"),
	RULE("/files/{name}"),
	RULE("/users/{user}/orders/{order}"),
	RULE("GET /users/{id}/orders/{id}"),
	RULE("/users/me/orders/{order}"),
	RULE("/{tenant}/status"),
	RULE("/users/{user}"),
	RULE("POST /exact"),
	RULE_OF("backend", "/reports/{backend}"),
	RULE("/reports/{all}"),
	RULE_OF("another", "/only/{another}"),
	RULE("/a/{x}/c"),
	RULE("/a/b/{*}"),
};

static const struct {
	const char *op, *path, *route;
} cases[] = {
	{"PUT", "/users/ann/orders/7", "/users/{user}/orders/{order}"},
	{"GET", "/users/ann/orders/7", "/users/{id}/orders/{id}"},
	{"GET", "/users/me/orders/7", "/users/me/orders/{order}"},
	{"GET", "/users/42", "/users/{user}"},
	{"GET", "/users/", "/users/"}, /* a name stands for something */
	{"GET", "/users", "/users"},
	{"GET", "/users/ann/", "/users/ann/"},
	{"GET", "/files/a", "/files/{name}"},
	{"GET", "/files/a/b/c.txt", "/files/{*}"},
	{"GET", "/files/", "/files/"},
	{"GET", "/acme/status", "/{tenant}/status"},
	{"GET", "/status", "/status"},
	{"POST", "/exact", "/exact"},
	{"GET", "/reports/2026-11-22", "/reports/{backend}"},
	{"GET", "/only/7", "/only/{id}"},
	{"GET", "/a/b/c", "/a/b/{*}"}, /* its second segment is a literal */
	{"GET", "/a/x/c", "/a/{x}/c"},
	{"GET", "/acme/status%20", "/acme/{text}"},
};

static void test_matches(void **state)
{
	struct model *m = model_new(rules, sizeof(rules) / sizeof(*rules), 200);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(model_ask(m, cases[i].op, str_of(cases[i].path), 200),
				    cases[i].route);
	model_free(m);
}

/* They hold whatever the answer, whatever else there is, and nothing renames them. */
static void test_first(void **state)
{
	static const struct route_rule one[] = {RULE("/api/{name}"), RULE("GET /users/{id}")};
	struct model *m = model_new(one, 2, 4);
	char path[32];

	(void)state;
	assert_string_equal(model_get(m, "/users/1", 404), "/users/{id}");
	model_ask(m, "PUT", STR("/users/1"), 404); /* the same text, and never answered well */
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/scan%c%d", 'a' + i % 26, i);
		model_get(m, path, i % 3 ? 404 : 200);
		assert_string_equal(model_get(m, "/api/x", 404), "/api/{name}");
	}
	assert_int_equal(model_count(m, "/api/{name}"), 1000);
	assert_true(model_count(m, "/users/{id}") >= 1);
	assert_in_range(m->most, 3, 4 + 1); /* rules take from the cap; and other */
	model_free(m);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",	  "users",     "GET",	 "GET users",
		"GET  ",  "/a{b}",     "/{a}b",	 "/{",
		"/{}",	  "/}",	       "/{a b}", "/{a/b}",
		"/a?b=c", "/a#b",      "/a b",	 "G=T /a",
		"/{*}x",  "/\xc3\xa9", "/{a*}",	 "/a\tb",
		"/{{a}}", "1 /a",      "/\"",	 "/{abcdefghijklmnopqrstuvwxyzabcdefg}",
	};
	static const char *const good[] = {"/",	     "/{id}",  "GET /",	     " PUT  /a/{b_c-d.E9} ",
					   "/{*}/x", "/a//b/", "M-SEARCH /", "/a/{*}"};
	char text[REQUEST_ROUTE_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (route_rule_valid(str_of(bad[i])))
			fail_msg("accepted: %s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!route_rule_valid(str_of(good[i])))
			fail_msg("refused: %s", good[i]);
	memset(text, 'x', sizeof(text));
	*text = '/';
	assert_true(route_rule_valid((struct str){text, REQUEST_ROUTE_MAX}));
	assert_false(route_rule_valid((struct str){text, REQUEST_ROUTE_MAX + 1}));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
