/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of segments that paths are followed through. Words are found by hash under their parent;
 * the few other kinds of a parent's children by number.
 *
 * The invariants: a node without children is where some route ends, but for a root and for where
 * varied words go; a path leads to the same node until something is merged; nothing is allocated
 * and no depth of a path makes anything recurse. Refused are more than DEPTH_MAX segments and
 * templates longer than REQUEST_ROUTE_MAX: what is left of those is one {rest}, so that a template
 * never ends in half a word or looks like a shorter path.
 */
#include "flow/route_tree.h"

#define DEPTH_MAX     16
#define KIND_SHIFT    24
#define ID_LENGTH_MIN 16

/* A path on its way through the tree. */
struct way {
	struct str rest; /* segments to go */
	bool file;	 /* and then one {*} */
	unsigned depth;
	char *to;
	size_t n;
};

struct str node_text(const struct route_node *n)
{
	return n->kind == KIND_WORD ? (struct str){n->text, n->length} : kind_text(n->kind);
}

static struct node_key node_key(const struct route_node *up, enum route_kind kind, struct str word)
{
	return (struct node_key){
		.parent = up ? up->number : 0,
		.length = (uint32_t)kind << KIND_SHIFT | (uint32_t)word.n,
		.hash = str_hash(word),
	};
}

static struct route_node *node_new(struct routes *rs, struct route_node *up, enum route_kind kind,
				   struct str word)
{
	struct node_key key = node_key(up, kind, word);
	struct route_node *n = table_add(rs->nodes, &key);

	if (!n)
		return NULL;
	n->number = ++rs->last_number;
	n->kind = (uint8_t)kind;
	n->length = (uint8_t)word.n;
	if (word.n)
		memcpy(n->text, word.p, word.n);
	n->up = up;
	if (!up)
		return n;
	n->next = up->first;
	n->link = &up->first;
	if (n->next)
		n->next->link = &n->next;
	up->first = n;
	if (kind != KIND_WORD)
		up->kinds[kind] = n;
	return n;
}

struct route_node *node_root(struct routes *rs)
{
	struct node_key key = {.hash = ++rs->last_number};
	struct route_node *n = table_add(rs->nodes, &key);

	if (n) {
		n->number = rs->last_number;
		n->kind = KIND_BARE;
	}
	return n;
}

struct route_node *node_word(struct routes *rs, struct route_node *n, struct str word)
{
	struct node_key key = node_key(n, KIND_WORD, word);
	struct route_node *child = word.n <= ROUTE_WORD_MAX ? table_find(rs->nodes, &key) : NULL;

	return child && str_eq(node_text(child), word) ? child : NULL;
}

struct route_node *node_kind(struct routes *rs, struct route_node *n, enum route_kind kind,
			     bool make)
{
	if (n->kinds[kind] || !make)
		return n->kinds[kind];
	return node_new(rs, n, kind, (struct str){NULL, 0});
}

bool node_like_id(const struct route_node *n, struct str word)
{
	const struct route_node *id = n->kinds[KIND_ID];

	return id &&
	       ((word.n >= ID_LENGTH_MIN && word.n == id->length) || segment_looks_random(word));
}

static bool begins_with_digit(struct str s)
{
	return s.n && *s.p >= '0' && *s.p <= '9';
}

struct route_node *node_step(struct routes *rs, struct route_node *n, struct str segment, bool make)
{
	bool digit = begins_with_digit(segment); /* seldom a word */
	struct route_node *child = digit ? NULL : node_word(rs, n, segment);
	enum route_kind kind;

	if (child)
		return child->merged ? child->merged : child;
	kind = segment_kind(segment);
	if (kind == KIND_WORD && digit)
		child = node_word(rs, n, segment);
	if (child)
		return child->merged ? child->merged : child;
	if (kind == KIND_WORD && n->kinds[KIND_ID] != n->varied && node_like_id(n, segment))
		kind = KIND_ID;
	child = n->kinds[kind];
	if (child && child->length != segment.n)
		child->length = 0;
	if (child)
		return child;
	if (segment.n && n->varied)
		return n->varied;
	if (!make)
		return NULL;
	child = node_new(rs, n, kind, kind == KIND_WORD ? segment : (struct str){NULL, 0});
	if (child)
		child->length = segment.n <= UINT8_MAX ? (uint8_t)segment.n : 0;
	return child;
}

struct route_node *node_after(const struct route_node *n, const struct route_node *top)
{
	if (n->first)
		return n->first;
	while (n != top && !n->next)
		n = n->up;
	return n == top ? NULL : n->next;
}

/* Not what stands behind a last slash. */
static bool counts_as_word(const struct route_node *n)
{
	return n->kind == KIND_WORD && n->length;
}

static void leaf_remove(struct routes *rs, struct route_site *s, struct route_node *n)
{
	struct route_node *up = n->up;

	s->routes -= n->route;
	s->unproven -= n->route && !n->proven;
	if (up) {
		*n->link = n->next;
		if (n->next)
			n->next->link = n->link;
		if (up->kinds[n->kind] == n)
			up->kinds[n->kind] = NULL;
		if (up->varied == n)
			up->varied = NULL;
		up->words -= counts_as_word(n) && n->live;
	}
	table_remove(rs->nodes, n);
}

