/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sink is told of a WebSocket connection: struct websocket, made from its entry for each
 * call. An entry keeps its text packed, so that tens of thousands of idle ones stay small. The
 * invariant: what is told as added is told by no other call.
 */
#include "flow/reconnect.h"
#include "flow/websocket_entry.h"
#include "proto/websocket.h"

#define INVALID (WEBSOCKET_INVALID_IN | WEBSOCKET_INVALID_OUT)

static void text_put(struct websocket_entry *w, size_t *used, uint16_t *length, struct str s)
{
	*length = request_fill(w->text + *used, sizeof(w->text) - *used, s);
	*used += *length;
}

void websocket_text_keep(struct websocket_entry *w, const struct request *r)
{
	size_t used = 0;

	text_put(w, &used, &w->length.user_id, request_str(r, user_id));
	text_put(w, &used, &w->length.request_id, request_str(r, request_id));
	text_put(w, &used, &w->length.trace_id, request_str(r, trace_id));
	text_put(w, &used, &w->length.span_id, request_str(r, span_id));
	text_put(w, &used, &w->length.parent_id, request_str(r, parent_id));
	text_put(w, &used, &w->length.host, request_str(r, host));
	text_put(w, &used, &w->length.target, request_str(r, target));
}

static struct str text_next(struct str *rest, uint16_t length)
{
	struct str s = {rest->p, length};

	*rest = str_from(*rest, length);
	return s;
}

static void text_view(const struct flow *f, const struct websocket_entry *w, struct websocket *v)
{
	struct str rest = {w->text, sizeof(w->text)};

	request_set(v, user_id, text_next(&rest, w->length.user_id));
	request_set(v, request_id, text_next(&rest, w->length.request_id));
	request_set(v, trace_id, text_next(&rest, w->length.trace_id));
	request_set(v, span_id, text_next(&rest, w->length.span_id));
	request_set(v, parent_id, text_next(&rest, w->length.parent_id));
	request_set(v, host, text_next(&rest, w->length.host));
	request_set(v, target, text_next(&rest, w->length.target));
	request_set(v, protocol, ((struct str){w->protocol, w->length.protocol}));
	v->length.route = (uint16_t)routes_view(f->routes, w->site, w->role, request_str(v, target),
						v->route);
}

/* The sinks' picture of it. */
static void view(const struct flow *f, const struct websocket_entry *w, struct websocket *v)
{
	memset(v, 0, offsetof(struct websocket, target));
	v->conn = w->conn;
	v->pid = w->pid;
	v->role = w->role;
	v->id_source = w->id_source;
	v->parent = w->parent;
	v->owner = w->owner;
	v->local = w->local;
	v->peer = w->peer;
	v->opened = w->opened;
	v->resumed = w->flags & WEBSOCKET_RESUMED;
	v->reconnect = w->reconnect;
	v->invalid[DIR_IN] = w->flags & WEBSOCKET_INVALID_IN;
	v->invalid[DIR_OUT] = w->flags & WEBSOCKET_INVALID_OUT;
	v->total = w->counts;
	text_view(f, w, v);
}

static const struct owner *tell(const struct flow *f, enum websocket_event what,
				const struct websocket *v)
{
	return f->options.websocket ? f->options.websocket(f->options.ctx, what, v) : NULL;
}

/* What is new goes with it, and is told with that. */
static void view_news(const struct flow *f, struct websocket_entry *w,
		      const struct websocket_counts *added, struct websocket *v)
{
	uint8_t invalid = w->flags & INVALID & ~w->invalid;

	view(f, w, v);
	v->added = *added;
	v->invalid_added[DIR_IN] = invalid & WEBSOCKET_INVALID_IN;
	v->invalid_added[DIR_OUT] = invalid & WEBSOCKET_INVALID_OUT;
	w->invalid |= invalid;
}

static struct reconnect_client client_of(const struct websocket_entry *w)
{
	return (struct reconnect_client){
		.service = w->service,
		.peer = w->peer,
		.user = {w->text, w->length.user_id},
		.protocol = {w->protocol, w->length.protocol},
	};
}

/* Whose client is known well enough to tell whether it comes back. */
static bool has_client(const struct websocket_entry *w)
{
	return w->role == ROLE_SERVER && w->shaken;
}

void websocket_tell_open(struct flow *f, struct websocket_entry *w)
{
	struct reconnect_client client = client_of(w);
	struct websocket v;

	w->told = true;
	w->reconnect = has_client(w) && reconnect_opened(f->reconnects, &client, w->opened);
	view(f, w, &v);
	w->owner = tell(f, WEBSOCKET_OPENED, &v);
}

void websocket_tell_move(struct flow *f, struct websocket_entry *w,
			 const struct websocket_counts *added)
{
	static const struct websocket_counts none;
	struct websocket v;

	if (memcmp(added, &none, sizeof(none)) == 0 && !(w->flags & INVALID & ~w->invalid))
		return;
	view_news(f, w, added, &v);
	w->owner = tell(f, WEBSOCKET_MOVED, &v);
}

static uint8_t initiator_of(uint8_t role, bool own)
{
	if (role != ROLE_SERVER && role != ROLE_CLIENT)
		return INITIATOR_NETWORK;
	return (role == ROLE_SERVER) == own ? INITIATOR_SERVER : INITIATOR_CLIENT;
}

static uint8_t initiator(const struct websocket_entry *w, enum event_closer closer)
{
	if (w->close_first)
		return initiator_of(w->role, w->close_first - 1 == DIR_OUT);
	if (closer == CLOSER_LOCAL || closer == CLOSER_PEER)
		return initiator_of(w->role, closer == CLOSER_LOCAL);
	return INITIATOR_NETWORK;
}

void websocket_tell_close(struct flow *f, struct websocket_entry *w,
			  const struct websocket_end *end)
{
	struct reconnect_client client = client_of(w);
	struct websocket v;

	view_news(f, w, &end->added, &v);
	v.closed = end->time;
	v.undelivered = end->undelivered;
	v.close_code = w->close_first ? w->close_code : WEBSOCKET_CODE_ABNORMAL;
	v.initiator = initiator(w, end->closer);
	if (has_client(w))
		reconnect_closed(f->reconnects, &client, end->time);
	tell(f, WEBSOCKET_CLOSED, &v);
}

void websocket_tell_progress(struct flow *f, struct websocket_entry *w)
{
	struct websocket v;

	view(f, w, &v);
	w->owner = tell(f, WEBSOCKET_PROGRESSED, &v);
}
