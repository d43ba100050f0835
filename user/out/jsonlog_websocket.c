/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log lines of a WebSocket connection: one when it opens, one when it closes, and those of
 * --websocket-progress between. The ids are those of its handshake, so that the lines are found
 * beside the request's.
 *
 * Invariants: the same as of a request's line (jsonlog_format.c): one order, what is unknown is
 * left out, and what comes from the network is cut and only written by buf_json(). Figures are
 * those since it opened; a line at the opening has none. There is no line for what it moved.
 */
#include "out/jsonlog.h"
#include "out/jsonlog_fields.h"
#include "proto/websocket.h"

static const char *const events[] = {
	[WEBSOCKET_OPENED] = "open",
	[WEBSOCKET_PROGRESSED] = "progress",
	[WEBSOCKET_CLOSED] = "close",
};

/* closed 1000 normal by client after 12.3s */
static void write_end(struct buf *m, const struct websocket *w)
{
	struct str name = websocket_code_name(w->close_code);

	buf_text(m, " closed ");
	buf_u64(m, w->close_code);
	if (name.n)
		buf_char(m, ' ');
	buf_str(m, name);
	buf_text(m, " by ");
	buf_text(m, initiator_term(w->initiator));
	buf_text(m, " after ");
}

/* WebSocket /ws/chat open; WebSocket /ws/chat open for 60s */
static void write_message(struct buf *b, enum websocket_event what, const struct websocket *w,
			  uint64_t time)
{
	char text[MESSAGE_MAX_BYTES + 128];
	struct buf m;

	buf_init_fixed(&m, text, sizeof(text));
	buf_text(&m, "WebSocket");
	message_path(&m, request_str(w, target));
	if (what == WEBSOCKET_CLOSED)
		write_end(&m, w);
	else
		buf_text(&m, what == WEBSOCKET_OPENED ? " open" : " open for ");
	if (what != WEBSOCKET_OPENED) {
		message_thousandths(&m, (websocket_age(w, time) + NS_PER_MS / 2) / NS_PER_MS);
		buf_char(&m, 's');
	}
	buf_json(b, buf_view(&m), sizeof(text));
}

static void write_what(struct buf *b, enum websocket_event what, const struct websocket *w)
{
	field_plain(b, KEY("role"), role_term(w->role));
	field_plain(b, KEY("protocol"), "websocket");
	field_plain(b, KEY("event"), events[what]);
	field_text(b, KEY("path"), request_str(w, target), sizeof(w->target));
	field_text(b, KEY("route"), request_str(w, route), sizeof(w->route));
	field_text(b, KEY("subprotocol"), request_str(w, protocol), sizeof(w->protocol));
	if (w->resumed)
		buf_str(b, STR(",\"resumed\":true"));
	if (w->reconnect)
		buf_str(b, STR(",\"reconnect\":true"));
	if (w->invalid[DIR_IN] || w->invalid[DIR_OUT])
		field_plain(b, KEY("error"), "protocol_error");
}

/* Of what applications exchange: text and binary. */
static uint64_t data_sum(const uint64_t figures[WEBSOCKET_TYPES])
{
	return figures[WEBSOCKET_TEXT] + figures[WEBSOCKET_BINARY];
}

static void write_measures(struct buf *b, const struct websocket *w, uint64_t time)
{
	const struct websocket_counts *total = &w->total;

	field_ms(b, KEY("duration_ms"), websocket_age(w, time));
	field_u64(b, KEY("messages_sent"), data_sum(total->messages[DIR_OUT]));
	field_u64(b, KEY("messages_received"), data_sum(total->messages[DIR_IN]));
	field_u64(b, KEY("bytes_sent"), data_sum(total->bytes[DIR_OUT]));
	field_u64(b, KEY("bytes_received"), data_sum(total->bytes[DIR_IN]));
	if (total->unseen[DIR_IN] || total->unseen[DIR_OUT])
		field_u64(b, KEY("unseen_bytes"), total->unseen[DIR_IN] + total->unseen[DIR_OUT]);
}

static void write_close(struct buf *b, const struct websocket *w)
{
	struct str name = websocket_code_name(w->close_code);

	field_u64(b, KEY("close_code"), w->close_code);
	field_text(b, KEY("close_reason"), name, name.n);
	field_plain(b, KEY("initiator"), initiator_term(w->initiator));
	if (w->undelivered)
		field_u64(b, KEY("undelivered_bytes"), w->undelivered);
}

static uint64_t time_of(enum websocket_event what, const struct websocket *w, uint64_t now)
{
	return what == WEBSOCKET_OPENED ? w->opened : what == WEBSOCKET_CLOSED ? w->closed : now;
}

void jsonlog_format_websocket(struct buf *b, enum websocket_event what, const struct websocket *w,
			      uint64_t now, struct clock *clock, const char *node)
{
	bool warn = what == WEBSOCKET_CLOSED && websocket_code_is_abnormal(w->close_code);
	uint64_t time = time_of(what, w, now);

	line_begin(b, clock, time, warn ? "WARN" : "INFO", "sonde.websocket");
	write_message(b, what, w, time);
	line_ids(b, &IDS_OF(w));
	line_owner(b, w->owner, node);
	write_what(b, what, w);
	if (what != WEBSOCKET_OPENED)
		write_measures(b, w, time);
	if (what == WEBSOCKET_CLOSED)
		write_close(b, w);
	line_end(b, &w->peer, w->pid);
}
