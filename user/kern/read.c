/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user space reads of the kernel half: ring records, the progress of long responses (shared
 * memory, no system call), and counters over all processors. All of it is read only; the kernel
 * half never waits for any of it.
 */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>

#include "kern/intake.h"
#include "kern/object.h"

#define READ_MAX 8192 /* records; then others have their turn */

const char *kern_backend(const struct kern *k)
{
	return k->backend->name;
}

const char *kern_refused(const struct kern *k)
{
	return k->refused;
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
		info = (struct bpf_prog_info){0};
	return (struct kern_program_info){p->name, p->link, info.run_time_ns,
					  info.recursion_misses};
}

int kern_ring_record(void *ctx, void *record, size_t size)
{
	struct kern *k = ctx;

	intake_record(k->intake, record, size);
	return --k->read_left ? 0 : -EAGAIN;
}

int kern_ring_fd(const struct kern *k)
{
	return ring_buffer__epoll_fd(k->ring);
}

int kern_read(struct kern *k, struct intake *intake)
{
	k->intake = intake;
	k->read_left = READ_MAX;
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
