/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection table and the events that move it. A connection exists here from its first record
 * of any kind, since the one that opens it may have been lost; its addresses are then unknown until
 * the kernel half says them again. When the table is full the connection that was quiet for longest
 * goes, and what it had open is counted as lost.
 */
#include <stdlib.h>

#include "base/table.h"
#include "flow/conn.h"
#include "flow/reconnect.h"

#define SITES_MAX    1024  /* services with routes */
#define SEGMENTS_MAX 16384 /* of all their routes */
#define ROUTES_MAX   200   /* of one, if nothing was said */
#define CLIENTS_MAX  4096  /* of WebSocket servers, that lost a connection of late */

/* As much as can be known without what is still to come. */
static void conn_settle(struct flow *f, struct conn *c)
{
	stream_cut(f, c, MESSAGE_REQUEST);
	stream_cut(f, c, MESSAGE_RESPONSE);
	match_finish(f, c);
}

static void conn_evicted(void *ctx, void *entry)
{
	struct flow *f = ctx;

	f->forgot = true;
	conn_settle(f, entry);
	forgotten_keep(f, entry);
}

struct flow *flow_new(const struct flow_options *options)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->options = *options;
	f->conns = table_new(&(struct table_options){
		.name = "connections",
		.capacity = options->connections_max,
		.key_size = sizeof(uint64_t),
		.entry_size = sizeof(struct conn),
		.evicted = conn_evicted,
		.ctx = f,
	});
	f->websockets = websockets_new(options);
	f->reconnects = reconnects_new(CLIENTS_MAX, options->reconnect_window_ns);
	f->users = users_new(&options->user);
	f->parents = parents_new();
	f->routes = routes_new(&(struct routes_options){
		.routes_max = options->routes_max ? options->routes_max : ROUTES_MAX,
		.nodes_max = SEGMENTS_MAX,
		.sites_max = SITES_MAX,
		.rules = options->route_rules,
		.rule_count = options->route_rule_count,
		.renamed = options->renamed,
		.ctx = options->ctx,
	});
	if (!f->conns || !f->websockets || !f->reconnects || !f->users || !f->parents ||
	    !f->routes || forgotten_init(f) || pool_init(f) || trace_seed(&f->random)) {
		flow_free(f);
		return NULL;
	}
	return f;
}

void flow_free(struct flow *f)
{
	if (!f)
		return;
	table_free(f->conns);
	table_free(f->forgotten);
	websockets_free(f->websockets);
	reconnects_free(f->reconnects);
	users_free(f->users);
	parents_free(f->parents);
	routes_free(f->routes);
	pool_free(f);
	free(f);
}

static void conn_touch(struct flow *f, struct conn *c, uint64_t time)
{
	c->touched = time;
	table_touch(f->conns, c);
}

/* NULL if nothing is known of it. */
static struct conn *conn_find(struct flow *f, const struct event_head *head)
{
	struct conn *c = table_find(f->conns, &head->conn);

	if (!c && table_find(f->forgotten, &head->conn)) {
		c = table_add(f->conns, &head->conn);
		forgotten_restore(f, c);
	}
	if (c)
		conn_touch(f, c, head->time);
	return c;
}

static struct conn *conn_get(struct flow *f, const struct event_head *head, uint8_t protocol)
{
	struct conn *c = conn_find(f, head);

	if (c || protocol >= PROTO_COUNT)
		return c;
	c = table_add(f->conns, &head->conn);
	if (!c)
		return NULL;
	c->touched = head->time;
	c->present = f->roll;
	c->last = &c->first;
	c->role = head->role;
	c->protocol = protocol;
	return c;
}

static struct request_addr addr(uint16_t family, const uint8_t ip[16], uint16_t port)
{
	struct request_addr a = {.family = family, .port = port};

	memcpy(a.ip, ip, sizeof(a.ip));
	return a;
}

void flow_open(struct flow *f, const struct event_open *e)
{
	struct conn *c = conn_get(f, &e->head, e->protocol);

	if (!c)
		return;
	c->local = addr(e->family, e->local, e->local_port);
	c->peer = addr(e->family, e->remote, e->remote_port);
	c->streams.fresh = e->born;
}

