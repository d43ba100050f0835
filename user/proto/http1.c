/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.0 and 1.1 by RFC 9112, as lenient as real servers: bare LF ends a line, two empty lines
 * may stand before a request, folded fields, any token as a method, a missing reason phrase.
 *
 * One forward pass. The invariant: a longer prefix of the same bytes never takes back what a
 * shorter one said, since fields are judged a line at a time (the start line, in http1_line.c, as
 * it comes). A field is taken when the next line begins, because that line may continue it; a value
 * that spans lines is good enough for framing, never for an id or a host: those are views, and
 * cannot be joined.
 *
 * It refuses what can never be HTTP/1: bad tokens, control bytes in the request line, another
 * version, a status that is not three digits, a field without a name, NUL in a head, and requests
 * whose length is a lie. It keeps no header but those of the table below, and no query.
 */
#include "proto/http1.h"
#include "proto/protos.h"

#include <string.h>

#define EMPTY_LINES 2 /* that may stand before a request */

enum header {
	HEADER_NONE,
	HEADER_HOST,
	HEADER_EXPECT,
	HEADER_LENGTH,
	HEADER_TRANSFER,
	HEADER_ID,
};

struct head {
	struct str rest;
	enum header header; /* of the field that may still be continued */
	enum msg_id id;
	struct str value;
	bool folded;
	bool any;   /* a field was seen, so a line may continue it */
	bool ended; /* the empty line was seen */
	bool chunked, other_coding;
	bool has_length, bad_length;
	uint64_t length;
};

/* By the length of the name, so that most fields cost no comparison. Two names of one length would
 * not compile: then this becomes a search. */
static const struct header_row {
	const char *name;
	enum header header;
	enum msg_id id;
} headers[] = {
	[4] = {"host", HEADER_HOST, 0},
	[6] = {"expect", HEADER_EXPECT, 0},
	[9] = {"x-user-id", HEADER_ID, ID_USER},
	[11] = {"traceparent", HEADER_ID, ID_TRACEPARENT},
	[12] = {"x-request-id", HEADER_ID, ID_REQUEST_ID},
	[14] = {"content-length", HEADER_LENGTH, 0},
	[16] = {"x-correlation-id", HEADER_ID, ID_CORRELATION_ID},
	[17] = {"transfer-encoding", HEADER_TRANSFER, 0},
};

#define REQUEST(bytes, op)                                       \
	{                                                        \
		bytes, sizeof(bytes) - 1, MSG_REQUEST, false, op \
	}

static const struct signature signatures[] = {
	REQUEST("GET /", "GET"),
	REQUEST("GET http://", "GET"),
	REQUEST("HEAD /", "HEAD"),
	REQUEST("POST /", "POST"),
	REQUEST("PUT /", "PUT"),
	REQUEST("DELETE /", "DELETE"),
	REQUEST("OPTIONS /", "OPTIONS"),
	REQUEST("OPTIONS *", "OPTIONS"),
	REQUEST("PATCH /", "PATCH"),
	REQUEST("TRACE /", "TRACE"),
	{"CONNECT ", 8, MSG_REQUEST, true, "CONNECT"},
	/* registered methods too long for the kernel half's rule of any token and a target */
	REQUEST("VERSION-CONTROL ", "VERSION-CONTROL"),
	REQUEST("BASELINE-CONTROL", NULL),
	REQUEST("UPDATEREDIRECTRE", NULL),
	{"HTTP/1.", 7, MSG_RESPONSE, false, NULL},
};
#define SIGNATURE_COUNT (sizeof(signatures) / sizeof(signatures[0]))

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* 1 if the line was complete, 0 if not, or HTTP1_NOT_OURS. */
static int start_line(enum msg_kind kind, struct head *h, struct msg *msg)
{
	struct str line;
	bool whole = http1_line_next(&h->rest, &line);
	int err;

	for (int i = 0; i < EMPTY_LINES && kind == MSG_REQUEST && whole && line.n == 0; i++)
		whole = http1_line_next(&h->rest, &line);
	err = kind == MSG_REQUEST ? http1_request_line(line, whole, msg)
				  : http1_status_line(line, whole, msg);
	return err < 0 ? err : whole;
}

