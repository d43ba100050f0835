/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exemplars: for a bucket of a series one recent request that fell into it, so that a slow bucket
 * leads to a trace.
 *
 * Invariants: an exemplar's value lies in its bucket, since the request was counted there. All
 * series share one table; when it is full, the exemplar that was renewed longest ago goes. In a
 * bucket time only moves on, as scrapers want it.
 *
 * A trace id that nobody can look up is of no use: only those become exemplars that came in a
 * header, where others know the trace too, or else whose log line is kept here. One from a header
 * goes before one of our own unless it has become old.
 */
#include "base/clock.h"
#include "out/registry.h"

#define EXEMPLARS   4096
#define RENEW_NS    NS_PER_SECOND	 /* no sooner: every request would write one */
#define HEADER_OLD  (60 * NS_PER_SECOND) /* then one of our own may replace it */
#define TRACE_BYTES sizeof(((struct request *)0)->trace_id)

struct exemplar_key {
	uint32_t series; /* its number */
	uint32_t bucket;
};

struct exemplar {
	struct exemplar_key key;
	uint8_t length;
	bool from_header;
	char trace_id[TRACE_BYTES];
	uint64_t value; /* as counted */
	uint64_t end;	/* of the request; monotonic */
	uint64_t wall;	/* the same, ns since 1970; 0 not known. Kept: the offset is steered */
};

/* It was shown, or never will be. */
static void exemplar_evicted(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

struct table *exemplars_new(void)
{
	return table_new(&(struct table_options){
		.name = "metrics_exemplars",
		.capacity = EXEMPLARS,
		.key_size = sizeof(struct exemplar_key),
		.entry_size = sizeof(struct exemplar),
		.evicted = exemplar_evicted,
	});
}

static bool is_renewed(const struct exemplar *e, bool from_header, uint64_t end)
{
	uint64_t lasts = RENEW_NS;

	if (e->from_header != from_header)
		lasts = from_header ? 1 : HEADER_OLD;
	return end >= e->end + lasts;
}

/* When its value was complete. */
static uint64_t ended(const struct request *r)
{
	return r->stream ? r->first_byte : r->end;
}

static void exemplar_fill(const struct metrics *m, struct exemplar *e, const struct request *r,
			  uint64_t value)
{
	e->from_header = r->parent == PARENT_HEADER;
	e->length =
		(uint8_t)request_fill(e->trace_id, sizeof(e->trace_id), request_str(r, trace_id));
	e->value = value;
	e->end = ended(r);
	e->wall = m->options.clock ? clock_wall(m->options.clock, e->end) : 0;
}

void exemplar_offer(struct metrics *m, struct series *s, unsigned bucket, const struct request *r,
		    uint64_t value)
{
	struct exemplar_key key = {s->number, bucket};
	bool from_header = r->parent == PARENT_HEADER;
	struct exemplar *e;

	if (!r->length.trace_id)
		return;
	if (!from_header && !(m->options.is_kept && m->options.is_kept(m->options.ctx, r)))
		return;
	e = table_find(m->exemplars, &key);
	if (e && !is_renewed(e, from_header, ended(r)))
		return;
	if (e)
		table_touch(m->exemplars, e);
	else
		e = table_add(m->exemplars, &key);
	exemplar_fill(m, e, r, value);
	s->exemplars = true;
}

void exemplars_of(const struct metrics *m, const struct series *s, const struct bounds *bounds,
		  struct prom_exemplar found[static BUCKETS_MAX])
{
	for (unsigned i = 0; i <= bounds->count; i++) {
		struct exemplar_key key = {s->number, i};
		const struct exemplar *e = table_find(m->exemplars, &key);

		found[i] = (struct prom_exemplar){0};
		if (e)
			found[i] = (struct prom_exemplar){
				.trace_id = {e->trace_id, e->length},
				.value = (double)e->value / bounds->scale,
				.time_ms = e->wall / NS_PER_MS,
			};
	}
}
