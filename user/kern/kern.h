/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel half as an object: opened, told its knobs, loaded, attached, read, closed. Backends
 * are candidates in order of preference; the first that loads and attaches is kept. The kernel is
 * asked by trying, never by its version.
 */
#ifndef SONDE_KERN_H
#define SONDE_KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"

struct kern;
struct intake;
struct report;

struct kern_options {
	const char *backend;	/* "auto" or the name of one */
	uint32_t ring_size;	/* bytes, a power of two */
	uint32_t capture_bytes; /* 64 to EVENT_CAPTURE_MAX */
	enum event_detail detail;
	uint64_t slow_ns;	  /* a response that takes longer has a record in any detail */
	const uint64_t *bounds;	  /* of the metrics' histograms, ns */
	unsigned bound_count;	  /* at most SHED_BOUNDS */
	uint32_t connections_max; /* that the reader follows */
	const char *btf;	  /* NULL: the kernel's own */
	bool queue_time;	  /* of requests, at a cost for each arrival */
	bool stats;		  /* BPF run-time statistics on */
};

/* NULL after writing one line to why[] that says what failed, because of what, and what to do. */
struct kern *kern_new(const struct kern_options *options, char *why, size_t why_size);
void kern_detach(struct kern *k); /* nothing is seen any more; what was can still be read */
void kern_free(struct kern *k);	  /* NULL-safe */

const char *kern_backend(const struct kern *k);
const char *kern_refused(const struct kern *k); /* those tried before it, and why not; or "" */

struct kern_program_info {
	const char *name;
	bool attached;
	uint64_t run_ns; /* 0 unless kern_options.stats */
	uint64_t misses; /* times it was skipped, since it ran already on that processor */
};

unsigned kern_program_count(const struct kern *k);
struct kern_program_info kern_program(const struct kern *k, unsigned i);

int kern_ring_fd(const struct kern *k); /* readable when a quarter of the ring is filled */
/* Hands waiting records to the intake; returns how many, -EAGAIN if there are more, or -errno. */
int kern_read(struct kern *k, struct intake *intake);

/* A copy of a connection's progress; false if another connection has the slot or it is being
 * written. */
bool kern_progress(const struct kern *k, uint64_t conn, struct event_progress *progress);

void kern_counters(const struct kern *k, uint64_t counters[COUNT_MAX]);
/*
 * What the kernel half adds up by process: kern_sums_read() fetches it, then the others call a
 * function with what was added since they were called last. Read the ring in between: it names the
 * processes. Keys: the process id; struct event_shed_key.
 */
void kern_sums_read(struct kern *k);
void kern_life(struct kern *k, bool (*fn)(void *ctx, uint32_t pid, const struct event_life *added),
	       void *ctx);
void kern_shed(struct kern *k,
	       bool (*fn)(void *ctx, const struct event_shed_key *key,
			  const struct event_shed *added),
	       void *ctx);
/*
 * Hands the close records to the intake that found no room in the ring and are older than
 * `before`: a time at which the ring began to be read until it was empty.
 */
void kern_orphans(struct kern *k, struct intake *intake, uint64_t before);

/*
 * Hands each WebSocket connection to the intake that has moved since the last call. 0, -ENOSYS if
 * this kernel cannot (then there are only their ends), or -errno.
 */
int kern_websockets(struct kern *k, struct intake *intake);

/* Hands the cgroups of all processes to the intake. 0, -ENOSYS, or -errno. */
int kern_cgroups(struct kern *k, struct intake *intake);

/*
 * Roll call: names every connection that is still there of those that had a record. 0, -ENOSYS if
 * this kernel cannot, or -errno.
 */
int kern_roll(struct kern *k, void (*fn)(void *ctx, uint64_t conn), void *ctx);

struct kern_verdict {
	const char *backend; /* that would be chosen; NULL: none works */
	char why[512];	     /* none does */
};

/*
 * `sonde check`: a row for each question about kernel, rights and hooks. Tries each backend, each
 * feature, and each program by itself. environs: those of all processes can be read.
 */
void kern_check(const struct kern_options *options, bool environs, struct report *report,
		struct kern_verdict *verdict);

#endif
