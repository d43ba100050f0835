/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums by process, out of the kernel. The invariant: what was counted is given out once. The kernel
 * keeps the entry of a process as long as the process exists; after that its last figures are taken
 * and removed in one step. Process 0 stands for none and never ends. An entry for which there is no
 * room here stays in the kernel until the next look.
 *
 * Lost uncounted can be only what is added at the very moment in which the entry of an ended
 * process is removed.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "base/table.h"
#include "kern/tally.h"

#define CHUNK 256 /* entries fetched by one system call */

struct tally {
	struct tally_options options;
	struct table *seen;
	char *keys;	  /* of a chunk */
	uint64_t *values; /* of a chunk, for each processor */
	uint64_t *sums;	  /* of one entry */
};

struct seen {
	unsigned char key[TALLY_KEY_MAX];
	bool gone;	 /* from procfs, and from the kernel half */
	bool changed;	 /* something waits in the second half of: */
	uint64_t sums[]; /* as last seen, then what was added since */
};

struct tally *tally_new(const struct tally_options *o)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->options = *o;
	t->seen = table_new(&(struct table_options){
		.name = o->name,
		.capacity = o->capacity,
		.key_size = o->key_size,
		.entry_size = (uint32_t)(sizeof(struct seen) + 2 * sizeof(uint64_t) * o->words),
	});
	t->keys = calloc(CHUNK, o->key_size);
	t->values = calloc((size_t)CHUNK * o->words * o->processors, sizeof(uint64_t));
	t->sums = calloc(o->words, sizeof(uint64_t));
	if (t->seen && t->keys && t->values && t->sums)
		return t;
	tally_free(t);
	return NULL;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	table_free(t->seen);
	free(t->keys);
	free(t->values);
	free(t->sums);
	free(t);
}

static void add_up(const struct tally *t, const uint64_t *values)
{
	memset(t->sums, 0, t->options.words * sizeof(uint64_t));
	for (uint32_t cpu = 0; cpu < t->options.processors; cpu++)
		for (uint32_t i = 0; i < t->options.words; i++)
			t->sums[i] += *values++;
}

/* What came since the last look. */
static void look(const struct tally *t, struct seen *s)
{
	uint64_t *before = s->sums, *added = s->sums + t->options.words;

	for (uint32_t i = 0; i < t->options.words; i++) {
		s->changed |= t->sums[i] != before[i];
		added[i] += t->sums[i] - before[i];
		before[i] = t->sums[i];
	}
}

/* Kernels before 5.14 cannot do both at once. */
static void take(const struct tally *t, const void *key, uint64_t *values)
{
	if (!bpf_map_lookup_and_delete_elem(t->options.fd, key, values))
		return;
	bpf_map_lookup_elem(t->options.fd, key, values);
	bpf_map_delete_elem(t->options.fd, key);
}

static bool is_gone(const void *key)
{
	uint32_t pid;

	memcpy(&pid, key, sizeof(pid));
	return pid && kill((pid_t)pid, 0) && errno == ESRCH;
}

static void read_entry(struct tally *t, const void *key, uint64_t *values)
{
	struct seen *s = table_find(t->seen, key);

	if (!s)
		s = table_add(t->seen, key);
	if (!s)
		return;
	s->gone = is_gone(key);
	if (s->gone)
		take(t, key, values);
	add_up(t, values);
	look(t, s);
	if (s->gone)
		memset(s->sums, 0, t->options.words * sizeof(uint64_t));
}

void tally_read(struct tally *t)
{
	size_t value = (size_t)t->options.words * t->options.processors;
	__u32 count, at;
	void *from = NULL;
	int err = 0;

	while (!err) {
		count = CHUNK;
		err = bpf_map_lookup_batch(t->options.fd, from, &at, t->keys, t->values, &count,
					   NULL);
		if (err && err != -ENOENT) /* which is the end */
			return;
		for (__u32 i = 0; i < count; i++)
			read_entry(t, t->keys + (size_t)i * t->options.key_size,
				   t->values + i * value);
		from = &at;
	}
}

void tally_give(struct tally *t, bool (*fn)(void *ctx, const void *key, const uint64_t *added),
		void *ctx)
{
	for (struct seen *s = table_oldest(t->seen), *next; s; s = next) {
		uint64_t *added = s->sums + t->options.words;

		next = table_next(t->seen, s);
		if (s->changed && !fn(ctx, s->key, added))
			continue;
		memset(added, 0, t->options.words * sizeof(uint64_t));
		s->changed = false;
		if (s->gone)
			table_remove(t->seen, s);
	}
}
