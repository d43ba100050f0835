/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of an HTTP/1 head: what http1.c and http1_line.c share. Nobody else includes this. */
#ifndef SONDE_HTTP1_H
#define SONDE_HTTP1_H

#include "proto/proto.h"

#define HTTP1_NOT_OURS (-1)

/* The next line without its end. False if it is not complete: then *rest stays. */
bool http1_line_next(struct str *rest, struct str *line);

/* Fill msg from a start line; whole: its end was seen. 0 or HTTP1_NOT_OURS. */
int http1_request_line(struct str line, bool whole, struct msg *msg);
int http1_status_line(struct str line, bool whole, struct msg *msg);

struct str http1_host_of(struct str authority); /* without port and brackets; absent if empty */

#endif
