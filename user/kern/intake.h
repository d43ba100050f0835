/* SPDX-License-Identifier: Apache-2.0 */
/* From raw ring records to typed events: lengths are checked here, and nowhere after. */
#ifndef SONDE_INTAKE_H
#define SONDE_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "event.h"

/* Called with records whose fixed part is whole and whose counted bytes lie inside. */
struct intake_handlers {
	void (*open)(void *ctx, const struct event_open *e);
	void (*data)(void *ctx, const struct event_data *e, struct str bytes);
	void (*end)(void *ctx, const struct event_end *e);
	void (*close)(void *ctx, const struct event_close *e);
	void (*websocket)(void *ctx, const struct event_websocket *e);
	void (*exec)(void *ctx, const struct event_exec *e, struct str args);
	void (*exit)(void *ctx, const struct event_exit *e);
	void (*cgroup)(void *ctx, const struct event_cgroup *e, struct str path);
	void *ctx;
};

struct intake {
	struct intake_handlers handlers;
	uint64_t records;
	uint64_t malformed; /* too short, or of an unknown kind */
};

void intake_record(struct intake *in, const void *record, size_t size);

#endif
