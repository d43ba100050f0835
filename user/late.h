/* SPDX-License-Identifier: Apache-2.0 */
/* What waits for a name that is missing: requests that are over, and news of WebSockets. */
#ifndef SONDE_LATE_H
#define SONDE_LATE_H

#include "flow/flow.h"

struct late;

/* False: it waits on; last: it must not. */
typedef bool late_request_fn(void *ctx, const struct request *r, bool counted, bool last);
typedef bool late_websocket_fn(void *ctx, enum websocket_event what, const struct websocket *w,
			       bool last);

struct late_sinks {
	late_request_fn *request;
	late_websocket_fn *websocket;
	void *ctx;
};

struct late *late_new(const struct late_sinks *sinks); /* NULL: no memory */
void late_free(struct late *l);			       /* NULL-safe */

/* The oldest makes room. False: there is no struct late. */
bool late_request(struct late *l, const struct request *r, bool counted);
bool late_websocket(struct late *l, enum websocket_event what, const struct websocket *w);

/* Gives to the sinks what they take; what has waited for long enough they must. Its end: ~0. */
void late_look(struct late *l, uint64_t now);

#endif
