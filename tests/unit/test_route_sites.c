/* SPDX-License-Identifier: Apache-2.0 */
/* Services, roles and hosts have routes of their own; all of it is bounded; who only looks. */
#include "route_model.h"

/* Each service, role and host that a client asks has routes of its own; all are bounded. */
static void test_sites(void **state)
{
	static const struct owner same = {.id = 2, .service = {"backend", 7}};
	struct owner another = {.id = 3, .service = {"shop", 4}};
	struct model *m = model_new(NULL, 0, 200);
	char host[16];

	(void)state;
	ask_words(m, "/users/%c%c", 0, 60, 200);
	m->owner = &same;
	assert_string_equal(model_get(m, "/users/zz", 200), "/users/{*}");
	m->owner = &another;
	assert_string_equal(model_get(m, "/users/zz", 200), "/users/zz");
	m->owner = NULL;
	assert_string_equal(model_get(m, "/users/zz", 200), "/users/zz");
	m->owner = &same;
	m->role = ROLE_CLIENT;
	assert_string_equal(model_get(m, "/users/zz", 200), "/users/zz");
	m->host = "one";
	ask_words(m, "/users/%c%c", 0, 60, 200);
	assert_string_equal(model_get(m, "/users/zz", 200), "/users/{*}");
	m->host = "two";
	assert_string_equal(model_get(m, "/users/zz", 200), "/users/zz");
	for (int i = 0; i < 5000; i++) {
		const struct table *tables[ROUTE_TABLES];

		another.service.n = (size_t)snprintf(host, sizeof(host), "s%d", i);
		another.service.p = host;
		m->owner = &another;
		m->role = ROLE_SERVER;
		assert_string_equal(model_get(m, "/a/b", 200), "/a/b");
		routes_tables(m->routes, tables);
		assert_in_range(table_count(tables[0]), 1, 16);
		assert_in_range(table_count(tables[1]), 1, 16 * 4 + 200);
	}
	model_free(m);
}

/* A client of many hosts has trees for the first of them, and one for the others. */
static void test_hosts(void **state)
{
	struct routes *rs = routes_new(
		&(struct routes_options){.routes_max = 200, .nodes_max = 4096, .sites_max = 100});
	struct request r = {.role = ROLE_CLIENT, .status = 200, .owner = &model_owner};
	const struct table *tables[ROUTE_TABLES];
	char host[16], to[REQUEST_ROUTE_MAX];

	(void)state;
	request_set(&r, target, STR("/x"));
	for (int i = 0; i < 1000; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		request_set(&r, host, str_of(host));
		assert_int_equal(routes_of(rs, &r, true, to), 2);
	}
	routes_tables(rs, tables);
	assert_int_equal(table_count(tables[0]), 33);
	assert_int_equal(table_count(tables[1]), 2 * 33);
	routes_free(rs);
}

/* What is not counted here teaches nothing. */
static void test_not_learned(void **state)
{
	struct model *m = model_new(NULL, 0, 200);
	struct request r = {.role = ROLE_SERVER, .status = 200, .owner = &model_owner};
	char to[REQUEST_ROUTE_MAX];
	uint64_t site;

	(void)state;
	request_set(&r, target, STR("/a/1"));
	assert_int_equal(routes_of(m->routes, &r, false, to), 5);
	assert_memory_equal(to, "other", 5);
	site = routes_site(m->routes, &r);
	assert_int_equal(routes_view(m->routes, site, ROLE_SERVER, STR("/a/2"), to), 5);
	assert_memory_equal(to, "other", 5);
	model_get(m, "/a/1", 200);
	assert_int_equal(routes_of(m->routes, &r, false, to), 7);
	assert_int_equal(routes_view(m->routes, site, ROLE_SERVER, STR("/a/2"), to), 7);
	assert_memory_equal(to, "/a/{id}", 7);
	assert_int_equal(routes_view(m->routes, site, ROLE_SERVER, STR(""), to), 0);
	/* what it was called then, and what it is called by now */
	ask_words(m, "/rooms/%c%c", 0, 10, 101);
	assert_int_equal(routes_view(m->routes, site, ROLE_SERVER, STR("/rooms/ab"), to), 9);
	ask_words(m, "/rooms/%c%c", 10, 60, 101);
	assert_int_equal(routes_view(m->routes, site, ROLE_SERVER, STR("/rooms/ab"), to), 10);
	assert_memory_equal(to, "/rooms/{*}", 10);
	model_free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_not_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
