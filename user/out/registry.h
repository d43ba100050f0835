/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the registry, for its own files: families.c (what is measured), labels.c, metrics.c
 * (counting), metrics_stream.c and metrics_websocket.c (counting what lasts), exemplars.c,
 * metrics_rename.c and
 * metrics_write.c (reading it out). Everyone else includes metrics.h.
 */
#ifndef SONDE_REGISTRY_H
#define SONDE_REGISTRY_H

#include "base/table.h"
#include "flow/websocket.h"
#include "out/metrics.h"
#include "out/prom.h"
#include "out/words.h"

enum family_number {
	FAMILY_SERVER_DURATION,
	FAMILY_CLIENT_DURATION,
	FAMILY_TIME_TO_FIRST_BYTE,
	FAMILY_QUEUE,
	FAMILY_REQUEST_BODY,
	FAMILY_RESPONSE_BODY,
	FAMILY_ACTIVE,
	FAMILY_STREAMS,
	FAMILY_STREAMS_OPENED,
	FAMILY_STREAM_DURATION,
	FAMILY_STREAM_BYTES,
	FAMILY_CONNECTIONS_OPENED,
	FAMILY_CONNECT_FAILURES,
	FAMILY_RETRANSMITS,
	FAMILY_UNSEEN_IO,
	FAMILY_WEBSOCKET_CONNECTIONS,
	FAMILY_WEBSOCKET_OPENED,
	FAMILY_WEBSOCKET_CLOSED,
	FAMILY_WEBSOCKET_RECONNECTS,
	FAMILY_WEBSOCKET_HANDSHAKE_FAILURES,
	FAMILY_WEBSOCKET_MESSAGES,
	FAMILY_WEBSOCKET_MESSAGE_BYTES,
	FAMILY_WEBSOCKET_DURATION,
	FAMILY_WEBSOCKET_PING_RTT,
	FAMILY_WEBSOCKET_UNDELIVERED,
	FAMILY_WEBSOCKET_UNSEEN,
	FAMILY_WEBSOCKET_PROTOCOL_ERRORS,
	FAMILY_COUNT
};

enum identity_label { LABEL_SERVICE, LABEL_NAMESPACE, LABEL_POD, LABEL_CONTAINER, IDENTITY_LABELS };

#define LABELS_MAX  5  /* of one family, beside the identity */
#define BUCKETS_MAX 20 /* with the one above all bounds */
#define METHODS_MAX 16
#define STATUS_MAX  1000

/* Texts of one service that are bounded by routes_max each. SCOPE_SHARED: of all services. */
enum word_scope {
	SCOPE_SHARED,
	SCOPE_SERVER_ROUTE,
	SCOPE_CLIENT_ROUTE,
	SCOPE_ADDRESS,
	SCOPE_CLOSE_CODE,
	SCOPES
};

struct identity_key {
	uint32_t word[IDENTITY_LABELS];
};

struct identity {
	struct identity_key key;
	uint32_t number; /* never used again */
	struct word *words[IDENTITY_LABELS];
	uint32_t made[SCOPES];			   /* words of each scope */
	uint32_t series[FAMILY_COUNT];		   /* series of each family */
	struct series *coarsest[FAMILY_COUNT];	   /* where all goes that finds no place */
	uint64_t served, served_errors, served_ns; /* for metrics_top() */
};

struct owner_entry {
	uint32_t id;
	struct identity *identity;
};

struct series_key {
	uint32_t identity;
	uint32_t family;
	uint32_t word[LABELS_MAX];
};

struct series {
	struct series_key key;
	const struct identity *identity;
	const struct word *words[LABELS_MAX];
	struct series *next; /* of the same family */
	uint32_t number;     /* never used again */
	bool exemplars;	     /* it had some */
	uint64_t sum;	     /* a gauge's and a counter's value; of a gauge signed */
	uint64_t counts[BUCKETS_MAX];
};

/* Something on its way into the families: a request, or what a WebSocket connection did. */
struct observation {
	struct metrics *metrics;
	struct identity *identity;
	const struct request *request;
	const struct websocket *websocket;
	uint8_t role;			/* enum event_role */
	enum event_dir dir;		/* of a WebSocket's messages */
	enum event_websocket_type type; /* likewise */
	bool coarse;			/* a cap made it go into a coarser series */
};

