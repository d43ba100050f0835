/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent about itself: plain values that main fills in before a scrape, and their families. A
 * counter that has not counted yet is shown as 0, so fill every row from the start.
 */
#ifndef SONDE_SELFSTAT_H
#define SONDE_SELFSTAT_H

#include "flow/request.h"
#include "out/prom.h"

struct table;

struct selfstat_program {
	const char *name;
	bool attached;
	uint64_t run_ns;
	uint64_t misses;
};

/*
 * The loss funnel of one protocol, which has to close:
 * seen = counted + shed + open + all of its selfstat_lost.
 */
struct selfstat_protocol {
	const char *name;
	uint64_t seen;	  /* begun, by the kernel */
	uint64_t counted; /* in the registry, from records */
	uint64_t shed;	  /* in the registry, counted by the kernel half */
	uint64_t open;
	uint64_t parse_errors;
};

struct selfstat_lost {
	const char *protocol;
	const char *reason;
	uint64_t count;
};

struct selfstat_header {
	const char *header;
	uint64_t count;
};

struct selfstat_named {
	const char *name;
	uint64_t count;
};

struct selfstat {
	const char *version;
	const char *backend; /* "" while there is none */
	double start_time;   /* seconds since 1970 */
	uint64_t ring_bytes;
	uint64_t unpaired;	/* responses whose request was not seen */
	const uint64_t *kernel; /* [COUNT_MAX], by enum event_counter */
	uint64_t log_lines, log_lines_dropped;
	uint64_t log_lines_sampled, log_lines_above_rate; /* not written, therefore */
	uint64_t series, series_overflows;

	bool probe_times; /* --bpf-stats: run_ns of programs is known */
	const struct selfstat_program *programs;
	unsigned program_count;
	const struct table *const *tables;
	unsigned table_count;
	const struct selfstat_protocol *protocols;
	unsigned protocol_count;
	const struct selfstat_lost *lost; /* transactions, by protocol and reason */
	unsigned lost_count;
	const struct selfstat_header *ids_invalid;
	unsigned ids_invalid_count;
	unsigned kube_request_count;
	const struct selfstat_named *kube_requests; /* by verb */
	const struct selfstat_named *kube_errors;   /* by reason */
	unsigned kube_error_count;
	bool kube_api; /* it is asked: kube_up says something */
	bool kube_up;
};

void selfstat_write(const struct selfstat *s, struct prom *p);

#endif