/* Only the last coding says how the body ends; several fields are one list. */
static void transfer_set(struct head *h, struct str value)
{
	struct str coding = {NULL, 0};

	while (value.p)
		coding = str_cut(&value, ',');
	coding = str_trim(str_cut(&coding, ';'));
	while (coding.n && (unsigned char)*coding.p <= ' ')
		coding = str_from(coding, 1);
	h->chunked = str_eq_nocase(coding, STR("chunked"));
	h->other_coding = !h->chunked && coding.n && !str_eq_nocase(coding, STR("identity"));
}

static void length_set(struct head *h, struct str value)
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

static void field_take(struct head *h, struct msg *msg)
{
	switch (h->header) {
	case HEADER_NONE:
		break;
	case HEADER_LENGTH:
		length_set(h, h->value);
		break;
	case HEADER_TRANSFER:
		transfer_set(h, h->value);
		break;
	case HEADER_HOST:
		if (!msg->host.n && !h->folded)
			msg->host = http1_host_of(h->value);
		break;
	case HEADER_EXPECT:
		msg->expects |=
			msg->kind == MSG_REQUEST && str_eq_nocase(h->value, STR("100-continue"));
		break;
	case HEADER_ID:
		if (!msg->ids[h->id].n && !h->folded && h->value.n)
			msg->ids[h->id] = h->value;
		break;
	}
	h->header = HEADER_NONE;
}

static void field_continue(struct head *h, struct str line)
{
	struct str more = str_trim(line);

	if (h->header == HEADER_NONE || more.n == 0)
		return;
	if (h->value.n == 0) {
		h->value = more;
		return;
	}
	h->value.n = (size_t)(more.p + more.n - h->value.p);
	h->folded = true;
}

static int field_begin(enum msg_kind kind, struct head *h, struct str line)
{
	struct str value = line, name = str_cut(&value, ':');
	const struct header_row *row;

	if (!value.p || name.n == 0)
		return HTTP1_NOT_OURS;
	if (is_blank(name.p[name.n - 1])) {
		if (kind == MSG_REQUEST)
			return HTTP1_NOT_OURS;
		name = str_trim(name);
	}
	h->any = true;
	row = &headers[name.n < sizeof(headers) / sizeof(headers[0]) ? name.n : 0];
	if (!row->name || !str_eq_nocase(name, (struct str){row->name, name.n}))
		return 0;
	h->header = row->header;
	h->id = row->id;
	h->value = str_trim(value);
	h->folded = false;
	return 0;
}

