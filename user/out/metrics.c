/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: a series is found by a key of small numbers (identity, family, label words) in one
 * look-up, and nothing is allocated after metrics_new().
 *
 * Invariants: every request is counted, whatever is full. A series that finds no place is replaced
 * by coarser ones: first routes and addresses become "other", then the service's coarsest series
 * takes it, at last the one of the service "other", which exists from the start. A family never has
 * more than series_max series a service: room for the coarser ones is kept free. Two owners with
 * the same names are one identity, so no two series can have the same labels.
 */
#include <stdlib.h>

#include "out/registry.h"

#define SERIES_TOTAL   10000 /* 220,000 lines of exposition */
#define WORDS_TOTAL    16384
#define CONSTANT_WORDS 1088 /* 999 statuses, 10 methods and a few more */
#define IDENTITIES     1024
#define OWNERS	       8192
#define SPARE_SERIES   8 /* and an eighth: what is kept of series_max for coarser series */

/* A forgotten owner is found again by its names. */
static void owner_evicted(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

static struct table *new_table(const char *name, uint32_t capacity, uint32_t key, uint32_t entry)
{
	return table_new(&(struct table_options){
		.name = name, .capacity = capacity, .key_size = key, .entry_size = entry});
}

static bool make_tables(struct metrics *m)
{
	m->owners = table_new(&(struct table_options){
		.name = "metrics_owners",
		.capacity = OWNERS,
		.key_size = sizeof(uint32_t),
		.entry_size = sizeof(struct owner_entry),
		.evicted = owner_evicted,
	});
	m->identities = new_table("metrics_services", IDENTITIES, sizeof(struct identity_key),
				  sizeof(struct identity));
	m->series = new_table("metrics_series", SERIES_TOTAL, sizeof(struct series_key),
			      sizeof(struct series));
	m->exemplars = exemplars_new();
	m->constants = words_new("metrics_constants", CONSTANT_WORDS, 0);
	m->words = words_new("metrics_words", WORDS_TOTAL, CONSTANT_WORDS);
	return m->owners && m->identities && m->series && m->exemplars && m->constants && m->words;
}

static struct series *series_add(struct metrics *m, struct identity *i,
				 const struct series_key *key, const struct word *const *words)
{
	struct series_list *list = &m->lists[key->family];
	struct series *s = table_add(m->series, key);

	if (!s)
		return NULL;
	s->identity = i;
	s->number = ++m->last_series;
	for (unsigned label = 0; label < families[key->family].label_count; label++)
		s->words[label] = words[label];
	if (list->last)
		list->last->next = s;
	else
		list->first = s;
	list->last = s;
	i->series[key->family]++;
	return s;
}

struct series *series_get(struct metrics *m, struct identity *i, enum family_number family,
			  const struct word *const *words, uint32_t spare)
{
	struct series_key key = {.identity = i->number, .family = family};
	struct series *s;

	for (unsigned label = 0; label < families[family].label_count; label++)
		key.word[label] = words[label] ? words[label]->id : 0;
	s = table_find(m->series, &key);
	if (!s && i->series[family] + spare < m->options.series_max)
		s = series_add(m, i, &key, words);
	return s;
}

/* The place of all that finds none, which for a family without labels is its only series. */
static struct series *series_coarsest(struct metrics *m, struct identity *i,
				      enum family_number family)
{
	const struct word *const rests[] = {
		[REST_OTHER] = m->rest, [REST_METHOD] = m->methods[0], [REST_ABSENT] = NULL};
	const struct family *row = &families[family];
	const struct word *words[LABELS_MAX];

	if (i->coarsest[family])
		return i->coarsest[family];
	for (unsigned label = 0; label < row->label_count; label++)
		words[label] = rests[row->labels[label]->rest];
	i->coarsest[family] = series_get(m, i, family, words, 0);
	return i->coarsest[family] ? i->coarsest[family] : m->other->coarsest[family];
}

static struct series *series_coarser(struct observation *o, enum family_number family,
				     const struct word **words)
{
	const struct family *row = &families[family];
	struct series *s;

	o->coarse = true;
	for (unsigned label = 0; label < row->label_count; label++)
		if (words[label] && row->labels[label]->rest == REST_OTHER)
			words[label] = o->metrics->rest;
	s = series_get(o->metrics, o->identity, family, words, 1);
	return s ? s : series_coarsest(o->metrics, o->identity, family);
}

static uint32_t spare_series(const struct metrics *m)
{
	uint32_t spare = SPARE_SERIES + m->options.series_max / 8;

	return spare < m->options.series_max / 2 ? spare : m->options.series_max / 2;
}

struct series *series_of(struct observation *o, enum family_number family)
{
	const struct family *row = &families[family];
	const struct word *words[LABELS_MAX];
	struct series *s;

	if (row->label_count == 0) {
		s = series_coarsest(o->metrics, o->identity, family);
		o->coarse |= s->identity != o->identity;
		return s;
	}
	for (unsigned label = 0; label < row->label_count; label++)
		words[label] = row->labels[label]->of(o);
	s = series_get(o->metrics, o->identity, family, words, spare_series(o->metrics));
	return s ? s : series_coarser(o, family, words);
}

/* Holds a word for each name; false if one found no place. */
static bool identity_words(struct metrics *m, const struct owner *owner,
			   struct word *words[IDENTITY_LABELS])
{
	const struct str texts[] = {owner->service, owner->namespace, owner->pod, owner->container};
	bool all = true;

	for (unsigned i = 0; i < IDENTITY_LABELS; i++) {
		words[i] = texts[i].n ? words_get(m->words, SCOPE_SHARED, texts[i]) : NULL;
		if (words[i])
			words[i]->holders++;
		all &= words[i] || !texts[i].n;
	}
	return all;
}

static struct identity *identity_add(struct metrics *m, const struct identity_key *key,
				     struct word *const words[IDENTITY_LABELS])
{
	struct identity *i = table_add(m->identities, key);

	if (!i)
		return NULL;
	i->number = ++m->last_identity;
	for (unsigned label = 0; label < IDENTITY_LABELS; label++) {
		i->words[label] = words[label];
		if (words[label])
			words[label]->holders++;
	}
	return i;
}

static struct identity *identity_get(struct metrics *m, const struct owner *owner)
{
	struct word *words[IDENTITY_LABELS];
	struct identity_key key = {0};
	struct identity *i = NULL;

	if (identity_words(m, owner, words)) {
		for (unsigned label = 0; label < IDENTITY_LABELS; label++)
			key.word[label] = words[label] ? words[label]->id : 0;
		i = table_find(m->identities, &key);
		if (!i)
			i = identity_add(m, &key, words);
	}
	for (unsigned label = 0; label < IDENTITY_LABELS; label++)
		if (words[label])
			words_release(m->words, words[label]);
	return i;
}

struct identity *identity_of(struct metrics *m, const struct owner *owner)
{
	struct owner_entry *known;
	struct identity *i;

	if (!owner)
		return m->other;
	known = table_find(m->owners, &owner->id);
	if (known)
		return known->identity;
	i = identity_get(m, owner);
	if (!i)
		return m->other;
	known = table_add(m->owners, &owner->id);
	known->identity = i;
	return i;
}

struct metrics *metrics_new(const struct metrics_options *options)
{
	static const struct owner other = {.service = {"other", 5}};
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->options = *options;
	if (m->options.series_max < 2)
		m->options.series_max = 2;
	if (!make_tables(m)) {
		metrics_free(m);
		return NULL;
	}
	labels_make(m);
	m->other = identity_get(m, &other);
	for (unsigned family = 0; family < FAMILY_COUNT; family++)
		series_coarsest(m, m->other, family);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	words_free(m->constants);
	words_free(m->words);
	table_free(m->owners);
	table_free(m->identities);
	table_free(m->series);
	table_free(m->exemplars);
	free(m);
}

static struct series *gauge_elsewhere(struct observation *o, enum family_number family)
{
	struct observation other = *o;
	struct series *s;

	other.identity = o->metrics->other;
	s = series_of(&other, family);
	return s->sum ? s : other.identity->coarsest[family];
}

/*
 * What ends may have begun where all go that find no place, before a forgotten service made room;
 * or in a service that was forgotten since, with its figures: a gauge never falls below zero.
 */
void gauge_change(struct observation *o, enum family_number family, int change)
{
	struct series *s = series_of(o, family);

	if (change < 0 && !s->sum)
		s = gauge_elsewhere(o, family);
	if (change > 0 || s->sum)
		s->sum += (uint64_t)(int64_t)change;
}

void metrics_active(struct metrics *m, const struct owner *owner, int change)
{
	struct observation o = {.metrics = m, .identity = identity_of(m, owner)};

	gauge_change(&o, FAMILY_ACTIVE, change);
}

unsigned series_observe(struct series *s, const struct bounds *bounds, uint64_t value)
{
	unsigned bucket = 0;

	s->sum += value;
	if (!bounds)
		return 0;
	for (unsigned i = 0; i < bounds->count; i++)
		bucket += value > bounds->values[i];
	s->counts[bucket]++;
	return bucket;
}

static void count_served(struct identity *i, const struct request *r)
{
	i->served++;
	i->served_errors += request_failed(r);
	i->served_ns += request_latency(r);
}

void metrics_count(struct metrics *m, const struct request *r)
{
	struct observation o = {
		.metrics = m, .request = r, .identity = identity_of(m, r->owner), .role = r->role};
	uint64_t value;

	for (unsigned family = 0; family < FAMILY_COUNT; family++) {
		const struct family *row = &families[family];
		struct series *s;
		unsigned bucket;

		if (!row->value || !row->value(r, &value))
			continue;
		s = series_of(&o, family);
		bucket = series_observe(s, row->bounds, value);
		if (row->exemplars)
			exemplar_offer(m, s, bucket, r, value);
	}
	if (r->role == ROLE_SERVER)
		count_served(o.identity, r);
	m->counted++;
	m->overflows += o.coarse;
}

static uint64_t times_count(const struct event_times *times)
{
	uint64_t count = 0;

	for (unsigned i = 0; i <= SHED_BOUNDS; i++)
		count += times->buckets[i];
	return count;
}

void series_shed(struct series *s, const struct bounds *bounds, const struct event_times *times)
{
	s->sum += times->sum;
	for (unsigned i = 0; i <= SHED_BOUNDS; i++)
		s->counts[i < bounds->count ? i : bounds->count] += times->buckets[i];
}

void metrics_shed(struct metrics *m, const struct request *like, const struct event_shed *added)
{
	struct observation o = {.metrics = m,
				.request = like,
				.identity = identity_of(m, like->owner),
				.role = like->role};
	uint64_t count = times_count(&added->duration);

	for (unsigned family = 0; family < FAMILY_COUNT; family++) {
		const struct family *row = &families[family];
		const struct event_times *times = row->shed ? row->shed(added, like->role) : NULL;

		if (times && times_count(times))
			series_shed(series_of(&o, family), row->bounds, times);
	}
	if (like->role == ROLE_SERVER) {
		o.identity->served += count;
		o.identity->served_errors += request_failed(like) ? count : 0;
		o.identity->served_ns += added->duration.sum;
	}
	m->counted += count;
	m->overflows += o.coarse ? count : 0;
}

static void life_add(struct metrics *m, struct identity *i, enum family_number family,
		     enum event_role role, uint64_t value)
{
	const char *label = families[family].life_label;
	const struct word *words[LABELS_MAX] = {label ? words_get(m->constants, 0, str_of(label))
						      : m->roles[role]};
	struct series *s = series_get(m, i, family, words, 0);

	if (!s)
		s = series_coarsest(m, i, family);
	s->sum += value;
}

void metrics_life(struct metrics *m, const struct owner *owner, const struct event_life *added)
{
	struct identity *i = identity_of(m, owner);

	for (unsigned family = 0; family < FAMILY_COUNT; family++) {
		for (unsigned role = ROLE_NONE; role <= ROLE_CLIENT && families[family].life;
		     role++) {
			uint64_t value = families[family].life(added, role);

			if (value)
				life_add(m, i, family, role, value);
		}
	}
}
