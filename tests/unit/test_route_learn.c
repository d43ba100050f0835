/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twenty shapes of paths with random ids, guesses by the thousand, words that vary: what a
 * service's routes are in the end, and that the figures of each are exact, whatever was renamed on
 * the way.
 */
#include "route_model.h"

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char hex[] = "0123456789abcdef";
static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char ulid[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static size_t dice(size_t sides)
{
	return (size_t)random() % sides;
}

static size_t put_random(char *to, const char *alphabet, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = alphabet[dice(strlen(alphabet))];
	return length;
}

static size_t put_id(char *to, char kind)
{
	static const char *const emoji[] = {"\xf0\x9f\x98\x80", "\xf0\x9f\x9a\x80", "\xe2\x98\x83"};
	static const char *const names[] = {"ann", "bob", "eve"};
	size_t n = 0;

	switch (kind) {
	case 'n':
		return (size_t)sprintf(to, "%zu", dice(1000000));
	case 'u':
		return (size_t)sprintf(to, "%08zx-%04zx-4%03zx-a%03zx-%012zx", dice(1UL << 31),
				       dice(65536), dice(4096), dice(4096), dice(1UL << 31));
	case 'h':
		return put_random(to, hex, 32);
	case 's': /* a short one, as git has them */
		return put_random(to, hex, 7);
	case 'b':
		return put_random(to, base64, 22);
	case 'l':
		return put_random(to, ulid, 26);
	case 'd':
		return (size_t)sprintf(to, "20%02zu-%02zu-%02zu", dice(40), dice(12) + 1,
				       dice(28) + 1);
	case 'm':
		return (size_t)sprintf(to, "%s.%zu@example.com", names[dice(3)], dice(1000));
	case 'e':
		return (size_t)sprintf(to, "%s%s", emoji[dice(3)], emoji[dice(3)]);
	case 'p':
		return (size_t)sprintf(to, "%s%%20%s", names[dice(3)], names[dice(3)]);
	case 'w': /* a user's name */
		return put_random(to, lower, 3 + dice(6));
	case 'g': /* a slug */
		n = put_random(to, lower, 2 + dice(6));
		to[n++] = '-';
		return n + put_random(to + n, lower, 2 + dice(6));
	default: /* a file */
		n = put_random(to, lower, 5);
		return n + (size_t)sprintf(to + n, ".%06zx.js", dice(1 << 24));
	}
}

/* '<x>' stands for an id of kind x. */
static struct str path_of(const char *shape, char *path)
{
	size_t n = 0;

	for (const char *p = shape; *p; p++) {
		if (*p != '<') {
			path[n++] = *p;
			continue;
		}
		n += put_id(path + n, p[1]);
		p += 2;
	}
	return (struct str){path, n};
}

static const struct {
	const char *shape, *route;
} shapes[] = {
	{"/", "/"},
	{"/v2/oauth2/token", "/v2/oauth2/token"},
	{"/api/tasks", "/api/tasks"},
	{"/api/tasks/<n>", "/api/tasks/{id}"},
	{"/api/tasks/<n>/comments/<n>", "/api/tasks/{id}/comments/{id}"},
	{"/api/users/<u>", "/api/users/{id}"},
	{"/api/users/<u>/avatar", "/api/users/{id}/avatar"},
	{"/blobs/<h>", "/blobs/{id}"},
	{"/commits/<s>", "/commits/{id}"},
	{"/files/<b>", "/files/{id}"},
	{"/events/<l>", "/events/{id}"},
	{"/reports/<d>", "/reports/{date}"},
	{"/accounts/<m>", "/accounts/{email}"},
	{"/reactions/<e>", "/reactions/{text}"},
	{"/search/<p>", "/search/{text}"},
	{"/people/<w>", "/people/{*}"},
	{"/people/<w>/posts/<g>", "/people/{*}/posts/{*}"},
	{"/blog/2026/11/<g>", "/blog/{id}/{id}/{*}"},
	{"/static/js/<f>", "/static/{*}"},
	{"/shop/<w>/orders/<n>", "/shop/{name}/orders/{order}"},
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static const struct route_rule rules[] = {{{NULL, 0}, {"GET /shop/{name}/orders/{order}", 31}}};

static struct str scan_path(char *path)
{
	static const char kinds[] = "nuhsbldmepwgf";
	size_t n = 0;

	for (size_t depth = 1 + dice(4); depth; depth--) {
		path[n++] = '/';
		if (dice(8) == 0)
			n += (size_t)sprintf(path + n, dice(2) ? "../.env" : "scan");
		n += put_id(path + n, kinds[dice(13)]);
	}
	return (struct str){path, n};
}

static void shapes_ask(struct model *m, uint64_t counts[SHAPES], unsigned requests)
{
	char path[256];

	for (unsigned i = 0; i < requests; i++) {
		size_t shape = dice(SHAPES);

		model_ask(m, "GET", path_of(shapes[shape].shape, path), 200);
		counts[shape]++;
	}
}

static void scan(struct model *m, unsigned requests, uint16_t status)
{
	char path[256];

	for (unsigned i = 0; i < requests; i++)
		model_ask(m, "GET", scan_path(path), status);
}

static void routes_print(const struct model *m)
{
	for (unsigned i = 0; i < m->used; i++)
		print_message("%8lu %s\n", (unsigned long)m->figures[i].count, m->figures[i].route);
}

static void check_shapes(struct model *m, const uint64_t counts[SHAPES], uint64_t other)
{
	bool all = true;

	for (size_t i = 0; i < SHAPES; i++)
		all &= model_count(m, shapes[i].route) == counts[i];
	if (!all || m->used != SHAPES + (other > 0))
		routes_print(m);
	assert_true(all);
	assert_int_equal(model_count(m, "other"), other);
	assert_int_equal(m->used, SHAPES + (other > 0));
}

/* In any order of the two: the shapes are the routes, and all guesses are "other". */
static void test_shapes_and_scan(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		struct model *m = model_new(rules, 1, 200);
		uint64_t counts[SHAPES] = {0};

		srandom(seed);
		if (seed % 3 == 0)
			scan(m, 10000, 404);
		if (seed % 3 == 1)
			shapes_ask(m, counts, 10000);
		for (int i = 0; i < 100; i++) {
			shapes_ask(m, counts, 100);
			scan(m, 100, i % 4 ? 404 : 400);
		}
		check_shapes(m, counts, m->requests - (10000 + (seed % 3 == 1) * 10000));
		assert_in_range(m->most, SHAPES, 200);
		assert_in_range(model_segments(m), SHAPES, 100);
		model_free(m);
	}
}

/* Who guesses is answered with a page whatever he asks for: routes that are known stay. */
static void test_scan_that_is_answered(void **state)
{
	struct model *m = model_new(rules, 1, 200);
	uint64_t counts[SHAPES] = {0}, sum = 0;

	(void)state;
	srandom(3);
	shapes_ask(m, counts, 4000);
	scan(m, 20000, 200);
	shapes_ask(m, counts, 4000);
	for (size_t i = 0; i < SHAPES; i++) {
		if (model_count(m, shapes[i].route) < counts[i])
			fail_msg("%s: %lu of %lu", shapes[i].route,
				 (unsigned long)model_count(m, shapes[i].route),
				 (unsigned long)counts[i]);
	}
	/* five kinds of segments in up to four places are more than there may be */
	assert_string_equal(model_get(m, "/1/2026-11-22/a@b.cd/%20/1", 200), "other");
	assert_true(routes_overflows(m->routes) > 0);
	for (unsigned i = 0; i < m->used; i++)
		sum += m->figures[i].count;
	assert_int_equal(sum, m->requests);
	assert_in_range(m->most, SHAPES, 202);
	model_free(m);
}

static void test_words_that_vary(void **state)
{
	struct model *m = model_new(NULL, 0, 200);

	(void)state;
	for (int i = 0; i < 30; i++)
		model_get(m, "/users/search", i % 2 ? 404 : 200); /* asked for often */
	ask_words(m, "/users/x%c%c/orders", 0, 40, 200);
	ask_words(m, "/users/x%c%c", 0, 49, 200);
	assert_int_equal(m->renamings, 0);
	model_get(m, "/users/", 200);
	model_get(m, "/users/7", 200);
	assert_int_equal(model_count(m, "/users/xaa"), 1);
	ask_words(m, "/users/x%c%c", 49, 50, 200);
	assert_int_equal(model_count(m, "/users/{*}"), 50); /* one word too many */
	ask_words(m, "/users/x%c%c", 50, 600, 200);
	assert_string_equal(model_get(m, "/users/xaa/orders", 404), "/users/{*}/orders");
	assert_string_equal(model_get(m, "/users/zzz/invoices", 200), "/users/{*}/invoices");
	assert_int_equal(model_count(m, "/users/{*}"), 600);
	assert_int_equal(model_count(m, "/users/{*}/orders"), 41);
	assert_int_equal(model_count(m, "/users/search"), 30);
	assert_int_equal(model_count(m, "/users/"), 1);
	assert_int_equal(model_count(m, "/users/{id}"), 1);
	assert_int_equal(m->used, 6);
	assert_int_equal(m->renamings, 1);
	model_free(m);
}

/* Words of code are few: fifty under one parent keep their names for ever. */
static void test_words_that_do_not(void **state)
{
	struct model *m = model_new(NULL, 0, 200);

	(void)state;
	for (int turn = 0; turn < 100; turn++) {
		ask_words(m, "/rpc/get%c%c", 0, 50, 200);
		ask_words(m, "/rest/%c%c", 0, 50, 200);
	}
	assert_int_equal(m->used, 100);
	assert_int_equal(m->renamings, 0);
	assert_int_equal(model_count(m, "/rpc/getaa"), 100);
	model_free(m);
}

static void test_words_with_digits(void **state)
{
	struct model *m = model_new(NULL, 0, 200);
	char path[64];

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "/tickets/TASK-%d/log", i);
		model_get(m, path, 200);
	}
	assert_int_equal(model_count(m, "/tickets/{id}/log"), 200);
	assert_int_equal(m->used, 1);
	model_free(m);
}

