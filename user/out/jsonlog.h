/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One flat JSON object a request, and a few for a WebSocket connection, on stdout, and nothing else
 * there. The descriptor is made non-blocking through a reopened description of its own where that
 * is possible, so that others who share the terminal keep theirs. What cannot be written waits in a
 * bounded buffer; past it whole lines are dropped and counted. A reader never sees part of a line,
 * except the last one of a crash.
 */
#ifndef SONDE_JSONLOG_H
#define SONDE_JSONLOG_H

#include <stdbool.h>

#include "flow/websocket.h"
#include "out/jsonlog_form.h"

struct jsonlog;

struct jsonlog_options {
	int fd;
	size_t buffer_bytes; /* bound of what waits, e.g. 1 MiB */
	struct jsonlog_form_options form;
	uint32_t sample;  /* share of lines kept, in JSONLOG_SAMPLE_ALL-ths */
	uint64_t slow_ns; /* requests that took longer, errors and aborted ones are always kept */
	uint32_t rate;	  /* lines a second, 0: as many as there are */
};

#define JSONLOG_SAMPLE_ALL 1000000

/* Why a line was not written that could have been. */
enum jsonlog_suppressed { SUPPRESSED_SAMPLE, SUPPRESSED_RATE, SUPPRESSED_REASONS };

struct jsonlog *jsonlog_new(const struct jsonlog_options *options); /* NULL with errno */
void jsonlog_free(struct jsonlog *j);				    /* NULL-safe; does not flush */

void jsonlog_write(struct jsonlog *j, const struct request *r);
/* Will it have a line, or does the sample leave it out? The rate is asked when it is written. */
bool jsonlog_keeps(const struct jsonlog *j, const struct request *r);
/* A line at its opening, its progress and its end, whatever the sample; w->owner is set. */
void jsonlog_websocket(struct jsonlog *j, enum websocket_event what, const struct websocket *w);
/* Writes what waits. 0, -EAGAIN while the reader is slow, another -errno once if stdout is gone
 * (EPIPE: closed); from then on lines are dropped and counted. */
int jsonlog_flush(struct jsonlog *j);
/* At the end: waits at most timeout_ms for the reader to take what is left. */
void jsonlog_drain(struct jsonlog *j, int timeout_ms);

uint64_t jsonlog_lines(const struct jsonlog *j);
uint64_t jsonlog_dropped(const struct jsonlog *j); /* the reader was too slow, or is gone */
uint64_t jsonlog_suppressed(const struct jsonlog *j, enum jsonlog_suppressed why);

#endif
