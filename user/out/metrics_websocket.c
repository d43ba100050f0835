/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket connections in the registry. What a connection moved comes as the difference to its
 * last time, so that a series is the sum over connections that are open, closed or forgotten.
 *
 * Invariants: a connection is one more and one less of the gauge, is opened once and closed once,
 * and what it moved is counted before it is closed; so opened - closed is the gauge, and the
 * durations' count is closed. Nothing is counted as a request: the handshake is one already, and
 * pings that the kernel half counted never reach the families of requests.
 */
#include "out/registry.h"
#include "out/terms.h"

static void add(struct observation *o, enum family_number family, uint64_t value)
{
	series_observe(series_of(o, family), families[family].bounds, value);
}

static void add_any(struct observation *o, enum family_number family, uint64_t value)
{
	if (value)
		add(o, family, value);
}

static void count_opened(struct observation *o)
{
	gauge_change(o, FAMILY_WEBSOCKET_CONNECTIONS, 1);
	add(o, FAMILY_WEBSOCKET_OPENED, 1);
	/* from 0 on, so that the first one is an increase */
	if (o->role == ROLE_SERVER)
		add(o, FAMILY_WEBSOCKET_RECONNECTS, o->websocket->reconnect);
}

static void count_moved(struct observation *o)
{
	const struct websocket_counts *added = &o->websocket->added;

	for (o->dir = DIR_IN; o->dir <= DIR_OUT; o->dir++) {
		for (o->type = 0; o->type < WEBSOCKET_TYPES; o->type++) {
			add_any(o, FAMILY_WEBSOCKET_MESSAGES, added->messages[o->dir][o->type]);
			add_any(o, FAMILY_WEBSOCKET_MESSAGE_BYTES, added->bytes[o->dir][o->type]);
		}
		add_any(o, FAMILY_WEBSOCKET_UNSEEN, added->unseen[o->dir]);
		add_any(o, FAMILY_WEBSOCKET_PROTOCOL_ERRORS, o->websocket->invalid_added[o->dir]);
	}
}

static void count_closed(struct observation *o)
{
	const struct websocket *w = o->websocket;

	gauge_change(o, FAMILY_WEBSOCKET_CONNECTIONS, -1);
	add(o, FAMILY_WEBSOCKET_CLOSED, 1);
	add(o, FAMILY_WEBSOCKET_DURATION, websocket_age(w, w->closed));
	add(o, FAMILY_WEBSOCKET_UNDELIVERED, w->undelivered);
}

void metrics_websocket(struct metrics *m, enum websocket_event what, const struct websocket *w)
{
	struct observation o = {.metrics = m,
				.websocket = w,
				.identity = identity_of(m, w->owner),
				.role = w->role};

	if (what == WEBSOCKET_OPENED)
		count_opened(&o);
	if (what == WEBSOCKET_MOVED || what == WEBSOCKET_CLOSED)
		count_moved(&o);
	if (what == WEBSOCKET_CLOSED)
		count_closed(&o);
	m->overflows += o.coarse;
}

void metrics_pings(struct metrics *m, const struct owner *owner, enum event_role role,
		   const struct event_times *added)
{
	struct observation o = {.metrics = m, .identity = identity_of(m, owner), .role = role};
	const struct bounds *bounds = families[FAMILY_WEBSOCKET_PING_RTT].bounds;

	series_shed(series_of(&o, FAMILY_WEBSOCKET_PING_RTT), bounds, added);
}
