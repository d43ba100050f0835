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

struct kern_options {
	const char *backend;	/* "auto" or the name of one */
	uint32_t ring_size;	/* bytes, a power of two */
	uint32_t capture_bytes; /* 64 to EVENT_CAPTURE_MAX */
	const char *btf;	/* NULL: the kernel's own */
	bool stats;		/* BPF run-time statistics on */
};

/* NULL after writing one line to why[] that says what failed, because of what, and what to do. */
struct kern *kern_new(const struct kern_options *options, char *why, size_t why_size);
void kern_detach(struct kern *k); /* nothing is seen any more; what was can still be read */
void kern_free(struct kern *k);	  /* NULL-safe */

const char *kern_backend(const struct kern *k);

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
 * TCP connections by process: kern_life_read() fetches them, then kern_life() calls fn with what
 * each process added since it was called last. Read the ring in between: it names the processes.
 */
void kern_life_read(struct kern *k);
void kern_life(struct kern *k, void (*fn)(void *ctx, uint32_t pid, const struct event_life *added),
	       void *ctx);

/*
 * `sonde check`: one line a finding on stdout: right, system, what was tried, what is lost without
 * it. Tries each program by itself. Returns 0 if the main job would work, else -errno of what
 * forbids it.
 */
int kern_check(const struct kern_options *options);

#endif
