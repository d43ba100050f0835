/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd PREFIX WORKERS PORT,PORT...: the clients of crowd_server, each worker a process with many
 * connections, from an address of its own of 127/8. Prints `ready`, then takes commands on stdin; a
 * line with what the workers have counted says that all of them are done with it.
 *
 *   open N          N more connections to each worker
 *   ask DEPTH       one write of DEPTH requests on each connection, and their answers
 *   load S DEPTH    the same again and again, for S seconds
 *   churn S RATE    for S seconds RATE new connections a second, by each worker, a request on each
 *   hold N STATUS   N more connections to each worker with a request that is not (wholly) answered
 *   close           closes them all
 *
 * Methods and statuses are mixed by number. An answer that is not the expected one ends the worker;
 * a request without an answer, as its server has gone, is counted as aborted.
 */
#include <stdbool.h>

#include "crowd.h"

#define BATCH		64
#define CONNECTIONS_MAX 32768

struct client {
	const char *prefix;
	unsigned ports[WORKERS_MAX], port_count;
	unsigned worker, number, asking;
	uint64_t *counts;
	int fds[CONNECTIONS_MAX], held[CONNECTIONS_MAX];
	unsigned count, held_count;
	char out[PIPELINE_MAX * REQUEST_MAX], in[PIPELINE_MAX * ANSWER_SIZE + 1];
};

static int is_post(unsigned number)
{
	return number % 4 == 1;
}

static unsigned status_of(unsigned number)
{
	return number % 8 == 6 ? 404 : number % 16 == 15 ? 503 : 200;
}

static int connection_open(struct client *c)
{
	int fd = connection_from(c->worker, c->ports[c->asking++ % c->port_count]);

	c->counts[OPENED] += fd >= 0;
	return fd;
}

static void connection_close(struct client *c, int *fd)
{
	if (*fd >= 0) {
		close(*fd);
		c->counts[CLOSED]++;
	}
	*fd = -1;
}

/* The port need not wait after thousands of them. */
static void connection_reset(struct client *c, int *fd)
{
	socket_resets(*fd);
	connection_close(c, fd);
}

static size_t request_write(const struct client *c, char *to, int post, unsigned status,
			    const char *header)
{
	return (size_t)sprintf(to, "%s %s/%u/%u HTTP/1.1\r\nHost: x\r\n%s%s\r\n%s",
			       post ? "POST" : "GET", c->prefix, status, c->number,
			       post ? "Content-Length: 4\r\n" : "", header, post ? POST_BODY : "");
}

/* Sends `depth` requests in one write; returns whether it went. */
static bool ask(struct client *c, int *fd, unsigned depth, const char *header)
{
	unsigned first = c->number;
	size_t n = 0;

	if (*fd < 0)
		return false;
	for (unsigned i = 0; i < depth; i++, c->number++)
		n += request_write(c, c->out + n, is_post(c->number), status_of(c->number), header);
	if (write(*fd, c->out, n) == (ssize_t)n)
		return true;
	c->number = first;
	connection_close(c, fd);
	return false;
}

static void answer_check(struct client *c, unsigned at, unsigned number)
{
	unsigned status = (unsigned)atoi(c->in + at * ANSWER_SIZE + strlen("HTTP/1.1 "));

	if (status != status_of(number))
		fail("another status");
	c->counts[counter_of(is_post(number), status)]++;
}

/* The answers to requests number `first` and on. */
static void hear(struct client *c, int *fd, unsigned depth, unsigned first)
{
	size_t got = 0, wanted = depth * ANSWER_SIZE;
	unsigned whole;
	ssize_t n = 1;

	while (got < wanted && n > 0) {
		n = read(*fd, c->in + got, wanted - got);
		got += n > 0 ? (size_t)n : 0;
	}
	whole = (unsigned)(got / ANSWER_SIZE);
	for (unsigned i = 0; i < whole; i++)
		answer_check(c, i, first + i);
	for (unsigned i = whole; i < depth; i++)
		c->counts[is_post(first + i) ? ABORTED_POST : ABORTED_GET]++;
	if (whole < depth)
		connection_close(c, fd);
}