void node_remove(struct routes *rs, struct route_site *s, struct route_node *top)
{
	struct route_node *n = top, *up;
	bool last = false;

	while (!last) {
		while (n->first)
			n = n->first;
		last = n == top;
		up = n->up;
		leaf_remove(rs, s, n);
		n = up;
	}
}

void node_prune(struct routes *rs, struct route_site *s, struct route_node *n)
{
	while (n->up && !n->first && !n->route && n->up->varied != n) {
		struct route_node *up = n->up;

		leaf_remove(rs, s, n);
		n = up;
	}
}

void node_live(struct route_node *n)
{
	for (; !n->live && n->up; n = n->up) {
		n->live = true;
		n->up->words += counts_as_word(n);
	}
}

bool nodes_room(struct routes *rs, uint32_t count)
{
	while (table_count(rs->nodes) + count > rs->options.nodes_max)
		if (table_count(rs->sites) < 2 || !table_evict(rs->sites))
			return false;
	return true;
}

static bool way_ends(const struct way *w)
{
	return !w->rest.p && !w->file;
}

/* Does it leave room for what comes behind it? */
static bool way_fits(const struct way *w, size_t bytes)
{
	size_t rest = way_ends(w) ? 0 : kind_text(KIND_REST).n + 1;

	return w->n + bytes + rest <= REQUEST_ROUTE_MAX;
}

static bool way_append(struct way *w, const struct route_node *n)
{
	struct str text = node_text(n);
	bool slash = n->kind != KIND_BARE && (n->up->kind != KIND_BARE || !n->up->up);

	if (!way_fits(w, slash + text.n))
		return false;
	if (slash)
		w->to[w->n++] = '/';
	memcpy(w->to + w->n, text.p, text.n);
	w->n += text.n;
	return true;
}

static struct route_node *way_step(struct routes *rs, struct way *w, struct route_node *n,
				   bool make)
{
	if (!w->rest.p) {
		w->file = false;
		return node_kind(rs, n, KIND_ANY, make);
	}
	if (++w->depth <= DEPTH_MAX) {
		struct str segment = str_cut(&w->rest, '/');
		struct route_node *child = node_step(rs, n, segment, make);

		/* a word that does not fit is not kept */
		if (child || way_fits(w, segment.n + 1) || segment_kind(segment) != KIND_WORD)
			return child;
	}
	w->rest = (struct str){NULL, 0};
	w->file = false;
	return node_kind(rs, n, KIND_REST, make);
}

static struct route_node *way_cut(struct routes *rs, struct route_site *s, struct way *w,
				  struct route_node *n, bool make)
{
	struct route_node *up = n->up, *rest = node_kind(rs, up, KIND_REST, make);

	w->rest = (struct str){NULL, 0};
	w->file = false;
	if (make)
		node_prune(rs, s, n);
	if (rest)
		way_append(w, rest);
	return rest;
}

struct route_node *path_follow(struct routes *rs, struct route_site *s, struct str path, bool make,
			       char to[static REQUEST_ROUTE_MAX], size_t *length)
{
	struct way w = {.rest = path, .to = to};
	struct route_node *n = s->root, *next;

	w.file = path_is_file(path, &w.rest);
	if (path.n && *path.p != '/')
		n = node_kind(rs, n, KIND_BARE, make);
	else if (w.rest.n)
		w.rest = str_from(w.rest, 1);
	else
		w.rest.p = NULL;
	while (n && !way_ends(&w)) {
		next = way_step(rs, &w, n, make);
		if (next && !way_append(&w, next))
			next = way_cut(rs, s, &w, next, make);
		n = next;
	}
	*length = w.n;
	return n;
}

/* Its template, from the nodes above it. */
static size_t node_template(const struct route_node *n, char to[static REQUEST_ROUTE_MAX])
{
	const struct route_node *path[DEPTH_MAX + 2];
	struct way w = {.to = to};
	unsigned depth = 0;

	for (; n->up && depth < DEPTH_MAX + 2; n = n->up)
		path[depth++] = n;
	while (depth)
		way_append(&w, path[--depth]);
	return w.n;
}

static struct route_node *template_step(struct routes *rs, struct route_node *n, struct str text)
{
	enum route_kind kind = kind_of_text(text);

	return kind == KIND_WORD ? node_word(rs, n, text) : n->kinds[kind];
}

size_t template_follow(struct routes *rs, const struct route_site *s, struct str old,
		       char to[static REQUEST_ROUTE_MAX])
{
	struct route_node *n = s->root;
	struct str rest = old, now;

	if (old.n && *old.p != '/')
		n = n->kinds[KIND_BARE];
	else
		rest = str_from(old, 1);
	while (n && rest.p)
		n = template_step(rs, n, str_cut(&rest, '/'));
	if (n && n->merged)
		n = n->merged;
	if (!n || !n->route)
		return 0;
	now = (struct str){to, node_template(n, to)};
	if (s->flushing && !n->proven)
		now.n = str_copy(to, REQUEST_ROUTE_MAX, STR(ROUTE_OTHER));
	return str_eq(now, old) ? 0 : now.n;
}
