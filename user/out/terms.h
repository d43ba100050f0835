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

/* Where a request's id is from; NULL: there is none */
static inline const char *id_source_term(uint8_t source)
{
	static const char *const terms[] = {
		[ID_FROM_HEADER] = "header", [ID_FROM_TCP] = "tcp", [ID_FROM_HERE] = "local"};

	return source < sizeof(terms) / sizeof(terms[0]) ? terms[source] : NULL;
}

/* How its parent is known. */
static inline const char *parent_term(uint8_t parent)
{
	static const char *const terms[] = {
		[PARENT_NONE] = "none", [PARENT_HEADER] = "header", [PARENT_THREAD] = "thread"};

	return parent < sizeof(terms) / sizeof(terms[0]) ? terms[parent] : NULL;
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
