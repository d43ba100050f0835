/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the forms of reading and writing (io_read.h, io_write.h) share: one end of a connection with
 * its own clock. Each call that moves bytes of the socket stands in did(), so that the end knows
 * between which two moments its first and its last byte moved, whatever anybody else says.
 */
#ifndef LIVE_IO_H
#define LIVE_IO_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX (256 * 1024)
#define SPARE	    4096 /* bytes of a reader's buffer behind what it needs */
#define WIDTHS	    12

struct call { /* the moments right before and right after it */
	uint64_t before, after;
};

struct io {
	int fd;
	int pipe[2], copy[2]; /* for splice and tee */
	int file;
	uint64_t before; /* the call that comes */
	bool begun;
	struct call first, last; /* that moved bytes */
};

struct message {
	char *bytes;
	size_t head, size; /* of which the first `head` bytes are the head */
};

struct reader {
	const char *name;
	ssize_t (*read)(struct io *io, char *to, size_t left); /* at most left bytes will come */
	void (*setup)(struct io *io);
	void (*after)(struct io *io); /* the message is whole */
	bool blind;		      /* the bytes do not come to the buffer */
	size_t body_max;
};

struct writer {
	const char *name;
	void (*write)(struct io *io, const struct message *m, const struct writer *self);
	void (*setup)(struct io *io);
	ssize_t (*call)(int fd, struct iovec *iov, size_t n); /* of write_vector() */
	int widths[WIDTHS]; /* of its iovecs, over and over; 0 ends, see io_write.h */
	size_t body_max;
};

static inline void fail(const char *what)
{
	perror(what);
	exit(1);
}

static inline uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* After each call that may have moved bytes of the socket; returns its result. */
static inline ssize_t did(struct io *io, ssize_t result)
{
	struct call call = {io->before, now()};

	io->before = call.after;
	if (result <= 0)
		return result;
	if (!io->begun)
		io->first = call;
	io->begun = true;
	io->last = call;
	return result;
}

static inline void wait_for(const struct io *io, short events)
{
	struct pollfd p = {.fd = io->fd, .events = events};

	if (poll(&p, 1, 10000) != 1)
		fail("poll");
}

static inline void pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

static inline void set_option(const struct io *io, int level, int name, int value)
{
	if (setsockopt(io->fd, level, name, &value, sizeof(value)))
		fail("setsockopt");
}

static inline void set_nonblocking(struct io *io)
{
	if (fcntl(io->fd, F_SETFL, O_NONBLOCK))
		fail("O_NONBLOCK");
}

#endif
