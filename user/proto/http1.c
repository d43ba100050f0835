/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.0 and 1.1 by RFC 9112, as lenient as real servers: bare LF ends a line, two empty lines
 * may stand before a request, folded fields, any token as a method, a missing reason phrase.
 *
 * One forward pass. The invariant: a longer prefix of the same bytes never takes back what a
 * shorter one said: the start line is judged in http1_line.c as it comes, fields in http1_fields.c
 * a line at a time. Here is what they mean together: how a message ends, and where.
 *
 * It refuses what can never be HTTP/1: bad tokens, control bytes in the request line, another
 * version, a status that is not three digits, a field without a name, NUL in a head, and requests
 * whose length is a lie.
 */
#include "base/hex.h"
#include "proto/http1.h"
#include "proto/protos.h"

#include <string.h>

#define EMPTY_LINES 2 /* that may stand before a request */

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

/* 1 if the line was complete, 0 if not, or HTTP1_NOT_OURS. */
static int start_line(enum msg_kind kind, struct http1_head *h, struct msg *msg)
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

static bool is_interim(const struct msg *msg)
{
	return msg->status >= 100 && msg->status < 200 && msg->status != 101;
}

static bool is_tunnel(const struct msg *msg)
{
	return msg->status == 101 ||
	       (msg->status / 100 == 2 && str_eq(msg->request_op, STR("CONNECT")));
}

static enum msg_end response_end(const struct http1_head *h, const struct msg *msg)
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

static enum msg_end request_end(const struct http1_head *h)
{
	if (!h->ended)
		return MSG_END_HERE;
	if (h->chunked)
		return MSG_END_MARK;
	return h->has_length ? MSG_END_LENGTH : MSG_END_HERE;
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
	return n > 0 && (n == line.n || line.p[n] == ';' || http1_is_blank(line.p[n]));
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
	struct http1_head h = {.rest = bytes};
	int whole;

	msg->kind = kind;
	whole = start_line(kind, &h, msg);
	if (whole < 0 || (whole && http1_fields(kind, &h, msg) < 0) || (msg->cut && bytes.n == 0))
		return HTTP1_NOT_OURS;
	if (!h.ended && !msg->cut)
		return 0;
	if (!h.ended)
		h.rest = str_from(bytes, bytes.n);
	msg->head = (struct str){bytes.p, bytes.n - h.rest.n};
	if (memchr(msg->head.p, '\0', msg->head.n))
		return HTTP1_NOT_OURS;
	if (kind == MSG_REQUEST && h.ended && h.bad_length && !h.chunked)
		return HTTP1_NOT_OURS;

	if (kind != MSG_REQUEST && is_interim(msg))
		msg->kind = MSG_INTERIM;
	msg->tunnel = kind != MSG_REQUEST && is_tunnel(msg);
	msg->end = kind == MSG_REQUEST ? request_end(&h) : response_end(&h, msg);
	msg->body_left = msg->end == MSG_END_LENGTH ? h.length : 0;
	msg->streams = h.streams && msg->status / 100 == 2 && msg->end != MSG_END_HERE;
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
	struct http1_head h = {.rest = head};
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
	.field = http1_named,
};
