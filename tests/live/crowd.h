/* SPDX-License-Identifier: Apache-2.0 */
/* What crowd and crowd_server share: counters that survive a killed worker, and the workers. */
#ifndef CROWD_H
#define CROWD_H

#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORKERS_MAX  64
#define PIPELINE_MAX 32
#define REQUEST_MAX  160
#define POST_BODY    "body"
#define ANSWER	     "HTTP/1.1 %03u Said\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nfine\n"
#define ANSWER_SIZE  (sizeof(ANSWER) - 2) /* each is as long as the others */
#define PATH_HELD    0			  /* in place of a status: an answer never comes */
#define PATH_CUT     1			  /* the head and half of the body come, the rest never */

/* GET_200 begins a table: methods by statuses. */
enum counter { OPENED, CLOSED, HELD, ABORTED_GET, ABORTED_POST, GET_200, COUNTERS = GET_200 + 6 };

static const char *const counter_names[COUNTERS] = {"opened",	"closed",   "held",    "GET -",
						    "POST -",	"GET 200",  "GET 404", "GET 503",
						    "POST 200", "POST 404", "POST 503"};

typedef uint64_t counts[COUNTERS];

static inline void fail(const char *what)
{
	perror(what);
	exit(1);
}

static inline enum counter counter_of(int post, unsigned status)
{
	return (enum counter)(GET_200 + 3 * post + (status == 404) + 2 * (status == 503));
}

/* Written by the workers, each its own; read by their parent. */
static inline counts *counts_new(void)
{
	counts *all = mmap(NULL, WORKERS_MAX * sizeof(counts), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		fail("mmap");
	return all;
}

/* One line, `name=sum` separated by commas. */
static inline void counts_print(counts *all, unsigned workers)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t sum = 0;

		for (unsigned worker = 0; worker < workers; worker++)
			sum += __atomic_load_n(&all[worker][i], __ATOMIC_RELAXED);
		printf("%s%s=%llu", i ? "," : "", counter_names[i], (unsigned long long)sum);
	}
	printf("\n");
	fflush(stdout);
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

static inline void files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
}

#endif
