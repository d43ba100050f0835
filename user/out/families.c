/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured: the metric families as rows of a table. A row names a family, its labels, its
 * bounds and the value of struct request that it takes. Names, labels and bounds follow
 * OpenTelemetry's semantic conventions where those exist.
 *
 * Invariants: values are whole nanoseconds and bytes, so that sums are exact; the row's scale makes
 * seconds of them only when they are printed. What a label says is bounded: see labels.c.
 */
#include "base/clock.h"
#include "out/registry.h"

bool request_failed(const struct request *r)
{
	return r->error != REQUEST_OK || r->status >= 500;
}

static bool server_duration(const struct request *r, uint64_t *value)
{
	*value = request_latency(r);
	return r->role == ROLE_SERVER;
}

static bool client_duration(const struct request *r, uint64_t *value)
{
	*value = request_latency(r);
	return r->role == ROLE_CLIENT;
}

static bool server_first_byte(const struct request *r, uint64_t *value)
{
	*value = r->first_byte - r->start;
	return r->role == ROLE_SERVER && r->start && r->first_byte >= r->start;
}

static bool server_queue(const struct request *r, uint64_t *value)
{
	*value = r->queued;
	return r->role == ROLE_SERVER && r->queued;
}

static bool server_request_body(const struct request *r, uint64_t *value)
{
	*value = r->request_bytes;
	return r->role == ROLE_SERVER && r->request_bytes != REQUEST_SIZE_UNKNOWN;
}

static bool server_response_body(const struct request *r, uint64_t *value)
{
	*value = r->response_bytes;
	return r->role == ROLE_SERVER && !r->stream && r->response_bytes != REQUEST_SIZE_UNKNOWN;
}

static bool refused_handshake(const struct request *r, uint64_t *value)
{
	*value = 1;
	return r->handshake == HANDSHAKE_REFUSED;
}

static const struct event_times *server_shed(const struct event_shed *shed, enum event_role of)
{
	return of == ROLE_SERVER ? &shed->duration : NULL;
}

static const struct event_times *client_shed(const struct event_shed *shed, enum event_role of)
{
	return of == ROLE_CLIENT ? &shed->duration : NULL;
}

static const struct event_times *server_shed_first(const struct event_shed *shed,
						   enum event_role of)
{
	return of == ROLE_SERVER ? &shed->first_byte : NULL;
}

static uint64_t life_opened(const struct event_life *life, enum event_role of)
{
	return life->opened[of];
}

static uint64_t life_failures(const struct event_life *life, enum event_role of)
{
	return of == ROLE_CLIENT ? life->connect_failures : 0;
}

static uint64_t life_retransmits(const struct event_life *life, enum event_role of)
{
	return life->retransmits[of];
}

static uint64_t life_unread(const struct event_life *life, enum event_role of)
{
	return of == ROLE_NONE ? life->uring_unread : 0;
}

