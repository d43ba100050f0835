/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open, tell the knobs, load, attach: one backend. A program that only adds detail (retransmits)
 * may be missing; one that the main job needs may not. Which of them are wanted is said by
 * backend.c.
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

#define HASHED_MORE 4	  /* sockets that carry nothing we know, for each connection that does */
#define HASHED_MIN  65536 /* sockets in any case */

static int knobs_set(struct sonde *skel, const struct backend *b, const struct kern_options *o)
{
	uint32_t waiting, sockets;

	skel->rodata->agent_tgid = (__u32)getpid();
	skel->rodata->capture_bytes = o->capture_bytes;
	skel->rodata->ring_bytes = o->ring_size;
	skel->rodata->detail = o->detail;
	skel->rodata->slow_ns = o->slow_ns;
	skel->rodata->queue_time = o->queue_time;
	skel->rodata->state_hashed = b->hashed;
	skel->rodata->frames_protocol = PROTO_websocket;
	knobs_bounds((__u64 *)skel->rodata->shed_bounds, o->bounds, o->bound_count);
	knobs_io_calls(skel->data->io_table.forms, (__u8 *)skel->rodata->io_ways);
	knobs_token_bytes((__u8 *)skel->rodata->token_bytes);
	bpf_map__set_max_entries(skel->maps.ring, o->ring_size);
	/* connections that the reader knows, and those whose first record is still on its way */
	waiting = o->connections_max + o->ring_size / (uint32_t)sizeof(struct event_open);
	bpf_map__set_max_entries(skel->maps.orphans, waiting);
	bpf_map__set_max_entries(skel->maps.frame_orphans, waiting);
	if (b->hashed) {
		sockets = o->connections_max < HASHED_MIN / HASHED_MORE
				  ? HASHED_MIN
				  : o->connections_max * HASHED_MORE;
		bpf_map__set_max_entries(skel->maps.hashed_conns, sockets);
		bpf_map__set_max_entries(skel->maps.hashed_frames, sockets / HASHED_MORE);
	}
	return knobs_signatures((struct event_signature *)skel->rodata->signatures,
				(__u8 *)skel->rodata->signature_of_byte);
}

/* Those that the kernel does not take are listed, too. */
static int attach_all(struct kern *k, const struct kern_options *o)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, k->skel->obj)
	{
		struct kern_program *p = &k->programs[k->program_count];

		p->name = bpf_program__name(prog);
		if (kern_program_sweeps(prog) || !kern_wants(k->backend, o, p->name, 0))
			continue;
		p->fd = bpf_program__fd(prog);
		p->link = bpf_program__autoload(prog) ? bpf_program__attach(prog) : NULL;
		if (!p->link && !kern_program_optional(p->name))
			return -errno;
		if (++k->program_count == KERN_PROGRAMS_MAX)
			break;
	}
	return 0;
}

/* Those of the state that this backend has. */
static void sweeps_open(struct kern *k)
{
	kern_sweep_open(k, SWEEP_CGROUPS, k->skel->progs.sweep_cgroups, NULL);
	if (k->backend->hashed) {
		kern_sweep_open(k, SWEEP_CONNS, k->skel->progs.sweep_hashed_conns,
				k->skel->maps.hashed_conns);
		kern_sweep_open(k, SWEEP_FRAMES, k->skel->progs.sweep_hashed_frames,
				k->skel->maps.hashed_frames);
		return;
	}
	kern_sweep_open(k, SWEEP_CONNS, k->skel->progs.sweep_conns, k->skel->maps.conns);
	kern_sweep_open(k, SWEEP_FRAMES, k->skel->progs.sweep_frames, k->skel->maps.frames);
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
	sweeps_open(k);
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

/* Opened and told its knobs; NULL with errno. */
struct sonde *kern_open(const struct backend *b, const struct kern_options *o)
{
	LIBBPF_OPTS(bpf_object_open_opts, open, .btf_custom_path = o->btf);
	struct sonde *skel = b->old ? kern_open_old(&open) : sonde__open_opts(&open);
	int err = skel ? knobs_set(skel, b, o) : 0;

	/* only io_uring needs it; without it the hooks say what is missing (before 5.11) */
	if (skel && libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) != 1)
		bpf_map__set_autocreate(skel->maps.uring_of_task, false);
	if (!err)
		return skel;
	sonde__destroy(skel);
	errno = -err;
	return NULL;
}

int kern_try(struct kern *k, const struct backend *b, const struct kern_options *o,
	     unsigned without)
{
	struct bpf_program *prog;
	int err;

	k->skel = kern_open(b, o);
	if (!k->skel)
		return -errno;
	k->backend = b;
	bpf_object__for_each_program(prog, k->skel->obj)
		bpf_program__set_autoload(prog, kern_wants(b, o, bpf_program__name(prog), without));
	err = sonde__load(k->skel);
	if (!err)
		err = maps_open(k);
	if (!err)
		err = attach_all(k, o);
	if (err)
		kern_close(k);
	return err;
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
