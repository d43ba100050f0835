/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the registry out: the exposition, the page's table, its own tables, and forgetting.
 *
 * Invariants: the series of a family follow each other, as both formats want; a family without
 * series is not announced. The service "other" exists from the start but is shown only once it has
 * counted something. Forgetting a service takes its series, its words and itself, and nothing that
 * another service uses.
 */
#include "out/registry.h"

static bool series_used(const struct series *s)
{
	uint64_t used = s->sum;

	for (unsigned i = 0; i < BUCKETS_MAX; i++)
		used |= s->counts[i];
	return used != 0;
}

static bool series_shown(const struct metrics *m, const struct series *s)
{
	return s->identity != m->other || series_used(s);
}

static unsigned series_labels(const struct series *s, const struct family *row,
			      struct prom_label labels[static IDENTITY_LABELS + LABELS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < IDENTITY_LABELS; i++) {
		const struct word *word = s->identity->words[i];

		if (word)
			labels[n++] = (struct prom_label){identity_label_names[i], word->text};
	}
	for (unsigned i = 0; i < row->label_count; i++)
		if (s->words[i])
			labels[n++] = (struct prom_label){row->labels[i]->name, s->words[i]->text};
	return n;
}

static void write_histogram(const struct metrics *m, struct prom *p, const struct family *row,
			    const struct series *s, const struct prom_label *labels,
			    unsigned label_count)
{
	const struct bounds *bounds = row->bounds;
	struct prom_exemplar exemplars[BUCKETS_MAX];
	double units[BUCKETS_MAX];
	struct prom_buckets buckets = {.bounds = units,
				       .bound_count = bounds->count,
				       .counts = s->counts,
				       .sum = (double)s->sum / bounds->scale};

	for (unsigned i = 0; i < bounds->count; i++)
		units[i] = (double)bounds->values[i] / bounds->scale;
	if (s->exemplars && p->format == PROM_OPENMETRICS) {
		exemplars_of(m, s, bounds, exemplars);
		buckets.exemplars = exemplars;
	}
	prom_histogram(p, &row->prom, labels, label_count, &buckets);
}

static void write_series(const struct metrics *m, struct prom *p, const struct family *row,
			 const struct series *s)
{
	struct prom_label labels[IDENTITY_LABELS + LABELS_MAX];
	unsigned n = series_labels(s, row, labels);

	if (row->bounds)
		write_histogram(m, p, row, s, labels, n);
	else if (row->prom.type == PROM_GAUGE)
		prom_double(p, &row->prom, labels, n, (double)(int64_t)s->sum);
	else
		prom_u64(p, &row->prom, labels, n, s->sum);
}

static void write_family(const struct metrics *m, struct prom *p, enum family_number family)
{
	bool announced = false;

	for (const struct series *s = m->lists[family].first; s; s = s->next) {
		if (!series_shown(m, s))
			continue;
		if (!announced)
			prom_family(p, &families[family].prom);
		announced = true;
		write_series(m, p, &families[family], s);
	}
}

void metrics_write(const struct metrics *m, struct prom *p)
{
	for (unsigned family = 0; family < FAMILY_COUNT; family++)
		if (!families[family].every || !m->options.no_active)
			write_family(m, p, family);
}

uint64_t metrics_overflows(const struct metrics *m)
{
	return m->overflows;
}

uint64_t metrics_counted(const struct metrics *m)
{
	return m->counted;
}

uint32_t metrics_series(const struct metrics *m)
{
	return table_count(m->series);
}

void metrics_tables(const struct metrics *m, const struct table *tables[METRICS_TABLES])
{
	tables[0] = m->owners;
	tables[1] = m->identities;
	tables[2] = m->series;
	tables[3] = m->exemplars;
	tables[4] = words_table(m->words);
	tables[5] = words_table(m->constants);
}

static struct str identity_text(const struct identity *i, enum identity_label label)
{
	return i->words[label] ? i->words[label]->text : (struct str){0};
}

static struct metrics_top top_row(const struct identity *i)
{
	return (struct metrics_top){
		.service = identity_text(i, LABEL_SERVICE),
		.namespace = identity_text(i, LABEL_NAMESPACE),
		.pod = identity_text(i, LABEL_POD),
		.container = identity_text(i, LABEL_CONTAINER),
		.requests = i->served,
		.errors = i->served_errors,
		.mean_ns = i->served_ns / i->served,
	};
}

unsigned metrics_top(const struct metrics *m, struct metrics_top *top, unsigned most)
{
	unsigned n = 0;

	for (const struct identity *i = table_oldest(m->identities); i;
	     i = table_next(m->identities, (void *)i)) {
		unsigned at = n;

		if (!i->served)
			continue;
		while (at > 0 && top[at - 1].requests < i->served)
			at--;
		if (at == most)
			continue;
		if (n < most)
			n++;
		for (unsigned to = n - 1; to > at; to--)
			top[to] = top[to - 1];
		top[at] = top_row(i);
	}
	return n;
}

static void forget_series(struct metrics *m, enum family_number family, const struct identity *i)
{
	struct series_list *list = &m->lists[family];
	struct series **link = &list->first, *s;

	list->last = NULL;
	while ((s = *link)) {
		if (s->identity == i) {
			*link = s->next;
			table_remove(m->series, s);
		} else {
			list->last = s;
			link = &s->next;
		}
	}
}

static void forget_identity(struct metrics *m, struct identity *i)
{
	for (unsigned family = 0; family < FAMILY_COUNT; family++)
		forget_series(m, family, i);
	for (unsigned scope = SCOPE_SHARED + 1; scope < SCOPES; scope++)
		words_forget(m->words, identity_scope(i, scope));
	for (unsigned label = 0; label < IDENTITY_LABELS; label++)
		if (i->words[label])
			words_release(m->words, i->words[label]);
	table_remove(m->identities, i);
}

void metrics_forget(struct metrics *m, uint32_t owner_id)
{
	struct owner_entry *gone = table_find(m->owners, &owner_id);
	struct identity *i = gone ? gone->identity : NULL;

	if (!i)
		return;
	table_remove(m->owners, gone);
	for (struct owner_entry *e = table_oldest(m->owners); e; e = table_next(m->owners, e))
		if (e->identity == i)
			return;
	if (i != m->other)
		forget_identity(m, i);
}
