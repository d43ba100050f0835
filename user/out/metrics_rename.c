/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes that got another name: /users/alice and fifty more became /users/{*}.
 *
 * The invariant: nothing is counted anew and nothing is lost, sums over all routes stay what they
 * were. A series moves to its new name, and where several meet, they add up. Their old names are
 * gone, so that they take no place of --routes-max.
 */
#include "out/registry.h"

/* One family of one service whose series are looked through. */
struct renaming {
	struct metrics *metrics;
	const struct route_change *change;
	struct identity *identity;
	enum word_scope scope;
	enum family_number family;
	int route, address; /* which of the family's labels; -1: none */
};

static int label_find(const struct family *row, const struct label *label)
{
	for (unsigned i = 0; i < row->label_count; i++)
		if (row->labels[i] == label)
			return (int)i;
	return -1;
}

static bool concerns(const struct renaming *n, const struct series *s)
{
	if (s->identity != n->identity || !s->words[n->route] ||
	    s->words[n->route] == n->metrics->rest)
		return false;
	if (n->address < 0)
		return true;
	return s->words[n->address] && str_eq(s->words[n->address]->text, n->change->host);
}

static const struct word *new_word(const struct renaming *n, struct str text)
{
	struct metrics *m = n->metrics;
	uint32_t scope = identity_scope(n->identity, n->scope);
	const struct word *word;

	if (str_eq(text, STR(ROUTE_OTHER)))
		return m->rest;
	word = words_find(m->words, scope, text);
	if (word)
		return word;
	word = words_get(m->words, scope, text);
	n->identity->made[n->scope] += word != NULL;
	return word ? word : m->rest;
}

static void series_merge(const struct renaming *n, const struct series *old, struct str text)
{
	const struct word *words[LABELS_MAX];
	struct series *s;

	memcpy(words, old->words, sizeof(words));
	words[n->route] = new_word(n, text);
	s = series_get(n->metrics, n->identity, n->family, words, 0);
	if (!s) /* one has just made room */
		return;
	s->sum += old->sum;
	for (unsigned i = 0; i < BUCKETS_MAX; i++)
		s->counts[i] += old->counts[i];
}

static void family_rename(const struct renaming *n)
{
	struct series_list *list = &n->metrics->lists[n->family];
	struct series **link = &list->first, *s, *last = NULL;
	char text[REQUEST_ROUTE_MAX];

	while ((s = *link)) {
		struct series old = *s;
		size_t length = 0;

		if (concerns(n, s))
			length = n->change->again(n->change, s->words[n->route]->text, text);
		if (!length) {
			last = s;
			link = &s->next;
			continue;
		}
		*link = s->next;
		if (list->last == s)
			list->last = last;
		n->identity->series[n->family]--;
		table_remove(n->metrics->series, s);
		series_merge(n, &old, (struct str){text, length});
	}
}

static void hold_words(const struct renaming *n, uint32_t change)
{
	uint32_t scope = identity_scope(n->identity, n->scope);

	for (struct series *s = n->metrics->lists[n->family].first; s; s = s->next) {
		struct word *word;

		if (s->identity != n->identity || !s->words[n->route])
			continue;
		word = words_find(n->metrics->words, scope, s->words[n->route]->text);
		if (word)
			word->holders += change;
	}
}

typedef void family_fn(const struct renaming *n);

static void hold(const struct renaming *n)
{
	hold_words(n, 1);
}

static void let_go(const struct renaming *n)
{
	hold_words(n, (uint32_t)-1);
}

/* Those that tell of routes, in the role that it is about. */
static void each_family(struct renaming *n, family_fn *with)
{
	for (unsigned family = 0; family < FAMILY_COUNT; family++) {
		const struct family *row = &families[family];

		n->family = family;
		n->route = label_find(row, &label_route);
		n->address = label_find(row, &label_address);
		if (n->route >= 0 && (n->address >= 0) == (n->change->role == ROLE_CLIENT))
			with(n);
	}
}

static void identity_rename(struct metrics *m, struct identity *i,
			    const struct route_change *change)
{
	bool client = change->role == ROLE_CLIENT;
	struct renaming n = {.metrics = m,
			     .change = change,
			     .identity = i,
			     .scope = client ? SCOPE_CLIENT_ROUTE : SCOPE_SERVER_ROUTE};

	each_family(&n, family_rename);
	each_family(&n, hold);
	i->made[n.scope] -= words_sweep(m->words, identity_scope(i, n.scope));
	each_family(&n, let_go);
}

void metrics_rename(struct metrics *m, const struct route_change *change)
{
	for (struct identity *i = table_oldest(m->identities); i;
	     i = table_next(m->identities, i)) {
		const struct word *service = i->words[LABEL_SERVICE];

		if (service && str_eq(service->text, change->service))
			identity_rename(m, i, change);
	}
}
