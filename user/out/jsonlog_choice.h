/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which lines are written: a share of the good ones (--log-sample), and so many a second at most
 * (--log-rate). What is left out is counted by reason.
 */
#ifndef SONDE_JSONLOG_CHOICE_H
#define SONDE_JSONLOG_CHOICE_H

#include "out/jsonlog.h"

struct choice {
	uint32_t sample;
	uint64_t slow_ns;
	uint64_t price;	 /* ns of time that allow one line; 0: no bound */
	uint64_t credit; /* ns that were not spent yet */
	uint64_t time;	 /* until which they are counted */
	uint64_t suppressed[SUPPRESSED_REASONS];
};

void choice_init(struct choice *c, const struct jsonlog_options *options);
bool choice_wants(const struct choice *c, const struct request *r); /* by the sample */
/* Is this line to be written? Counts it if not. */
bool choice_takes(struct choice *c, const struct request *r);
bool choice_takes_websocket(struct choice *c, enum websocket_event what, const struct websocket *w,
			    uint64_t now);

#endif
