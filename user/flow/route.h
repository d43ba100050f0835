/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: the few templates that a service's many paths become. What a service was asked for is
 * learned in a tree of segments, bounded in every direction; rules that somebody wrote come first.
 */
#ifndef SONDE_FLOW_ROUTE_H
#define SONDE_FLOW_ROUTE_H

#include "flow/request.h"

struct routes;
struct table;

/* --route: "GET /users/{id}" or "/users/{id}", of one service or (absent) of all. */
struct route_rule {
	struct str service;
	struct str text;
};

#define ROUTE_RULES_MAX 256

struct routes_options {
	uint32_t routes_max; /* of a service and role; what comes later is ROUTE_OTHER */
	uint32_t nodes_max;  /* segments in all trees; past it the least used tree is forgotten */
	uint32_t sites_max;  /* trees, likewise */
	const struct route_rule *rules;
	unsigned rule_count;
	/* Routes that were given out have another name from now on. May be NULL. */
	void (*renamed)(void *ctx, const struct route_change *change);
	void *ctx;
};

bool route_rule_valid(struct str text);

struct routes *routes_new(const struct routes_options *options); /* NULL: no memory */
void routes_free(struct routes *rs);				 /* NULL-safe */

/*
 * The route of a request's path; returns its length, 0 if there is no path. learn: its answer is
 * known and this is its count, so that the path may become a route of its own.
 */
size_t routes_of(struct routes *rs, const struct request *r, bool learn,
		 char to[static REQUEST_ROUTE_MAX]);

/* The same for later: which tree it is in, and what a path is called there by now. */
uint64_t routes_site(struct routes *rs, const struct request *r);
size_t routes_view(struct routes *rs, uint64_t site, uint8_t role, struct str path,
		   char to[static REQUEST_ROUTE_MAX]);

uint64_t routes_overflows(const struct routes *rs); /* requests that routes_max left without one */

#define ROUTE_TABLES 2
void routes_tables(const struct routes *rs, const struct table *tables[ROUTE_TABLES]);

#endif
