/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of an HTTP/1 head. A field is taken when the next line begins, because that line may
 * continue it (obsolete folding). The invariant: what was taken is never taken back by what
 * follows.
 *
 * A value that spans lines is good enough for framing and for lists, never for an id or a host:
 * those are views, and cannot be joined. It refuses fields without a name, and in requests a blank
 * before the colon. It keeps no header but those of the table below.
 */
#include "proto/http1.h"

enum header_kind {
	HEADER_HOST,
	HEADER_EXPECT,
	HEADER_LENGTH,
	HEADER_TRANSFER,
	HEADER_TYPE,
	HEADER_UPGRADE,
	HEADER_ID,
};

struct http1_header {
	const char *name;
	enum header_kind kind;
	enum msg_id id;
};

/* By the length of the name, so that most fields cost no comparison. Four names of one length
 * would not compile: then make more room. */
#define SAME_LENGTH 3
static const struct http1_header headers[][SAME_LENGTH] = {
	[2] = {{"b3", HEADER_ID, ID_B3}},
	[4] = {{"host", HEADER_HOST, 0}},
	[6] = {{"expect", HEADER_EXPECT, 0}},
	[7] = {{"upgrade", HEADER_UPGRADE, ID_UPGRADE}},
	[9] = {{"x-user-id", HEADER_ID, ID_USER}},
	[11] = {{"traceparent", HEADER_ID, ID_TRACEPARENT}, {"x-b3-spanid", HEADER_ID, ID_B3_SPAN}},
	[12] = {{"x-request-id", HEADER_ID, ID_REQUEST_ID},
		{"content-type", HEADER_TYPE, 0},
		{"x-b3-traceid", HEADER_ID, ID_B3_TRACE}},
	[13] = {{"authorization", HEADER_ID, ID_AUTHORIZATION},
		{"uber-trace-id", HEADER_ID, ID_UBER}},
	[14] = {{"content-length", HEADER_LENGTH, 0},
		{"x-datadog-tags", HEADER_ID, ID_DATADOG_TAGS}},
	[15] = {{"x-amzn-trace-id", HEADER_ID, ID_AMZN}},
	[16] = {{"x-correlation-id", HEADER_ID, ID_CORRELATION_ID}},
	[17] = {{"transfer-encoding", HEADER_TRANSFER, 0},
		{"sec-websocket-key", HEADER_ID, ID_WEBSOCKET_KEY}},
	[18] = {{"x-datadog-trace-id", HEADER_ID, ID_DATADOG_TRACE}},
	[19] = {{"x-datadog-parent-id", HEADER_ID, ID_DATADOG_PARENT}},
	[20] = {{"sec-websocket-accept", HEADER_ID, ID_WEBSOCKET_ACCEPT}},
	[22] = {{"sec-websocket-protocol", HEADER_ID, ID_WEBSOCKET_PROTOCOL}},
};
#define LENGTHS (sizeof(headers) / sizeof(headers[0]))

static const struct http1_header *header_find(struct str name)
{
	const struct http1_header *row = headers[name.n < LENGTHS ? name.n : 0];

	for (int i = 0; i < SAME_LENGTH && row[i].name; i++)
		if ((*name.p | 0x20) == *row[i].name &&
		    str_eq_nocase(name, (struct str){row[i].name, name.n}))
			return &row[i];
	return NULL;
}

/* An element of a list, which may stand on a line of its own. */
static struct str element_trim(struct str s)
{
	while (s.n && (unsigned char)*s.p <= ' ')
		s = str_from(s, 1);
	while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
		s.n--;
	return s;
}

/* Only the last coding says how the body ends; several fields are one list. */
static void transfer_set(struct http1_head *h, struct str value)
{
	struct str coding = {NULL, 0};

	while (value.p)
		coding = str_cut(&value, ',');
	coding = element_trim(str_cut(&coding, ';'));
	h->chunked = str_eq_nocase(coding, STR("chunked"));
	h->other_coding = !h->chunked && coding.n && !str_eq_nocase(coding, STR("identity"));
}

