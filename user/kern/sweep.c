/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at all sockets of the kernel half at once, through BPF iterators over their storage (kernel
 * 5.9). A sweep is rows of one size, read through a file; a row may be cut by the end of a read and
 * go on in the next. A kernel without iterators has no sweeps: they answer -ENOSYS.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "kern/intake.h"
#include "kern/object.h"

#define CHUNK_BYTES 32768 /* what the kernel fills at once */

bool kern_program_sweeps(const struct bpf_program *program)
{
	return bpf_program__expected_attach_type(program) == BPF_TRACE_ITER;
}

void kern_sweep_open(struct kern *k, enum kern_sweep sweep, const struct bpf_program *program,
		     const struct bpf_map *map)
{
	union bpf_iter_link_info info = {.map.map_fd = map ? (__u32)bpf_map__fd(map) : 0};
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = map ? &info : NULL,
		    .link_info_len = map ? sizeof(info) : 0);

	if (bpf_program__fd(program) >= 0)
		k->sweeps[sweep] = bpf_program__attach_iter(program, &options);
}

void kern_sweeps_close(struct kern *k)
{
	for (int i = 0; i < KERN_SWEEPS; i++) {
		bpf_link__destroy(k->sweeps[i]);
		k->sweeps[i] = NULL;
	}
}

/* Gives whole rows out and moves what is left to the front; returns its bytes. */
static size_t give_rows(char *bytes, size_t n, size_t row, void (*fn)(void *ctx, const void *row),
			void *ctx)
{
	size_t at = 0;

	for (; n - at >= row; at += row)
		fn(ctx, bytes + at);
	memmove(bytes, bytes + at, n - at);
	return n - at;
}

int kern_sweep(struct kern *k, enum kern_sweep sweep, size_t row,
	       void (*fn)(void *ctx, const void *row), void *ctx)
{
	_Alignas(uint64_t) char bytes[CHUNK_BYTES];
	size_t left = 0;
	ssize_t n;
	int fd;

	if (!k->sweeps[sweep])
		return -ENOSYS;
	fd = bpf_iter_create(bpf_link__fd(k->sweeps[sweep]));
	if (fd < 0)
		return fd;
	do {
		n = read(fd, bytes + left, sizeof(bytes) - left);
		if (n > 0)
			left = give_rows(bytes, left + (size_t)n, row, fn, ctx);
	} while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

struct present_call {
	void (*fn)(void *ctx, uint64_t conn);
	void *ctx;
};

static void give_present(void *ctx, const void *row)
{
	const struct present_call *call = ctx;

	call->fn(call->ctx, *(const uint64_t *)row);
}

int kern_roll(struct kern *k, void (*fn)(void *ctx, uint64_t conn), void *ctx)
{
	return kern_sweep(k, SWEEP_CONNS, sizeof(uint64_t), give_present,
			  &(struct present_call){fn, ctx});
}

static void give_websocket(void *ctx, const void *row)
{
	intake_record(ctx, row, sizeof(struct event_websocket));
}

int kern_websockets(struct kern *k, struct intake *intake)
{
	return kern_sweep(k, SWEEP_FRAMES, sizeof(struct event_websocket), give_websocket, intake);
}

/* From the names leaf first, each behind a '/', to a path from the root. */
static size_t path_turn(char to[static EVENT_PATH_MAX], struct str names)
{
	size_t n = 0;

	while (names.n) {
		const char *slash = memrchr(names.p, '/', names.n);
		struct str name = slash ? str_from(names, (size_t)(slash - names.p)) : names;

		memcpy(to + n, name.p, name.n);
		n += name.n;
		names.n -= name.n;
	}
	return n;
}

static void give_cgroup(void *ctx, const void *row)
{
	const struct event_cgroup *e = row;
	size_t captured = e->captured < EVENT_PATH_MAX ? e->captured : EVENT_PATH_MAX;
	union {
		struct event_cgroup e;
		char bytes[sizeof(struct event_cgroup) + EVENT_PATH_MAX];
	} turned = {.e = *e};

	turned.e.captured =
		(__u16)path_turn(turned.bytes + sizeof(*e), (struct str){e->path, captured});
	intake_record(ctx, &turned, sizeof(turned));
}

int kern_cgroups(struct kern *k, struct intake *intake)
{
	return kern_sweep(k, SWEEP_CGROUPS, sizeof(struct event_cgroup) + EVENT_PATH_MAX,
			  give_cgroup, intake);
}
