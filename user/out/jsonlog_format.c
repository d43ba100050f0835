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
#include "base/buf.h"
#include "base/clock.h"
#include "out/addr.h"
#include "out/jsonlog.h"
#include "proto/proto.h"

#define NAME_MAX_BYTES	  256 /* names of Kubernetes objects end at 253 */
#define MESSAGE_MAX_BYTES 256 /* of the path, which `path` has whole */

/* A key with its comma, quotes and colon: KEY("pod") is `,"pod":`. */
#define KEY(name) STR(",\"" name "\":")

static const char *level_of(const struct request *r)
{
	if (r->error != REQUEST_OK || r->status >= 500)
		return "ERROR";
	return r->status >= 400 ? "WARN" : "INFO";
}

static void field_text(struct buf *b, struct str key, struct str value, size_t most)
{
	if (!value.n)
		return;
	buf_str(b, key);
	buf_json(b, value, most);
}

/* value: a literal of the program that needs no escapes */
static void field_plain(struct buf *b, struct str key, const char *value)
{
	buf_str(b, key);
	buf_char(b, '"');
	buf_text(b, value);
	buf_char(b, '"');
}

static void field_u64(struct buf *b, struct str key, uint64_t value)
{
	buf_str(b, key);
	buf_u64(b, value);
}

static void field_ms(struct buf *b, struct str key, uint64_t ns)
{
	buf_str(b, key);
	buf_fixed(b, (ns + NS_PER_US / 2) / NS_PER_US, 3);
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
	struct str target = request_str(r, target);
	uint64_t us = (r->end - r->start + NS_PER_US / 2) / NS_PER_US;
	struct buf m;

	buf_init_fixed(&m, text, sizeof(text));
	buf_str(&m, method_of(r));
	if (target.n)
		buf_char(&m, ' ');
	buf_bytes(&m, target.p, target.n < MESSAGE_MAX_BYTES ? target.n : MESSAGE_MAX_BYTES);
	if (r->error == REQUEST_ABORTED) {
		buf_text(&m, " aborted");
	} else if (r->status) {
		buf_char(&m, ' ');
		buf_u64(&m, r->status);
	}
	if (duration_known(r)) {
		buf_char(&m, ' ');
		buf_fixed(&m, us < 10000 ? us : (us + 50) / 100, us < 10000 ? 3 : 1);
		buf_text(&m, "ms");
	}
	buf_json(b, buf_view(&m), sizeof(text));
}

static void write_head(struct buf *b, const struct request *r, struct clock *clock)
{
	buf_str(b, STR("{\"timestamp\":\""));
	clock_write(clock, b, r->end);
	buf_char(b, '"');
	field_plain(b, KEY("level"), level_of(r));
	if (r->proto)
		field_plain(b, KEY("logger"), r->proto->logger);
	buf_str(b, KEY("message"));
	write_message(b, r);
}

static void write_ids(struct buf *b, const struct request *r)
{
	field_text(b, KEY("request_id"), request_str(r, request_id), sizeof(r->request_id));
	field_text(b, KEY("user_id"), request_str(r, user_id), sizeof(r->user_id));
	field_text(b, KEY("trace_id"), request_str(r, trace_id), sizeof(r->trace_id));
	field_text(b, KEY("span_id"), request_str(r, span_id), sizeof(r->span_id));
	field_text(b, KEY("parent_span_id"), request_str(r, parent_id), sizeof(r->parent_id));
}

static void write_owner(struct buf *b, const struct owner *owner, const char *node)
{
	if (owner) {
		field_text(b, KEY("service"), owner->service, NAME_MAX_BYTES);
		field_text(b, KEY("namespace"), owner->namespace, NAME_MAX_BYTES);
		field_text(b, KEY("pod"), owner->pod, NAME_MAX_BYTES);
		field_text(b, KEY("container"), owner->container, NAME_MAX_BYTES);
	}
	field_text(b, KEY("node"), str_of(node), NAME_MAX_BYTES);
}

static void write_what(struct buf *b, const struct request *r)
{
	if (r->role == ROLE_SERVER)
		field_plain(b, KEY("role"), "server");
	else if (r->role == ROLE_CLIENT)
		field_plain(b, KEY("role"), "client");
	if (r->proto)
		field_plain(b, KEY("protocol"), r->proto->name);
	field_text(b, KEY("method"), method_of(r), sizeof(r->op));
	field_text(b, KEY("path"), request_str(r, target), sizeof(r->target));
	field_text(b, KEY("route"), request_str(r, route), sizeof(r->route));
	if (r->status)
		field_u64(b, KEY("status"), r->status);
	if (r->error == REQUEST_ABORTED)
		field_plain(b, KEY("error"), "aborted");
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
	if (r->peer.family) {
		buf_str(b, STR(",\"peer\":\""));
		addr_write(b, &r->peer);
		buf_char(b, '"');
	}
	if (r->pid)
		field_u64(b, KEY("pid"), r->pid);
}

void jsonlog_format(struct buf *b, const struct request *r, struct clock *clock, const char *node)
{
	write_head(b, r, clock);
	write_ids(b, r);
	write_owner(b, r->owner, node);
	write_what(b, r);
	write_measures(b, r);
	buf_str(b, STR("}\n"));
}
