/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race PREFIX CONNECTIONS REQUESTS: an HTTP server and a client in one process, one connection
 * after the other. One thread writes the requests. Another one answers them and reads the answers,
 * both without ever sleeping, so that an answer is often read before the send of its request
 * returned. Requests alternate between PREFIX/v200 and PREFIX/v404; they are answered by their
 * path.
 *
 * Prints `GET PATH STATUS COUNT` for both when all answers were as they had to be, else fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define MESSAGE_MAX	256

static const struct {
	const char *word;   /* in a path, and after HTTP/1.1 */
	const char *answer; /* fits one segment: a read has it whole */
} kinds[2] = {
	{"200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"404", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"},
};

struct connection {
	const char *prefix;
	int client, server;
	int requests;
	atomic_int answered;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void send_whole(int fd, const char *text)
{
	if (send(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
		fail("send");
}

static void no_delay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		fail("no delay");
}

/* One request is under way at a time, so a message is what one read gives. */
static void receive(int fd, char text[MESSAGE_MAX])
{
	ssize_t size;

	while ((size = recv(fd, text, MESSAGE_MAX - 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
		sched_yield();
	if (size <= 0)
		fail("receive");
	text[size] = '\0';
}

static void *write_requests(void *with)
{
	struct connection *c = with;
	char text[MESSAGE_MAX];

	for (int i = 0; i < c->requests; i++) {
		snprintf(text, sizeof(text), "GET %s/v%s HTTP/1.1\r\nHost: x\r\n\r\n", c->prefix,
			 kinds[i % 2].word);
		send_whole(c->client, text);
		while (atomic_load(&c->answered) <= i)
			sched_yield();
	}
	return NULL;
}

static void answer_and_read(struct connection *c)
{
	char text[MESSAGE_MAX];

	for (int i = 0; i < c->requests; i++) {
		receive(c->server, text);
		send_whole(c->server, kinds[strstr(text, "/v404 ") != NULL].answer);
		receive(c->client, text);
		if (strcmp(text, kinds[i % 2].answer)) {
			fprintf(stderr, "answer %d is not the one expected\n", i);
			exit(1);
		}
		atomic_store(&c->answered, i + 1);
	}
}

static int server_open(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)at, size) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)at, &size))
		fail("server");
	return fd;
}

static void connection_run(struct connection *c, int listener, const struct sockaddr_in *to)
{
	pthread_t writer;

	c->client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c->client, (const struct sockaddr *)to, sizeof(*to)))
		fail("connect");
	c->server = accept(listener, NULL, NULL);
	if (c->server < 0)
		fail("accept");
	no_delay(c->client);
	no_delay(c->server);
	if (pthread_create(&writer, NULL, write_requests, c))
		fail("thread");
	answer_and_read(c);
	pthread_join(writer, NULL);
	close(c->client);
	close(c->server);
}

int main(int argc, char **argv)
{
	int connections = argc == 4 ? atoi(argv[2]) : 0;
	struct sockaddr_in at;
	int listener;

	if (connections < 1 || strlen(argv[1]) > MESSAGE_MAX / 2)
		return 2;
	listener = server_open(&at);
	for (int i = 0; i < connections; i++) {
		struct connection c = {.prefix = argv[1], .requests = atoi(argv[3])};

		connection_run(&c, listener, &at);
	}
	for (int i = 0; i < 2; i++)
		printf("GET %s/v%s %s %d\n", argv[1], kinds[i].word, kinds[i].word,
		       connections * ((atoi(argv[3]) + 1 - i) / 2));
	return 0;
}