/* Once on each connection, a batch at a time; returns how many of them there still are. */
static unsigned ask_all(struct client *c, unsigned depth)
{
	unsigned alive = 0;

	for (unsigned from = 0; from < c->count; from += BATCH) {
		unsigned some = c->count - from < BATCH ? c->count - from : BATCH;
		unsigned first[BATCH];
		bool asked[BATCH];

		for (unsigned i = 0; i < some; i++) {
			first[i] = c->number;
			asked[i] = ask(c, &c->fds[from + i], depth, "");
			alive += asked[i];
		}
		for (unsigned i = 0; i < some; i++)
			if (asked[i])
				hear(c, &c->fds[from + i], depth, first[i]);
	}
	return alive;
}

static void load(struct client *c, unsigned seconds, unsigned depth)
{
	long long end = now() + seconds * NS;

	while (now() < end && ask_all(c, depth))
		;
}

/* Every fourth connection is closed by the server, another one by the client, the others are reset.
 */
static void churn_one(struct client *c)
{
	unsigned first = c->number;
	int fd = connection_open(c);
	char end;

	if (!ask(c, &fd, 1, first % 4 ? "" : "Connection: close\r\n"))
		return;
	hear(c, &fd, 1, first);
	if (fd < 0)
		return;
	if (first % 4 == 0 && read(fd, &end, 1) != 0)
		fail("the server did not close");
	if (first % 4 < 2)
		connection_close(c, &fd);
	else
		connection_reset(c, &fd);
}

static void churn(struct client *c, unsigned seconds, unsigned rate)
{
	long long begin = now(), end = begin + seconds * NS;

	for (long long due = begin; now() < end; due += NS / rate) {
		struct timespec t = {due / NS, due % NS};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		churn_one(c);
	}
}

static void open_more(struct client *c, unsigned n)
{
	while (n-- && c->count < CONNECTIONS_MAX)
		c->fds[c->count++] = connection_open(c);
}

static void hold(struct client *c, unsigned n, unsigned status)
{
	for (; n && c->held_count < CONNECTIONS_MAX; n--, c->number++) {
		int fd = connection_open(c);
		size_t size = request_write(c, c->out, 0, status, "");

		if (write(fd, c->out, size) != (ssize_t)size)
			fail("hold");
		if (status == PATH_CUT && read(fd, c->in, sizeof(c->in)) <= 0)
			fail("the part of an answer");
		c->counts[HELD]++;
		c->held[c->held_count++] = fd;
	}
}

static void close_all(struct client *c)
{
	while (c->count)
		connection_close(c, &c->fds[--c->count]);
	while (c->held_count)
		connection_close(c, &c->held[--c->held_count]);
}

static void obey(struct client *c, const char *line)
{
	unsigned a = 0, b = 0;
	char word[8];

	if (sscanf(line, "%7s %u %u", word, &a, &b) < 1)
		return;
	if (!strcmp(word, "open"))
		open_more(c, a);
	else if (!strcmp(word, "ask"))
		ask_all(c, a);
	else if (!strcmp(word, "load"))
		load(c, a, b);
	else if (!strcmp(word, "churn"))
		churn(c, a, b);
	else if (!strcmp(word, "hold"))
		hold(c, a, b);
	else if (!strcmp(word, "close"))
		close_all(c);
	else
		fail(line);
}

/* Until the parent is gone. */
static void work(struct client *c, int parent)
{
	char line[COMMAND_MAX];
	ssize_t n;

	while ((n = read(parent, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		obey(c, line);
		if (write(parent, "", 1) != 1)
			fail("parent");
	}
	exit(0);
}

int main(int argc, char **argv)
{
	static struct client client;
	struct worker workers[WORKERS_MAX];
	unsigned count = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	uint64_t *all = counts_new(COUNTERS);
	char line[COMMAND_MAX];
	int parent;

	if (!count || count > WORKERS_MAX)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	files_raise();
	client.prefix = argv[1];
	for (char *port = strtok(argv[3], ","); port; port = strtok(NULL, ","))
		client.ports[client.port_count++ % WORKERS_MAX] = (unsigned)atoi(port);
	for (unsigned i = 0; i < count; i++) {
		client.worker = client.asking = i;
		client.counts = all + i * COUNTERS;
		parent = worker_listens(&workers[i]);
		if (parent >= 0)
			work(&client, parent);
	}
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		workers_tell(workers, count, line);
		counts_say(all, count);
	}
	return 0;
}
