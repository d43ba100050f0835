/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and the templates that they become by themselves; hostile ones; bytes beyond the view. */
#include "route_model.h"

static const struct {
	const char *path, *route;
} cases[] = {
	{"", ""},
	{"/", "/"},
	{"*", "*"},
	{"//", "//"},
	{"/../../etc/passwd", "/../../etc/passwd"},
	{"/api/tasks", "/api/tasks"},
	{"/api/tasks/", "/api/tasks/"},
	{"/api/tasks/1", "/api/tasks/{id}"},
	{"/api/tasks/1/", "/api/tasks/{id}/"},
	{"/api//7//x", "/api//{id}//x"},
	{"/12345678901234567890123", "/{id}"},
	{"/1/2/3", "/{id}/{id}/{id}"},
	{"/v2/oauth2/x86_64", "/v2/oauth2/x86_64"},
	{"/Http2Server/OAuth2Callback", "/Http2Server/OAuth2Callback"},
	{"/getUserById/s3/utf8", "/getUserById/s3/utf8"},
	{"/1a", "/1a"},
	{"/-1", "/-1"},
	{"/1.5", "/1.5"},
	{"/550e8400-e29b-41d4-a716-446655440000", "/{id}"},
	{"/550E8400-E29B-41D4-A716-446655440000/x", "/{id}/x"},
	{"/deadbeef", "/deadbeef"}, /* a word */
	{"/deadbee1", "/{id}"},
	{"/DEADBEE1", "/{id}"},
	{"/deadbe1", "/deadbe1"},
	{"/d41d8cd98f00b204e9800998ecf8427e", "/{id}"},
	{"/facade", "/facade"},
	/* tokens: base64, base64url, ULID, cuid, Stripe's, a pod's */
	{"/V1StGXR8_Z5jdHi6B-myT", "/{id}"},
	{"/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "/{id}"},
	{"/dGhpcyBpcyA0MiBieXRlcw==", "/{id}"},
	{"/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/{id}"},
	{"/cjld2cjxh0000qzrmn831i7rn", "/{id}"},
	{"/cus_9s6XKzkNRiz8i3", "/{id}"},
	{"/backend-6f7d8c9b5-x2x4z", "/{id}"},
	{"/my-first-post-2026", "/my-first-post-2026"},
	{"/reports/2026-11-22", "/reports/{date}"},
	{"/reports/2026-11/x", "/reports/{date}/x"},
	{"/reports/2026.11.22", "/reports/{date}"},
	{"/reports/2026-11-22T10:15:00+01:00", "/reports/{date}"},
	{"/reports/20261122T101500Z", "/reports/{date}"},
	{"/reports/2026-11-22-summary", "/reports/2026-11-22-summary"},
	{"/users/ann@example.com", "/users/{email}"},
	{"/users/a.b+c%40mail.example.org/x", "/users/{email}/x"},
	{"/users/@ann", "/users/@ann"},
	{"/users/ann@host", "/users/ann@host"},
	{"/search/hello%20world", "/search/{text}"},
	{"/%e2%98%83/%zz/%", "/{text}/{text}/{text}"},
	{"/r/\xf0\x9f\x98\x80/9", "/r/{text}/{id}"},
	{"/\xc3\xa9/9", "/{text}/{id}"},
	{"/\xff\xfe/\x01/\"x\"", "/{text}/{text}/{text}"},
	{"/{id}/{*}/x{y}", "/{text}/{text}/{text}"}, /* nobody writes templates of his own */
	{"/static/js/app.3f2a1c.js", "/static/{*}"},
	{"/static/css/a/b/c/d.css", "/static/{*}"},
	{"/app/assets/logo.SVG", "/app/assets/{*}"},
	{"/static/report", "/static/report"},
	{"/main.3f2a1c9d.js", "/{*}"},
	{"/favicon.ico", "/favicon.ico"},
	{"/users/42/avatar.png", "/users/{id}/avatar.png"},
	{"/api/v1.js/x", "/api/v1.js/x"},
	{"example.com:443", "example.com:443"},
	{"http://example.com/a/7", "http://example.com/a/{id}"},
	{"42", "{id}"},
	{"other", "other"},
	{"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"},
	{"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{rest}"},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model *m = model_new(NULL, 0, 200);

		/* twice: when it is learned, and when it is known */
		for (int turn = 0; turn < 2; turn++)
			assert_string_equal(model_get(m, cases[i].path, 200), cases[i].route);
		model_free(m);
	}
}

/* Whatever its length: whole, or cut at a segment's border with a mark. */
static void test_room(void **state)
{
	char path[REQUEST_TARGET_MAX], word[41];

	(void)state;
	for (size_t length = 1; length <= 40; length++) {
		struct model *m = model_new(NULL, 0, 200);
		size_t n = 0;
		const char *route;

		memset(word, 'w', length);
		for (int i = 0; i < 12; i++) {
			path[n++] = '/';
			memcpy(path + n, word, length);
			n += length;
		}
		for (int turn = 0; turn < 2; turn++) {
			route = model_ask(m, "GET", (struct str){path, n}, 200);
			if (n <= REQUEST_ROUTE_MAX) {
				assert_int_equal(strlen(route), n);
				continue;
			}
			assert_in_range(strlen(route), REQUEST_ROUTE_MAX - length - 14,
					REQUEST_ROUTE_MAX);
			assert_string_equal(strrchr(route, '/'), "/{rest}");
			assert_int_equal((strlen(route) - 7) % (length + 1), 0);
		}
		model_free(m);
	}
}

/* Any bytes: within bounds, printable, and no more routes or segments than there may be. */
static void test_garbage(void **state)
{
	static const char alphabet[] = "//////aZ09%.{}*-_@\xf0\x9f\x98\x80\xff\n\"~js";
	static const uint16_t statuses[] = {200, 200, 301, 404, 500, 0};
	struct model *m = model_new(NULL, 0, 30);
	char path[REQUEST_TARGET_MAX];

	(void)state;
	srandom(7);
	for (int i = 0; i < 60000; i++) {
		size_t n = (size_t)random() % (i % 100 ? 24 : sizeof(path));
		const char *route;

		for (size_t at = 0; at < n; at++)
			path[at] = alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
		route = model_ask(m, "GET", (struct str){path, n}, statuses[random() % 6]);
		for (; *route; route++)
			assert_in_range(*route, '!', '~');
	}
	assert_in_range(m->most, 1, 30 + 2); /* other, and those without a path */
	assert_in_range(model_segments(m), 1, 30 * 17);
	model_free(m);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
