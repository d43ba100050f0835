/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket connection as the sinks see it: plain, bounded, copyable, like struct request. flow/
 * fills it, who/ adds the owner, out/ only reads it.
 */
#ifndef SONDE_WEBSOCKET_H
#define SONDE_WEBSOCKET_H

#include "flow/request.h"

/* Figures that only grow; by enum event_dir and enum event_websocket_type. */
struct websocket_counts {
	uint64_t messages[2][WEBSOCKET_TYPES];
	uint64_t bytes[2][WEBSOCKET_TYPES]; /* payloads as they were on the wire */
	uint64_t unseen[2];		    /* bytes that could not be walked */
};

enum websocket_initiator { INITIATOR_NETWORK = 0, INITIATOR_SERVER = 1, INITIATOR_CLIENT = 2 };

struct websocket {
	uint64_t conn;
	uint32_t pid;
	uint8_t role;	   /* enum event_role */
	uint8_t id_source; /* enum request_id_source, of the handshake; as all ids are */
	uint8_t parent;	   /* enum request_parent */
	const struct owner *owner;
	struct request_addr local, peer;

	uint64_t opened;       /* CLOCK_MONOTONIC, ns */
	uint64_t closed;       /* 0 while it is open */
	bool resumed;	       /* the handshake came before the agent */
	bool reconnect;	       /* its client had lost one shortly before; servers only */
	bool invalid[2];       /* by enum event_dir: frames that RFC 6455 forbids */
	bool invalid_added[2]; /* those of them that are as new as what `added` has */
	struct websocket_counts total;
	struct websocket_counts added; /* since the sink was last called for it */
	/* once it is closed: */
	uint64_t undelivered;
	uint16_t close_code; /* 1006: no close frame was seen */
	uint8_t initiator;   /* enum websocket_initiator */

	/* of the handshake, empty if it was not seen; see request_str(), request_set() */
	struct {
		uint16_t target, route, host, protocol, request_id, trace_id, span_id, parent_id,
			user_id;
	} length;
	char target[REQUEST_TARGET_MAX];
	char route[REQUEST_ROUTE_MAX];
	char host[128];
	char protocol[64]; /* the subprotocol that was agreed on */
	char request_id[128];
	char trace_id[32];
	char span_id[16];
	char parent_id[16];
	char user_id[64];
};

enum websocket_event {
	WEBSOCKET_OPENED = 0,	  /* told once; w->owner is what the sink answered last */
	WEBSOCKET_MOVED = 1,	  /* w->added has what is new */
	WEBSOCKET_PROGRESSED = 2, /* --websocket-progress has passed since it was last told of */
	WEBSOCKET_CLOSED = 3,	  /* told once; w->added has what was new until then */
};

#endif
