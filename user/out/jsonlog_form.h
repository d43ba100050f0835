/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in a log line: its fields by name, which of them are wanted, and the lines alone, for
 * tests and benches. The names of an owner are written once and kept, as they stand in its lines.
 */
#ifndef SONDE_JSONLOG_FORM_H
#define SONDE_JSONLOG_FORM_H

#include "flow/websocket.h"

struct clock;

#define JSONLOG_LINE_MAX 16000 /* bytes with the newline: CRI runtimes split at 16,384 */

/* Those that --log-fields chooses from, in the order of a line. Before them stand, always,
 * timestamp, level, logger and message; behind them the headers that were asked for. */
#define JSONLOG_FIELDS(F)    \
	F(request_id)        \
	F(user_id)           \
	F(trace_id)          \
	F(span_id)           \
	F(parent_span_id)    \
	F(parent_source)     \
	F(request_id_source) \
	F(service)           \
	F(namespace)         \
	F(pod)               \
	F(container)         \
	F(node)              \
	F(role)              \
	F(protocol)          \
	F(method)            \
	F(event)             \
	F(path)              \
	F(route)             \
	F(subprotocol)       \
	F(resumed)           \
	F(reconnect)         \
	F(status)            \
	F(error)             \
	F(stream)            \
	F(duration_ms)       \
	F(ttfb_ms)           \
	F(request_bytes)     \
	F(response_bytes)    \
	F(messages_sent)     \
	F(messages_received) \
	F(bytes_sent)        \
	F(bytes_received)    \
	F(unseen_bytes)      \
	F(close_code)        \
	F(close_reason)      \
	F(initiator)         \
	F(undelivered_bytes) \
	F(peer)              \
	F(pid)

#define JSONLOG_FIELD_NUMBER(name) JSONLOG_##name,
enum jsonlog_field { JSONLOG_FIELDS(JSONLOG_FIELD_NUMBER) JSONLOG_FIELD_COUNT };

#define JSONLOG_BIT(name)   (1ULL << JSONLOG_##name)
#define JSONLOG_FIELDS_ALL  ((1ULL << JSONLOG_FIELD_COUNT) - 1)
#define JSONLOG_FIELDS_NONE (1ULL << JSONLOG_FIELD_COUNT) /* but those that always stand */

extern const char *const jsonlog_field_names[JSONLOG_FIELD_COUNT];

struct jsonlog_form_options {
	const char *node;    /* or NULL */
	struct clock *clock; /* borrowed */
	uint64_t fields;     /* JSONLOG_BIT() of those that are wanted; 0: all */
	/* Names of the headers that requests keep, in the order of struct request_headers. */
	const struct str *headers;
	unsigned header_count;
};

#define JSONLOG_HEADER_KEY  80 /* ,"header_x_tenant": */
#define JSONLOG_HEADER_NAME (JSONLOG_HEADER_KEY - 11)
#define JSONLOG_OWNERS	    64
#define JSONLOG_OWNER_BYTES 500

struct jsonlog_owner {
	uint32_t id; /* 0: none */
	uint32_t length;
	char text[JSONLOG_OWNER_BYTES];
};

struct jsonlog_form {
	struct str node;
	struct clock *clock;
	uint64_t fields;
	unsigned header_count;
	uint8_t key_length[REQUEST_HEADERS_MAX];
	char key[REQUEST_HEADERS_MAX][JSONLOG_HEADER_KEY];
	struct jsonlog_owner owners[JSONLOG_OWNERS]; /* by their id's rest */
};

/* The key of a header, with comma, quotes and colon; returns its length. */
size_t jsonlog_header_key(char key[static JSONLOG_HEADER_KEY], struct str name);

void jsonlog_form_init(struct jsonlog_form *form, const struct jsonlog_form_options *options);

/* The lines with their newline; `to` has room for JSONLOG_LINE_MAX bytes. Return their length. */
size_t jsonlog_format(struct jsonlog_form *form, char *to, const struct request *r);
size_t jsonlog_format_websocket(struct jsonlog_form *form, char *to, enum websocket_event what,
				const struct websocket *w, uint64_t now);

#endif
