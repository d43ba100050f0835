/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the endpoint share: an endpoint with a backend of its own, and a client for it.
 * One thread plays both in turn, on a port that the kernel chose.
 */
#ifndef SONDE_TEST_WEB_CLIENT_H
#define SONDE_TEST_WEB_CLIENT_H

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

#define TEXT_BODY "# HELP seen_total Things seen.\n# TYPE seen_total counter\nseen_total 1\n"

static const struct prom_family family = {"seen_total", PROM_COUNTER, NULL, "Things seen."};

struct backend {
	bool ready;
	unsigned blocks; /* of a MiB each, behind the metrics */
	unsigned scrapes;
};

static inline void give_metrics(void *ctx, struct prom *p)
{
	static char block[1 << 20];
	struct backend *b = ctx;

	b->scrapes++;
	prom_family(p, &family);
	prom_u64(p, &family, NULL, 0, 1);
	for (unsigned i = 0; i < b->blocks; i++)
		buf_bytes(p->out, block, sizeof(block));
	prom_end(p);
}

static inline bool give_ready(void *ctx)
{
	return ((struct backend *)ctx)->ready;
}

static inline void give_page(void *ctx, struct buf *html)
{
	(void)ctx;
	buf_text(html, "<h1>page</h1>");
}

static struct backend backend;
static char error[256];

static inline struct web *listen_with(const struct web_options *options)
{
	struct web_options o = *options;

	o.listen = o.listen ? o.listen : "127.0.0.1:0";
	o.metrics = give_metrics;
	o.ready = give_ready;
	o.page = give_page;
	o.ctx = &backend;
	return web_new(&o, error, sizeof(error));
}

static inline int setup(void **state)
{
	backend = (struct backend){.ready = true};
	*state = listen_with(&(struct web_options){0});
	return *state ? 0 : -1;
}

static inline int teardown(void **state)
{
	web_free(*state);
	return 0;
}

static inline int connect_to(const struct web *w)
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

static inline void serve_until_closed(struct web *w, int fd)
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

static inline void ask(struct web *w, const char *request)
{
	int fd = connect_to(w);

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	serve_until_closed(w, fd);
}

static inline void get(struct web *w, const char *method, const char *path, const char *headers)
{
	char request[512];

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", method, path, headers);
	ask(w, request);
}

static inline void assert_status(int status)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	if (strncmp(answer, line, strlen(line)) != 0)
		print_error("wanted %d, got:\n%s\n", status, answer);
	assert_memory_equal(answer, line, strlen(line));
}

static inline void assert_header(const char *line)
{
	char *end = strstr(answer, "\r\n\r\n"), *at = strcasestr(answer, line);

	if (!at || !end || at > end)
		print_error("no \"%s\" in:\n%s\n", line, answer);
	assert_true(at && end && at < end);
	assert_memory_equal(at - 2, "\r\n", 2);
	assert_memory_equal(at + strlen(line), "\r\n", 2);
}

static inline const char *body(void)
{
	char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

#endif
