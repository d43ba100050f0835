/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log lines of a WebSocket connection: one when it opens, one when it closes, and those of
 * --websocket-progress between. The ids are those of its handshake, so that the lines are found
 * beside the request's.
 *
 * Invariants: the same as of a request's line (jsonlog_format.c): one order, what is unknown is
 * left out, and what comes from the network is cut and only written by put_json(). Figures are
 * those since it opened; a line at the opening has none. There is no line for what it moved.
 */
#include "out/jsonlog_fields.h"
#include "proto/websocket.h"

/* Keys, literals and numbers: no text of anybody else. */
#define PLAIN_MAX 1250
#define TEXTS_MAX                                                                                  \
	(REQUEST_TARGET_MAX + MESSAGE_MAX_BYTES + REQUEST_ROUTE_MAX +                              \
	 sizeof(((struct websocket *)0)->protocol) + sizeof(((struct websocket *)0)->request_id) + \
	 sizeof(((struct websocket *)0)->user_id) + sizeof(((struct websocket *)0)->trace_id) +    \
	 sizeof(((struct websocket *)0)->span_id) + sizeof(((struct websocket *)0)->parent_id) +   \
	 (size_t)5 * NAME_MAX_BYTES)

_Static_assert(PLAIN_MAX + PUT_JSON_MAX(TEXTS_MAX) <= JSONLOG_LINE_MAX, "the longest line fits");

static const char *const events[] = {
	[WEBSOCKET_OPENED] = "open",
	[WEBSOCKET_PROGRESSED] = "progress",
	[WEBSOCKET_CLOSED] = "close",
};

/* closed 1000 normal by client after 12.3s */
static void line_closed(struct line *l, const struct websocket *w)
{
	struct str name = websocket_code_name(w->close_code);

	line_str(l, STR(" closed "));
	l->to = put_u64(l->to, w->close_code);
	if (name.n) {
		line_str(l, STR(" "));
		line_str(l, name);
	}
	line_str(l, STR(" by "));
	line_str(l, str_of(initiator_term(w->initiator)));
	line_str(l, STR(" after "));
}

/* WebSocket /ws/chat open; WebSocket /ws/chat open for 60s */
static void line_message(struct line *l, enum websocket_event what, const struct websocket *w,
			 uint64_t time)
{
	line_str(l, STR("WebSocket"));
	message_path(l, request_str(w, target));
	if (what == WEBSOCKET_CLOSED)
		line_closed(l, w);
	else
		line_str(l, what == WEBSOCKET_OPENED ? STR(" open") : STR(" open for "));
	if (what != WEBSOCKET_OPENED) {
		message_thousandths(l, (websocket_age(w, time) + NS_PER_MS / 2) / NS_PER_MS);
		line_str(l, STR("s"));
	}
	message_end(l);
}

static void line_what(struct line *l, enum websocket_event what, const struct websocket *w)
{
	field_plain(l, FIELD(role), role_term(w->role));
	field_plain(l, FIELD(protocol), "websocket");
	field_plain(l, FIELD(event), events[what]);
	field_text(l, FIELD(path), request_str(w, target), sizeof(w->target));
	field_text(l, FIELD(route), request_str(w, route), sizeof(w->route));
	field_text(l, FIELD(subprotocol), request_str(w, protocol), sizeof(w->protocol));
	field_true(l, FIELD(resumed), w->resumed);
	field_true(l, FIELD(reconnect), w->reconnect);
	if (w->invalid[DIR_IN] || w->invalid[DIR_OUT])
		field_plain(l, FIELD(error), "protocol_error");
}

/* Of what applications exchange: text and binary. */
static uint64_t data_sum(const uint64_t figures[WEBSOCKET_TYPES])
{
	return figures[WEBSOCKET_TEXT] + figures[WEBSOCKET_BINARY];
}

static void line_measures(struct line *l, const struct websocket *w, uint64_t time)
{
	const struct websocket_counts *total = &w->total;

	field_ms(l, FIELD(duration_ms), websocket_age(w, time));
	field_u64(l, FIELD(messages_sent), data_sum(total->messages[DIR_OUT]));
	field_u64(l, FIELD(messages_received), data_sum(total->messages[DIR_IN]));
	field_u64(l, FIELD(bytes_sent), data_sum(total->bytes[DIR_OUT]));
	field_u64(l, FIELD(bytes_received), data_sum(total->bytes[DIR_IN]));
	if (total->unseen[DIR_IN] || total->unseen[DIR_OUT])
		field_u64(l, FIELD(unseen_bytes), total->unseen[DIR_IN] + total->unseen[DIR_OUT]);
}

static void line_close(struct line *l, const struct websocket *w)
{
	struct str name = websocket_code_name(w->close_code);

	field_u64(l, FIELD(close_code), w->close_code);
	field_text(l, FIELD(close_reason), name, name.n);
	field_plain(l, FIELD(initiator), initiator_term(w->initiator));
	if (w->undelivered)
		field_u64(l, FIELD(undelivered_bytes), w->undelivered);
}

static uint64_t time_of(enum websocket_event what, const struct websocket *w, uint64_t now)
{
	return what == WEBSOCKET_OPENED ? w->opened : what == WEBSOCKET_CLOSED ? w->closed : now;
}

size_t jsonlog_format_websocket(struct jsonlog_form *form, char *to, enum websocket_event what,
				const struct websocket *w, uint64_t now)
{
	bool warn = what == WEBSOCKET_CLOSED && websocket_code_is_abnormal(w->close_code);
	uint64_t time = time_of(what, w, now);
	struct line l = line_begin(form, to, time, warn ? "WARN" : "INFO", "sonde.websocket");

	line_message(&l, what, w, time);
	line_ids(&l, &IDS_OF(w));
	l.to = jsonlog_put_owner(form, l.to, w->owner);
	line_what(&l, what, w);
	if (what != WEBSOCKET_OPENED)
		line_measures(&l, w, time);
	if (what == WEBSOCKET_CLOSED)
		line_close(&l, w);
	line_peer(&l, &w->peer, w->pid);
	return line_end(&l, to);
}
