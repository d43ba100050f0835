/* SPDX-License-Identifier: Apache-2.0 */
/* What a scrape reads: one of each room that has numbers. */
#ifndef SONDE_SCRAPE_H
#define SONDE_SCRAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"
#include "proto/protos.h"

struct prom;

struct scrape {
	struct kern *kern;
	struct flow *flow;
	struct who *who;
	struct metrics *metrics;
	struct jsonlog *jsonlog;
	struct late *late;	      /* NULL: nothing waits for names */
	uint64_t counters[COUNT_MAX]; /* of the kernel half, read together with the ring */
	double start_time;	      /* seconds since 1970 */
	uint64_t ring_bytes;
	bool probe_times;		    /* --bpf-stats */
	uint64_t shed[PROTO_COUNT];	    /* transactions that the kernel half counted itself */
	uint64_t shed_waiting[PROTO_COUNT]; /* likewise, for a name that is missing */
};

/* What kern_sums_read() found goes to the services of its processes. */
void scrape_sums(struct scrape *s);
void scrape_write(struct scrape *s, struct prom *p); /* everything on /metrics, to the end */

#endif
