/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks. Kernel times are monotonic; the difference to the wall clock is measured between two
 * readings of the monotonic one, so that being interrupted costs accuracy at most by half the gap.
 *
 * Writing a time is on the hot path of the log: calendar arithmetic is done once a second, the rest
 * is six digits. A struct clock that is all zero is valid and counts from 1970.
 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/put.h"

static uint64_t clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t clock_monotonic(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

void clock_sync(struct clock *c)
{
	uint64_t before = clock_monotonic();
	uint64_t wall = clock_read(CLOCK_REALTIME);
	uint64_t after = clock_monotonic();

	c->offset = (int64_t)(wall - before - (after - before) / 2);
}

uint64_t clock_wall(const struct clock *c, uint64_t monotonic)
{
	return monotonic + (uint64_t)c->offset;
}

static void clock_format(struct clock *c, uint64_t second)
{
	time_t t = (time_t)second;
	struct tm utc;

	gmtime_r(&t, &utc);
	strftime(c->text, sizeof(c->text), "%Y-%m-%dT%H:%M:%S.", &utc);
	c->second = second;
}

char *clock_put(struct clock *c, char *to, uint64_t monotonic)
{
	uint64_t wall = clock_wall(c, monotonic);
	uint64_t second = wall / NS_PER_SECOND;

	if (second != c->second || !c->text[0])
		clock_format(c, second);
	memcpy(to, c->text, 20);
	put_digits(to + 20, (uint32_t)(wall - second * NS_PER_SECOND) / (uint32_t)NS_PER_US, 6);
	to[26] = 'Z';
	return to + CLOCK_TEXT;
}

void clock_write(struct clock *c, struct buf *b, uint64_t monotonic)
{
	char text[CLOCK_TEXT];

	buf_bytes(b, text, (size_t)(clock_put(c, text, monotonic) - text));
}
