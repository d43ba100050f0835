/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How paths become routes. A path that is answered well (below 400) is one at once. One that is not
 * is one for as long as there are few of those: with one too many somebody is guessing, all of them
 * become ROUTE_OTHER, and from then on only good answers make routes. Words that vary too much
 * under one parent become {*}, or {id} if most have digits.
 *
 * The invariants: names change in one direction only, from words to {id} or {*}, from what was
 * never answered well to ROUTE_OTHER; whoever was told a name hears of its change, so that figures
 * can move along and nothing is left behind. A word that was asked for often keeps its name. A
 * service never has more than routes_max routes.
 */
#include "flow/route_tree.h"

#define WORDS_MAX    50 /* under one parent; more of them vary */
#define WORDS_MERGED 8	/* when routes run out, so many seldom ones under one parent are merged */
#define ESTABLISHED  20 /* requests; then a word keeps its name */
#define UNPROVEN_MAX 32
#define PROOF_HITS   8 /* requests that prove a route which fails */

typedef bool merge_fn(const struct route_node *n);

static bool answered_well(const struct request *r)
{
	return r->status && r->status < 400;
}

/* Nothing is there, or nothing understood what was asked. */
static bool answered_nothing(const struct request *r)
{
	static const uint16_t statuses[] = {0, 400, 404, 405, 410, 414, 421, 431, 501};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (r->status == statuses[i])
			return true;
	return false;
}

static size_t again(const struct route_change *c, struct str old, char to[static REQUEST_ROUTE_MAX])
{
	const struct route_site *s = c->site;
	struct routes *rs = c->routes;

	for (unsigned i = 0; i < rs->options.rule_count; i++)
		if (s->rules[i / 64] >> i % 64 & 1 && str_eq(rs->rules[i].path, old))
			return 0;
	return template_follow(rs, s, old, to);
}

static void tell(struct routes *rs, struct route_site *s, const struct request *r)
{
	struct route_change change = {.service = r->owner ? r->owner->service : STR(""),
				      .role = r->role,
				      .again = again,
				      .routes = rs,
				      .site = s};

	if (r->role == ROLE_CLIENT)
		change.host = request_str(r, host);
	if (rs->options.renamed && !s->shared)
		rs->options.renamed(rs->options.ctx, &change);
}

/* Requests of all routes from a node on. */
static uint64_t hits_below(const struct route_node *top)
{
	uint64_t hits = 0;

	for (const struct route_node *n = top; n; n = node_after(n, top))
		hits += n->hits;
	return hits;
}

static bool is_mergeable(const struct route_node *n, merge_fn *wanted)
{
	return n->kind == KIND_WORD && wanted(n) && hits_below(n) < ESTABLISHED;
}

static bool any_word(const struct route_node *n)
{
	return n->length > 0; /* not what stands behind a last slash */
}

static bool random_word(const struct route_node *n)
{
	return node_like_id(n->up, node_text(n));
}

/* Gives a node the routes of another one. */
static void node_take(struct route_site *s, struct route_node *n, const struct route_node *from)
{
	if (!from->route)
		return;
	if (!n->route) {
		n->route = true;
		s->routes++;
		s->unproven++;
	}
	n->hits = n->hits + from->hits < n->hits ? UINT32_MAX : n->hits + from->hits;
	if (from->proven && !n->proven) {
		n->proven = true;
		s->unproven--;
		node_live(n);
	}
}

static struct route_node *twin_of(struct routes *rs, const struct route_node *n)
{
	struct route_node *up = n->up->merged;

	if (n->kind == KIND_WORD)
		return node_step(rs, up, node_text(n), true);
	return node_kind(rs, up, n->kind, true);
}

/* All that is below n is to be found below n->merged as well. */
static void graft(struct routes *rs, struct route_site *s, struct route_node *top)
{
	node_take(s, top->merged, top);
	for (struct route_node *n = node_after(top, top); n; n = node_after(n, top)) {
		n->merged = twin_of(rs, n);
		node_take(s, n->merged, n);
	}
}

static uint32_t count_mergeable(const struct route_node *parent, merge_fn *wanted, uint32_t *nodes)
{
	uint32_t count = 0;

	*nodes = 1;
	for (struct route_node *c = parent->first; c; c = c->next) {
		if (!is_mergeable(c, wanted))
			continue;
		count++;
		for (struct route_node *n = c; n; n = node_after(n, c))
			++*nodes;
	}
	return count;
}

static void merge_all(struct routes *rs, struct route_site *s, struct route_node *parent,
		      struct route_node *into, merge_fn *wanted, const struct request *r)
{
	struct route_node *c, *next;

