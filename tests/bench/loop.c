/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request after the other over one loopback keep-alive connection, both ends in one thread on
 * one core: the client writes, the server waits in epoll, receives and answers with writev, the
 * client reads. No scheduling between them, so nearly all of the time is the kernel's, and what
 * tracing adds to it is added here. Usage: loop CORE SECONDS http|plain|frames. Prints ns a
 * request: 5th percentile, median, chunks. `plain` are the bytes of `http` in another form that no
 * protocol begins with: four socket calls that are none of the agent's business. `frames` are 32
 * bytes and their echo, each a WebSocket message.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../live/handshake.h"
#include "chunks.h"

#define HTTP_REQUEST \
	"GET /bench/items/17 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: sonde-bench\r\n\r\n"
#define HTTP_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
#define HTTP_BODY "Hello, world\n"
#define MESSAGE	  "32 bytes, as a chat's might have" /* its mask is 0 */
#define TEXT(of)                     \
	{                            \
		(of), sizeof(of) - 1 \
	}

_Static_assert(sizeof(HTTP_REQUEST) - 1 == 79, "the request that the figures speak of");
_Static_assert(sizeof(MESSAGE) - 1 == 32, "the message that the figures speak of");

struct exchange {
	const char *name;
	struct iovec request, answer[2];
};

static const struct exchange handshake = {
	"handshake", TEXT(HANDSHAKE_ASK("/bench", "")), {TEXT(HANDSHAKE_ANSWER("")), TEXT("")}};
static const struct exchange exchanges[] = {
	{"http", TEXT(HTTP_REQUEST), {TEXT(HTTP_HEAD), TEXT(HTTP_BODY)}},
	{"plain", TEXT("\1" HTTP_REQUEST), {TEXT("\1" HTTP_HEAD), TEXT(HTTP_BODY)}},
	{"frames", TEXT("\x81\xa0\0\0\0\0" MESSAGE), {TEXT("\x81\x20"), TEXT(MESSAGE)}},
};

struct loop {
	int client, server, epoll;
	const struct exchange *exchange;
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
	const struct exchange *x = loop->exchange;
	const ssize_t request = (ssize_t)x->request.iov_len;
	const ssize_t answer = (ssize_t)(x->answer[0].iov_len + x->answer[1].iov_len);
	struct epoll_event event;
	char bytes[1024];

	if (write(loop->client, x->request.iov_base, x->request.iov_len) != request)
		return -1;
	if (epoll_wait(loop->epoll, &event, 1, -1) != 1)
		return -1;
	if (recv(loop->server, bytes, sizeof(bytes), 0) != request)
		return -1;
	if (writev(loop->server, x->answer, 2) != answer)
		return -1;
	return read(loop->client, bytes, sizeof(bytes)) == answer ? 0 : -1;
}

static const struct exchange *exchange_of(const char *name)
{
	for (unsigned i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++)
		if (!strcmp(exchanges[i].name, name))
			return &exchanges[i];
	return NULL;
}

static int loop_upgrade(struct loop *loop)
{
	struct loop first = *loop;

	first.exchange = &handshake;
	return loop_round(&first);
}

int main(int argc, char **argv)
{
	struct loop loop = {.exchange = argc == 4 ? exchange_of(argv[3]) : NULL};

	if (!loop.exchange) {
		fprintf(stderr, "usage: loop CORE SECONDS http|plain|frames\n");
		return 2;
	}
	if (core_pin(atoi(argv[1])) || loop_open(&loop) ||
	    (!strcmp(loop.exchange->name, "frames") && loop_upgrade(&loop)) ||
	    chunks_run(loop_round, &loop, 500, atof(argv[2]))) {
		perror("loop");
		return 1;
	}
	return 0;
}
