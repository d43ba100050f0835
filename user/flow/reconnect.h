/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that lost a WebSocket connection to a service and come back: the same user, or else the
 * same peer address and subprotocol, within a window of time. Bounded: the client that was quiet
 * for longest is forgotten.
 */
#ifndef SONDE_FLOW_RECONNECT_H
#define SONDE_FLOW_RECONNECT_H

#include "flow/request.h"

struct reconnects;
struct table;

struct reconnect_client {
	uint32_t service; /* id of the owner */
	struct request_addr peer;
	struct str user; /* if known; else: */
	struct str protocol;
};

struct reconnects *reconnects_new(uint32_t clients_max, uint64_t window_ns); /* NULL: no memory */
void reconnects_free(struct reconnects *r);				     /* NULL-safe */

void reconnect_closed(struct reconnects *r, const struct reconnect_client *client, uint64_t time);
/* Does this connection make up for a closed one? Each of those accounts for one at the most. */
bool reconnect_opened(struct reconnects *r, const struct reconnect_client *client, uint64_t time);

const struct table *reconnects_table(const struct reconnects *r);

#endif