	/* first they are chosen, since grafts change what is counted */
	for (c = parent->first; c; c = c->next)
		if (is_mergeable(c, wanted))
			c->merged = into;
	for (c = parent->first; c; c = c->next)
		if (c->merged)
			graft(rs, s, c);
	tell(rs, s, r);
	for (c = parent->first; c; c = next) {
		next = c->next;
		if (c->merged)
			node_remove(rs, s, c);
	}
	s->full = false;
}

static enum route_kind kind_of_words(const struct route_node *parent)
{
	int balance = 0;

	for (const struct route_node *c = parent->first; c; c = c->next)
		if (is_mergeable(c, any_word))
			balance += segment_has_digit(node_text(c)) ? 1 : -1;
	return balance > 0 ? KIND_ID : KIND_ANY;
}

/* Words vary here: unknown ones have one name from now on. */
static bool collapse(struct routes *rs, struct route_site *s, struct route_node *parent,
		     const struct request *r)
{
	struct route_node *into;
	uint32_t nodes;

	count_mergeable(parent, any_word, &nodes);
	if (!nodes_room(rs, nodes))
		return false;
	into = node_kind(rs, parent, kind_of_words(parent), true);
	merge_all(rs, s, parent, into, any_word, r);
	parent->varied = into;
	return true;
}

/* Ids were seen here: words that look like some are. */
static void absorb(struct routes *rs, struct route_site *s, struct route_node *id,
		   const struct request *r)
{
	uint32_t nodes;

	id->absorbed = true;
	if (count_mergeable(id->up, random_word, &nodes) && nodes_room(rs, nodes))
		merge_all(rs, s, id->up, id, random_word, r);
}

/* After a route was proven: what has become too much? */
static void settle(struct routes *rs, struct route_site *s, const struct request *r)
{
	struct route_node *n = s->root;

	while (n) {
		if (n->words > WORDS_MAX && !n->varied) {
			if (!collapse(rs, s, n, r))
				return;
			n = s->root;
		} else if (n->kind == KIND_ID && n->live && !n->absorbed) {
			absorb(rs, s, n, r);
			n = s->root;
		} else {
			n = node_after(n, s->root);
		}
	}
}

static void prove(struct routes *rs, struct route_site *s, struct route_node *n,
		  const struct request *r)
{
	n->proven = true;
	s->unproven--;
	node_live(n);
	settle(rs, s, r);
}

static struct route_node *unproven_find(struct route_site *s)
{
	for (struct route_node *n = s->root; n; n = node_after(n, s->root))
		if (n->route && !n->proven)
			return n;
	return NULL;
}

/* What was never answered well is nothing. */
static void flush(struct routes *rs, struct route_site *s, const struct request *r)
{
	struct route_node *n;

	s->flushing = true;
	tell(rs, s, r);
	s->flushing = false;
	while ((n = unproven_find(s))) {
		n->route = false;
		n->hits = 0;
		s->routes--;
		s->unproven--;
		node_prune(rs, s, n);
	}
	s->scanned = true;
}

/* Routes run out: merges seldom words where there are most of them. */
static bool squeeze(struct routes *rs, struct route_site *s, const struct request *r)
{
	struct route_node *widest = NULL;
	uint32_t most = WORDS_MERGED - 1, nodes;

	for (struct route_node *n = s->root; n; n = node_after(n, s->root)) {
		uint32_t count = n->varied ? 0 : count_mergeable(n, any_word, &nodes);

		if (count <= most)
			continue;
		most = count;
		widest = n;
	}
	if (!widest || !collapse(rs, s, widest, r))
		s->full = true;
	else
		settle(rs, s, r);
	return !s->full;
}

static bool routes_room(struct routes *rs, struct route_site *s, const struct request *r)
{
	if (s->routes >= s->routes_max && s->unproven)
		flush(rs, s, r);
	while (s->routes >= s->routes_max && !s->full)
		squeeze(rs, s, r);
	return s->routes < s->routes_max;
}

void route_learn(struct routes *rs, struct route_site *s, const struct request *r)
{
	char text[REQUEST_ROUTE_MAX];
	struct route_node *n;
	size_t length;

	if (!answered_well(r) && s->unproven >= UNPROVEN_MAX)
		flush(rs, s, r);
	if (!answered_well(r) && s->scanned)
		return;
	if ((!answered_well(r) && s->routes >= s->routes_max) || !routes_room(rs, s, r) ||
	    !nodes_room(rs, UNPROVEN_MAX)) {
		rs->overflows++;
		return;
	}
	n = path_follow(rs, s, request_str(r, target), true, text, &length);
	if (!n || n->route)
		return;
	n->route = true;
	n->hits = 1;
	s->routes++;
	s->unproven++;
	if (answered_well(r))
		prove(rs, s, n, r);
}

void route_again(struct routes *rs, struct route_site *s, struct route_node *n,
		 const struct request *r)
{
	if (answered_well(r) || (!answered_nothing(r) && n->hits >= PROOF_HITS))
		prove(rs, s, n, r);
}
