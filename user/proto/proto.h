/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a protocol is to Sonde: a row of constants and three pure functions. Bytes in, struct msg
 * out; no clock, no memory, no I/O, no globals. Results are views into the caller's bytes and live
 * as long as those. A new protocol is one file, one row in protos.h, and data folders of tests.
 */
#ifndef SONDE_PROTO_H
#define SONDE_PROTO_H

#include "base/str.h"

enum msg_kind {
	MSG_REQUEST = 0,
	MSG_RESPONSE = 1,
	MSG_INTERIM = 2, /* belongs to the answer but does not end it: HTTP 1xx except 101 */
};

/* How one will know that the message is over. */
enum msg_end {
	MSG_END_HERE = 0,   /* with the bytes consumed */
	MSG_END_LENGTH = 1, /* `body_left` more bytes */
	MSG_END_MARK = 2,   /* when the stream's last bytes are the protocol's end mark */
	MSG_END_CLOSE = 3,  /* when the connection closes */
};

/* Header values that carry ids, and those of a WebSocket's handshake; flow/ gives them their
 * meaning. */
enum msg_id {
	ID_REQUEST_ID,	      /* X-Request-ID */
	ID_CORRELATION_ID,    /* X-Correlation-ID */
	ID_TRACEPARENT,	      /* W3C Trace Context */
	ID_TRACEPARENT_AGAIN, /* another one, which W3C Trace Context forbids */
	ID_B3,		      /* b3, and its form in several headers */
	ID_B3_TRACE,
	ID_B3_SPAN,
	ID_UBER,	  /* uber-trace-id */
	ID_DATADOG_TRACE, /* x-datadog-trace-id, -parent-id, -tags */
	ID_DATADOG_PARENT,
	ID_DATADOG_TAGS,
	ID_AMZN,	  /* x-amzn-trace-id */
	ID_USER,	  /* X-User-ID */
	ID_AUTHORIZATION, /* its value is looked at where it lies, and never kept */
	ID_UPGRADE,	  /* "websocket", as it was written, if Upgrade names it */
	ID_WEBSOCKET_KEY, /* Sec-WebSocket-Key, -Accept, -Protocol; flow/handshake */
	ID_WEBSOCKET_ACCEPT,
	ID_WEBSOCKET_PROTOCOL,
	ID_COUNT,
};

struct msg {
	/* in: */
	bool cut; /* no further bytes of this head will come: make do with what is there */
	struct str request_op; /* parsing a response: the operation it answers, if known */
	/* out, and zero before: */
	enum msg_kind kind;
	uint64_t key;	   /* 0: answers come in order */
	struct str op;	   /* method */
	struct str target; /* path without query and fragment */
	struct str host;   /* without port */
	uint16_t status;   /* 0 in requests */
	struct str ids[ID_COUNT];
	struct str head;     /* its bytes, as far as they are here */
	uint32_t head_bytes; /* of the consumed ones; 0 if the head's end was not seen (only with
				cut) */
	enum msg_end end;
	uint64_t body_left; /* with MSG_END_LENGTH: bytes of the body beyond the consumed ones */
	bool tunnel;  /* from here on the connection speaks something else (101, CONNECT 2xx) */
	bool streams; /* its body lasts for as long as somebody listens: text/event-stream */
	bool expects; /* the client may leave the body out: Expect: 100-continue */
};

/* First bytes that give a protocol away; the kernel compares them masked. */
struct signature {
	const char *bytes;
	uint8_t length;	 /* 1 to 16 */
	uint8_t message; /* MSG_REQUEST or MSG_RESPONSE */
	bool tunnel;	 /* a 2xx answer turns the connection into a tunnel */
	const char *op;	 /* the operation that it proves, or NULL */
};

enum framing { PROTO_UNSEEN = 0, PROTO_LINE = 1, PROTO_FRAMES = 2 };

struct proto {
	const char *name;   /* label `protocol`, log field `protocol`, e.g. "http/1" */
	const char *logger; /* e.g. "sonde.http" */
	const struct signature *signatures;
	uint32_t signature_count;
	enum framing framing;
	/* Sure enough to call these bytes ours? 0 no, 1 maybe, 2 sure. kind: MSG_REQUEST or
	 * MSG_RESPONSE */
	int (*guess)(struct str head, enum msg_kind kind);
	/*
	 * One message from its first byte. Returns the bytes consumed (> 0: its head, and of its
	 * body what is there), 0 if the head goes on beyond the bytes (never with cut), < 0 if this
	 * is not ours.
	 */
	int64_t (*parse)(enum msg_kind kind, struct str bytes, struct msg *msg);
	/* With MSG_END_MARK: are these the last bytes of a message? tail: up to 8, most recent
	 * last. 0 no, 1 maybe, 2 sure */
	int (*ends)(struct str tail);
	/*
	 * The value of a header in a head that parse() has taken, whole or cut; absent if it is not
	 * there, empty, or spread over lines. Names have no case; of several fields, the first.
	 */
	struct str (*field)(struct str head, struct str name);
};

#endif
