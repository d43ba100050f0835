/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel records carry CLOCK_MONOTONIC; people read UTC. A struct clock keeps the difference, to be
 * renewed about once a second since the wall clock is steered, and the last formatted second.
 */
#ifndef SONDE_CLOCK_H
#define SONDE_CLOCK_H

#include <stdint.h>

struct buf;

struct clock {
	int64_t offset;	 /* wall = monotonic + offset, ns */
	uint64_t second; /* the one that `text` holds */
	char text[21];	 /* 2026-11-22T10:30:45. */
};

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS     1000000ULL
#define NS_PER_US     1000ULL

uint64_t clock_monotonic(void);
void clock_sync(struct clock *c);
uint64_t clock_wall(const struct clock *c, uint64_t monotonic);
/* RFC 3339 with microseconds and Z: 2026-11-22T10:30:45.123456Z, without quotes */
#define CLOCK_TEXT 27
char *clock_put(struct clock *c, char *to, uint64_t monotonic); /* at a cursor: see put.h */
void clock_write(struct clock *c, struct buf *b, uint64_t monotonic);

#endif
