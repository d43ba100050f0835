/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open, tell the knobs, load, attach: for one candidate backend after the other, until one holds. A
 * program that only adds detail (retransmits) may be missing; one that the main job needs may not.
 * Nothing here asks for a kernel version. When all candidates fail, the reason given is that of the
 * last, in words that say what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "kern/object.h"
#include "kern/knobs.h"
#include "proto/protos.h"

static const struct backend {
	const char *name;
	const char *programs[4]; /* of this backend alone; the others are loaded with every one */
} backends[] = {
	{"sock", {"sock_sent", "sock_received"}},
};

#define BACKENDS (sizeof(backends) / sizeof(backends[0]))

static const char *const optional[] = {"sweep_frames", "sweep_conns",	 "sock_retransmitted",
				       "uring_file",   "uring_submit",	 "uring_wait",
				       "cgroup_made",  "cgroup_removed", "sweep_cgroups"};

#define OPTIONAL (sizeof(optional) / sizeof(optional[0]))

/* How many of them to try with: a kernel may be without cgroups, or without io_uring. */
static const size_t optional_tries[] = {OPTIONAL, 6, 3, 2, 0};

static bool listed(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n && names[i]; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool belongs_to_other(const struct backend *mine, const char *program)
{
	for (size_t i = 0; i < BACKENDS; i++)
		if (&backends[i] != mine && listed(program, backends[i].programs, 4))
			return true;
	return false;
}

static bool wanted(const struct backend *mine, const char *program, const struct kern_options *o,
		   size_t optionals)
{
	return !belongs_to_other(mine, program) &&
	       !listed(program, optional + optionals, OPTIONAL - optionals) &&
	       (o->queue_time || strcmp(program, "sock_readable") != 0);
}

static int knobs_set(struct sonde *skel, const struct kern_options *o)
{
	uint32_t waiting;

	skel->rodata->agent_tgid = (__u32)getpid();
	skel->rodata->capture_bytes = o->capture_bytes;
	skel->rodata->ring_bytes = o->ring_size;
	skel->rodata->detail = o->detail;
	skel->rodata->slow_ns = o->slow_ns;
	skel->rodata->queue_time = o->queue_time;
	skel->rodata->frames_protocol = PROTO_websocket;
	knobs_bounds((__u64 *)skel->rodata->shed_bounds, o->bounds, o->bound_count);
	knobs_io_forms((__u8 *)skel->rodata->io_forms);
	knobs_token_bytes((__u8 *)skel->rodata->token_bytes);
	bpf_map__set_max_entries(skel->maps.ring, o->ring_size);
	/* connections that the reader knows, and those whose first record is still on its way */
	waiting = o->connections_max + o->ring_size / (uint32_t)sizeof(struct event_open);
	bpf_map__set_max_entries(skel->maps.orphans, waiting);
	bpf_map__set_max_entries(skel->maps.frame_orphans, waiting);
	return knobs_signatures((struct event_signature *)skel->rodata->signatures,
				(__u8 *)skel->rodata->signature_of_byte);
}

/* Opened and told its knobs; NULL with errno. */
struct sonde *kern_open(const struct kern_options *o)
{
	LIBBPF_OPTS(bpf_object_open_opts, open, .btf_custom_path = o->btf);
	struct sonde *skel = sonde__open_opts(&open);
	int err = skel ? knobs_set(skel, o) : 0;

	if (!err)
		return skel;
	sonde__destroy(skel);
	errno = -err;
	return NULL;
}

const char *kern_backend_name(size_t i)
{
	return i < BACKENDS ? backends[i].name : NULL;
}

bool kern_program_optional(const char *program)
{
	return listed(program, optional, OPTIONAL) || !strcmp(program, "sock_readable");
}

static int attach_all(struct kern *k)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, k->skel->obj)
	{
		struct kern_program *p = &k->programs[k->program_count];

		if (!bpf_program__autoload(prog) || kern_program_sweeps(prog))
			continue;
		p->name = bpf_program__name(prog);
		p->fd = bpf_program__fd(prog);
		p->link = bpf_program__attach(prog);
		if (!p->link && !listed(p->name, optional, OPTIONAL))
			return -errno;
		if (++k->program_count == KERN_PROGRAMS_MAX)
			break;
	}
	return 0;
}