/* Few paths that fail have names. One too many, and those that were never answered well have none;
 * but what fails again and again is there. */
static void test_paths_that_fail(void **state)
{
	struct model *m = model_new(NULL, 0, 200);

	(void)state;
	for (int i = 0; i < 40; i++) {
		model_get(m, "/login", 401);
		model_get(m, "/broken", 500);
		model_get(m, "/favicon.ico", 404);
	}
	ask_words(m, "/a%c%c", 0, 31, 404);
	assert_string_equal(model_get(m, "/aaa", 404), "/aaa");
	assert_int_equal(m->renamings, 0);
	assert_string_equal(model_get(m, "/one/too/many", 0), "other");
	assert_int_equal(m->renamings, 1);
	assert_int_equal(model_count(m, "other"), 40 + 31 + 1 + 1);
	assert_int_equal(model_count(m, "/login"), 40);
	assert_int_equal(model_count(m, "/broken"), 40);
	assert_string_equal(model_get(m, "/aaa", 404), "other");
	assert_string_equal(model_get(m, "/aaa", 204), "/aaa"); /* it is there after all */
	assert_string_equal(model_get(m, "/aaa", 404), "/aaa");
	assert_int_equal(m->used, 4);
	model_free(m);
}

static void test_cap(void **state)
{
	struct model *m = model_new(NULL, 0, 20);
	char path[64];

	(void)state;
	for (int turn = 0; turn < 30; turn++)
		for (int i = 0; i < 40; i++) {
			snprintf(path, sizeof(path), "/%c/%c", 'a' + i % 5, 'a' + i / 5);
			model_get(m, path, 200);
		}
	assert_int_equal(m->used, 21);
	assert_int_equal(model_count(m, "other"), 20 * 30);
	assert_int_equal(routes_overflows(m->routes), 20 * 30);
	model_free(m);
}

/* Routes that were asked for once make room for others, all in one. */
static void test_cap_makes_room(void **state)
{
	struct model *m = model_new(NULL, 0, 20);

	(void)state;
	ask_words(m, "/users/%c%c", 0, 18, 200);
	ask_words(m, "/fails/%c%c", 0, 2, 404);
	ask_words(m, "/api/%c%c", 0, 10, 200);
	assert_int_equal(model_count(m, "/users/{*}"), 18);
	assert_int_equal(model_count(m, "other"), 2);
	assert_int_equal(m->used, 12);
	assert_int_equal(routes_overflows(m->routes), 0);
	model_free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes_and_scan),
		cmocka_unit_test(test_scan_that_is_answered),
		cmocka_unit_test(test_words_that_vary),
		cmocka_unit_test(test_words_that_do_not),
		cmocka_unit_test(test_words_with_digits),
		cmocka_unit_test(test_paths_that_fail),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_cap_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
