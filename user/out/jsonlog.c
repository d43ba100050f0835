/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's buffer: lines are formatted in place behind those that wait, and leave in order.
 *
 * Invariants: the buffer holds whole lines, but for the first, of which a slow reader may have
 * taken a part; so what is dropped is always a whole line that nobody has seen the beginning of.
 * Every line is counted once: written when its last byte was taken, or dropped. After the reader
 * said -EAGAIN nothing is tried until the next jsonlog_flush(), so that a blocked reader costs no
 * system call a line. Refuses to wait, except in jsonlog_drain().
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "out/jsonlog.h"
#include "out/sink.h"

#define FLUSH_BYTES 65536U /* what a pipe takes at once */

struct jsonlog {
	struct jsonlog_options options;
	struct sink sink;
	char *bytes;
	size_t head; /* waiting: from head to tail */
	size_t tail;
	bool slow; /* the reader took less than there was */
	int gone;  /* -errno of the write that failed for good */
	bool told; /* the caller knows of it */
	uint64_t lines;
	uint64_t dropped;
	uint64_t suppressed;
};

struct jsonlog *jsonlog_new(const struct jsonlog_options *options)
{
	struct jsonlog *j;

	if (fcntl(options->fd, F_GETFD) < 0)
		return NULL; /* closed: the number would become some other file's */
	j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->options = *options;
	if (j->options.buffer_bytes < JSONLOG_LINE_MAX)
		j->options.buffer_bytes = JSONLOG_LINE_MAX;
	j->bytes = malloc(j->options.buffer_bytes);
	if (!j->bytes) {
		free(j);
		return NULL;
	}
	sink_open(&j->sink, options->fd);
	return j;
}

void jsonlog_free(struct jsonlog *j)
{
	if (!j)
		return;
	sink_close(&j->sink);
	free(j->bytes);
	free(j);
}

static uint64_t count_lines(const char *bytes, size_t n)
{
	const char *end = bytes + n;
	uint64_t lines = 0;

	while (bytes < end && (bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
		lines++;
		bytes++;
	}
	return lines;
}

static void give_up(struct jsonlog *j, int error)
{
	j->gone = error;
	j->dropped += count_lines(j->bytes + j->head, j->tail - j->head);
	j->head = j->tail = 0;
}

static void flush(struct jsonlog *j)
{
	j->slow = false;
	while (j->head < j->tail) {
		const char *from = j->bytes + j->head;
		ssize_t taken = sink_write(&j->sink, from, j->tail - j->head);

		j->slow = taken == -EAGAIN;
		if (j->slow)
			return;
		if (taken < 0) {
			give_up(j, (int)taken);
			return;
		}
		j->lines += count_lines(from, (size_t)taken);
		j->head += (size_t)taken;
	}
	j->head = j->tail = 0;
}

/* Moves what waits to the front once that is worth it. */
static void make_room(struct jsonlog *j)
{
	if (j->head == 0 || j->options.buffer_bytes - j->tail >= JSONLOG_LINE_MAX)
		return;
	memmove(j->bytes, j->bytes + j->head, j->tail - j->head);
	j->tail -= j->head;
	j->head = 0;
}

/*
 * By the trace id, so that every agent on its way keeps all lines of a trace or none; FNV-1a, then
 * a mix of its high bits. Without one by the transaction.
 */
static uint32_t sample_of(const struct request *r)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (unsigned i = 0; i < r->length.trace_id; i++)
		hash = (hash ^ (unsigned char)r->trace_id[i]) * 0x100000001b3ULL;
	if (!r->length.trace_id)
		hash ^= r->conn * 31 + r->txn;
	hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15ULL;
	return (uint32_t)((hash >> 32) * JSONLOG_SAMPLE_ALL >> 32);
}

static bool is_kept(const struct jsonlog_options *o, const struct request *r)
{
	return r->error != REQUEST_OK || r->status >= 500 || request_latency(r) >= o->slow_ns ||
	       sample_of(r) < o->sample;
}

/* Room for one line behind those that wait. */
static struct buf begin_line(struct jsonlog *j)
{
	struct buf b;
	size_t room;

	make_room(j);
	room = j->options.buffer_bytes - j->tail;
	buf_init_fixed(&b, j->bytes + j->tail, room < JSONLOG_LINE_MAX ? room : JSONLOG_LINE_MAX);
	b.full = j->gone; /* nobody will read it */
	return b;
}

static void end_line(struct jsonlog *j, const struct buf *b)
{
	if (b->full) {
		j->dropped++;
		return;
	}
	j->tail += b->n;
	if (j->tail - j->head >= FLUSH_BYTES && !j->slow)
		flush(j);
}

void jsonlog_write(struct jsonlog *j, const struct request *r)
{
	struct buf b;

	if (!jsonlog_keeps(j, r)) {
		j->suppressed++;
		return;
	}
	b = begin_line(j);
	if (!b.full)
		jsonlog_format(&b, r, j->options.clock, j->options.node);
	end_line(j, &b);
}

void jsonlog_websocket(struct jsonlog *j, enum websocket_event what, const struct websocket *w)
{
	struct buf b;

	if (what == WEBSOCKET_MOVED)
		return;
	b = begin_line(j);
	if (!b.full)
		jsonlog_format_websocket(&b, what, w, clock_monotonic(), j->options.clock,
					 j->options.node);
	end_line(j, &b);
}

bool jsonlog_keeps(const struct jsonlog *j, const struct request *r)
{
	return j->options.sample >= JSONLOG_SAMPLE_ALL || is_kept(&j->options, r);
}

int jsonlog_flush(struct jsonlog *j)
{
	flush(j);
	if (j->slow)
		return -EAGAIN;
	if (j->told)
		return 0;
	j->told = j->gone != 0;
	return j->gone;
}

void jsonlog_drain(struct jsonlog *j, int timeout_ms)
{
	uint64_t end = clock_monotonic() + (uint64_t)timeout_ms * NS_PER_MS;
	struct pollfd p = {.fd = j->sink.fd, .events = POLLOUT};
	size_t before = SIZE_MAX;

	for (flush(j); j->slow; flush(j)) {
		uint64_t now = clock_monotonic();

		if (now >= end)
			break;
		/* a full disk polls as writable */
		if (poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1) > 0 && j->head == before)
			poll(NULL, 0, 10);
		before = j->head;
	}
}

uint64_t jsonlog_lines(const struct jsonlog *j)
{
	return j->lines;
}

uint64_t jsonlog_dropped(const struct jsonlog *j)
{
	return j->dropped;
}

uint64_t jsonlog_suppressed(const struct jsonlog *j)
{
	return j->suppressed;
}
