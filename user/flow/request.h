/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one value that flows outwards. flow/ fills it, who/ adds the owner, out/ only reads it. Plain
 * and copyable; strings are bounded and counted, empty means unknown and is left out everywhere.
 */
#ifndef SONDE_REQUEST_H
#define SONDE_REQUEST_H

#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "event.h"

struct proto;

/* Who a process is to the people who run it. Lives in who/ as long as
 * the agent does not forget the process; equal identities share one. */
struct owner {
	uint32_t id; /* small, never used again while the agent runs */
	struct str service;
	struct str namespace;
	struct str pod;
	struct str container;
};

enum request_error { REQUEST_OK = 0, REQUEST_ABORTED = 1 };
/* Of a request that asked for a WebSocket. */
enum request_handshake { HANDSHAKE_NONE = 0, HANDSHAKE_ACCEPTED = 1, HANDSHAKE_REFUSED = 2 };

/* Of a response of type text/event-stream. It lasts for as long as somebody listens, which is no
 * latency: the request counts when its stream begins, and has its log line when that is over. */
enum request_stream { STREAM_NONE = 0, STREAM_BEGUN = 1, STREAM_OPEN = 2, STREAM_OVER = 3 };

/* Where a request's id is from: a header, the positions of TCP that both ends see, or here alone.
 */
enum request_id_source {
	ID_FROM_NOWHERE = 0,
	ID_FROM_HEADER = 1,
	ID_FROM_TCP = 2,
	ID_FROM_HERE = 3
};

/* How its parent is known. */
enum request_parent { PARENT_NONE = 0, PARENT_HEADER = 1, PARENT_THREAD = 2 };

struct request_addr {
	uint16_t family; /* AF_INET, AF_INET6, AF_UNIX, 0 unknown */
	uint16_t port;	 /* host order */
	uint8_t ip[16];
};

#define REQUEST_SIZE_UNKNOWN UINT64_MAX
#define REQUEST_TARGET_MAX   512
#define REQUEST_ROUTE_MAX    200

#define REQUEST_HEADERS_MAX  8
#define REQUEST_HEADER_BYTES 256

/* Values of headers that an option names, in its order; length 0: not there. */
struct request_headers {
	uint16_t length[REQUEST_HEADERS_MAX];
	char value[REQUEST_HEADERS_MAX][REQUEST_HEADER_BYTES];
};

struct request {
	uint64_t conn;
	uint32_t txn;
	uint32_t pid;
	uint32_t tid;
	uint8_t role;	   /* enum event_role */
	uint8_t error;	   /* enum request_error */
	uint16_t status;   /* 0: none was seen */
	uint8_t handshake; /* enum request_handshake */
	uint8_t stream;	   /* enum request_stream */
	uint8_t id_source; /* enum request_id_source */
	uint8_t parent;	   /* enum request_parent */
	const struct proto *proto;
	const struct owner *owner;
	const struct request_headers *headers; /* flow's, as long as it tells of r; NULL: none */
	struct request_addr local, peer;

	/* CLOCK_MONOTONIC, ns */
	uint64_t start;		/* first byte of the request */
	uint64_t first_byte;	/* of the response; 0 if none */
	uint64_t end;		/* last byte of the response */
	uint64_t request_bytes; /* bodies, as they were on the wire; or REQUEST_SIZE_UNKNOWN */
	uint64_t response_bytes;
	uint64_t queued;       /* ns that its first byte waited to be read; 0: not known */
	uint64_t stream_added; /* bytes of a stream's body since the sink was last told of it */

	struct {
		uint16_t op, target, route, host, request_id, trace_id, span_id, parent_id, user_id;
	} length;
	char op[24];
	char target[REQUEST_TARGET_MAX]; /* path without query */
	char route[REQUEST_ROUTE_MAX];
	char host[128];
	char request_id[128];
	char trace_id[32];
	char span_id[16];
	char parent_id[16];
	char user_id[64];
};

#define ROUTE_OTHER "other" /* the route of paths that get none of their own */

/*
 * Routes of a service that are called otherwise from now on: /users/alice and its like became
 * /users/{*}. again() answers with the new name of an old one, 0 if it is the same.
 */
struct route_change {
	struct str service;
	struct str host; /* only of this server; absent for ROLE_SERVER */
	uint8_t role;
	size_t (*again)(const struct route_change *c, struct str old,
			char to[static REQUEST_ROUTE_MAX]);
	void *routes, *site; /* for again() */
};

/* request_str(r, op): the view of a counted member; absent when empty */
#define request_str(r, member) ((struct str){(r)->member, (r)->length.member})
/* request_set(r, op, view): fills a counted member, cutting what does not fit */
#define request_set(r, member, view) \
	((r)->length.member = request_fill((r)->member, sizeof((r)->member), (view)))

/* How long its client waited; 0 if that is not known. */
static inline uint64_t request_latency(const struct request *r)
{
	uint64_t end = r->stream ? r->first_byte : r->end;

	return r->start && end > r->start ? end - r->start : 0;
}

static inline uint16_t request_fill(char *to, size_t size, struct str s)
{
	size_t n = s.n < size ? s.n : size;

	if (n)
		memcpy(to, s.p, n);
	return (uint16_t)n;
}

#endif
