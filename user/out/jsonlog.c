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

#include "base/clock.h"
#include "out/jsonlog.h"
#include "out/jsonlog_choice.h"
#include "out/sink.h"

#define FLUSH_BYTES 65536U /* what a pipe takes at once */

struct jsonlog {
	struct sink sink;
	char *bytes;
	size_t buffer_bytes;
	size_t head; /* waiting: from head to tail */
	size_t tail;
	uint64_t waiting; /* lines whose last byte was not taken yet */
	bool slow;	  /* the reader took less than there was */
	int gone;	  /* -errno of the write that failed for good */
	bool told;	  /* the caller knows of it */
	uint64_t lines;
	uint64_t dropped;
	struct choice choice;
	struct jsonlog_form form;
};

struct jsonlog *jsonlog_new(const struct jsonlog_options *options)
{
	struct jsonlog *j;

	if (fcntl(options->fd, F_GETFD) < 0)
		return NULL; /* closed: the number would become some other file's */
	j = calloc(1, sizeof(*j));
	if (!j)
		return NULL;
	j->buffer_bytes = options->buffer_bytes;
	if (j->buffer_bytes < JSONLOG_LINE_MAX)
		j->buffer_bytes = JSONLOG_LINE_MAX;
	j->bytes = malloc(j->buffer_bytes);
	if (!j->bytes) {
		free(j);
		return NULL;
	}
	sink_open(&j->sink, options->fd);
	choice_init(&j->choice, options);
	jsonlog_form_init(&j->form, &options->form);
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
	j->dropped += j->waiting;
	j->waiting = 0;
	j->head = j->tail = 0;
}

/* Bytes from the head on: as a rule all of them, of lines whose number is known. */
static void take(struct jsonlog *j, size_t n)
{
	uint64_t lines = j->waiting;

	if (n < j->tail - j->head)
		lines = count_lines(j->bytes + j->head, n);
	j->head += n;
	j->lines += lines;
	j->waiting -= lines;
}

static void flush(struct jsonlog *j)
{
	j->slow = false;
	while (j->head < j->tail) {
		ssize_t taken = sink_write(&j->sink, j->bytes + j->head, j->tail - j->head);

		j->slow = taken == -EAGAIN;
		if (j->slow)
			return;
		if (taken < 0) {
			give_up(j, (int)taken);
			return;
		}
		take(j, (size_t)taken);
	}
	j->head = j->tail = 0;
}

/* Moves what waits to the front once that is worth it. */
static void make_room(struct jsonlog *j)
{
	if (j->head == 0 || j->buffer_bytes - j->tail >= JSONLOG_LINE_MAX)
		return;
	memmove(j->bytes, j->bytes + j->head, j->tail - j->head);
	j->tail -= j->head;
	j->head = 0;
}

/* Room for one line behind those that wait; NULL: it is dropped. */
static char *begin_line(struct jsonlog *j)
{
	make_room(j);
	if (!j->gone && j->buffer_bytes - j->tail >= JSONLOG_LINE_MAX)
		return j->bytes + j->tail;
	j->dropped++;
	return NULL;
}

static void end_line(struct jsonlog *j, size_t n)
{
	j->tail += n;
	j->waiting++;
	if (j->tail - j->head >= FLUSH_BYTES && !j->slow)
		flush(j);
}

void jsonlog_write(struct jsonlog *j, const struct request *r)
{
	char *to;

	if (!choice_takes(&j->choice, r))
		return;
	to = begin_line(j);
	if (to)
		end_line(j, jsonlog_format(&j->form, to, r));
}

bool jsonlog_keeps(const struct jsonlog *j, const struct request *r)
{
	return choice_wants(&j->choice, r);
}

void jsonlog_websocket(struct jsonlog *j, enum websocket_event what, const struct websocket *w)
{
	uint64_t now;
	char *to;

	if (what == WEBSOCKET_MOVED)
		return;
	now = clock_monotonic();
	if (!choice_takes_websocket(&j->choice, what, w, now))
		return;
	to = begin_line(j);
	if (to)
		end_line(j, jsonlog_format_websocket(&j->form, to, what, w, now));
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

uint64_t jsonlog_suppressed(const struct jsonlog *j, enum jsonlog_suppressed why)
{
	return j->choice.suppressed[why];
}