/* What a label says once there are too many series. */
enum label_rest { REST_ABSENT, REST_OTHER, REST_METHOD };

struct label {
	const char *name;
	const struct word *(*of)(struct observation *o); /* NULL: absent; no of(): see life() */
	enum label_rest rest;
};

struct bounds {
	const uint64_t *values; /* as counted: nanoseconds, bytes */
	unsigned count;
	double scale; /* how many of those make one of the family's unit */
};

/*
 * A row. Later protocols add rows, not code: value(), perhaps with shed(); or life(). Rows without
 * any of these are filled by name: gauges, and what is no request.
 */
struct family {
	struct prom_family prom;
	unsigned label_count;
	bool every;	/* right only where every request is heard of when it begins */
	bool exemplars; /* its buckets have them */
	const struct label *labels[LABELS_MAX];
	const struct bounds *bounds; /* histograms; NULL: the values are added up */
	/* Is the request one for this family, and what does it add? */
	bool (*value)(const struct request *r, uint64_t *value);
	/* Its part of what the kernel half counted; NULL: none. */
	const struct event_times *(*shed)(const struct event_shed *shed, enum event_role role);
	uint64_t (*life)(const struct event_life *life, enum event_role role);
	const char *life_label; /* what the label of life() says; NULL: the role */
};

extern const struct label label_method, label_route, label_status, label_error, label_address,
	label_role, label_reason, label_direction, label_type, label_close_code, label_initiator;
extern const struct family families[FAMILY_COUNT];
extern const char *const identity_label_names[IDENTITY_LABELS];
extern const char *const known_methods[]; /* ends with NULL; the first stands for all others */

bool request_failed(const struct request *r);

struct series_list {
	struct series *first, *last;
};

struct metrics {
	struct metrics_options options;
	struct words *constants; /* methods, statuses and the like; never full */
	struct words *words;
	struct table *owners; /* owner id -> identity */
	struct table *identities;
	struct table *series;
	struct table *exemplars;
	struct series_list lists[FAMILY_COUNT];
	struct identity *other; /* of services that find no place */
	uint32_t last_identity;
	uint32_t last_series;
	const struct word *rest; /* "other" */
	const struct word *aborted;
	const struct word *roles[3];
	const struct word *directions[2]; /* by enum event_dir */
	const struct word *types[WEBSOCKET_TYPES];
	const struct word *initiators[3]; /* by enum websocket_initiator */
	const struct word *methods[METHODS_MAX];
	const struct word *statuses[STATUS_MAX];
	uint64_t counted;
	uint64_t overflows;
};

void labels_make(struct metrics *m); /* the words that are always there */
struct identity *identity_of(struct metrics *m, const struct owner *owner);
/* spare: how many of series_max must be left. NULL: no place for a new one. */
struct series *series_get(struct metrics *m, struct identity *i, enum family_number family,
			  const struct word *const *words, uint32_t spare);
struct series *series_of(struct observation *o, enum family_number family);
/* The bucket that took the value. */
unsigned series_observe(struct series *s, const struct bounds *bounds, uint64_t value);
void series_shed(struct series *s, const struct bounds *bounds, const struct event_times *times);
/* One more (+1) or one less (-1) of a family that is a gauge. */
void gauge_change(struct observation *o, enum family_number family, int change);

/* exemplars.c */
struct table *exemplars_new(void); /* NULL: no memory */
/* The request was counted in this bucket with this value: it may become its exemplar. */
void exemplar_offer(struct metrics *m, struct series *s, unsigned bucket, const struct request *r,
		    uint64_t value);
/* Those of a series, by bucket; the views live until the next request is counted. */
void exemplars_of(const struct metrics *m, const struct series *s, const struct bounds *bounds,
		  struct prom_exemplar found[static BUCKETS_MAX]);

static inline uint32_t identity_scope(const struct identity *i, enum word_scope scope)
{
	return i->number * SCOPES + scope;
}

#endif
