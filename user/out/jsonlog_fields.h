/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all log lines have in common: how a field is written, and the fields that stand in each. In
 * a header since a line is the hot path: keys become a few moves, and the cursor stays in a
 * register. Nothing checks for room here: every text is cut to a length, and jsonlog_format.c and
 * jsonlog_websocket.c prove that the longest line fits.
 */
#ifndef SONDE_JSONLOG_FIELDS_H
#define SONDE_JSONLOG_FIELDS_H

#include "base/clock.h"
#include "base/put.h"
#include "out/addr.h"
#include "out/jsonlog_form.h"
#include "out/terms.h"

#define NAME_MAX_BYTES	  253 /* names of Kubernetes objects end at 253 */
#define MESSAGE_MAX_BYTES 160 /* of the path, which `path` has whole */

#define LINE_INLINE static inline __attribute__((always_inline))

struct line {
	char *to;
	uint64_t fields; /* those that are wanted */
};

struct field {
	uint64_t bit;
	struct str key; /* with its comma, quotes and colon */
};

#define FIELD(name) ((struct field){JSONLOG_BIT(name), STR(",\"" #name "\":")})

LINE_INLINE void line_str(struct line *l, struct str s)
{
	l->to = put_str(l->to, s);
}

LINE_INLINE void line_json(struct line *l, struct str s, size_t most)
{
	l->to = put_json(l->to, s.n > most ? str_most(s, most) : s);
}

LINE_INLINE void field_text(struct line *l, struct field f, struct str value, size_t most)
{
	if (!value.n || !(l->fields & f.bit))
		return;
	line_str(l, f.key);
	line_str(l, STR("\""));
	line_json(l, value, most);
	line_str(l, STR("\""));
}

/* value: a literal of the program that needs no escapes, or NULL */
LINE_INLINE void field_plain(struct line *l, struct field f, const char *value)
{
	if (!value || !(l->fields & f.bit))
		return;
	line_str(l, f.key);
	line_str(l, STR("\""));
	line_str(l, str_of(value));
	line_str(l, STR("\""));
}

LINE_INLINE void field_true(struct line *l, struct field f, bool value)
{
	if (!value || !(l->fields & f.bit))
		return;
	line_str(l, f.key);
	line_str(l, STR("true"));
}

LINE_INLINE void field_u64(struct line *l, struct field f, uint64_t value)
{
	if (!(l->fields & f.bit))
		return;
	line_str(l, f.key);
	l->to = put_u64(l->to, value);
}

LINE_INLINE void field_ms(struct line *l, struct field f, uint64_t ns)
{
	if (!(l->fields & f.bit))
		return;
	line_str(l, f.key);
	l->to = put_fixed(l->to, (ns + NS_PER_US / 2) / NS_PER_US, 3);
}

/* The path of a message, after a blank. */
LINE_INLINE void message_path(struct line *l, struct str path)
{
	if (!path.n)
		return;
	line_str(l, STR(" "));
	line_json(l, path, MESSAGE_MAX_BYTES);
}

/* A time of a message: 0.412, 9.999, 12.4 */
LINE_INLINE void message_thousandths(struct line *l, uint64_t value)
{
	l->to = value < 10000 ? put_fixed(l->to, value, 3)
			      : put_fixed(l->to, (value + 50) / 100, 1);
}

/* Up to the message, whose inside the caller writes, and then message_end(). */
LINE_INLINE struct line line_begin(const struct jsonlog_form *form, char *to, uint64_t time,
				   const char *level, const char *logger)
{
	struct line l = {.to = to, .fields = form->fields};

	line_str(&l, STR("{\"timestamp\":\""));
	l.to = clock_put(form->clock, l.to, time);
	line_str(&l, STR("\",\"level\":\""));
	line_str(&l, str_of(level));
	if (logger) {
		line_str(&l, STR("\",\"logger\":\""));
		line_str(&l, str_of(logger));
	}
	line_str(&l, STR("\",\"message\":\""));
	return l;
}

LINE_INLINE void message_end(struct line *l)
{
	line_str(l, STR("\""));
}

struct line_ids {
	struct str request_id, user_id, trace_id, span_id, parent_id;
	uint8_t id_source, parent;
};

/* Those of a struct request or a struct websocket. */
#define IDS_OF(from)                                                                  \
	((struct line_ids){request_str(from, request_id), request_str(from, user_id), \
			   request_str(from, trace_id), request_str(from, span_id),   \
			   request_str(from, parent_id), (from)->id_source, (from)->parent})

LINE_INLINE void line_ids(struct line *l, const struct line_ids *ids)
{
	field_text(l, FIELD(request_id), ids->request_id, ids->request_id.n);
	field_text(l, FIELD(user_id), ids->user_id, ids->user_id.n);
	field_text(l, FIELD(trace_id), ids->trace_id, ids->trace_id.n);
	field_text(l, FIELD(span_id), ids->span_id, ids->span_id.n);
	field_text(l, FIELD(parent_span_id), ids->parent_id, ids->parent_id.n);
	if (ids->span_id.n)
		field_plain(l, FIELD(parent_source), parent_term(ids->parent));
	field_plain(l, FIELD(request_id_source), id_source_term(ids->id_source));
}

/* Service, namespace, pod, container of the owner (or NULL); node. */
char *jsonlog_put_owner(struct jsonlog_form *form, char *to, const struct owner *owner);

LINE_INLINE void line_peer(struct line *l, const struct request_addr *peer, uint32_t pid)
{
	if (peer->family && l->fields & JSONLOG_BIT(peer)) {
		line_str(l, FIELD(peer).key);
		line_str(l, STR("\""));
		l->to = addr_put(l->to, peer);
		line_str(l, STR("\""));
	}
	if (pid)
		field_u64(l, FIELD(pid), pid);
}

LINE_INLINE size_t line_end(struct line *l, const char *begin)
{
	line_str(l, STR("}\n"));
	return (size_t)(l->to - begin);
}

#endif
