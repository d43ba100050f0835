/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: epoll over what the caller adds, plus a timerfd a timer and one signalfd a list
 * of signals. Sources live in a fixed array and stay until loop_free(), so an epoll event can point
 * at one. A timer that fell behind fires once, not once for each period missed.
 *
 * It refuses one-shot timers, removal and threads: nothing here needs them. A source that is closed
 * by its owner leaves epoll by itself.
 */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

#define SOURCES_MAX 32

struct source {
	int fd;
	bool owned;
	void (*ready)(struct source *s);
	loop_fn *fn;
	loop_signal_fn *signal_fn;
	void *ctx;
};

struct loop {
	int epoll;
	bool stopped;
	unsigned count;
	struct source sources[SOURCES_MAX];
};

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < l->count; i++)
		if (l->sources[i].owned)
			close(l->sources[i].fd);
	close(l->epoll);
	free(l);
}

static int loop_add(struct loop *l, struct source source)
{
	struct source *s = &l->sources[l->count];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};

	if (l->count == SOURCES_MAX)
		return -ENOSPC;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, source.fd, &event) < 0)
		return -errno;
	*s = source;
	l->count++;
	return 0;
}

/* Adds a descriptor of the loop's own, which must not leak if that fails. */
static int loop_add_owned(struct loop *l, struct source source)
{
	int err = loop_add(l, source);

	if (err)
		close(source.fd);
	return err;
}

static void ready_fd(struct source *s)
{
	s->fn(s->ctx);
}

int loop_add_fd(struct loop *l, int fd, loop_fn *fn, void *ctx)
{
	return loop_add(l, (struct source){.fd = fd, .ready = ready_fd, .fn = fn, .ctx = ctx});
}

static void ready_timer(struct source *s)
{
	uint64_t expirations;

	if (read(s->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		s->fn(s->ctx);
}

int loop_add_timer(struct loop *l, uint64_t period_ns, loop_fn *fn, void *ctx)
{
	struct timespec period = {.tv_sec = (time_t)(period_ns / NS_PER_SECOND),
				  .tv_nsec = (long)(period_ns % NS_PER_SECOND)};
	struct itimerspec spec = {.it_interval = period, .it_value = period};
	int fd;

	if (period_ns == 0)
		return -EINVAL;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (timerfd_settime(fd, 0, &spec, NULL) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return loop_add_owned(
		l, (struct source){
			   .fd = fd, .owned = true, .ready = ready_timer, .fn = fn, .ctx = ctx});
}

static void ready_signal(struct source *s)
{
	struct signalfd_siginfo info;

	while (read(s->fd, &info, sizeof(info)) == sizeof(info))
		s->signal_fn(s->ctx, (int)info.ssi_signo);
}

int loop_add_signals(struct loop *l, const int *signals, loop_signal_fn *fn, void *ctx)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (; *signals; signals++)
		if (sigaddset(&set, *signals) < 0)
			return -errno;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return loop_add_owned(l, (struct source){.fd = fd,
						 .owned = true,
						 .ready = ready_signal,
						 .signal_fn = fn,
						 .ctx = ctx});
}

int loop_run(struct loop *l)
{
	struct epoll_event events[SOURCES_MAX];
	int err = 0;

	while (!l->stopped && !err) {
		int n = epoll_wait(l->epoll, events, SOURCES_MAX, -1);

		if (n < 0 && errno != EINTR)
			err = -errno;
		for (int i = 0; i < n && !l->stopped; i++) {
			struct source *s = events[i].data.ptr;

			s->ready(s);
		}
	}
	l->stopped = false;
	return err;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}
