/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint over loopback: one thread plays client and server in turn, on a port that the kernel
 * chose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "out/web.h"

static const struct prom_family family = {"seen_total", PROM_COUNTER, NULL, "Things seen."};

struct backend {
	bool ready;
	bool flood;
	unsigned scrapes;
};

static void give_metrics(void *ctx, struct prom *p)
{
	static char block[1 << 20];
	struct backend *b = ctx;

	b->scrapes++;
	prom_family(p, &family);
	prom_u64(p, &family, NULL, 0, 1);
	for (int i = 0; b->flood && i < 65; i++)
		buf_bytes(p->out, block, sizeof(block));
	prom_end(p);
}

static bool give_ready(void *ctx)
{
	return ((struct backend *)ctx)->ready;
}

static void give_page(void *ctx, struct buf *html)
{
	(void)ctx;
	buf_text(html, "<h1>page</h1>");
}

static struct backend backend;
static char error[256];

static struct web *listen_at(const char *where)
{
	return web_new(&(struct web_options){.listen = where,
					     .metrics = give_metrics,
					     .ready = give_ready,
					     .page = give_page,
					     .ctx = &backend},
		       error, sizeof(error));
}

static int setup(void **state)
{
	backend = (struct backend){.ready = true};
	*state = listen_at("127.0.0.1:0");
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	web_free(*state);
	return 0;
}

static int connect_to(const struct web *w)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)web_port(w)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static char answer[1 << 16];
static size_t answer_size;

static void serve_until_closed(struct web *w, int fd)
{
	answer_size = 0;
	for (;;) {
		struct pollfd p = {.fd = web_fd(w), .events = POLLIN};
		ssize_t n;

		poll(&p, 1, 10);
		web_run(w);
		n = recv(fd, answer + answer_size, sizeof(answer) - 1 - answer_size, MSG_DONTWAIT);
		if (n > 0)
			answer_size += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			break;
	}
	answer[answer_size] = '\0';
	close(fd);
}

static void ask(struct web *w, const char *request)
{
	int fd = connect_to(w);

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	serve_until_closed(w, fd);
}

static void get(struct web *w, const char *method, const char *path, const char *headers)
{
	char request[512];

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", method, path, headers);
	ask(w, request);
}

static void assert_status(int status)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	if (strncmp(answer, line, strlen(line)) != 0)
		print_error("wanted %d, got:\n%s\n", status, answer);
	assert_memory_equal(answer, line, strlen(line));
}

static void assert_header(const char *line)
{
	char *end = strstr(answer, "\r\n\r\n"), *at = strcasestr(answer, line);

	if (!at || !end || at > end)
		print_error("no \"%s\" in:\n%s\n", line, answer);
	assert_true(at && end && at < end);
	assert_memory_equal(at - 2, "\r\n", 2);
	assert_memory_equal(at + strlen(line), "\r\n", 2);
}

static const char *body(void)
{
	char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

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

#define TEXT_BODY "# HELP seen_total Things seen.\n# TYPE seen_total counter\nseen_total 1\n"

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

static void test_too_long(void **state)
{
	backend.flood = true;
	get(*state, "GET", "/metrics", "Accept-Encoding: gzip\r\n");
	assert_status(500);
	assert_non_null(strstr(body(), "--series-max"));
}

static void test_garbage(void **state)
{
	static char request[20000];

	ask(*state, "\x16\x03\x01 not http\r\n\r\n");
	memset(request, 'a', sizeof(request) - 1);
	memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
	ask(*state, request);
	assert_true(!answer_size || strncmp(answer, "HTTP/1.1 4", 10) == 0);
	get(*state, "GET", "/healthz", "");
	assert_status(200);
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

static void test_get_with_body(void **state)
{
	ask(*state, "GET /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(answer_size, 0);
	assert_int_equal(backend.scrapes, 0);
}

static void test_connection_limit(void **state)
{
	int fds[40];

	for (size_t i = 0; i < 40; i++) {
		fds[i] = connect_to(*state);
		web_run(*state);
	}
	serve_until_closed(*state, fds[39]); /* too many from one address */
	assert_int_equal(answer_size, 0);
	for (size_t i = 0; i < 39; i++)
		close(fds[i]);
	web_run(*state);
	get(*state, "GET", "/healthz", "");
	assert_status(200);
}

static void test_port_in_use(void **state)
{
	char where[64];

	snprintf(where, sizeof(where), "127.0.0.1:%u", web_port(*state));
	assert_null(listen_at(where));
	assert_non_null(strstr(error, "address already in use"));
}

static void test_all_addresses(void **state)
{
	struct web *w = listen_at(":0");

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
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_alive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_get_with_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connection_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
		cmocka_unit_test(test_all_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