static int maps_open(struct kern *k)
{
	int fd = bpf_map__fd(k->skel->maps.progress);
	size_t size = PROGRESS_SLOTS * sizeof(struct event_progress);
	void *slots = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (slots == MAP_FAILED)
		return -errno;
	k->progress = slots;
	k->ring = ring_buffer__new(bpf_map__fd(k->skel->maps.ring), kern_ring_record, k, NULL);
	if (!k->ring)
		return -errno;
	k->processors = libbpf_num_possible_cpus();
	k->counter_values = calloc((size_t)k->processors, sizeof(__u64));
	kern_sweep_open(k, SWEEP_CONNS, k->skel->progs.sweep_conns, k->skel->maps.conns);
	kern_sweep_open(k, SWEEP_FRAMES, k->skel->progs.sweep_frames, k->skel->maps.frames);
	kern_sweep_open(k, SWEEP_CGROUPS, k->skel->progs.sweep_cgroups, NULL);
	return k->counter_values ? kern_sums_open(k) : -ENOMEM;
}

void kern_detach(struct kern *k)
{
	for (unsigned i = 0; i < k->program_count; i++) {
		bpf_link__destroy(k->programs[i].link);
		k->programs[i].link = NULL;
	}
}

static void kern_close(struct kern *k)
{
	kern_detach(k);
	k->program_count = 0;
	ring_buffer__free(k->ring);
	if (k->progress)
		munmap((void *)k->progress, PROGRESS_SLOTS * sizeof(struct event_progress));
	kern_sums_close(k);
	kern_sweeps_close(k);
	free(k->counter_values);
	sonde__destroy(k->skel);
	k->ring = NULL;
	k->progress = NULL;
	k->counter_values = NULL;
	k->skel = NULL;
}

/* 0 with everything attached, or -errno with everything closed. */
static int backend_try(struct kern *k, const struct backend *b, const struct kern_options *o,
		       size_t optionals)
{
	struct bpf_program *prog;
	int err;

	k->skel = kern_open(o);
	if (!k->skel)
		return -errno;
	bpf_object__for_each_program(prog, k->skel->obj)
		bpf_program__set_autoload(prog, wanted(b, bpf_program__name(prog), o, optionals));
	err = sonde__load(k->skel);
	if (!err)
		err = maps_open(k);
	if (!err)
		err = attach_all(k);
	if (err)
		kern_close(k);
	else
		k->backend = b->name;
	return err;
}

struct kern *kern_new(const struct kern_options *o, char *why, size_t why_size)
{
	struct kern *k = calloc(1, sizeof(*k));
	bool known = false;
	int err = -ENOENT;

	if (!k) {
		snprintf(why, why_size, "out of memory");
		return NULL;
	}
	libbpf_set_print(kern_print);
	if (o->btf && kern_types_try(o->btf, why, why_size)) {
		free(k);
		return NULL;
	}
	for (size_t i = 0; i < BACKENDS && err; i++) {
		if (strcmp(o->backend, "auto") != 0 && strcmp(o->backend, backends[i].name) != 0)
			continue;
		known = true;
		for (size_t t = 0; t < sizeof(optional_tries) / sizeof(optional_tries[0]) && err;
		     t++)
			err = backend_try(k, &backends[i], o, optional_tries[t]);
	}
	if (!err) {
		if (o->stats)
			k->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		return k;
	}
	if (known)
		kern_explain(err, o->btf, why, why_size);
	else
		snprintf(why, why_size, "backend %s is not in this build: use --backend=auto",
			 o->backend);
	free(k);
	return NULL;
}

void kern_free(struct kern *k)
{
	if (!k)
		return;
	kern_close(k);
	if (k->stats_fd > 0)
		close(k->stats_fd);
	free(k);
}
