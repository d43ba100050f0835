/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod REQUESTS MESSAGES PATH [FIFO]: what a container runs that is gone before anyone can look at
 * it. It serves, and a child that it forks asks: REQUESTS requests for PATH on one connection, then
 * on another a WebSocket with MESSAGES texts, each echoed, closed by the client with 1000. Prints
 * `REQUESTS MESSAGES` as the server counted them and ends at once; both live a few milliseconds.
 * With FIFO it stays until that was opened for writing and closed, as a long-lived pod would.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handshake.h"

#define FRAME 7 /* bytes of a text frame from the server; a client's mask takes 4 more */

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char upgrade[] = HANDSHAKE_ANSWER("");

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void put(int fd, const char *bytes, size_t n)
{
	if (write(fd, bytes, n) != (ssize_t)n)
		fail("write");
}

static void get(int fd, char *bytes, size_t n)
{
	for (size_t held = 0; held < n;) {
		ssize_t more = read(fd, bytes + held, n - held);

		if (more <= 0)
			fail("read");
		held += (size_t)more;
	}
}

/* Reads a head, which comes alone; false: there is none. */
static int head(int fd)
{
	char bytes[1024];
	size_t held = 0;

	do {
		ssize_t more = read(fd, bytes + held, sizeof(bytes) - held);

		if (more <= 0)
			return 0;
		held += (size_t)more;
	} while (!memmem(bytes, held, "\r\n\r\n", 4));
	return 1;
}

static struct sockaddr_in loopback(in_port_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int dial(in_port_t port)
{
	struct sockaddr_in to = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	return fd;
}

static void ask(in_port_t port, int requests, int messages, const char *path)
{
	char text[1024], frame[FRAME + 4] = "\x81\x85\0\0\0\0hello";
	int fd = dial(port);
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: pod\r\n\r\n", path);

	while (requests--) {
		put(fd, text, (size_t)n);
		get(fd, text + n, sizeof(answer) - 1);
	}
	close(fd);
	fd = dial(port);
	n = snprintf(text, sizeof(text), HANDSHAKE_ASK("%s/socket", ""), path);
	put(fd, text, (size_t)n);
	get(fd, text, sizeof(upgrade) - 1);
	while (messages--) {
		put(fd, frame, sizeof(frame));
		get(fd, text, FRAME);
	}
	put(fd, "\x88\x82\0\0\0\0\x03\xe8", 8);
	get(fd, text, 4);
	close(fd);
}

static int serve_requests(int fd)
{
	int requests = 0;

	for (; head(fd); requests++)
		put(fd, answer, sizeof(answer) - 1);
	close(fd);
	return requests;
}

static int serve_messages(int fd)
{
	int messages = 0;
	char frame[2];

	if (!head(fd))
		fail("handshake");
	put(fd, upgrade, sizeof(upgrade) - 1);
	for (get(fd, frame, 2); frame[0] == '\x81'; get(fd, frame, 2)) {
		char rest[FRAME + 2];

		get(fd, rest, sizeof(rest));
		put(fd, "\x81\x05hello", FRAME);
		messages++;
	}
	get(fd, (char[6]){0}, 6);
	put(fd, "\x88\x02\x03\xe8", 4);
	close(fd);
	return messages;
}

static int listen_at(in_port_t *port)
{
	struct sockaddr_in at = loopback(0);
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 2) ||
	    getsockname(fd, (struct sockaddr *)&at, &size))
		fail("listen");
	*port = at.sin_port;
	return fd;
}

static void stay(const char *fifo)
{
	char byte;
	int fd = open(fifo, O_RDONLY);

	if (fd < 0 || read(fd, &byte, 1) < 0)
		fail(fifo);
}

int main(int argc, char **argv)
{
	int status, listener, requests, messages;
	in_port_t port;
	pid_t child;

	if (argc < 4)
		return 2;
	listener = listen_at(&port);
	child = fork();
	if (!child) {
		ask(port, atoi(argv[1]), atoi(argv[2]), argv[3]);
		return 0;
	}
	requests = serve_requests(accept(listener, NULL, NULL));
	messages = serve_messages(accept(listener, NULL, NULL));
	if (waitpid(child, &status, 0) != child || status)
		fail("client");
	printf("%d %d\n", requests, messages);
	fflush(stdout);
	if (argc > 4)
		stay(argv[4]);
	return 0;
}
