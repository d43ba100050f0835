/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user space reads of the kernel half: ring records, the progress of long responses (shared
 * memory, no system call), counters over all processors, and the connections of each process. All
 * of it is read only; the kernel half never waits for any of it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <bpf/bpf.h>

#include "base/table.h"
#include "kern/intake.h"
#include "kern/object.h"

#define LIVES_MAX 8192

struct life_seen {
	uint32_t pid; /* the key */
	struct event_life life;
};

const char *kern_backend(const struct kern *k)
{
	return k->backend;
}

unsigned kern_program_count(const struct kern *k)
{
	return k->program_count;
}

struct kern_program_info kern_program(const struct kern *k, unsigned i)
{
	const struct kern_program *p = &k->programs[i];
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(p->fd, &info, &size))
		info.run_time_ns = 0;
	return (struct kern_program_info){p->name, p->link, info.run_time_ns};
}

int kern_ring_record(void *ctx, void *record, size_t size)
{
	struct kern *k = ctx;

	intake_record(k->intake, record, size);
	return 0;
}

int kern_ring_fd(const struct kern *k)
{
	return ring_buffer__epoll_fd(k->ring);
}

int kern_read(struct kern *k, struct intake *intake)
{
	k->intake = intake;
	return ring_buffer__consume(k->ring);
}

bool kern_progress(const struct kern *k, uint64_t conn, struct event_progress *progress)
{
	const volatile struct event_progress *slot = &k->progress[event_progress_slot(conn)];

	progress->conn = slot->conn;
	progress->txn = slot->txn;
	progress->time = slot->time;
	progress->response_bytes = slot->response_bytes;
	progress->tail = slot->tail;
	progress->check = slot->check;
	return progress->conn == conn &&
	       progress->check == (progress->conn ^ progress->txn ^ progress->time ^
				   progress->response_bytes ^ progress->tail);
}

void kern_counters(const struct kern *k, uint64_t counters[COUNT_MAX])
{
	int fd = bpf_map__fd(k->skel->maps.counters);

	for (__u32 i = 0; i < COUNT_MAX; i++) {
		counters[i] = 0;
		if (bpf_map_lookup_elem(fd, &i, k->counter_values))
			continue;
		for (int cpu = 0; cpu < k->processors; cpu++)
			counters[i] += k->counter_values[cpu];
	}
}

static struct life_seen *life_seen(struct kern *k, uint32_t pid)
{
	struct life_seen *seen;

	if (!k->lives)
		k->lives = table_new(&(struct table_options){
			.name = "lives",
			.capacity = LIVES_MAX,
			.key_size = sizeof(uint32_t),
			.entry_size = sizeof(struct life_seen),
		});
	if (!k->lives)
		return NULL;
	seen = table_find(k->lives, &pid);
	return seen ? seen : table_add(k->lives, &pid);
}

/* What came since the last look, which is then the last look. */
static struct event_life life_added(struct life_seen *seen, const struct event_life *now)
{
	struct event_life added = {0};
	const __u64 *total = (const __u64 *)now;
	__u64 *before = (__u64 *)&seen->life;

	for (size_t i = 0; i < sizeof(added) / sizeof(__u64); i++) {
		((__u64 *)&added)[i] = total[i] - before[i];
		before[i] = total[i];
	}
	return added;
}

void kern_life(struct kern *k, void (*fn)(void *ctx, uint32_t pid, const struct event_life *added),
	       void *ctx)
{
	int fd = bpf_map__fd(k->skel->maps.life);
	struct event_life now, added;
	struct life_seen *seen;
	__u32 pid, next;
	int more = !bpf_map_get_next_key(fd, NULL, &next);

	for (int i = 0; more && i < 2 * LIVES_MAX; i++) {
		pid = next;
		more = !bpf_map_get_next_key(fd, &pid, &next);
		seen = life_seen(k, pid);
		if (!seen || bpf_map_lookup_elem(fd, &pid, &now))
			continue;
		added = life_added(seen, &now);
		fn(ctx, pid, &added);
		if (kill((pid_t)pid, 0) && errno == ESRCH) {
			bpf_map_delete_elem(fd, &pid);
			table_remove(k->lives, seen);
		}
	}
}
