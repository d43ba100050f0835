/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured: the metric families as rows of a table. A row names a family, its labels, its
 * bounds and the value of struct request that it takes. Names, labels and bounds follow
 * OpenTelemetry's semantic conventions where those exist.
 *
 * Invariants: every label has few values or a cap. Methods outside the known ones are `_OTHER`;
 * routes and addresses are bounded a service, past that they are "other"; a status above 999 is
 * none. Values are whole nanoseconds and bytes, so that sums are exact; the row's scale makes
 * seconds of them only when they are printed.
 */
#include "out/addr.h"
#include "out/registry.h"

const char *const identity_label_names[IDENTITY_LABELS] = {
	[LABEL_SERVICE] = "service",
	[LABEL_NAMESPACE] = "namespace",
	[LABEL_POD] = "pod",
	[LABEL_CONTAINER] = "container",
};

const char *const known_methods[] = {
	"_OTHER", "GET",     "POST",  "PUT",	 "DELETE", "PATCH",
	"HEAD",	  "OPTIONS", "TRACE", "CONNECT", NULL,
};

bool request_failed(const struct request *r)
{
	return r->error != REQUEST_OK || r->status >= 500;
}

uint64_t request_duration(const struct request *r)
{
	return r->start && r->end > r->start ? r->end - r->start : 0;
}

static const struct word *label_method(struct observation *o)
{
	struct str op = request_str(o->request, op);
	struct metrics *m = o->metrics;

	for (unsigned i = 1; m->methods[i]; i++)
		if (str_eq(op, m->methods[i]->text))
			return m->methods[i];
	return m->methods[0];
}

static const struct word *new_status_word(struct metrics *m, uint16_t status)
{
	char digits[8];
	struct buf b;

	buf_init_fixed(&b, digits, sizeof(digits));
	buf_u64(&b, status);
	return words_get(m->constants, 0, buf_view(&b));
}

static const struct word *status_word(struct metrics *m, uint16_t status)
{
	if (status == 0 || status >= STATUS_MAX)
		return NULL;
	if (!m->statuses[status])
		m->statuses[status] = new_status_word(m, status);
	return m->statuses[status];
}

static const struct word *label_status(struct observation *o)
{
	return status_word(o->metrics, o->request->status);
}

static const struct word *label_error(struct observation *o)
{
	const struct request *r = o->request;

	if (r->error == REQUEST_ABORTED)
		return o->metrics->aborted;
	return r->status >= (r->role == ROLE_CLIENT ? 400 : 500)
		       ? status_word(o->metrics, r->status)
		       : NULL;
}

static const struct word *capped_word(struct observation *o, enum word_scope scope, struct str s)
{
	struct identity *i = o->identity;
	struct metrics *m = o->metrics;
	const struct word *word;

	if (!s.n)
		return NULL;
	word = words_find(m->words, identity_scope(i, scope), s);
	if (word)
		return word;
	if (i->made[scope] < m->options.routes_max)
		word = words_get(m->words, identity_scope(i, scope), s);
	if (!word) {
		o->coarse = true;
		return m->rest;
	}
	i->made[scope]++;
	return word;
}

static const struct word *label_route(struct observation *o)
{
	bool client = o->request->role == ROLE_CLIENT;

	return capped_word(o, client ? SCOPE_CLIENT_ROUTE : SCOPE_SERVER_ROUTE,
			   request_str(o->request, route));
}

static const struct word *label_address(struct observation *o)
{
	const struct request *r = o->request;
	char text[ADDR_TEXT_MAX];
	struct buf b;

	if (r->length.host)
		return capped_word(o, SCOPE_ADDRESS, request_str(r, host));
	buf_init_fixed(&b, text, sizeof(text));
	addr_write_ip(&b, &r->peer);
	return capped_word(o, SCOPE_ADDRESS, buf_view(&b));
}

static const struct label method = {"http_request_method", label_method, REST_METHOD};
static const struct label route = {"http_route", label_route, REST_OTHER};
static const struct label status = {"http_response_status_code", label_status, REST_ABSENT};
static const struct label error = {"error_type", label_error, REST_ABSENT};
static const struct label address = {"server_address", label_address, REST_OTHER};
static const struct label role = {"role", NULL, REST_ABSENT};
static const struct label reason = {"reason", NULL, REST_ABSENT};

static bool server_duration(const struct request *r, uint64_t *value)
{
	*value = request_duration(r);
	return r->role == ROLE_SERVER;
}

static bool client_duration(const struct request *r, uint64_t *value)
{
	*value = request_duration(r);
	return r->role == ROLE_CLIENT;
}

static bool server_first_byte(const struct request *r, uint64_t *value)
{
	*value = r->first_byte - r->start;
	return r->role == ROLE_SERVER && r->start && r->first_byte >= r->start;
}

static bool server_request_body(const struct request *r, uint64_t *value)
{
	*value = r->request_bytes;
	return r->role == ROLE_SERVER && r->request_bytes != REQUEST_SIZE_UNKNOWN;
}

static bool server_response_body(const struct request *r, uint64_t *value)
{
	*value = r->response_bytes;
	return r->role == ROLE_SERVER && r->response_bytes != REQUEST_SIZE_UNKNOWN;
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
static const uint64_t size_bytes[] = {
	64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct bounds durations = {duration_ns, LENGTH(duration_ns), 1e9};
static const struct bounds sizes = {size_bytes, LENGTH(size_bytes), 1};

_Static_assert(LENGTH(duration_ns) < BUCKETS_MAX && LENGTH(size_bytes) < BUCKETS_MAX, "buckets");

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
		.labels = {&method, &route, &status, &error},
		.bounds = &durations,
		.value = server_duration,
		.shed = server_shed,
	},
	[FAMILY_CLIENT_DURATION] = {
		.prom = {"http_client_request_duration_seconds", PROM_HISTOGRAM, "seconds",
			 "From the first byte of a request that a client wrote to the last byte of "
			 "its response."},
		.label_count = 5,
		.labels = {&method, &route, &status, &error, &address},
		.bounds = &durations,
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
	},
	[FAMILY_CONNECTIONS_OPENED] = {
		.prom = {"tcp_connections_opened_total", PROM_COUNTER, NULL,
			 "TCP connections that were established."},
		.label_count = 1,
		.labels = {&role},
		.life = life_opened,
	},
	[FAMILY_CONNECT_FAILURES] = {
		.prom = {"tcp_connect_failures_total", PROM_COUNTER, NULL,
			 "TCP connections that could not be established."},
		.label_count = 1,
		.labels = {&role},
		.life = life_failures,
	},
	[FAMILY_RETRANSMITS] = {
		.prom = {"tcp_retransmits_total", PROM_COUNTER, NULL,
			 "TCP segments that were sent again."},
		.label_count = 1,
		.labels = {&role},
		.life = life_retransmits,
	},
	[FAMILY_UNSEEN_IO] = {
		.prom = {"sonde_unseen_io_total", PROM_COUNTER, NULL,
			 "Sends and receives of a process whose bytes could not be read."},
		.label_count = 1,
		.labels = {&reason},
		.life = life_unread,
		.life_label = "io_uring",
	},
};
/* clang-format on */
