/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to a descriptor that others share, without ever blocking and without changing it for the
 * others. How depends on what it is; sink_open() finds out.
 */
#ifndef SONDE_SINK_H
#define SONDE_SINK_H

#include <stddef.h>
#include <sys/types.h>

struct sink {
	int fd;	   /* what is written to */
	int owned; /* a description of our own, or -1 */
	ssize_t (*write)(int fd, const void *bytes, size_t n);
};

void sink_open(struct sink *s, int fd); /* the descriptor stays the caller's */
void sink_close(struct sink *s);

/* Bytes taken, or -errno; -EAGAIN: the reader is slow, or the disk full. */
ssize_t sink_write(const struct sink *s, const void *bytes, size_t n);

#endif
