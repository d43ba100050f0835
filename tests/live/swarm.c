/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swarm NAME COUNT: a server and COUNT clients. Each client is a process of its own that bears NAME
 * as its program, connects once, moves a byte each way and ends; a few of them live at a time.
 * What they say is no protocol. Prints how many connections the server accepted, then stays until
 * it is ended. A client that fails ends it with 1.
 *
 * Clients reset their connections, so that no port has to wait after thousands of them.
 */
#include <arpa/inet.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_A_TIME      8
#define ACCEPT_SECONDS 5

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int client(int port)
{
	struct sockaddr_in to = loopback(port);
	struct linger reset = {1, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte = '?';

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		fail("client");
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		fail("linger");
	close(fd);
	return 0;
}

static int server_open(int *port)
{
	struct sockaddr_in at = loopback(0);
	struct timeval limit = {ACCEPT_SECONDS, 0};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, AT_A_TIME) ||
	    getsockname(fd, (struct sockaddr *)&at, &size))
		fail("server");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		fail("limit");
	*port = ntohs(at.sin_port);
	return fd;
}

static void serve(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char byte;

	if (fd < 0)
		fail("accept");
	if (read(fd, &byte, 1) != 1 || write(fd, &byte, 1) != 1)
		fail("serve");
	close(fd);
}

static void client_start(char *name, int port)
{
	char number[12], *args[] = {name, number, NULL}, *environment[] = {NULL};
	pid_t pid;

	snprintf(number, sizeof(number), "%d", port);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environment))
		fail("spawn");
}

static void client_end(void)
{
	int status;

	if (wait(&status) < 0 || status)
		fail("a client");
}

int main(int argc, char **argv)
{
	int port, listener, accepted = 0;

	if (argc == 2)
		return client(atoi(argv[1]));
	if (argc != 3)
		return 2;
	listener = server_open(&port);
	for (int left = atoi(argv[2]); left > 0; left -= AT_A_TIME) {
		int some = left < AT_A_TIME ? left : AT_A_TIME;

		for (int i = 0; i < some; i++)
			client_start(argv[1], port);
		for (int i = 0; i < some; i++, accepted++)
			serve(listener);
		for (int i = 0; i < some; i++)
			client_end();
	}
	printf("%d\n", accepted);
	fflush(stdout);
	pause();
	return 0;
}
