/* SPDX-License-Identifier: Apache-2.0 */
/* What websocket.c and websocket_tell.c share: an open WebSocket connection. */
#ifndef SONDE_FLOW_WEBSOCKET_ENTRY_H
#define SONDE_FLOW_WEBSOCKET_ENTRY_H

#include "flow/conn.h"

#define WEBSOCKET_TEXT_MAX 640 /* the target is cut to what the others leave: 256 or more */

struct websocket_entry {
	uint64_t conn;			      /* the key */
	struct websocket_entry *next, **link; /* those that wait to be told of */
	uint64_t opened;		      /* before it was heard of: when the 101 was */
	uint64_t site;			      /* of its route; 0: not known */
	uint64_t marked;		      /* when it was last looked at for progress */
	struct websocket_counts counts;	      /* the last ones; told of if `told` */
	const struct owner *owner;
	uint32_t present; /* the last roll call that it answered */
	uint32_t service; /* id of the handshake's owner */
	uint32_t pid;
	struct request_addr local, peer;
	uint16_t close_code; /* of the first close frame */
	uint8_t close_first; /* as in struct event_websocket */
	uint8_t closer;	     /* enum event_closer, as far as it is known */
	uint8_t role;
	uint8_t id_source; /* of the handshake's request */
	uint8_t parent;
	uint8_t flags;	 /* WEBSOCKET_* */
	uint8_t invalid; /* those of them that were told of */
	bool heard;	 /* a sum came */
	bool shaken;	 /* the handshake is known */
	bool refused;	 /* and was wrong: this is no WebSocket */
	bool told;	 /* WEBSOCKET_OPENED was */
	bool reconnect;
	struct {
		uint16_t user_id, request_id, trace_id, span_id, parent_id, host, target, protocol;
	} length;
	char protocol[64];
	char text[WEBSOCKET_TEXT_MAX]; /* the others, in this order */
};

/* added: since it was told of, or all, if that is now. */
struct websocket_end {
	uint64_t time;
	uint64_t undelivered;
	enum event_closer closer;
	struct websocket_counts added;
};

/* websocket_tell.c */
void websocket_text_keep(struct websocket_entry *w, const struct request *r);
void websocket_tell_open(struct flow *f, struct websocket_entry *w);
void websocket_tell_progress(struct flow *f, struct websocket_entry *w);
/* With what is new; nothing if nothing is. */
void websocket_tell_move(struct flow *f, struct websocket_entry *w,
			 const struct websocket_counts *added);
void websocket_tell_close(struct flow *f, struct websocket_entry *w,
			  const struct websocket_end *end);

#endif