static const uint64_t duration_ns[] = {
	100000,	    250000,	500000,	    1000000,	2500000,     5000000,	10000000,
	25000000,   50000000,	75000000,   100000000,	250000000,   500000000, 750000000,
	1000000000, 2500000000, 5000000000, 7500000000, 10000000000,
};
static const uint64_t life_ns[] = {
	1 * NS_PER_SECOND,    5 * NS_PER_SECOND,     15 * NS_PER_SECOND,    60 * NS_PER_SECOND,
	300 * NS_PER_SECOND,  900 * NS_PER_SECOND,   1800 * NS_PER_SECOND,  3600 * NS_PER_SECOND,
	7200 * NS_PER_SECOND, 14400 * NS_PER_SECOND, 28800 * NS_PER_SECOND, 86400 * NS_PER_SECOND,
};
static const uint64_t size_bytes[] = {
	64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct bounds durations = {duration_ns, LENGTH(duration_ns), 1e9};
static const struct bounds lives = {life_ns, LENGTH(life_ns), 1e9};
static const struct bounds sizes = {size_bytes, LENGTH(size_bytes), 1};

_Static_assert(LENGTH(duration_ns) < BUCKETS_MAX && LENGTH(life_ns) < BUCKETS_MAX &&
		       LENGTH(size_bytes) < BUCKETS_MAX,
	       "buckets");

unsigned metrics_duration_bounds(const uint64_t **bounds)
{
	*bounds = durations.values;
	return durations.count;
}

/* clang-format off */
const struct family families[FAMILY_COUNT] = {
	[FAMILY_SERVER_DURATION] = {
		.prom = {"http_server_request_duration_seconds", PROM_HISTOGRAM, "seconds",
			 "From the first byte of a request that a server read to the last byte of "
			 "its response."},
		.label_count = 4,
		.labels = {&label_method, &label_route, &label_status, &label_error},
		.bounds = &durations,
		.exemplars = true,
		.value = server_duration,
		.shed = server_shed,
	},
	[FAMILY_CLIENT_DURATION] = {
		.prom = {"http_client_request_duration_seconds", PROM_HISTOGRAM, "seconds",
			 "From the first byte of a request that a client wrote to the last byte of "
			 "its response."},
		.label_count = 5,
		.labels = {&label_method, &label_route, &label_status, &label_error, &label_address},
		.bounds = &durations,
		.exemplars = true,
		.value = client_duration,
		.shed = client_shed,
	},
	[FAMILY_TIME_TO_FIRST_BYTE] = {
		.prom = {"http_server_time_to_first_byte_seconds", PROM_HISTOGRAM, "seconds",
			 "From the first byte of a request that a server read to the first byte of "
			 "its response."},
		.bounds = &durations,
		.value = server_first_byte,
		.shed = server_shed_first,
	},
	[FAMILY_QUEUE] = {
		.prom = {"http_server_request_queue_seconds", PROM_HISTOGRAM, "seconds",
			 "From the arrival of a request's first byte until a server read it."},
		.bounds = &durations,
		.value = server_queue,
	},
	[FAMILY_REQUEST_BODY] = {
		.prom = {"http_server_request_body_size_bytes", PROM_HISTOGRAM, "bytes",
			 "Bodies of requests to a server, as they were on the wire."},
		.bounds = &sizes,
		.value = server_request_body,
	},
	[FAMILY_RESPONSE_BODY] = {
		.prom = {"http_server_response_body_size_bytes", PROM_HISTOGRAM, "bytes",
			 "Bodies of responses of a server, as they were on the wire."},
		.bounds = &sizes,
		.value = server_response_body,
	},
	[FAMILY_ACTIVE] = {
		.prom = {"http_server_active_requests", PROM_GAUGE, NULL,
			 "Requests that a server is working on."},
		.every = true,
	},
	[FAMILY_STREAMS] = {
		.prom = {"http_server_streams", PROM_GAUGE, NULL,
			 "Responses of type text/event-stream that a server has begun and not "
			 "ended."},
		.label_count = 1,
		.labels = {&label_route},
		.every = true,
	},
	[FAMILY_STREAMS_OPENED] = {
		.prom = {"http_server_streams_opened_total", PROM_COUNTER, NULL,
			 "Responses of type text/event-stream that a server has begun."},
		.label_count = 1,
		.labels = {&label_route},
		.every = true,
	},
	[FAMILY_STREAM_DURATION] = {
		.prom = {"http_server_stream_duration_seconds", PROM_HISTOGRAM, "seconds",
			 "From the first byte of a server's text/event-stream response to its "
			 "end."},
		.label_count = 1,
		.labels = {&label_route},
		.bounds = &lives,
		.every = true,
	},
	[FAMILY_STREAM_BYTES] = {
		.prom = {"http_server_stream_bytes_total", PROM_COUNTER, "bytes",
			 "Bodies of a server's text/event-stream responses, as they were on the "
			 "wire."},
		.label_count = 1,
		.labels = {&label_route},
		.every = true,
	},
	[FAMILY_CONNECTIONS_OPENED] = {
		.prom = {"tcp_connections_opened_total", PROM_COUNTER, NULL,
			 "TCP connections that were established."},
		.label_count = 1,
		.labels = {&label_role},
		.life = life_opened,
	},
	[FAMILY_CONNECT_FAILURES] = {
		.prom = {"tcp_connect_failures_total", PROM_COUNTER, NULL,
			 "TCP connections that could not be established."},
		.label_count = 1,
		.labels = {&label_role},
		.life = life_failures,
	},
	[FAMILY_RETRANSMITS] = {
		.prom = {"tcp_retransmits_total", PROM_COUNTER, NULL,
			 "TCP segments that were sent again."},
		.label_count = 1,
		.labels = {&label_role},
		.life = life_retransmits,
	},
	[FAMILY_UNSEEN_IO] = {
		.prom = {"sonde_unseen_io_total", PROM_COUNTER, NULL,
			 "Sends and receives of a process whose bytes could not be read."},
		.label_count = 1,
		.labels = {&label_reason},
		.life = life_unread,
		.life_label = "io_uring",
	},
	[FAMILY_WEBSOCKET_CONNECTIONS] = {
		.prom = {"websocket_connections", PROM_GAUGE, NULL,
			 "WebSocket connections that are open now."},
		.label_count = 1,
		.labels = {&label_role},
	},
	[FAMILY_WEBSOCKET_OPENED] = {
		.prom = {"websocket_connections_opened_total", PROM_COUNTER, NULL,
			 "WebSocket connections that were opened, or found open by the agent."},
		.label_count = 1,
		.labels = {&label_role},
	},
	[FAMILY_WEBSOCKET_CLOSED] = {
		.prom = {"websocket_connections_closed_total", PROM_COUNTER, NULL,
			 "WebSocket connections that ended, by the code of the first close frame "
			 "(1005: it had none, 1006: there was no close frame) and by who ended it."},
		.label_count = 3,
		.labels = {&label_role, &label_close_code, &label_initiator},
	},
	[FAMILY_WEBSOCKET_RECONNECTS] = {
		.prom = {"websocket_reconnects_total", PROM_COUNTER, NULL,
			 "WebSocket connections to a server from a client that had lost one to it "
			 "shortly before (--websocket-reconnect-window)."},
	},
	[FAMILY_WEBSOCKET_HANDSHAKE_FAILURES] = {
		.prom = {"websocket_handshake_failures_total", PROM_COUNTER, NULL,
			 "Requests for a WebSocket that were not answered with 101 and the right "
			 "accept key."},
		.label_count = 1,
		.labels = {&label_role},
		.value = refused_handshake,
	},
	[FAMILY_WEBSOCKET_MESSAGES] = {
		.prom = {"websocket_messages_total", PROM_COUNTER, NULL,
			 "WebSocket messages that were sent or received whole; control frames are "
			 "messages of their own."},
		.label_count = 3,
		.labels = {&label_role, &label_direction, &label_type},
	},
	[FAMILY_WEBSOCKET_MESSAGE_BYTES] = {
		.prom = {"websocket_message_bytes_total", PROM_COUNTER, "bytes",
			 "Payload of WebSocket messages, as it was on the wire."},
		.label_count = 3,
		.labels = {&label_role, &label_direction, &label_type},
	},
	[FAMILY_WEBSOCKET_DURATION] = {
		.prom = {"websocket_connection_duration_seconds", PROM_HISTOGRAM, "seconds",
			 "How long WebSocket connections that ended had been open."},
		.label_count = 1,
		.labels = {&label_role},
		.bounds = &lives,
	},
	[FAMILY_WEBSOCKET_PING_RTT] = {
		.prom = {"websocket_ping_rtt_seconds", PROM_HISTOGRAM, "seconds",
			 "From a ping that a process sent to the pong that it received."},
		.label_count = 1,
		.labels = {&label_role},
		.bounds = &durations,
	},
	[FAMILY_WEBSOCKET_UNDELIVERED] = {
		.prom = {"websocket_undelivered_bytes_total", PROM_COUNTER, "bytes",
			 "Bytes that a process wrote to a WebSocket connection and that its peer had "
			 "not acknowledged when the connection died."},
	},
	[FAMILY_WEBSOCKET_UNSEEN] = {
		.prom = {"websocket_unseen_bytes_total", PROM_COUNTER, "bytes",
			 "Bytes of WebSocket connections that could not be read: the messages in "
			 "them are not counted."},
		.label_count = 2,
		.labels = {&label_role, &label_direction},
	},
	[FAMILY_WEBSOCKET_PROTOCOL_ERRORS] = {
		.prom = {"websocket_protocol_errors_total", PROM_COUNTER, NULL,
			 "Directions of WebSocket connections on which a frame came that RFC 6455 "
			 "forbids; what follows on them is not counted."},
		.label_count = 2,
		.labels = {&label_role, &label_direction},
	},
};
/* clang-format on */