/* Its first messages may have had no records, or have come before it was forgotten. */
static void conn_hear(const struct flow *f, struct conn *c, const struct event_data *e)
{
	if (c->heard)
		return;
	c->heard = true;
	c->partial = f->forgot && (e->txn > 1 || e->message == MESSAGE_RESPONSE);
}

void flow_data(struct flow *f, const struct event_data *e, struct str bytes)
{
	struct conn *c = conn_get(f, &e->head, e->protocol);

	if (!c || !protos[c->protocol]->parse)
		return;
	conn_hear(f, c, e);
	parents_hear(f->parents, &e->head);
	if (e->message == MESSAGE_REQUEST)
		stream_request(f, c, e, bytes);
	else
		stream_response(f, c, e, bytes);
}

void flow_end(struct flow *f, const struct event_end *e)
{
	struct conn *c = conn_find(f, &e->head);

	if (!c)
		return;
	stream_cut(f, c, MESSAGE_RESPONSE);
	if (!c->answering || c->answering->response_txn != e->txn)
		return;
	match_progress(f, c, e->head.time, e->response_bytes, e->tail);
	if (e->over && !c->first)
		match_finish(f, c);
}

void flow_close(struct flow *f, const struct event_close *e)
{
	bool owes = flow_close_owes(e);
	struct conn *c = owes ? conn_get(f, &e->head, e->protocol) : conn_find(f, &e->head);

	if (!c)
		return;
	stream_cut(f, c, MESSAGE_REQUEST);
	stream_cut(f, c, MESSAGE_RESPONSE);
	close_take(f, c, e);
	table_remove(f->conns, c);
}

void flow_tick(struct flow *f)
{
	struct event_progress p;

	for (struct conn *c = f->waiting, *next; c; c = next) {
		next = c->waiting_next;
		if (!f->options.progress(f->options.ctx, c->id, &p) ||
		    (uint32_t)p.txn != c->answering->response_txn)
			continue;
		if (p.time > c->touched)
			conn_touch(f, c, p.time);
		match_progress(f, c, p.time, p.response_bytes, p.tail);
	}
}

void flow_age(struct flow *f, uint64_t now)
{
	struct conn *c;

	while ((c = table_oldest(f->conns)) && now > c->touched + FLOW_IDLE_NS) {
		conn_evicted(f, c);
		table_remove(f->conns, c);
	}
}

void flow_roll(struct flow *f)
{
	f->roll++;
}

static struct conn *conn_known(const struct flow *f, uint64_t id)
{
	struct conn *c = table_find(f->conns, &id);

	return c ? c : table_find(f->forgotten, &id);
}

void flow_present(struct flow *f, uint64_t conn)
{
	struct conn *c = conn_known(f, conn);

	if (c)
		c->present = f->roll;
	websockets_present(f, conn);
}

static void absent_forget(struct flow *f, struct table *conns, uint64_t before)
{
	struct conn *c = table_oldest(conns), *next;

	for (; c && c->touched < before; c = next) {
		next = table_next(conns, c);
		if (!roll_missed(f, c->present))
			continue;
		conn_settle(f, c);
		close_forget(f, c);
		table_remove(conns, c);
	}
}

void flow_absent(struct flow *f, uint64_t before)
{
	absent_forget(f, f->conns, before);
	absent_forget(f, f->forgotten, before);
	websockets_absent(f, before);
}

const struct flow_stats *flow_stats(const struct flow *f)
{
	return &f->stats;
}

const struct table *flow_table(const struct flow *f)
{
	return f->conns;
}

void flow_process_new(struct flow *f, uint32_t tgid)
{
	parents_forget(f->parents, tgid);
}

void flow_tables(const struct flow *f, const struct table **tables)
{
	tables[0] = f->conns;
	tables[1] = f->forgotten;
	websockets_tables(f->websockets, tables + 2);
	tables[4] = reconnects_table(f->reconnects);
	parents_tables(f->parents, tables + 5);
	routes_tables(f->routes, tables + 7);
}

uint64_t flow_route_overflows(const struct flow *f)
{
	return routes_overflows(f->routes);
}
