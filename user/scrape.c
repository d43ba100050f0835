/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scrape: the registry, then the agent about itself. Sums that live in the kernel half are
 * fetched now, so that they are as fresh as the rest. Nothing is computed here but the loss
 * funnel's rows.
 */
#include <string.h>

#include "flow/flow.h"
#include "kern/kern.h"
#include "out/jsonlog.h"
#include "out/metrics.h"
#include "out/selfstat.h"
#include "proto/rows.h"
#include "scrape.h"
#include "who/follow.h"
#include "who/who.h"

#define PROGRAMS_MAX 24
#define TABLES_MAX   (FLOW_TABLES + METRICS_TABLES + WHO_TABLES)
#define LOST_ROWS    (PROTO_COUNT * LOST_COUNT)

static const char *const lost_reasons[LOST_COUNT] = {
	[LOST_EVICTED] = "evicted",
	[LOST_UNREAD] = "unread",
};

static const char *const kube_verbs[FOLLOW_ASKS] = {
	[FOLLOW_LIST] = "list",
	[FOLLOW_WATCH] = "watch",
};

static const char *const kube_reasons[FOLLOW_TROUBLES] = {
	[FOLLOW_CONNECTION] = "connection", [FOLLOW_DENIED] = "denied",
	[FOLLOW_EXPIRED] = "expired",	    [FOLLOW_STATUS] = "status",
	[FOLLOW_INVALID] = "invalid",	    [FOLLOW_TOO_LARGE] = "too_large",
};

/* False: a name is missing that may come, so these figures wait. */
static bool add_life(void *ctx, uint32_t pid, const struct event_life *added)
{
	struct scrape *s = ctx;
	const struct owner *owner = who_is(s->who, pid, 0);

	if (who_is_provisional(owner))
		return false;
	metrics_life(s->metrics, owner, added);
	return true;
}

static uint64_t shed_count(const struct event_shed *shed)
{
	uint64_t count = 0;

	for (unsigned i = 0; i <= SHED_BOUNDS; i++)
		count += shed->duration.buckets[i];
	return count;
}

static bool add_shed(void *ctx, const struct event_shed_key *key, const struct event_shed *added)
{
	struct scrape *s = ctx;
	struct request like = {
		.pid = key->tgid,
		.role = key->role,
		.status = key->status,
		.error = key->aborted ? REQUEST_ABORTED : REQUEST_OK,
		.owner = key->tgid ? who_is(s->who, key->tgid, key->port) : NULL,
	};

	if (key->protocol >= PROTO_COUNT)
		return true;
	if (like.owner && who_is_provisional(like.owner)) {
		s->shed_waiting[key->protocol] += shed_count(added);
		return false;
	}
	if (key->protocol == PROTO_websocket) { /* its transactions are pings, not requests */
		metrics_pings(s->metrics, like.owner, like.role, &added->duration);
		return true;
	}
	like.proto = protos[key->protocol];
	request_set(&like, op, proto_row_op(key->row));
	metrics_shed(s->metrics, &like, added);
	s->shed[key->protocol] += shed_count(added);
	return true;
}

void scrape_sums(struct scrape *s)
{
	kern_life(s->kern, add_life, s);
	memset(s->shed_waiting, 0, sizeof(s->shed_waiting));
	kern_shed(s->kern, add_shed, s);
}

static void programs(const struct scrape *s, struct selfstat *self, struct selfstat_program *rows)
{
	self->programs = rows;
	self->program_count = kern_program_count(s->kern);
	if (self->program_count > PROGRAMS_MAX)
		self->program_count = PROGRAMS_MAX;
	for (unsigned i = 0; i < self->program_count; i++) {
		struct kern_program_info p = kern_program(s->kern, i);

		rows[i] = (struct selfstat_program){p.name, p.attached, p.run_ns, p.misses};
	}
}

static void tables(const struct scrape *s, struct selfstat *self, const struct table **rows)
{
	flow_tables(s->flow, rows);
	who_tables(s->who, rows + FLOW_TABLES);
	metrics_tables(s->metrics, rows + FLOW_TABLES + WHO_TABLES);
	self->tables = rows;
	self->table_count = TABLES_MAX;
}

