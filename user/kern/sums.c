/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel half adds up beside the ring, and what waits there: TCP connections by process,
 * transactions that it counted itself, closes that found no room. The shed table's coarse entries
 * are made here, so that a transaction always has a place.
 */
#include <errno.h>
#include <stdlib.h>
#include <bpf/bpf.h>

#include "kern/intake.h"
#include "kern/object.h"
#include "kern/tally.h"
#include "proto/protos.h"

#define CHUNK	    64 /* records fetched by one system call */
#define WORDS(type) (sizeof(type) / sizeof(uint64_t))

static struct tally *new_tally(const char *name, struct bpf_map *map, uint32_t processors)
{
	return tally_new(&(struct tally_options){
		.name = name,
		.fd = bpf_map__fd(map),
		.capacity = bpf_map__max_entries(map),
		.key_size = bpf_map__key_size(map),
		.words = bpf_map__value_size(map) / (uint32_t)sizeof(uint64_t),
		.processors = processors,
	});
}

static int shed_coarse(const struct kern *k)
{
	size_t size = sizeof(struct event_shed) * (size_t)k->processors;
	void *zeros = calloc(1, size);
	int err = zeros ? 0 : -ENOMEM;

	for (int protocol = 0; protocol < PROTO_COUNT; protocol++) {
		for (int role = ROLE_SERVER; role <= ROLE_CLIENT && !err; role++) {
			struct event_shed_key key = {.role = (__u8)role,
						     .protocol = (__u8)protocol};

			err = bpf_map_update_elem(bpf_map__fd(k->skel->maps.shed), &key, zeros, 0);
		}
	}
	free(zeros);
	return err;
}

int kern_sums_open(struct kern *k)
{
	int err = shed_coarse(k);

	if (err)
		return err;
	k->life = new_tally("lives", k->skel->maps.life, 1);
	k->shed = new_tally("shed", k->skel->maps.shed, (uint32_t)k->processors);
	return k->life && k->shed ? 0 : -ENOMEM;
}

void kern_sums_close(struct kern *k)
{
	tally_free(k->life);
	tally_free(k->shed);
	k->life = k->shed = NULL;
}

void kern_sums_read(struct kern *k)
{
	tally_read(k->life);
	tally_read(k->shed);
}

struct life_call {
	bool (*fn)(void *ctx, uint32_t pid, const struct event_life *added);
	void *ctx;
};

static bool give_life(void *ctx, const void *key, const uint64_t *added)
{
	const struct life_call *call = ctx;

	return call->fn(call->ctx, *(const uint32_t *)key, (const struct event_life *)added);
}

void kern_life(struct kern *k, bool (*fn)(void *ctx, uint32_t pid, const struct event_life *added),
	       void *ctx)
{
	tally_give(k->life, give_life, &(struct life_call){fn, ctx});
}

struct shed_call {
	bool (*fn)(void *ctx, const struct event_shed_key *key, const struct event_shed *added);
	void *ctx;
};

static void times_join(struct event_times *to, const struct event_times *from)
{
	to->sum += from->sum;
	for (size_t i = 0; i <= SHED_BOUNDS; i++)
		to->buckets[i] += from->buckets[i];
}

static bool give_shed(void *ctx, const void *key, const uint64_t *added)
{
	const struct shed_call *call = ctx;
	struct event_shed all = *(const struct event_shed *)added;

	times_join(&all.duration, &all.at_once);
	times_join(&all.first_byte, &all.at_once);
	return call->fn(call->ctx, key, &all);
}

void kern_shed(struct kern *k,
	       bool (*fn)(void *ctx, const struct event_shed_key *key,
			  const struct event_shed *added),
	       void *ctx)
{
	tally_give(k->shed, give_shed, &(struct shed_call){fn, ctx});
}

/* A record of a table beside the ring; they all begin with their head. */
union orphan {
	struct event_head head;
	struct event_close close;
	struct event_websocket websocket;
};

static void take_orphans(const struct bpf_map *map, struct intake *intake, uint64_t before)
{
	size_t size = bpf_map__value_size(map);
	char records[CHUNK * sizeof(union orphan)];
	int fd = bpf_map__fd(map), err = 0;
	__u64 ids[CHUNK], at;
	void *from = NULL;
	__u32 count;

	while (!err) {
		count = CHUNK;
		err = bpf_map_lookup_batch(fd, from, &at, ids, records, &count, NULL);
		if (err && err != -ENOENT) /* which is the end */
			return;
		for (__u32 i = 0; i < count; i++) {
			const struct event_head *head = (const void *)(records + i * size);

			if (head->time >= before)
				continue;
			intake_record(intake, head, size);
			bpf_map_delete_elem(fd, &ids[i]);
		}
		from = &at;
	}
}

/* WebSocket's first: with its connection goes what is known of that. */
void kern_orphans(struct kern *k, struct intake *intake, uint64_t before)
{
	take_orphans(k->skel->maps.frame_orphans, intake, before);
	take_orphans(k->skel->maps.orphans, intake, before);
}