static void length_set(struct http1_head *h, struct str value)
{
	uint64_t length;

	do {
		if (!str_to_u64(str_trim(str_cut(&value, ',')), &length) ||
		    (h->has_length && length != h->length)) {
			h->bad_length = true;
			return;
		}
		h->has_length = true;
		h->length = length;
	} while (value.p);
}

/* The one protocol of the list that matters here; several fields are one list. */
static void upgrade_set(struct msg *msg, struct str value)
{
	while (value.p && !msg->ids[ID_UPGRADE].n) {
		struct str protocol = element_trim(str_cut(&value, ','));

		if (str_eq_nocase(protocol, STR("websocket")))
			msg->ids[ID_UPGRADE] = protocol;
	}
}

static void type_set(struct http1_head *h, struct str value)
{
	struct str media_type = str_trim(str_cut(&value, ';'));

	h->streams |= str_eq_nocase(media_type, STR("text/event-stream"));
}

/* The first one counts, and that there was a second traceparent. */
static void id_set(struct msg *msg, enum msg_id id, const struct http1_head *h)
{
	if (id == ID_TRACEPARENT && msg->ids[id].n)
		id = ID_TRACEPARENT_AGAIN;
	if (!msg->ids[id].n && !h->folded && h->value.n)
		msg->ids[id] = h->value;
}

static void field_take(struct http1_head *h, struct msg *msg)
{
	const struct http1_header *header = h->header;

	if (!header)
		return;
	h->header = NULL;
	switch (header->kind) {
	case HEADER_LENGTH:
		length_set(h, h->value);
		break;
	case HEADER_TRANSFER:
		transfer_set(h, h->value);
		break;
	case HEADER_TYPE:
		type_set(h, h->value);
		break;
	case HEADER_HOST:
		if (!msg->host.n && !h->folded)
			msg->host = http1_host_of(h->value);
		break;
	case HEADER_EXPECT:
		msg->expects |=
			msg->kind == MSG_REQUEST && str_eq_nocase(h->value, STR("100-continue"));
		break;
	case HEADER_UPGRADE:
		upgrade_set(msg, h->value);
		break;
	case HEADER_ID:
		id_set(msg, header->id, h);
		break;
	}
}

static void field_continue(struct http1_head *h, struct str line)
{
	struct str more = str_trim(line);

	if (!h->header || more.n == 0)
		return;
	if (h->value.n == 0) {
		h->value = more;
		return;
	}
	h->value.n = (size_t)(more.p + more.n - h->value.p);
	h->folded = true;
}

static int field_begin(enum msg_kind kind, struct http1_head *h, struct str line)
{
	struct str value = line, name = str_cut(&value, ':');

	if (!value.p || name.n == 0)
		return HTTP1_NOT_OURS;
	if (http1_is_blank(name.p[name.n - 1])) {
		if (kind == MSG_REQUEST)
			return HTTP1_NOT_OURS;
		name = str_trim(name);
	}
	h->any = true;
	h->header = header_find(name);
	h->value = str_trim(value);
	h->folded = false;
	return 0;
}

int http1_fields(enum msg_kind kind, struct http1_head *h, struct msg *msg)
{
	struct str line;

	while (http1_line_next(&h->rest, &line)) {
		if (line.n && http1_is_blank(*line.p)) {
			if (!h->any)
				return HTTP1_NOT_OURS;
			field_continue(h, line);
			continue;
		}
		field_take(h, msg);
		h->ended = line.n == 0;
		if (h->ended)
			return 0;
		if (field_begin(kind, h, line) < 0)
			return HTTP1_NOT_OURS;
	}
	if (h->rest.n && !http1_is_blank(*h->rest.p))
		field_take(h, msg);
	return 0;
}
