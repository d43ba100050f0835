/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log line: one request as one flat JSON object. The hot path of the output, so fields are
 * written straight into the output buffer, and nothing is formatted twice or looked up by name.
 *
 * Invariants: fields come in one order; what is unknown is left out, never empty, null or zero by
 * guess. Every string is cut before it is written, so that a line stays under JSONLOG_LINE_MAX even
 * when each of its bytes needs six; a header that would not fit is left out. Strings of the request
 * come from the network: only put_json() writes them.
 */
#include "out/jsonlog_fields.h"
#include "proto/proto.h"

/* Keys, literals and numbers: no text of anybody else. */
#define PLAIN_MAX 1200
#define TEXTS_MAX                                                                            \
	(2 * sizeof(((struct request *)0)->op) + REQUEST_TARGET_MAX + MESSAGE_MAX_BYTES +    \
	 REQUEST_ROUTE_MAX + sizeof(((struct request *)0)->request_id) +                     \
	 sizeof(((struct request *)0)->user_id) + sizeof(((struct request *)0)->trace_id) +  \
	 sizeof(((struct request *)0)->span_id) + sizeof(((struct request *)0)->parent_id) + \
	 (size_t)5 * NAME_MAX_BYTES)

_Static_assert(PLAIN_MAX + PUT_JSON_MAX(TEXTS_MAX) <= JSONLOG_LINE_MAX, "the longest line fits");

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
LINE_INLINE void line_message(struct line *l, const struct request *r)
{
	line_json(l, method_of(r), sizeof(r->op));
	message_path(l, request_str(r, target));
	if (r->error == REQUEST_ABORTED) {
		line_str(l, STR(" aborted"));
	} else if (r->status) {
		line_str(l, STR(" "));
		l->to = put_u64(l->to, r->status);
	}
	if (duration_known(r)) {
		line_str(l, STR(" "));
		message_thousandths(l, (r->end - r->start + NS_PER_US / 2) / NS_PER_US);
		line_str(l, STR("ms"));
	}
	message_end(l);
}

LINE_INLINE void line_what(struct line *l, const struct request *r)
{
	field_plain(l, FIELD(role), role_term(r->role));
	field_plain(l, FIELD(protocol), r->proto ? r->proto->name : NULL);
	field_text(l, FIELD(method), method_of(r), sizeof(r->op));
	field_text(l, FIELD(path), request_str(r, target), sizeof(r->target));
	field_text(l, FIELD(route), request_str(r, route), sizeof(r->route));
	if (r->status)
		field_u64(l, FIELD(status), r->status);
	if (r->error == REQUEST_ABORTED)
		field_plain(l, FIELD(error), "aborted");
	field_true(l, FIELD(stream), r->stream);
}

LINE_INLINE void line_measures(struct line *l, const struct request *r)
{
	if (duration_known(r))
		field_ms(l, FIELD(duration_ms), r->end - r->start);
	if (r->start && r->first_byte >= r->start)
		field_ms(l, FIELD(ttfb_ms), r->first_byte - r->start);
	if (r->request_bytes != REQUEST_SIZE_UNKNOWN)
		field_u64(l, FIELD(request_bytes), r->request_bytes);
	if (r->response_bytes != REQUEST_SIZE_UNKNOWN)
		field_u64(l, FIELD(response_bytes), r->response_bytes);
}

static char *put_headers(const struct jsonlog_form *form, char *to, const char *end,
			 const struct request_headers *headers)
{
	for (unsigned i = 0; i < form->header_count; i++) {
		struct str value = {headers->value[i], headers->length[i]};

		if (!value.n ||
		    end - to < (ptrdiff_t)(JSONLOG_HEADER_KEY + 4 + PUT_JSON_MAX(value.n)))
			continue;
		to = put_str(to, (struct str){form->key[i], form->key_length[i]});
		to = put_char(to, '"');
		to = put_char(put_json(to, value), '"');
	}
	return to;
}

size_t jsonlog_format(struct jsonlog_form *form, char *to, const struct request *r)
{
	const char *logger = r->proto ? r->proto->logger : NULL;
	struct line l = line_begin(form, to, r->end, level_of(r), logger);

	line_message(&l, r);
	line_ids(&l, &IDS_OF(r));
	l.to = jsonlog_put_owner(form, l.to, r->owner);
	line_what(&l, r);
	line_measures(&l, r);
	line_peer(&l, &r->peer, r->pid);
	if (r->headers)
		l.to = put_headers(form, l.to, to + JSONLOG_LINE_MAX, r->headers);
	return line_end(&l, to);
}
