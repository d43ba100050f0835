/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint over loopback: one thread plays client and server in turn, on a port that the kernel
 * chose.
 */
#include "web_client.h"

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		int status;
		const char *body;
	} cases[] = {
		{"/healthz", 200, "ok\n"},
		{"/livez", 200, "ok\n"},
		{"/health", 200, "ok\n"},
		{"/-/healthy", 200, "ok\n"},
		{"/readyz", 200, "ok\n"},
		{"/-/ready", 200, "ok\n"},
		{"/", 200, "<h1>page</h1>"},
		{"/?x=1", 200, "<h1>page</h1>"},
		{"/nothing", 404, "not found\n"},
		{"/metrics/", 404, "not found\n"},
		{"/healthz/../", 404, "not found\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		get(*state, "GET", cases[i].path, "");
		assert_status(cases[i].status);
		assert_string_equal(body(), cases[i].body);
		assert_header("Cache-Control: no-store");
		assert_header(strchr(cases[i].body, '<')
				      ? "Content-Type: text/html; charset=utf-8"
				      : "Content-Type: text/plain; charset=utf-8");
	}
}

static void test_not_ready(void **state)
{
	backend.ready = false;
	get(*state, "GET", "/readyz", "");
	assert_status(503);
	get(*state, "GET", "/-/ready", "");
	assert_status(503);
	get(*state, "GET", "/healthz", "");
	assert_status(200);
}

static void test_methods(void **state)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "BREW"};

	for (size_t i = 0; i < 5; i++) {
		get(*state, methods[i], "/metrics", "");
		assert_status(405);
		assert_header("Allow: GET, HEAD");
	}
	get(*state, "POST", "/metrics", "Content-Length: 1000000\r\n");
	assert_status(405);
	assert_int_equal(backend.scrapes, 0);
}

static void test_metrics(void **state)
{
	get(*state, "GET", "/metrics", "");
	assert_status(200);
	assert_header("Content-Type: text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(body(), TEXT_BODY);
	get(*state, "GET", "/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n");
	assert_header("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8");
	assert_string_equal(body() + strlen(body()) - 6, "# EOF\n");
	for (int i = 0; i < 100; i++) { /* more than may wait at once */
		get(*state, "GET", "/metrics", "");
		assert_status(200);
	}
}

static void test_head(void **state)
{
	char length[64];

	get(*state, "HEAD", "/metrics", "");
	assert_status(200);
	snprintf(length, sizeof(length), "Content-Length: %zu", strlen(TEXT_BODY));
	assert_header(length);
	assert_string_equal(body(), "");
	get(*state, "HEAD", "/nothing", "");
	assert_status(404);
	assert_string_equal(body(), "");
}

static void test_gzip(void **state)
{
	char plain[4096];
	z_stream z = {.next_out = (Bytef *)plain, .avail_out = sizeof(plain)};

	get(*state, "GET", "/metrics", "Accept-Encoding: deflate, gzip\r\n");
	assert_status(200);
	assert_header("Content-Encoding: gzip");
	assert_header("Vary: Accept, Accept-Encoding");
	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	z.next_in = (Bytef *)body();
	z.avail_in = (uInt)(answer + answer_size - body());
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, strlen(TEXT_BODY));
	assert_memory_equal(plain, TEXT_BODY, z.total_out);
	inflateEnd(&z);
	get(*state, "GET", "/metrics", "Accept-Encoding: gzip;q=0\r\n");
	assert_string_equal(body(), TEXT_BODY);
}

/* A request in pieces, and a second one on the same connection. */
static void test_keep_alive(void **state)
{
	static const char first[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char last[] = "GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	int fd = connect_to(*state);

	for (size_t i = 0; i < sizeof(first) - 1; i++) {
		assert_int_equal(send(fd, first + i, 1, 0), 1);
		web_run(*state);
	}
	assert_int_equal(send(fd, last, sizeof(last) - 1, 0), sizeof(last) - 1);
	serve_until_closed(*state, fd);
	assert_status(200);
	assert_non_null(strstr(body(), "HTTP/1.1 200 OK"));
}

static void test_port_in_use(void **state)
{
	char where[64];

	snprintf(where, sizeof(where), "127.0.0.1:%u", web_port(*state));
	assert_null(listen_with(&(struct web_options){.listen = where}));
	assert_non_null(strstr(error, "address already in use"));
}

static void test_all_addresses(void **state)
{
	struct web *w = listen_with(&(struct web_options){.listen = ":0"});

	(void)state;
	assert_non_null(w);
	get(w, "GET", "/healthz", "");
	assert_status(200);
	web_free(w);
	web_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_methods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gzip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_alive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
		cmocka_unit_test(test_all_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
