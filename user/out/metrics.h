/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: every finished request is counted here, under families that are rows of a table
 * (design names; identity labels service, namespace, pod, container on all). Each family holds at
 * most series_max series a service; past it a request counts under route "other", and the overflow
 * is counted.
 */
#ifndef SONDE_METRICS_H
#define SONDE_METRICS_H

#include <stdbool.h>

#include "flow/websocket.h"

struct metrics;
struct clock;
struct prom;
struct table;
struct event_life;
struct event_shed;
struct event_times;

struct metrics_options {
	uint32_t series_max; /* a family and a service, --series-max */
	uint32_t routes_max; /* distinct routes a service, --routes-max */
	bool no_active;	     /* not all requests are heard of before they are over: nothing is
				shown of what is under way */
	/*
	 * Exemplars are of requests whose trace came in a header, and of those that this names:
	 * their trace can be looked up. NULL: no others.
	 */
	bool (*is_kept)(void *ctx, const struct request *r);
	void *ctx;
	const struct clock *clock; /* of exemplars; NULL: they have no time */
};

struct metrics *metrics_new(const struct metrics_options *options); /* NULL: no memory */
void metrics_free(struct metrics *m);

/* A request began (+1) or is over (-1): http_server_active_requests. */
void metrics_active(struct metrics *m, const struct owner *owner, int change);
void metrics_count(struct metrics *m, const struct request *r);
/* If its response is a stream of a server: that began, has moved, or is over. */
void metrics_stream(struct metrics *m, const struct request *r);
/* Transactions that were counted elsewhere, alike in everything but their times. */
void metrics_shed(struct metrics *m, const struct request *like, const struct event_shed *added);
/* What a WebSocket connection did, to w->owner. */
void metrics_websocket(struct metrics *m, enum websocket_event what, const struct websocket *w);
/* Round trips of pings of WebSocket connections, counted by the kernel half. */
void metrics_pings(struct metrics *m, const struct owner *owner, enum event_role role,
		   const struct event_times *added);
/* Upper bounds of the duration histograms, ns. */
unsigned metrics_duration_bounds(const uint64_t **bounds);
/* TCP connections of one process; the caller adds only what is new since its last call. */
void metrics_life(struct metrics *m, const struct owner *owner, const struct event_life *added);
/* The owner is gone for good: drops its series, unless another owner has the same names. */
void metrics_forget(struct metrics *m, uint32_t owner_id);

/* Routes of a service got other names: their series move along, and add up where they meet. */
void metrics_rename(struct metrics *m, const struct route_change *change);

void metrics_write(const struct metrics *m, struct prom *p);
uint64_t metrics_overflows(const struct metrics *m); /* for sonde_series_overflow_total */
uint64_t metrics_counted(const struct metrics *m);   /* requests ever counted */
uint32_t metrics_series(const struct metrics *m);

#define METRICS_TABLES 6
void metrics_tables(const struct metrics *m, const struct table *tables[METRICS_TABLES]);

/* The busiest servers, most requests first; the views live until the next metrics_forget(). */
struct metrics_top {
	struct str service, namespace, pod, container;
	uint64_t requests;
	uint64_t errors; /* status from 500, or aborted */
	uint64_t mean_ns;
};
unsigned metrics_top(const struct metrics *m, struct metrics_top *top, unsigned most);

#endif
