/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket connections, from the kernel half's sums and the HTTP exchanges that opened them. The
 * two come by different ways and in any order: a connection is told of (WEBSOCKET_OPENED) once it
 * was heard of and its handshake is known, or will not come any more.
 *
 * The invariant: each figure is told exactly once, so that what was added adds up to the last sum;
 * OPENED and CLOSED are told once each, in this order. What is stale or comes twice adds nothing:
 * figures only grow, and ids of closed connections are remembered for a while. An upgrade whose
 * handshake is wrong stays here until its end, so that its figures are passed over.
 *
 * The table evicts nothing, since what was evicted would be counted again. When it is full, the
 * next sum of the connection tries again; one that ends before is told of all at once.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/table.h"
#include "flow/reconnect.h"
#include "flow/websocket_entry.h"
#include "proto/websocket.h"

#define HANDSHAKE_LATE_NS (2 * NS_PER_SECOND)  /* then its record was lost */
#define UNHEARD_NS	  (60 * NS_PER_SECOND) /* then the kernel half knows of no WebSocket */
#define CLOSED_MAX	  4096

struct websockets {
	struct table *open;
	struct table *closed; /* ids */
	struct websocket_entry *waiting;
};

static void closed_evicted(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

struct websockets *websockets_new(const struct flow_options *options)
{
	struct websockets *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->open = table_new(&(struct table_options){.name = "websockets",
						    .capacity = options->connections_max,
						    .key_size = sizeof(uint64_t),
						    .entry_size = sizeof(struct websocket_entry)});
	s->closed = table_new(&(struct table_options){.name = "websockets_closed",
						      .capacity = CLOSED_MAX,
						      .key_size = sizeof(uint64_t),
						      .entry_size = sizeof(uint64_t),
						      .evicted = closed_evicted});
	if (s->open && s->closed)
		return s;
	websockets_free(s);
	return NULL;
}

void websockets_free(struct websockets *s)
{
	if (!s)
		return;
	table_free(s->open);
	table_free(s->closed);
	free(s);
}

static void wait_start(struct websockets *s, struct websocket_entry *w)
{
	w->next = s->waiting;
	w->link = &s->waiting;
	if (s->waiting)
		s->waiting->link = &w->next;
	s->waiting = w;
}

static void wait_stop(struct websocket_entry *w)
{
	if (!w->link)
		return;
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->link = NULL;
}

/* NULL if it was closed before, or there is no room. */
static struct websocket_entry *entry_get(struct flow *f, uint64_t conn, uint64_t time)
{
	struct websockets *s = f->websockets;
	struct websocket_entry *w = table_find(s->open, &conn);

	if (w)
		return w;
	if (table_find(s->closed, &conn))
		return NULL;
	w = table_add(s->open, &conn);
	if (!w)
		return NULL;
	w->marked = w->opened = time;
	w->present = f->roll;
	wait_start(s, w);
	return w;
}

static void entry_remove(struct websockets *s, struct websocket_entry *w)
{
	wait_stop(w);
	table_remove(s->open, w);
}

static void closed_remember(struct websockets *s, uint64_t conn)
{
	if (!table_find(s->closed, &conn))
		table_add(s->closed, &conn);
}

static void figure_take(uint64_t *last, uint64_t now, uint64_t *added)
{
	*added = now > *last ? now - *last : 0;
	*last += *added;
}

static void counts_take(struct websocket_entry *w, const struct event_websocket *e,
			struct websocket_counts *added)
{
	for (int dir = 0; dir < 2; dir++) {
		for (int type = 0; type < WEBSOCKET_TYPES; type++) {
			figure_take(&w->counts.messages[dir][type], e->messages[dir][type],
				    &added->messages[dir][type]);
			figure_take(&w->counts.bytes[dir][type], e->bytes[dir][type],
				    &added->bytes[dir][type]);
		}
		figure_take(&w->counts.unseen[dir], e->unseen[dir], &added->unseen[dir]);
	}
}

static void entry_hear(struct websocket_entry *w, const struct event_websocket *e)
{
	w->flags |= e->flags;
	if (e->closer)
		w->closer = e->closer;
	if (e->close_first) {
		uint16_t code = e->close_code[(e->close_first - 1) & 1];

		w->close_first = e->close_first;
		w->close_code = code ? code : WEBSOCKET_CODE_NONE;
	}
	if (w->heard)
		return;
	w->heard = true;
	w->opened = e->opened;
	w->pid = e->head.tgid;
	w->role = e->head.role;
	w->peer.family = w->local.family = e->family;
	w->peer.port = e->remote_port;
	memcpy(w->peer.ip, e->remote, sizeof(w->peer.ip));
	w->local.port = e->local_port;
}

/* Is there anything left to wait for? */
static bool is_due(const struct websocket_entry *w, uint64_t now)
{
	return w->heard && (w->shaken || w->flags & (WEBSOCKET_OVER | WEBSOCKET_RESUMED) ||
			    now > w->opened + HANDSHAKE_LATE_NS);
}

/* Tells of it if that is due; *added is then all that there is. */
static void entry_tell(struct flow *f, struct websocket_entry *w, uint64_t now,
		       struct websocket_counts *added)
{
	if (w->told || !is_due(w, now))
		return;
	wait_stop(w);
	websocket_tell_open(f, w);
	*added = w->counts;
}

static void event_take(struct flow *f, struct websocket_entry *w, const struct event_websocket *e)
{
	struct websocket_end end = {
		.time = e->head.time, .undelivered = e->undelivered, .closer = e->closer};

	entry_hear(w, e);
	counts_take(w, e, &end.added);
	if (w->refused) {
		wait_stop(w);
		return;
	}
	entry_tell(f, w, e->head.time, &end.added);
	if (e->flags & WEBSOCKET_OVER)
		websocket_tell_close(f, w, &end);
	else if (w->told)
		websocket_tell_move(f, w, &end.added);
}

void flow_websocket(struct flow *f, const struct event_websocket *e)
{
	struct websockets *s = f->websockets;
	struct websocket_entry *w = table_find(s->open, &e->head.conn);

	if (e->flags & WEBSOCKET_OVER && !w && !table_find(s->closed, &e->head.conn)) {
		struct websocket_entry alone = {.conn = e->head.conn};

		event_take(f, &alone, e);
	} else if (w || (w = entry_get(f, e->head.conn, e->head.time))) {
		event_take(f, w, e);
	}
	if (!(e->flags & WEBSOCKET_OVER))
		return;
	closed_remember(s, e->head.conn);
	if (w)
		entry_remove(s, w);
}

void websocket_protocol(struct flow *f, uint64_t conn, uint64_t time, struct str protocol)
{
	struct websocket_entry *w = entry_get(f, conn, time);

	if (w)
		request_set(w, protocol, protocol);
}

/* What the handshake knows of the connection, and its sums do not, or not yet. */
static void handshake_take(struct flow *f, struct websocket_entry *w, const struct request *r)
{
	char route[REQUEST_ROUTE_MAX];

	w->shaken = true;
	routes_of(f->routes, r, true, route); /* it may be told of before its exchange is over */
	w->site = routes_site(f->routes, r);
	w->service = r->owner ? r->owner->id : 0;
	w->id_source = r->id_source;
	w->parent = r->parent;
	websocket_text_keep(w, r);
	if (r->local.family)
		w->local = r->local;
	if (w->heard)
		return;
	w->pid = r->pid;
	w->role = r->role;
	w->peer = r->peer;
	w->opened = r->end;
}

void websocket_handshake(struct flow *f, const struct request *r)
{
	struct websocket_entry *w = entry_get(f, r->conn, r->end);
	struct websocket_counts added = {0};

	if (!w)
		return;
	if (r->handshake == HANDSHAKE_REFUSED) {
		w->refused = !w->told; /* else it is too late */
		if (w->heard)
			wait_stop(w);
		return;
	}
	handshake_take(f, w, r);
	if (w->told)
		return;
	entry_tell(f, w, r->end, &added);
	if (w->told)
		websocket_tell_move(f, w, &added);
}

void flow_websocket_gone(struct flow *f, uint64_t conn, uint64_t time)
{
	struct websocket_entry *w = table_find(f->websockets->open, &conn);
	struct websocket_end end = {.time = time};

	if (!w)
		return;
	end.closer = w->closer;
	if (!w->refused && (w->heard || w->shaken)) {
		if (!w->told) {
			websocket_tell_open(f, w);
			end.added = w->counts;
		}
		websocket_tell_close(f, w, &end);
	}
	closed_remember(f->websockets, conn);
	entry_remove(f->websockets, w);
}

void websockets_present(struct flow *f, uint64_t conn)
{
	struct websocket_entry *w = table_find(f->websockets->open, &conn);

	if (w)
		w->present = f->roll;
}

void websockets_absent(struct flow *f, uint64_t before)
{
	struct table *open = f->websockets->open;

	for (struct websocket_entry *w = table_oldest(open), *next; w; w = next) {
		next = table_next(open, w);
		if (w->heard && roll_missed(f, w->present) && w->opened < before)
			flow_websocket_gone(f, w->conn, before);
	}
}

static void waiting_check(struct flow *f, uint64_t now)
{
	for (struct websocket_entry *w = f->websockets->waiting, *next; w; w = next) {
		struct websocket_counts added = {0};

		next = w->next;
		if (w->heard) {
			entry_tell(f, w, now, &added);
			if (w->told)
				websocket_tell_move(f, w, &added);
		} else if (now > w->opened + UNHEARD_NS) {
			entry_remove(f->websockets, w);
		}
	}
}

void flow_websockets(struct flow *f, uint64_t now)
{
	struct table *open = f->websockets->open;
	struct websocket_entry *w;

	waiting_check(f, now);
	while (f->options.progress_ns && (w = table_oldest(open)) &&
	       now >= w->marked + f->options.progress_ns) {
		w->marked = now;
		table_touch(open, w);
		if (w->told)
			websocket_tell_progress(f, w);
	}
}

void websockets_tables(const struct websockets *s, const struct table *tables[2])
{
	tables[0] = s->open;
	tables[1] = s->closed;
}
