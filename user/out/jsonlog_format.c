/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log line: one request as one flat JSON object. The hot path of the output, so fields are
 * written straight into the output buffer, and nothing is formatted twice or looked up by name.
 *
 * Invariants: fields come in one order; what is unknown is left out, never empty, null or zero by
 * guess. Every string is cut before it is written, so that a line stays under JSONLOG_LINE_MAX even
 * when each of its bytes needs six. Strings of the request come from the network: only
 * buf_json() writes them.
 */
#include "out/jsonlog.h"
#include "out/jsonlog_fields.h"
#include "proto/proto.h"

static const char *level_of(const struct request *r)
{
	if (r->error != REQUEST_OK || r->status >= 500)
		return "ERROR";
	return r->status >= 400 ? "WARN" : "INFO";
}

static bool duration_known(const struct request *r)
{
	return r->start && r->end >= r->start;
}

/* As the metrics have it where no method could be read. */
static struct str method_of(const struct request *r)
{
	struct str op = request_str(r, op);

	return op.n ? op : STR("_OTHER");
}

/* POST /api/tasks 201 12.4ms */
static void write_message(struct buf *b, const struct request *r)
{
	char text[sizeof(r->op) + MESSAGE_MAX_BYTES + 64];
	uint64_t us = (r->end - r->start + NS_PER_US / 2) / NS_PER_US;
	struct buf m;

	buf_init_fixed(&m, text, sizeof(text));
	buf_str(&m, method_of(r));
	message_path(&m, request_str(r, target));
	if (r->error == REQUEST_ABORTED) {
		buf_text(&m, " aborted");
	} else if (r->status) {
		buf_char(&m, ' ');
		buf_u64(&m, r->status);
	}
	if (duration_known(r)) {
		buf_char(&m, ' ');
		message_thousandths(&m, us);
		buf_text(&m, "ms");
	}
	buf_json(b, buf_view(&m), sizeof(text));
}

static void write_what(struct buf *b, const struct request *r)
{
	field_plain(b, KEY("role"), role_term(r->role));
	field_plain(b, KEY("protocol"), r->proto ? r->proto->name : NULL);
	field_text(b, KEY("method"), method_of(r), sizeof(r->op));
	field_text(b, KEY("path"), request_str(r, target), sizeof(r->target));
	field_text(b, KEY("route"), request_str(r, route), sizeof(r->route));
	if (r->status)
		field_u64(b, KEY("status"), r->status);
	if (r->error == REQUEST_ABORTED)
		field_plain(b, KEY("error"), "aborted");
	if (r->stream)
		buf_str(b, STR(",\"stream\":true"));
}

static void write_measures(struct buf *b, const struct request *r)
{
	if (duration_known(r))
		field_ms(b, KEY("duration_ms"), r->end - r->start);
	if (r->start && r->first_byte >= r->start)
		field_ms(b, KEY("ttfb_ms"), r->first_byte - r->start);
	if (r->request_bytes != REQUEST_SIZE_UNKNOWN)
		field_u64(b, KEY("request_bytes"), r->request_bytes);
	if (r->response_bytes != REQUEST_SIZE_UNKNOWN)
		field_u64(b, KEY("response_bytes"), r->response_bytes);
}

void jsonlog_format(struct buf *b, const struct request *r, struct clock *clock, const char *node)
{
	line_begin(b, clock, r->end, level_of(r), r->proto ? r->proto->logger : NULL);
	write_message(b, r);
	line_ids(b, &IDS_OF(r));
	line_owner(b, r->owner, node);
	write_what(b, r);
	write_measures(b, r);
	line_end(b, &r->peer, r->pid);
}
