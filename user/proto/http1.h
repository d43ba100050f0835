/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of an HTTP/1 head: what the files of http1 share. Nobody else includes this. */
#ifndef SONDE_HTTP1_H
#define SONDE_HTTP1_H

#include "proto/proto.h"

#define HTTP1_NOT_OURS (-1)

struct http1_header; /* a header that is kept */

struct http1_head {
	struct str rest;		   /* not read yet */
	const struct http1_header *header; /* of the field that may still be continued; or NULL */
	struct str value;
	bool folded;
	bool any;   /* a field was seen, so a line may continue it */
	bool ended; /* the empty line was seen */
	bool chunked, other_coding;
	bool has_length, bad_length;
	bool streams; /* its type is text/event-stream */
	uint64_t length;
};

static inline bool http1_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next line without its end. False if it is not complete: then *rest stays. */
bool http1_line_next(struct str *rest, struct str *line);

/* Fill msg from a start line; whole: its end was seen. 0 or HTTP1_NOT_OURS. */
int http1_request_line(struct str line, bool whole, struct msg *msg);
int http1_status_line(struct str line, bool whole, struct msg *msg);

/* Reads fields up to the empty line, or as far as they are complete. 0 or HTTP1_NOT_OURS. */
int http1_fields(enum msg_kind kind, struct http1_head *h, struct msg *msg);

/* See struct proto: field. */
struct str http1_named(struct str head, struct str name);

struct str http1_host_of(struct str authority); /* without port and brackets; absent if empty */

#endif
