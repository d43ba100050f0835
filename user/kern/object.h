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

struct kern {
	const char *backend;
	struct sonde *skel;
	struct kern_program programs[KERN_PROGRAMS_MAX];
	unsigned program_count;
	struct ring_buffer *ring;
	struct intake *intake; /* while kern_read() runs */
	int read_left;	       /* records that it may still take */
	const volatile struct event_progress *progress;
	struct tally *life, *shed;
	__u64 *counter_values;
	int processors;
	int stats_fd;
};

/* sums.c */
int kern_sums_open(struct kern *k);
void kern_sums_close(struct kern *k);

/* read.c */
int kern_ring_record(void *ctx, void *record, size_t size);

/* explain.c: libbpf's own words go to the debug log; the last of them help to explain a failure. */
int kern_print(enum libbpf_print_level level, const char *format, va_list args);
void kern_explain(int err, const char *btf, char *why, size_t why_size);

#endif