static int fields(enum msg_kind kind, struct head *h, struct msg *msg)
{
	struct str line;

	while (http1_line_next(&h->rest, &line)) {
		if (line.n && is_blank(*line.p)) {
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
	if (h->rest.n && !is_blank(*h->rest.p))
		field_take(h, msg);
	return 0;
}

static bool is_interim(const struct msg *msg)
{
	return msg->status >= 100 && msg->status < 200 && msg->status != 101;
}

static bool is_tunnel(const struct msg *msg)
{
	return msg->status == 101 ||
	       (msg->status / 100 == 2 && str_eq(msg->request_op, STR("CONNECT")));
}

static enum msg_end response_end(const struct head *h, const struct msg *msg)
{
	if (msg->kind == MSG_INTERIM || msg->tunnel || msg->status == 204 || msg->status == 304 ||
	    str_eq(msg->request_op, STR("HEAD")))
		return MSG_END_HERE;
	if (h->chunked)
		return MSG_END_MARK;
	if (h->other_coding || h->bad_length || !h->has_length)
		return MSG_END_CLOSE;
	return MSG_END_LENGTH;
}

static enum msg_end request_end(const struct head *h)
{
	if (!h->ended)
		return MSG_END_HERE;
	if (h->chunked)
		return MSG_END_MARK;
	return h->has_length ? MSG_END_LENGTH : MSG_END_HERE;
}

static int hex_digit(char c)
{
	char letter = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The size at the start of a chunk's line; false if there is none, or an absurd one. */
static bool chunk_size(struct str line, uint64_t *size)
{
	size_t n = 0;

	for (*size = 0; n < line.n && hex_digit(line.p[n]) >= 0; n++) {
		if (*size >> 60)
			return false;
		*size = *size << 4 | (uint64_t)hex_digit(line.p[n]);
	}
	return n > 0 && (n == line.n || line.p[n] == ';' || is_blank(line.p[n]));
}

/* True if the last chunk and its trailers are there: *body is then what follows them. */
static bool chunks_end(struct str *body)
{
	struct str line;
	uint64_t size;

	while (http1_line_next(body, &line)) {
		if (!chunk_size(line, &size))
			return false;
		if (size == 0) {
			while (http1_line_next(body, &line))
				if (line.n == 0)
					return true;
			return false;
		}
		*body = str_from(*body, size);
		if (!http1_line_next(body, &line) || line.n)
			return false;
	}
	return false;
}

/* Takes what is there of the body and says how the rest will end. Returns the bytes taken. */
static size_t body_take(struct str body, struct msg *msg)
{
	struct str rest = body;
	size_t n = 0;

	if (msg->end == MSG_END_LENGTH) {
		n = msg->body_left < body.n ? (size_t)msg->body_left : body.n;
		msg->body_left -= n;
		if (msg->body_left == 0)
			msg->end = MSG_END_HERE;
	} else if (msg->end == MSG_END_MARK && chunks_end(&rest)) {
		n = body.n - rest.n;
		msg->end = MSG_END_HERE;
	} else if (msg->end != MSG_END_HERE) {
		n = body.n;
	}
	return n;
}

static int64_t http1_parse(enum msg_kind kind, struct str bytes, struct msg *msg)
{
	struct head h = {.rest = bytes};
	int whole;

	*msg = (struct msg){.cut = msg->cut, .request_op = msg->request_op, .kind = kind};
	whole = start_line(kind, &h, msg);
	if (whole < 0 || (whole && fields(kind, &h, msg) < 0) || (msg->cut && bytes.n == 0))
		return HTTP1_NOT_OURS;
	if (!h.ended && !msg->cut)
		return 0;
	if (!h.ended)
		h.rest = str_from(bytes, bytes.n);
	if (memchr(bytes.p, '\0', bytes.n - h.rest.n))
		return HTTP1_NOT_OURS;
	if (kind == MSG_REQUEST && h.ended && h.bad_length && !h.chunked)
		return HTTP1_NOT_OURS;

	if (kind != MSG_REQUEST && is_interim(msg))
		msg->kind = MSG_INTERIM;
	msg->tunnel = kind != MSG_REQUEST && is_tunnel(msg);
	msg->end = kind == MSG_REQUEST ? request_end(&h) : response_end(&h, msg);
	msg->body_left = msg->end == MSG_END_LENGTH ? h.length : 0;
	if (!h.ended)
		return (int64_t)bytes.n;
	msg->head_bytes = (uint32_t)(bytes.n - h.rest.n);
	return (int64_t)(msg->head_bytes + body_take(h.rest, msg));
}

/* Trailers end like a chunk of text that ends with an empty line. */
static int http1_ends(struct str tail)
{
	if (str_has_suffix(tail, STR("\r\n0\r\n\r\n")) || str_eq(tail, STR("0\r\n\r\n")))
		return 2;
	return tail.n < 3 || str_has_suffix(tail, STR("\n\r\n")) ? 1 : 0;
}

static bool is_known(struct str op)
{
	for (size_t i = 0; i < SIGNATURE_COUNT; i++)
		if (op.n && str_eq(op, str_of(signatures[i].op)))
			return true;
	return false;
}

static bool begins_known(struct str head)
{
	for (size_t i = 0; i < SIGNATURE_COUNT; i++)
		if (head.n && signatures[i].op && str_has_prefix(str_of(signatures[i].op), head))
			return true;
	return false;
}

static int http1_guess(struct str head, enum msg_kind kind)
{
	struct head h = {.rest = head};
	struct msg msg = {0};
	int whole = start_line(kind, &h, &msg);

	if (whole < 0 || head.n == 0)
		return 0;
	if (whole || (is_known(msg.op) && msg.target.n))
		return 2;
	if (kind != MSG_REQUEST)
		return head.n < 7 ? 1 : 2;
	return msg.op.n || begins_known(head) ? 1 : 0;
}

const struct proto proto_http1 = {
	.name = "http/1",
	.logger = "sonde.http",
	.signatures = signatures,
	.signature_count = SIGNATURE_COUNT,
	.framing = PROTO_LINE,
	.guess = http1_guess,
	.parse = http1_parse,
	.ends = http1_ends,
};
