/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections by process, taken over from the kernel half in two steps: kern_life_read() copies
 * what came, kern_life() gives it out. Between them the caller empties the ring, so that whatever
 * is given out stands behind its process's exec record.
 *
 * The invariant: what was counted is given out once. The kernel keeps the entry of a process as
 * long as the process exists; after that its last figures are taken and removed in one step. An
 * entry for which there is no room here stays in the kernel until the next look.
 */
#include <errno.h>
#include <signal.h>
#include <bpf/bpf.h>

#include "base/table.h"
#include "kern/object.h"

#define LIVES_CHUNK 256 /* entries fetched by one system call */

struct life_seen {
	uint32_t pid; /* the key */
	bool gone;    /* from procfs, and from the kernel half */
	bool changed; /* something waits in `added` */
	struct event_life life;
	struct event_life added;
};

static struct life_seen *life_seen(struct kern *k, uint32_t pid)
{
	struct life_seen *seen;

	if (!k->lives)
		k->lives = table_new(&(struct table_options){
			.name = "lives",
			.capacity = bpf_map__max_entries(k->skel->maps.life),
			.key_size = sizeof(uint32_t),
			.entry_size = sizeof(struct life_seen),
		});
	if (!k->lives)
		return NULL;
	seen = table_find(k->lives, &pid);
	return seen ? seen : table_add(k->lives, &pid);
}

/* What came since the last look, which is then the last look. */
static void life_add(struct life_seen *seen, const struct event_life *now)
{
	const __u64 *total = (const __u64 *)now;
	__u64 *before = (__u64 *)&seen->life, *added = (__u64 *)&seen->added;

	for (size_t i = 0; i < sizeof(*now) / sizeof(__u64); i++) {
		seen->changed |= total[i] != before[i];
		added[i] += total[i] - before[i];
		before[i] = total[i];
	}
}

/* Kernels before 5.14 cannot do both at once. */
static void life_take(int fd, uint32_t pid, struct event_life *now)
{
	if (!bpf_map_lookup_and_delete_elem(fd, &pid, now))
		return;
	bpf_map_lookup_elem(fd, &pid, now);
	bpf_map_delete_elem(fd, &pid);
}

static void life_look(struct kern *k, int fd, uint32_t pid, struct event_life *now)
{
	struct life_seen *seen = life_seen(k, pid);

	if (!seen)
		return;
	seen->gone = kill((pid_t)pid, 0) && errno == ESRCH;
	if (seen->gone)
		life_take(fd, pid, now);
	life_add(seen, now);
	if (seen->gone)
		seen->life = (struct event_life){0};
}

void kern_life_read(struct kern *k)
{
	int fd = bpf_map__fd(k->skel->maps.life), err = 0;
	struct event_life lives[LIVES_CHUNK];
	__u32 pids[LIVES_CHUNK], count, at;
	void *from = NULL;

	while (!err) {
		count = LIVES_CHUNK;
		err = bpf_map_lookup_batch(fd, from, &at, pids, lives, &count, NULL);
		if (err && err != -ENOENT) /* which is the end */
			return;
		for (__u32 i = 0; i < count; i++)
			life_look(k, fd, pids[i], &lives[i]);
		from = &at;
	}
}

void kern_life(struct kern *k, void (*fn)(void *ctx, uint32_t pid, const struct event_life *added),
	       void *ctx)
{
	for (struct life_seen *seen = k->lives ? table_oldest(k->lives) : NULL, *next; seen;
	     seen = next) {
		next = table_next(k->lives, seen);
		if (seen->changed)
			fn(ctx, seen->pid, &seen->added);
		seen->added = (struct event_life){0};
		seen->changed = false;
		if (seen->gone)
			table_remove(k->lives, seen);
	}
}