/* Only what is parsed has transactions. */
static void funnel(const struct scrape *s, struct selfstat *self, struct selfstat_protocol *rows,
		   struct selfstat_lost *lost)
{
	const uint64_t *counters = s->counters;
	const struct flow_stats *stats = flow_stats(s->flow);

	for (int i = 0; i < PROTO_COUNT; i++) {
		if (protos[i]->framing != PROTO_LINE)
			continue;
		rows[self->protocol_count++] = (struct selfstat_protocol){
			.name = protos[i]->name,
			.seen = counters[COUNT_REQUESTS] + counters[COUNT_HELD] -
				counters[COUNT_REFUTED] + (uint64_t)stats->found[i],
			.counted = stats->counted[i],
			.shed = s->shed[i] + s->shed_waiting[i],
			.open = stats->open[i] + counters[COUNT_HELD] - counters[COUNT_SETTLED],
			.parse_errors = stats->parse_errors[i],
		};
		self->unpaired += stats->unpaired[i];
		for (int reason = 0; reason < LOST_COUNT; reason++)
			lost[self->lost_count++] = (struct selfstat_lost){
				protos[i]->name, lost_reasons[reason],
				stats->lost[i][reason] +
					(reason == LOST_UNREAD ? counters[COUNT_UNREAD] : 0)};
	}
	self->protocols = rows;
	self->lost = lost;
}

static void ids_invalid(const struct scrape *s, struct selfstat *self, struct selfstat_header *rows)
{
	const struct flow_stats *stats = flow_stats(s->flow);

	for (int i = 0; i < TRACE_HEADERS; i++)
		rows[i] = (struct selfstat_header){trace_header_name(i), stats->ids_invalid[i]};
	self->ids_invalid = rows;
	self->ids_invalid_count = TRACE_HEADERS;
}

static void kube_api(const struct scrape *s, struct selfstat *self, struct selfstat_named *verbs,
		     struct selfstat_named *reasons)
{
	const struct follow_stats *stats = who_api(s->who);

	for (int i = 0; i < FOLLOW_ASKS; i++)
		verbs[i] = (struct selfstat_named){kube_verbs[i], stats ? stats->asked[i] : 0};
	for (int i = 0; i < FOLLOW_TROUBLES; i++)
		reasons[i] =
			(struct selfstat_named){kube_reasons[i], stats ? stats->troubles[i] : 0};
	self->kube_api = stats;
	self->kube_up = stats && stats->up;
	self->kube_requests = verbs;
	self->kube_request_count = FOLLOW_ASKS;
	self->kube_errors = reasons;
	self->kube_error_count = FOLLOW_TROUBLES;
}

void scrape_write(struct scrape *s, struct prom *p)
{
	struct selfstat_program program_rows[PROGRAMS_MAX];
	struct selfstat_protocol protocol_rows[PROTO_COUNT];
	struct selfstat_lost lost_rows[LOST_ROWS];
	struct selfstat_header header_rows[TRACE_HEADERS];
	struct selfstat_named verb_rows[FOLLOW_ASKS], reason_rows[FOLLOW_TROUBLES];
	const struct table *table_rows[TABLES_MAX];
	struct selfstat self = {
		.version = SONDE_VERSION,
		.backend = kern_backend(s->kern),
		.start_time = s->start_time,
		.ring_bytes = s->ring_bytes,
		.probe_times = s->probe_times,
		.kernel = s->counters,
		.log_lines = jsonlog_lines(s->jsonlog),
		.log_lines_dropped = jsonlog_dropped(s->jsonlog),
		.log_lines_sampled = jsonlog_suppressed(s->jsonlog, SUPPRESSED_SAMPLE),
		.log_lines_above_rate = jsonlog_suppressed(s->jsonlog, SUPPRESSED_RATE),
		.series = metrics_series(s->metrics),
		.series_overflows = metrics_overflows(s->metrics) + flow_route_overflows(s->flow),
	};

	scrape_sums(s);
	programs(s, &self, program_rows);
	tables(s, &self, table_rows);
	funnel(s, &self, protocol_rows, lost_rows);
	ids_invalid(s, &self, header_rows);
	kube_api(s, &self, verb_rows, reason_rows);
	metrics_write(s->metrics, p);
	selfstat_write(&self, p);
	prom_end(p);
}
