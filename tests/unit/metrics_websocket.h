/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of WebSocket connections in the registry share. */
#ifndef SONDE_TEST_METRICS_WEBSOCKET_H
#define SONDE_TEST_METRICS_WEBSOCKET_H

#include "event.h"
#include "metrics_text.h"

#define NS     1000000000ULL
#define SHOP   "service=\"shop\",namespace=\"prod\",pod=\"shop-0\""
#define SERVER "{service=\"cart\",role=\"server\"} "
#define CLIENT "{service=\"cart\",role=\"client\"} "
#define CLOSED "websocket_connections_closed_total{service=\"cart\",role=\"server\",close_code="

static inline struct websocket make_websocket(const struct owner *owner, enum event_role role)
{
	return (struct websocket){.owner = owner, .role = (uint8_t)role, .opened = 5 * NS};
}

static inline void open_one(struct metrics *m, const struct owner *owner, enum event_role role)
{
	struct websocket w = make_websocket(owner, role);

	metrics_websocket(m, WEBSOCKET_OPENED, &w);
}

static inline void close_one(struct metrics *m, const struct owner *owner, enum event_role role,
			     uint16_t code)
{
	struct websocket w = make_websocket(owner, role);

	w.close_code = code;
	w.closed = w.opened + NS;
	metrics_websocket(m, WEBSOCKET_CLOSED, &w);
}

#endif
