/* SPDX-License-Identifier: Apache-2.0 */
/* What a scrape reads: one of each room that has numbers. */
#ifndef SONDE_SCRAPE_H
#define SONDE_SCRAPE_H

#include <stdbool.h>
#include <stdint.h>

struct prom;

struct scrape {
	struct kern *kern;
	struct flow *flow;
	struct who *who;
	struct metrics *metrics;
	struct jsonlog *jsonlog;
	double start_time; /* seconds since 1970 */
	uint64_t ring_bytes;
	bool probe_times; /* --bpf-stats */
};

/* Connections that kern_life_read() found go to the services of their processes. */
void scrape_life(struct scrape *s);
void scrape_write(struct scrape *s, struct prom *p); /* everything on /metrics, to the end */

#endif
