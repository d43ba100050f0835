/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of kern/ share. Private to kern/. */
#ifndef SONDE_KERN_OBJECT_H
#define SONDE_KERN_OBJECT_H

#include <stdarg.h>

#include <bpf/libbpf.h>

#include "base/report.h"
#include "kern/kern.h"
#include "sonde.skel.h"

#define KERN_PROGRAMS_MAX 24
#define BACKEND_PROGRAMS  8

struct backend {
	const char *name;
	bool hashed;				/* its state is: bpf/state.bpf.h */
	const char *programs[BACKEND_PROGRAMS]; /* of its own; those of no backend go with each */
	const struct backend *older; /* the same for older verifiers; NULL: there is none */
	bool old;		     /* this is that: see old.c */
};

struct kern_program {
	const char *name;
	int fd;
	struct bpf_link *link; /* NULL: an optional one that could not be attached */
};

enum kern_sweep { SWEEP_CONNS, SWEEP_FRAMES, SWEEP_CGROUPS, KERN_SWEEPS };

struct kern {
	const struct backend *backend;
	char refused[256]; /* better ones, and why */
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

/* check_features.c */
void check_features(bool refused, struct report *report); /* refused: nothing may be asked */
/* To the cgroup: 0; against RLIMIT_MEMLOCK: -ENOENT; or -errno of what forbade asking. */
int kern_memory_counted(void);

/* types.c: 0 if the file has this kernel's types, as far as one can tell; else says why not. */
int kern_types_try(const char *path, char *why, size_t why_size);
/* backend.c */
const char *kern_backend_name(size_t i);	 /* NULL past the last */
const struct backend *kern_backend_at(size_t i); /* in order of preference; NULL past them */
const struct backend *kern_backend_of(const char *program); /* NULL: of none alone */
/* Does the kernel take this program, by itself? 0 or -errno; nothing is left of it. */
int kern_hook_try(const struct backend *b, const struct kern_options *o, const char *program);
bool kern_program_optional(const char *program); /* the main job does without */
/* without: optional programs that are not to be loaded, by bit */
bool kern_wants(const struct backend *b, const struct kern_options *o, const char *program,
		unsigned without);

/* old.c: NULL with errno */
struct sonde *kern_open_old(const struct bpf_object_open_opts *options);

/* load.c */
struct sonde *kern_open(const struct backend *b, const struct kern_options *o);
/* 0 with everything attached, or -errno with everything closed. */
int kern_try(struct kern *k, const struct backend *b, const struct kern_options *o,
	     unsigned without);

/* sums.c */
int kern_sums_open(struct kern *k);
void kern_sums_close(struct kern *k);

/* sweep.c */
bool kern_program_sweeps(const struct bpf_program *program); /* is it one that is not attached? */
/* map: whose sockets are looked at; NULL: processes are */
void kern_sweep_open(struct kern *k, enum kern_sweep sweep, const struct bpf_program *program,
		     const struct bpf_map *map);
void kern_sweeps_close(struct kern *k);
/* Rows of `row` bytes, one a socket or process. -ENOSYS without iterators, or -errno of the read.
 */
int kern_sweep(struct kern *k, enum kern_sweep sweep, size_t row,
	       void (*fn)(void *ctx, const void *row), void *ctx);

/* read.c */
int kern_ring_record(void *ctx, void *record, size_t size);

/* explain.c: libbpf's own words go to the debug log; the last of them help to explain a failure. */
#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
int kern_print(enum libbpf_print_level level, const char *format, va_list args);
void kern_explain(int err, const char *btf, char *why, size_t why_size);
/* In words, for one hook or feature. */
const char *kern_refusal(int err, char *said, size_t size);
bool kern_lockdown(char *mode, size_t size); /* "none", "integrity"; false: nobody says */

#endif
