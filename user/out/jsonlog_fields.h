/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all log lines have in common: how a field is written, and the fields that stand in each. For
 * jsonlog_format.c and jsonlog_websocket.c, in the header since a request's line is the hot path.
 */
#ifndef SONDE_JSONLOG_FIELDS_H
#define SONDE_JSONLOG_FIELDS_H

#include "base/buf.h"
#include "base/clock.h"
#include "out/addr.h"
#include "out/terms.h"

#define NAME_MAX_BYTES	  256 /* names of Kubernetes objects end at 253 */
#define ID_MAX_BYTES	  128
#define MESSAGE_MAX_BYTES 192 /* of the path, which `path` has whole */

/* A key with its comma, quotes and colon: KEY("pod") is `,"pod":`. */
#define KEY(name) STR(",\"" name "\":")

static inline void field_text(struct buf *b, struct str key, struct str value, size_t most)
{
	if (!value.n)
		return;
	buf_str(b, key);
	buf_json(b, value, most);
}

/* value: a literal of the program that needs no escapes, or NULL */
static inline void field_plain(struct buf *b, struct str key, const char *value)
{
	if (!value)
		return;
	buf_str(b, key);
	buf_char(b, '"');
	buf_text(b, value);
	buf_char(b, '"');
}

static inline void field_u64(struct buf *b, struct str key, uint64_t value)
{
	buf_str(b, key);
	buf_u64(b, value);
}

static inline void field_ms(struct buf *b, struct str key, uint64_t ns)
{
	buf_str(b, key);
	buf_fixed(b, (ns + NS_PER_US / 2) / NS_PER_US, 3);
}

/* The path of a message, after a blank. */
static inline void message_path(struct buf *m, struct str path)
{
	if (!path.n)
		return;
	buf_char(m, ' ');
	buf_bytes(m, path.p, path.n < MESSAGE_MAX_BYTES ? path.n : MESSAGE_MAX_BYTES);
}

/* A time of a message: 0.412, 9.999, 12.4 */
static inline void message_thousandths(struct buf *m, uint64_t value)
{
	buf_fixed(m, value < 10000 ? value : (value + 50) / 100, value < 10000 ? 3 : 1);
}

/* Up to the message, which the caller writes as a JSON string. */
static inline void line_begin(struct buf *b, struct clock *clock, uint64_t time, const char *level,
			      const char *logger)
{
	buf_str(b, STR("{\"timestamp\":\""));
	clock_write(clock, b, time);
	buf_char(b, '"');
	field_plain(b, KEY("level"), level);
	field_plain(b, KEY("logger"), logger);
	buf_str(b, KEY("message"));
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

static inline void line_ids(struct buf *b, const struct line_ids *ids)
{
	field_text(b, KEY("request_id"), ids->request_id, ID_MAX_BYTES);
	field_text(b, KEY("user_id"), ids->user_id, ID_MAX_BYTES);
	field_text(b, KEY("trace_id"), ids->trace_id, ID_MAX_BYTES);
	field_text(b, KEY("span_id"), ids->span_id, ID_MAX_BYTES);
	field_text(b, KEY("parent_span_id"), ids->parent_id, ID_MAX_BYTES);
	if (ids->span_id.n)
		field_plain(b, KEY("parent_source"), parent_term(ids->parent));
	field_plain(b, KEY("request_id_source"), id_source_term(ids->id_source));
}

static inline void line_owner(struct buf *b, const struct owner *owner, const char *node)
{
	if (owner) {
		field_text(b, KEY("service"), owner->service, NAME_MAX_BYTES);
		field_text(b, KEY("namespace"), owner->namespace, NAME_MAX_BYTES);
		field_text(b, KEY("pod"), owner->pod, NAME_MAX_BYTES);
		field_text(b, KEY("container"), owner->container, NAME_MAX_BYTES);
	}
	field_text(b, KEY("node"), str_of(node), NAME_MAX_BYTES);
}

static inline void line_end(struct buf *b, const struct request_addr *peer, uint32_t pid)
{
	if (peer->family) {
		buf_str(b, STR(",\"peer\":\""));
		addr_write(b, peer);
		buf_char(b, '"');
	}
	if (pid)
		field_u64(b, KEY("pid"), pid);
	buf_str(b, STR("}\n"));
}

#endif
