/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tools with worker processes share: workers that obey their parent's lines, counters that
 * survive a killed one, and sockets for tens of thousands of connections.
 */
#ifndef WORKERS_H
#define WORKERS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define COMMAND_MAX 64
#define NS	    1000000000LL

/* As its parent knows it. */
struct worker {
	pid_t pid;
	int fd; /* -1: it is gone */
};

static inline void fail(const char *what)
{
	perror(what);
	exit(1);
}

static inline long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

static inline void *shared_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

/* A row a worker, written by that one; read by their parent. */
static inline uint64_t *counts_new(unsigned columns)
{
	return shared_new(WORKERS_MAX * columns * sizeof(uint64_t));
}

/* `name=sum`, separated by commas. */
static inline void counts_print(const uint64_t *all, const char *const *names, unsigned columns,
				unsigned workers)
{
	for (unsigned i = 0; i < columns; i++) {
		uint64_t sum = 0;

		for (unsigned row = 0; row < workers; row++)
			sum += __atomic_load_n(&all[row * columns + i], __ATOMIC_RELAXED);
		printf("%s%s=%llu", i ? "," : "", names[i], (unsigned long long)sum);
	}
}

/* 0 in the worker, which does not outlive its parent. */
static inline pid_t worker_start(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		exit(1);
	return 0;
}

/* In the worker: its end of a socket, where lines come in and a byte says done. Else -1. */
static inline int worker_listens(struct worker *w)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		fail("socketpair");
	w->pid = worker_start();
	w->fd = pair[0];
	close(pair[w->pid ? 1 : 0]);
	return w->pid ? -1 : pair[1];
}

static inline void workers_tell(const struct worker *workers, unsigned count, const char *line)
{
	char byte;

	for (unsigned i = 0; i < count; i++)
		if (workers[i].fd >= 0 && write(workers[i].fd, line, strlen(line)) < 0)
			fail("a worker");
	for (unsigned i = 0; i < count; i++)
		if (workers[i].fd >= 0 && read(workers[i].fd, &byte, 1) != 1)
			fail("a worker ended");
}

static inline void files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
}

static inline int listener_open(int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&at, size) || listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&at, &size))
		fail("listener");
	*port = ntohs(at.sin_port);
	return fd;
}

/*
 * From an address of 127/8 that is the worker's own. Ports are bound late, so that each address has
 * all of them for each server. -1: the server is gone.
 */
static inline int connection_from(unsigned worker, unsigned port)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 * (worker + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)port);
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)))
		fail("socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		if (errno != ECONNREFUSED && errno != ECONNRESET)
			fail("connect");
		close(fd);
		return -1;
	}
	return fd;
}

/* Closing sends a reset then, and the port need not wait. */
static inline void socket_resets(int fd)
{
	struct linger reset = {1, 0};

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		fail("linger");
}

#endif
