/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of routes share: kinds of segments, the tree, rules. Private to flow/route*.c. */
#ifndef SONDE_FLOW_ROUTE_TREE_H
#define SONDE_FLOW_ROUTE_TREE_H

#include "base/table.h"
#include "flow/route.h"

#define ROUTE_WORD_MAX 64 /* longer segments are data, not names */

/* What a segment is. All but words have one text for all their values: see kind_text(). */
enum route_kind {
	KIND_WORD,
	KIND_ID,
	KIND_DATE,
	KIND_EMAIL,
	KIND_TEXT, /* what no programmer calls a route: percent-encoding, emoji, ... */
	KIND_ANY,  /* words that vary, and files */
	KIND_REST, /* all segments that do not fit */
	KIND_BARE, /* no text and no slash: stands before paths that do not begin with one */
	KINDS
};

/* route_segment.c: pure */
enum route_kind segment_kind(struct str s);
bool segment_has_digit(struct str s);
bool segment_looks_random(struct str s); /* it may be an id; to ask where ids were seen */
struct str kind_text(enum route_kind kind);
enum route_kind kind_of_text(struct str text);
/* What stands before the part of a path that is one {*}, since it names a static file; else false.
 */
bool path_is_file(struct str path, struct str *before);

/* route_rule.c */
struct rule_form {
	struct str service, method, path;
	struct str prefix; /* of the path, up to the first name */
};

bool rule_parse(struct str text, struct rule_form *form);
bool rule_matches(const struct rule_form *form, struct str method, struct str path);
int rule_compare(const void *a, const void *b); /* for qsort(): the most specific first */

struct node_key {
	uint32_t parent; /* its number; of a root 0 */
	uint32_t length; /* of the word; others have the kind in its top bits */
	uint64_t hash;	 /* of the word */
};

struct route_node {
	struct node_key key;
	struct route_node *up, *first, *next, **link;
	struct route_node *kinds[KINDS]; /* children that are no words */
	struct route_node *varied;	 /* where unknown words go; NULL: words are few here */
	struct route_node *merged;	 /* where this one's routes have gone */
	uint32_t number;
	uint32_t hits;	/* requests of this very route */
	uint32_t words; /* children that are words and live */
	uint8_t kind;
	bool route;	/* some path ends here */
	bool proven;	/* and was answered well */
	bool live;	/* it or one below is proven */
	bool absorbed;	/* an id: words beside it that look random have been taken in */
	uint8_t length; /* of the word; of all ids that came by, 0 if they differ */
	char text[ROUTE_WORD_MAX];
};

struct site_key {
	uint64_t hash;
	uint64_t role;
};

/* One tree: a service as a server; as a client of one host. */
struct route_site {
	struct site_key key;
	struct route_node *root;
	uint32_t routes, unproven;
	uint32_t routes_max; /* what rules leave */
	uint32_t hosts;	     /* a client's: trees of single hosts */
	bool shared;	     /* several hosts' */
	bool scanned;	     /* somebody guesses paths: only good answers make routes */
	bool full;	     /* nothing can be merged any more */
	bool flushing;
	uint64_t rules[ROUTE_RULES_MAX / 64]; /* those that are for it */
};

struct routes {
	struct routes_options options;
	struct table *sites, *nodes;
	uint32_t last_number;
	uint64_t overflows;
	struct rule_form *rules;
	char *texts; /* what the rules stand in */
};

/* route_tree.c */
struct route_node *node_root(struct routes *rs);
/* The child that a segment leads to; make: it is made if it is missing. */
struct route_node *node_step(struct routes *rs, struct route_node *n, struct str segment,
			     bool make);
struct route_node *node_kind(struct routes *rs, struct route_node *n, enum route_kind kind,
			     bool make);
/* Ids were seen below n: may the word be one? */
bool node_like_id(const struct route_node *n, struct str word);
struct route_node *node_word(struct routes *rs, struct route_node *n, struct str word);
struct str node_text(const struct route_node *n);
/* What follows it in the tree below top, parents first; NULL at the end. */
struct route_node *node_after(const struct route_node *n, const struct route_node *top);
void node_remove(struct routes *rs, struct route_site *s, struct route_node *top);
void node_prune(struct routes *rs, struct route_site *s, struct route_node *n);
void node_live(struct route_node *n); /* a route that is proven */
/* Forgets other trees until there is room for so many nodes. */
bool nodes_room(struct routes *rs, uint32_t count);

/*
 * Where a path ends in the tree, and its template; NULL if that is not known. make: it becomes
 * known.
 */
struct route_node *path_follow(struct routes *rs, struct route_site *s, struct str path, bool make,
			       char to[static REQUEST_ROUTE_MAX], size_t *n);
/* What an old template is called by now; 0 if it is not of this tree, or as it was. */
size_t template_follow(struct routes *rs, const struct route_site *s, struct str old,
		       char to[static REQUEST_ROUTE_MAX]);

/* route_learn.c */
/* A path that is not known becomes a route, or not. */
void route_learn(struct routes *rs, struct route_site *s, const struct request *r);
/* A route that is known was asked for again, and is not proven yet. */
void route_again(struct routes *rs, struct route_site *s, struct route_node *n,
		 const struct request *r);

#endif
