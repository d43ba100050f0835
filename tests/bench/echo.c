/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo CORE SECONDS PORT CONNECTIONS: keeps a WebSocket echo server busy, from one core. Each
 * connection has one message of 32 bytes under way and sends the next one when its echo has come.
 * Prints how many echoes came a second, and how many came. What is no echo ends it.
 */
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>

#include "../live/handshake.h"
#include "../live/workers.h"

#define EVENTS_MAX 256
#define MESSAGE	   "32 bytes, as a chat's might have" /* its mask is 0 */

static const char asked[] = "\x81\xa0\0\0\0\0" MESSAGE, echoed[] = "\x81\x20" MESSAGE;

static void message_send(int fd)
{
	if (write(fd, asked, sizeof(asked) - 1) != sizeof(asked) - 1)
		fail("write");
}

/* One that was written at once comes at once. */
static void echo_receive(int fd)
{
	char bytes[sizeof(echoed) + 1];

	if (read(fd, bytes, sizeof(bytes)) != sizeof(echoed) - 1 ||
	    memcmp(bytes, echoed, sizeof(echoed) - 1) != 0)
		fail("no echo");
}

static int connection_open(unsigned port)
{
	static const char request[] = HANDSHAKE_ASK("/bench", "");
	int fd = connection_from(0, port), on = 1;
	char answer[512];
	ssize_t n;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    write(fd, request, sizeof(request) - 1) != sizeof(request) - 1)
		fail("connection");
	n = read(fd, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	if (strncmp(answer, "HTTP/1.1 101 ", 13) != 0 || !strstr(answer, "\r\n\r\n"))
		fail("handshake");
	return fd;
}

static int epoll_open(unsigned port, unsigned connections)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < connections; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = connection_open(port)};

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event))
			fail("epoll_ctl");
		message_send(event.data.fd);
	}
	return epoll;
}

static unsigned long echo_until(int epoll, long long end)
{
	struct epoll_event events[EVENTS_MAX];
	unsigned long echoes = 0;

	while (now() < end) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			echo_receive(events[i].data.fd);
			message_send(events[i].data.fd);
		}
		echoes += n > 0 ? (unsigned long)n : 0;
	}
	return echoes;
}

int main(int argc, char **argv)
{
	long long start;
	unsigned long echoes;
	cpu_set_t set;
	int epoll;

	if (argc != 5) {
		fprintf(stderr, "usage: echo CORE SECONDS PORT CONNECTIONS\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("core");
	epoll = epoll_open((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	start = now();
	echoes = echo_until(epoll, start + (long long)(atof(argv[2]) * NS));
	printf("%.1f %lu\n", (double)echoes * NS / (double)(now() - start), echoes);
	return 0;
}
