/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of requests: new ones, and those that headers carry. Private to flow/. */
#ifndef SONDE_FLOW_TRACE_H
#define SONDE_FLOW_TRACE_H

#include "flow/flow.h"

/* xoshiro256**: a cycle so long that no two nodes meet on it. */
struct trace_random {
	uint64_t state[4];
};

int trace_seed(struct trace_random *random);	    /* from the kernel; 0 or -errno */
uint64_t trace_number(struct trace_random *random); /* never 0 */
/* Its own span_id, and a trace_id for the case that nothing names its trace. */
void trace_new(struct trace_random *random, struct request *r);

/* What a header says, in the form of the log. */
struct trace_context {
	char trace_id[32];
	char parent_id[16];
	bool has_parent;
};

enum trace_word { TRACE_SILENT, TRACE_VALID, TRACE_INVALID };

/* A kind of headers that name a trace: which they are, and their own rules. */
struct trace_kind {
	const char *name;
	enum msg_id ids[2]; /* without these it says nothing */
	enum trace_word (*read)(const struct str ids[ID_COUNT], bool whole,
				struct trace_context *trace);
};

extern const struct trace_kind trace_kinds[TRACE_HEADERS]; /* trace_header.c */

#endif
