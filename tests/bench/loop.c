/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request after the other over one loopback keep-alive connection, both ends in one thread
 * on one core: the client writes, the server waits in epoll, receives and answers with writev, the
 * client reads. No scheduling between them, so nearly all of the time is the kernel's, and what
 * tracing adds to it is added here. Usage: loop CORE SECONDS [plain]. Prints ns a request: 5th
 * percentile, median, chunks. With `plain` the same bytes go over in another form that no protocol
 * begins with: four socket calls that are none of the agent's business.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "chunks.h"

static char request[] = "GET /bench/items/17 HTTP/1.1\r\nHost: localhost:8080\r\n"
			"User-Agent: sonde-bench\r\n\r\n";
static char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n";
static char body[] = "Hello, world\n";

_Static_assert(sizeof(request) - 1 == 79, "the request that the figures speak of has 79 bytes");

struct loop {
	int client, server, epoll;
};

static int listener_open(struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET};
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)address, size) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)address, &size))
		return -1;
	return fd;
}

static int nodelay_set(int fd)
{
	int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int loop_open(struct loop *loop)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct sockaddr_in address;
	int listener = listener_open(&address);

	if (listener < 0)
		return -1;
	loop->client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(loop->client, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	loop->server = accept(listener, NULL, NULL);
	close(listener);
	loop->epoll = epoll_create1(0);
	if (nodelay_set(loop->client) || nodelay_set(loop->server))
		return -1;
	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->server, &event);
}

static int loop_round(void *ctx)
{
	const struct loop *loop = ctx;
	struct iovec parts[] = {{head, sizeof(head) - 1}, {body, sizeof(body) - 1}};
	const ssize_t answer = sizeof(head) - 1 + sizeof(body) - 1;
	struct epoll_event event;
	char bytes[1024];

	if (write(loop->client, request, sizeof(request) - 1) != sizeof(request) - 1)
		return -1;
	if (epoll_wait(loop->epoll, &event, 1, -1) != 1)
		return -1;
	if (recv(loop->server, bytes, sizeof(bytes), 0) != sizeof(request) - 1)
		return -1;
	if (writev(loop->server, parts, 2) != answer)
		return -1;
	return read(loop->client, bytes, sizeof(bytes)) == answer ? 0 : -1;
}

static int core_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	struct loop loop;

	if (argc < 3) {
		fprintf(stderr, "usage: loop CORE SECONDS [plain]\n");
		return 2;
	}
	if (argc > 3)
		request[0] = head[0] = '\1';
	if (core_pin(atoi(argv[1])) || loop_open(&loop) ||
	    chunks_run(loop_round, &loop, 500, atof(argv[2]))) {
		perror("loop");
		return 1;
	}
	return 0;
}
