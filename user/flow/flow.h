/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From records to requests: connections, heads that came in pieces, and the pairing of requests
 * with responses. Every finished request goes to one sink, exactly once.
 */
#ifndef SONDE_FLOW_H
#define SONDE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/request.h"
#include "flow/route.h"
#include "flow/user.h"
#include "flow/websocket.h"
#include "proto/protos.h"

struct flow;
struct table;

struct flow_options {
	uint32_t connections_max; /* past it the least recently used is forgotten */
	uint32_t exchanges_max;	  /* requests open at once that keep their detail */
	uint32_t capture_bytes;	  /* as the kernel half was told */
	/* A request began: the sink names its owner. May be NULL for none. */
	const struct owner *(*begun)(void *ctx, const struct request *r);
	/*
	 * The response is a stream: told when that begins (STREAM_BEGUN), which is when the request
	 * is to be counted, and then each time that it has moved (STREAM_OPEN).
	 */
	void (*stream)(void *ctx, const struct request *r);
	/*
	 * A request is over, one call for each begun(). `counted`: false if it must not be counted.
	 * With STREAM_OVER it is the stream that is over, and the request has been counted.
	 */
	void (*done)(void *ctx, const struct request *r, bool counted);
	/* How far a response has got; see kern_progress(). */
	bool (*progress)(void *ctx, uint64_t conn, struct event_progress *p);
	/* What becomes of a WebSocket connection. The answer names its owner, and is asked for with
	 * WEBSOCKET_OPENED only. NULL: nobody wants to know. */
	const struct owner *(*websocket)(void *ctx, enum websocket_event what,
					 const struct websocket *w);
	struct user_options user;
	/* Names of headers whose values requests keep, at most REQUEST_HEADERS_MAX; borrowed. */
	const struct str *headers;
	unsigned header_count;
	/* Routes of a service are called otherwise from now on. May be NULL. */
	void (*renamed)(void *ctx, const struct route_change *change);
	uint32_t routes_max; /* of a service */
	const struct route_rule *route_rules;
	unsigned route_rule_count;
	uint64_t reconnect_window_ns; /* 0: reconnects are not looked for */
	bool no_parents;      /* those without headers are not looked for: not all records come */
	uint64_t progress_ns; /* between WEBSOCKET_PROGRESSED of one connection; 0: never */
	void *ctx;
};

enum flow_lost {
	LOST_EVICTED, /* the connection was forgotten with the request open, or there was no room
			 for it */
	LOST_UNREAD,  /* pipelined, and its response began where the kernel half does not look */
	LOST_COUNT,
};

/* Headers that name a trace, in the order in which they are asked. */
enum trace_header {
	TRACE_TRACEPARENT,
	TRACE_B3,
	TRACE_B3_MULTI,
	TRACE_UBER,
	TRACE_DATADOG,
	TRACE_AMZN,
	TRACE_HEADERS,
};

struct flow_stats {
	uint64_t counted[PROTO_COUNT];
	/* pipelined requests that the kernel half did not see, less body lines that it took for one
	 */
	int64_t found[PROTO_COUNT];
	uint64_t open[PROTO_COUNT];
	uint64_t lost[PROTO_COUNT][LOST_COUNT];
	uint64_t parse_errors[PROTO_COUNT];
	uint64_t unpaired[PROTO_COUNT];	     /* responses whose request began before the agent */
	uint64_t ids_invalid[TRACE_HEADERS]; /* requests whose header breaks its own rules */
};

struct flow *flow_new(const struct flow_options *options); /* NULL: no memory, or no entropy */
void flow_free(struct flow *f);				   /* NULL-safe */

void flow_open(struct flow *f, const struct event_open *e);
void flow_data(struct flow *f, const struct event_data *e, struct str bytes);
void flow_end(struct flow *f, const struct event_end *e);
void flow_close(struct flow *f, const struct event_close *e);

/* Looks after responses that went on without records; to be called after each reading of the ring.
 */
void flow_tick(struct flow *f);
/* Forgets connections that nothing was heard of for FLOW_IDLE_NS; to be called about once a second.
 */
void flow_age(struct flow *f, uint64_t now);
#define FLOW_IDLE_NS (2 * EVENT_REOPEN_NS)

/*
 * Roll call: flow_roll(), then flow_present() for each connection that still has its socket, then
 * (when all records from before it have been taken) flow_absent(): those that did not answer twice
 * in turn and were last heard of before `before` are gone.
 */
void flow_roll(struct flow *f);
void flow_present(struct flow *f, uint64_t conn);
void flow_absent(struct flow *f, uint64_t before);

/* How far a WebSocket connection has got, or its end, in any order with the record of its 101. */
void flow_websocket(struct flow *f, const struct event_websocket *e);
/* Its socket is gone, and no record of its end will come. */
void flow_websocket_gone(struct flow *f, uint64_t conn, uint64_t time);
/* Tells what only time brings about; to be called about once a second. */
void flow_websockets(struct flow *f, uint64_t now);

/* A process ended, or became another program. */
void flow_process_new(struct flow *f, uint32_t tgid);

const struct flow_stats *flow_stats(const struct flow *f);
const struct table *flow_table(const struct flow *f); /* connections */
#define FLOW_TABLES (7 + ROUTE_TABLES)
void flow_tables(const struct flow *f, const struct table **tables); /* all, for sonde_table_* */

uint64_t flow_route_overflows(const struct flow *f);

/* From header values: request_id, unless an earlier header gave one. */
void trace_request_id(struct request *r, const struct str ids[ID_COUNT]);

/*
 * Trace and parent, from the first header that is valid by its own rules; they go before what was
 * known. Those before it that are not valid are counted. whole: no header is missing. Says whether
 * there was one.
 */
bool trace_parent(struct request *r, const struct str ids[ID_COUNT], bool whole,
		  uint64_t invalid[TRACE_HEADERS]);
const char *trace_header_name(enum trace_header header);

#endif
