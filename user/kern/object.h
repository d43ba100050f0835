/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of kern/ share. Private to kern/. */
#ifndef SONDE_KERN_OBJECT_H
#define SONDE_KERN_OBJECT_H

#include <stdarg.h>

#include <bpf/libbpf.h>

#include "kern/kern.h"
#include "sonde.skel.h"

#define KERN_PROGRAMS_MAX 16

struct kern_program {
	const char *name;
	int fd;
	struct bpf_link *link; /* NULL: an optional one that could not be attached */
};

enum kern_sweep { SWEEP_CONNS, SWEEP_FRAMES, KERN_SWEEPS };

struct kern {
	const char *backend;
	struct sonde *skel;
	struct kern_program programs[KERN_PROGRAMS_MAX];
	unsigned program_count;
	struct ring_buffer *ring;
	struct intake *intake; /* while kern_read() runs */
	int read_left;	       /* records that it may still take */
	const volatile struct event_progress *progress;
	struct bpf_link *sweeps[KERN_SWEEPS]; /* NULL: this kernel has none */
	struct tally *life, *shed;
	__u64 *counter_values;
	int processors;
	int stats_fd;
};

/* sums.c */
int kern_sums_open(struct kern *k);
void kern_sums_close(struct kern *k);

/* sweep.c */
bool kern_program_sweeps(const struct bpf_program *program); /* is it one that is not attached? */
void kern_sweep_open(struct kern *k, enum kern_sweep sweep, const struct bpf_program *program,
		     const struct bpf_map *map);
void kern_sweeps_close(struct kern *k);
/* Rows of `row` bytes, one a socket. -ENOSYS without iterators, or -errno of the read. */
int kern_sweep(struct kern *k, enum kern_sweep sweep, size_t row,
	       void (*fn)(void *ctx, const void *row), void *ctx);

/* read.c */
int kern_ring_record(void *ctx, void *record, size_t size);

/* explain.c: libbpf's own words go to the debug log; the last of them help to explain a failure. */
int kern_print(enum libbpf_print_level level, const char *format, va_list args);
void kern_explain(int err, const char *btf, char *why, size_t why_size);

#endif
