/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd_server WORKERS: an HTTP/1 server for tens of thousands of connections. Each worker is a
 * process with an epoll and a listener of its own on a loopback port. Prints the ports, separated
 * by commas; then, for each line on stdin, what the workers have counted so far.
 *
 * The path says the answer: /WORD/STATUS/NUMBER. Requests that came together are answered together,
 * in one write. A request is counted before its answer is sent, so who has the answer finds it
 * counted. A head that comes in parts ends the worker: the clients of the tests send none.
 */
#include <sys/epoll.h>

#include "crowd.h"

#define EVENTS_MAX	256
#define ACCEPTS_AT_ONCE 64

struct server {
	int epoll, listener;
	uint64_t *counts;
	char in[PIPELINE_MAX * REQUEST_MAX + 1], out[PIPELINE_MAX * ANSWER_SIZE + 1];
};

/* What one read asked for. */
struct asked {
	unsigned wanted[PIPELINE_MAX]; /* counters */
	unsigned count;
	size_t out;
	int close, hold;
};

static void watch(struct server *s, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
		fail("epoll_ctl");
}

static void accept_some(struct server *s)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
			return;
		if (fd < 0)
			fail("accept");
		s->counts[OPENED]++;
		watch(s, fd);
	}
}

static void take_held(struct server *s, struct asked *a, unsigned status)
{
	a->hold = 1;
	s->counts[HELD]++;
	if (status == PATH_CUT)
		a->out += (size_t)sprintf(s->out + a->out, ANSWER, 200U) - 2;
}

/* One request; returns where the next one begins. */
static char *take(struct server *s, struct asked *a, char *p)
{
	int post = *p == 'P';
	char *path = strchr(p, '/'), *end = strstr(p, "\r\n\r\n");
	unsigned status;

	if (!path || !end || a->count == PIPELINE_MAX)
		fail("a head in parts, or too many at once");
	status = (unsigned)atoi(strchr(path + 1, '/') + 1);
	*end = '\0';
	a->close = strstr(p, "Connection: close") != NULL;
	if (status < 200) {
		take_held(s, a, status);
	} else {
		a->wanted[a->count++] = counter_of(post, status);
		a->out += (size_t)sprintf(s->out + a->out, ANSWER, status);
	}
	return end + 4 + (post ? strlen(POST_BODY) : 0);
}

/* Returns whether the connection goes on. */
static int reply(struct server *s, int fd, const struct asked *a)
{
	for (unsigned i = 0; i < a->count; i++)
		s->counts[a->wanted[i]]++;
	if (!a->out || write(fd, s->out, a->out) == (ssize_t)a->out)
		return !a->close;
	for (unsigned i = 0; i < a->count; i++) {
		s->counts[a->wanted[i]]--;
		s->counts[a->wanted[i] < counter_of(1, 200) ? ABORTED_GET : ABORTED_POST]++;
	}
	return 0;
}

static void serve(struct server *s, int fd)
{
	ssize_t n = read(fd, s->in, sizeof(s->in) - 1);
	struct asked a = {.count = 0};
	int goes_on = n > 0;

	if (n < 0 && errno == EAGAIN)
		return;
	if (goes_on) {
		s->in[n] = '\0';
		for (char *p = s->in; p < s->in + n;)
			p = take(s, &a, p);
		goes_on = reply(s, fd, &a);
	}
	if (!goes_on) {
		close(fd);
		s->counts[CLOSED]++;
	}
}

static void run(struct server *s)
{
	struct epoll_event events[EVENTS_MAX];

	watch(s, s->listener);
	while (1) {
		int n = epoll_wait(s->epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++)
			if (events[i].data.fd == s->listener)
				accept_some(s);
			else
				serve(s, events[i].data.fd);
	}
}

int main(int argc, char **argv)
{
	static struct server server;
	unsigned workers = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
	uint64_t *all = counts_new(COUNTERS);
	char line[8];

	if (!workers || workers > WORKERS_MAX)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	files_raise();
	for (unsigned i = 0; i < workers; i++) {
		int port;

		server.listener = listener_open(&port);
		server.counts = all + i * COUNTERS;
		if (!worker_start()) {
			server.epoll = epoll_create1(EPOLL_CLOEXEC);
			run(&server);
		}
		close(server.listener);
		printf("%s%d", i ? "," : "", port);
	}
	printf("\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		counts_say(all, workers);
	return 0;
}
