/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the endpoint refuses, and what no client can take from the others: connections, time, the
 * thread that renders. Limits of time are shrunk here; what they end is waited for, never measured.
 */
#include "web_client.h"

#include "base/clock.h"

#define PATIENCE (60 * NS_PER_SECOND) /* of the tests: only a failure takes this long */

static void test_too_long(void **state)
{
	backend.blocks = 65;
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

static struct web *hurried(void)
{
	struct web *w = listen_with(&(struct web_options){.request_ns = 20 * NS_PER_MS});

	backend = (struct backend){.ready = true};
	assert_non_null(w);
	return w;
}

/* A head that never ends, a byte at a time, and a client that says nothing. */
static void test_slow_heads_are_ended(void **state)
{
	struct web *w = hurried();
	uint64_t began = clock_monotonic();
	int slow = connect_to(w), silent = connect_to(w);
	bool slow_open = true, silent_open = true;
	char c;

	(void)state;
	while (slow_open || silent_open) {
		assert_true(clock_monotonic() - began < PATIENCE);
		send(slow, "G", 1, MSG_NOSIGNAL);
		web_run(w);
		slow_open = recv(slow, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
		silent_open = recv(silent, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
		usleep(1000);
	}
	close(slow);
	close(silent);
	web_free(w);
}

/* Who asks and does not read holds one of the few expositions that may wait, for a time. */
static void test_slow_readers_are_ended(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
	struct web *w = hurried();
	uint64_t began = clock_monotonic();
	int fds[4];

	(void)state;
	backend.blocks = 32; /* more than sockets take */
	for (size_t i = 0; i < 4; i++) {
		fds[i] = connect_to(w);
		assert_int_equal(send(fds[i], request, sizeof(request) - 1, 0),
				 sizeof(request) - 1);
		web_run(w);
	}
	do {
		assert_true(clock_monotonic() - began < PATIENCE);
		get(w, "GET", "/metrics", "");
	} while (strncmp(answer, "HTTP/1.1 200 ", 13) != 0);
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);
	web_free(w);
}

/* All who ask in time get what was rendered for the first one, each form for itself. */
static void test_fresh_exposition_is_shared(void **state)
{
	static const char open[] = "Accept: application/openmetrics-text\r\n";
	static const char gzip[] = "Accept-Encoding: gzip\r\n";
	struct web *w = listen_with(&(struct web_options){.fresh_ns = UINT64_MAX});

	(void)state;
	backend = (struct backend){.ready = true};
	for (int i = 0; i < 20; i++) {
		get(w, i % 2 ? "HEAD" : "GET", "/metrics", "");
		assert_status(200);
		assert_string_equal(body(), i % 2 ? "" : TEXT_BODY);
		get(w, "GET", "/metrics", gzip);
		assert_header("Content-Encoding: gzip");
		get(w, "GET", "/metrics", open);
		assert_string_equal(body() + strlen(body()) - 6, "# EOF\n");
	}
	assert_int_equal(backend.scrapes, 3);
	web_free(w);
}

static void test_stale_exposition_is_not(void **state)
{
	struct web *w = listen_with(&(struct web_options){.fresh_ns = 1});

	(void)state;
	backend = (struct backend){.ready = true};
	for (int i = 0; i < 20; i++)
		get(w, "GET", "/metrics", "");
	assert_int_equal(backend.scrapes, 20);
	web_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_get_with_body, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connection_limit, setup, teardown),
		cmocka_unit_test(test_slow_heads_are_ended),
		cmocka_unit_test(test_slow_readers_are_ended),
		cmocka_unit_test(test_fresh_exposition_is_shared),
		cmocka_unit_test(test_stale_exposition_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
