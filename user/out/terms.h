/* SPDX-License-Identifier: Apache-2.0 */
/* What labels and log lines say alike. */
#ifndef SONDE_TERMS_H
#define SONDE_TERMS_H

#include "flow/websocket.h"

/* "server", "client"; NULL: not known */
static inline const char *role_term(uint8_t role)
{
	static const char *const terms[] = {[ROLE_SERVER] = "server", [ROLE_CLIENT] = "client"};

	return role < sizeof(terms) / sizeof(terms[0]) ? terms[role] : NULL;
}

/* Who ended a WebSocket connection. */
static inline const char *initiator_term(uint8_t initiator)
{
	static const char *const terms[] = {[INITIATOR_NETWORK] = "network",
					    [INITIATOR_SERVER] = "server",
					    [INITIATOR_CLIENT] = "client"};

	return initiator < sizeof(terms) / sizeof(terms[0]) ? terms[initiator] : "network";
}

/* How long a WebSocket connection had been open at a time, ns. */
static inline uint64_t websocket_age(const struct websocket *w, uint64_t at)
{
	return at > w->opened ? at - w->opened : 0;
}

#endif
