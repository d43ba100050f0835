/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the target for the user half takes: two bytes of options, then steps. A step is a byte of
 * kind and connection, a byte of flags, a byte of length, and as many bytes. Positions, numbers and
 * times of records go on as the kernel half's would, unless a step says otherwise; the bytes of
 * heads are whatever stands there.
 */
#ifndef SONDE_FLOW_INPUT_H
#define SONDE_FLOW_INPUT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "fuzz.h"

#define INPUT_LINKS   8
#define INPUT_OPTIONS 2

enum step_kind {
	STEP_OPEN,
	STEP_REQUEST,
	STEP_RESPONSE,
	STEP_END,
	STEP_CLOSE,
	STEP_WEBSOCKET,
	STEP_PROCESS, /* exec, or exit */
	STEP_RAW,     /* a record of any bytes */
	STEP_KINDS,
};

/* Flags of requests and responses; the low ones are those of struct event_data. */
enum { STEP_JUMPS = 32, STEP_MORE = 64, STEP_TICKS = 128 };

struct step {
	enum step_kind kind;
	unsigned link;
	uint8_t flags;
	const uint8_t *bytes;
	size_t n;
};

/* False at the end. */
static inline bool step_take(const uint8_t **input, size_t *left, struct step *s)
{
	const uint8_t *p = *input;

	if (*left < 3)
		return false;
	s->kind = p[0] % STEP_KINDS;
	s->link = p[0] / STEP_KINDS % INPUT_LINKS;
	s->flags = p[1];
	s->n = (size_t)p[2] * 4 < *left - 3 ? (size_t)p[2] * 4 : *left - 3;
	s->bytes = p + 3;
	*input += 3 + s->n;
	*left -= 3 + s->n;
	return true;
}

struct input_text {
	uint8_t *bytes;
	size_t n;
};

static inline uint32_t input_draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(*seed >> 32) % below;
}

/* Bytes are filled with blanks up to a multiple of four, which is how a step counts them. */
static inline void input_step(struct input_text *t, enum step_kind kind, unsigned link,
			      uint8_t flags, const char *bytes, size_t n)
{
	size_t rounded = (n + 3) / 4 * 4;

	if (rounded > 1020 || t->n + 3 + rounded > FUZZ_INPUT_MAX)
		return;
	t->bytes[t->n++] = (uint8_t)(kind + link * STEP_KINDS);
	t->bytes[t->n++] = flags;
	t->bytes[t->n++] = (uint8_t)(rounded / 4);
	memset(t->bytes + t->n, ' ', rounded);
	memcpy(t->bytes + t->n, bytes, n);
	t->n += rounded;
}

#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static const char *const input_starts[] = {
	"GET /a\"b\\c HTTP/1.1\r\n",
	"POST /\xff\xe2\x82\xed\xa0\x80\xc2\x85\xe2\x80\xa8/1234 HTTP/1.1\r\n",
	"PURGE /x?secret HTTP/1.0\r\n",
	"OPTIONS * HTTP/1.1\r\n",
	"CONNECT u:p@h:443 HTTP/1.1\r\n",
	"GET http://u:p@h/a HTTP/1.1\r\n",
	"GET /ws HTTP/1.1\r\n" UPGRADE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
};
static const char *const input_fields[] = {
	"X-Request-ID: \",\"level\":\"ERROR\r\n",
	"X-Tenant: \x01\x1f\x7f\xc2\x80\xf0\x9f\x98\x80\xf0\x9f\r\n",
	"X-Tenant: a\r\n b\r\n",
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
	"X-User-ID: ann\xff\r\n",
	"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.\r\n",
	"Content-Length: 5\r\n",
	"Transfer-Encoding: chunked\r\n",
	"Host: h\r\n",
};
static const char *const input_answers[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Other: \xc0\xaf\"\r\n",
	"HTTP/1.1 503 \xff\r\nContent-Length: 2\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 x\r\nContent-Length: 0\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n",
	"HTTP/1.1 101 x\r\n" UPGRADE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
	"HTTP/1.1 404 Not Found\r\n",
};

#define PICK(seed, list) list[input_draw(seed, sizeof(list) / sizeof((list)[0]))]

static inline void input_head(struct input_text *t, uint64_t *seed, enum step_kind kind,
			      unsigned link)
{
	char head[1024];
	size_t n = (size_t)snprintf(head, sizeof(head), "%s",
				    kind == STEP_REQUEST ? PICK(seed, input_starts)
							 : PICK(seed, input_answers));

	for (uint32_t i = input_draw(seed, 5); i > 0 && n < 700; i--)
		n += (size_t)snprintf(head + n, sizeof(head) - n, "%s", PICK(seed, input_fields));
	n += (size_t)snprintf(head + n, sizeof(head) - n, "\r\n");
	if (!input_draw(seed, 3)) /* so that the end stands at the end */
		n -= n % 4;
	if (!input_draw(seed, 5))
		head[input_draw(seed, (uint32_t)n)] = (char)input_draw(seed, 256);
	input_step(t, kind, link, DATA_START, head, n);
}

/* An input for each seed, always the same: conversations on a few connections. */
static inline size_t input_make(uint64_t seed, uint8_t input[FUZZ_INPUT_MAX])
{
	struct input_text t = {input, 0};
	char noise[64];

	for (; t.n < INPUT_OPTIONS; t.n++)
		input[t.n] = (uint8_t)input_draw(&seed, 256);
	for (unsigned i = 0; i < 4 + input_draw(&seed, 8); i++) {
		unsigned link = input_draw(&seed, INPUT_LINKS);

		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = (char)input_draw(&seed, 256);
		input_step(&t, STEP_OPEN, link, (uint8_t)input_draw(&seed, 4), "", 0);
		input_head(&t, &seed, STEP_REQUEST, link);
		input_head(&t, &seed, STEP_RESPONSE, link);
		input_step(&t, input_draw(&seed, STEP_KINDS), link, (uint8_t)input_draw(&seed, 256),
			   noise, input_draw(&seed, sizeof(noise)));
		input_step(&t, STEP_CLOSE, link, STEP_TICKS * input_draw(&seed, 2), "", 0);
	}
	return t.n;
}

#endif
