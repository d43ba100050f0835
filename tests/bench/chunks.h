/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the micro-benchmarks share: work is timed in chunks of many rounds, and the 5th percentile
 * and the median over all chunks are printed. A chunk that was disturbed is one of many; a mean
 * would keep it.
 */
#ifndef BENCH_CHUNKS_H
#define BENCH_CHUNKS_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHUNKS_MAX 8192

static inline uint64_t chunks_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static inline int chunks_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline int core_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* Runs chunks of `rounds` until the time is over; prints `P5 MEDIAN CHUNKS` in ns a round. */
static inline int chunks_run(int (*round)(void *ctx), void *ctx, unsigned rounds, double seconds)
{
	static double times[CHUNKS_MAX];
	uint64_t end = chunks_now() + (uint64_t)(seconds * 1e9);
	unsigned count = 0;

	while (count < CHUNKS_MAX && (count < 20 || chunks_now() < end)) {
		uint64_t start = chunks_now();

		for (unsigned i = 0; i < rounds; i++)
			if (round(ctx) < 0)
				return -1;
		times[count++] = (double)(chunks_now() - start) / rounds;
	}
	qsort(times, count, sizeof(times[0]), chunks_compare);
	printf("%.1f %.1f %u\n", times[count / 20], times[count / 2], count);
	return 0;
}

#endif
