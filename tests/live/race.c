/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race PREFIX CONNECTIONS REQUESTS: an HTTP server and a client in one process. Each connection of
 * the client is written by one thread and read by another, and the next request leaves as soon as
 * the answer was read, so that a send and a receive of one socket end on two processors at once.
 * Requests alternate between PREFIX/v200 and PREFIX/v404; the server answers by the path.
 *
 * Prints `GET PATH STATUS COUNT` for both when all answers were as they had to be, else fails.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
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
	int fd;
	int requests;
	sem_t answered;
	pthread_t writer, reader;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void thread_start(pthread_t *thread, void *(*run)(void *), void *with)
{
	if (pthread_create(thread, NULL, run, with))
		fail("thread");
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

/* One request is under way at a time, so a message is what one read gives; false at the end. */
static int receive(int fd, char text[MESSAGE_MAX])
{
	ssize_t size = recv(fd, text, MESSAGE_MAX - 1, 0);

	if (size < 0)
		fail("receive");
	text[size] = '\0';
	return size > 0;
}

static void *serve(void *fd_as_pointer)
{
	int fd = (int)(intptr_t)fd_as_pointer;
	char text[MESSAGE_MAX];

	while (receive(fd, text))
		send_whole(fd, kinds[strstr(text, "/v404 ") != NULL].answer);
	close(fd);
	return NULL;
}

static void *client_write(void *with)
{
	struct connection *c = with;
	char text[MESSAGE_MAX];

	for (int i = 0; i < c->requests; i++) {
		snprintf(text, sizeof(text), "GET %s/v%s HTTP/1.1\r\nHost: x\r\n\r\n", c->prefix,
			 kinds[i % 2].word);
		send_whole(c->fd, text);
		sem_wait(&c->answered);
	}
	return NULL;
}

static void *client_read(void *with)
{
	struct connection *c = with;
	char text[MESSAGE_MAX];

	for (int i = 0; i < c->requests; i++) {
		if (!receive(c->fd, text) || strcmp(text, kinds[i % 2].answer)) {
			fprintf(stderr, "answer %d is not the one expected\n", i);
			exit(1);
		}
		sem_post(&c->answered);
	}
	return NULL;
}

static int server_open(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)at, size) || listen(fd, CONNECTIONS_MAX) ||
	    getsockname(fd, (struct sockaddr *)at, &size))
		fail("server");
	return fd;
}

/* Opens both ends and starts the three threads. */
static void connection_start(struct connection *c, int listener, const struct sockaddr_in *to)
{
	pthread_t server;
	int fd;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)))
		fail("connect");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		fail("accept");
	no_delay(c->fd);
	no_delay(fd);
	sem_init(&c->answered, 0, 0);
	thread_start(&server, serve, (void *)(intptr_t)fd);
	pthread_detach(server);
	thread_start(&c->reader, client_read, c);
	thread_start(&c->writer, client_write, c);
}

static void connection_end(struct connection *c)
{
	pthread_join(c->writer, NULL);
	pthread_join(c->reader, NULL);
	close(c->fd);
}

int main(int argc, char **argv)
{
	static struct connection connections[CONNECTIONS_MAX];
	struct sockaddr_in at;
	int count = argc == 4 ? atoi(argv[2]) : 0;
	int listener;

	if (count < 1 || count > CONNECTIONS_MAX || strlen(argv[1]) > MESSAGE_MAX / 2)
		return 2;
	listener = server_open(&at);
	for (int i = 0; i < count; i++) {
		connections[i].prefix = argv[1];
		connections[i].requests = atoi(argv[3]);
		connection_start(&connections[i], listener, &at);
	}
	for (int i = 0; i < count; i++)
		connection_end(&connections[i]);
	for (int i = 0; i < 2; i++)
		printf("GET %s/v%s %s %d\n", argv[1], kinds[i].word, kinds[i].word,
		       count * ((atoi(argv[3]) + 1 - i) / 2));
	return 0;
}
