/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route of a request: by the rules, else by the tree of its service and role; a client has one
 * for each host that it asks, for the first HOSTS_MAX of them. Several processes with one service
 * name share a tree.
 *
 * The invariants: a path that has a route keeps it until that is renamed, which the sink is told
 * of; everything is bounded, and what finds no place is ROUTE_OTHER. Never the query, which is no
 * part of a target here.
 */
#include <stdlib.h>

#include "flow/route_tree.h"

#define HOSTS_MAX 32

static void site_evicted(void *ctx, void *entry)
{
	struct route_site *s = entry;

	if (s->root)
		node_remove(ctx, s, s->root);
}

static bool rules_make(struct routes *rs)
{
	const struct routes_options *o = &rs->options;
	size_t bytes = 0;
	char *to;

	for (unsigned i = 0; i < o->rule_count; i++)
		bytes += o->rules[i].service.n + o->rules[i].text.n + 2;
	rs->rules = calloc(o->rule_count + 1, sizeof(*rs->rules));
	rs->texts = to = calloc(bytes + 1, 1);
	if (!rs->rules || !rs->texts || o->rule_count > ROUTE_RULES_MAX)
		return false;
	for (unsigned i = 0; i < o->rule_count; i++) {
		struct rule_form *form = &rs->rules[i];
		struct str text = {to, str_copy(to, o->rules[i].text.n + 1, o->rules[i].text)};

		if (!rule_parse(text, form))
			return false;
		to += text.n + 1;
		form->service.p = to;
		form->service.n = str_copy(to, o->rules[i].service.n + 1, o->rules[i].service);
		to += form->service.n + 1;
	}
	qsort(rs->rules, o->rule_count, sizeof(*rs->rules), rule_compare);
	return true;
}

struct routes *routes_new(const struct routes_options *options)
{
	struct routes *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return NULL;
	rs->options = *options;
	rs->sites = table_new(&(struct table_options){.name = "route_services",
						      .capacity = options->sites_max,
						      .key_size = sizeof(struct site_key),
						      .entry_size = sizeof(struct route_site),
						      .evicted = site_evicted,
						      .ctx = rs});
	rs->nodes = table_new(&(struct table_options){.name = "route_segments",
						      .capacity = options->nodes_max,
						      .key_size = sizeof(struct node_key),
						      .entry_size = sizeof(struct route_node)});
	if (rs->sites && rs->nodes && rules_make(rs))
		return rs;
	routes_free(rs);
	return NULL;
}

void routes_free(struct routes *rs)
{
	if (!rs)
		return;
	table_free(rs->sites);
	table_free(rs->nodes);
	free(rs->rules);
	free(rs->texts);
	free(rs);
}

static struct str service_of(const struct request *r)
{
	return r->owner ? r->owner->service : (struct str){NULL, 0};
}

static struct site_key site_key(const struct request *r, struct str host)
{
	uint64_t hash = str_hash(service_of(r));

	if (host.n)
		hash = bytes_hash((uint64_t[]){hash, str_hash(host)}, 2 * sizeof(uint64_t));
	return (struct site_key){hash, r->role};
}

static uint32_t rules_choose(const struct routes *rs, struct route_site *s, struct str service)
{
	uint32_t count = 0;

	for (unsigned i = 0; i < rs->options.rule_count; i++) {
		if (rs->rules[i].service.n && !str_eq(rs->rules[i].service, service))
			continue;
		s->rules[i / 64] |= 1ULL << i % 64;
		count++;
	}
	return count;
}

static struct route_site *site_add(struct routes *rs, const struct request *r,
				   const struct site_key *key)
{
	struct route_node *root;
	struct route_site *s;
	uint32_t rules;

	if (!nodes_room(rs, 1) || !(root = node_root(rs)))
		return NULL;
	s = table_add(rs->sites, key);
	s->root = root;
	rules = rules_choose(rs, s, service_of(r));
	s->routes_max = rs->options.routes_max > rules ? rs->options.routes_max - rules : 0;
	return s;
}

/* NULL: no room, which only a table without any has. */
static struct route_site *site_get(struct routes *rs, const struct request *r)
{
	struct str host = r->role == ROLE_CLIENT ? request_str(r, host) : (struct str){NULL, 0};
	struct site_key key = site_key(r, host);
	struct route_site *s = table_find(rs->sites, &key);

	if (!s && host.n) {
		struct site_key of_all = site_key(r, (struct str){NULL, 0});

		s = table_find(rs->sites, &of_all);
		if (!s)
			s = site_add(rs, r, &of_all);
		if (!s)
			return NULL;
		s->shared = true;
		if (s->hosts < HOSTS_MAX) {
			s->hosts++;
			s = site_add(rs, r, &key);
		}
	} else if (!s) {
		s = site_add(rs, r, &key);
	}
	if (s) {
		s->shared |= r->role == ROLE_CLIENT && !host.n;
		table_touch(rs->sites, s);
	}
	return s;
}

static size_t rule_of(const struct routes *rs, const struct route_site *s, struct str method,
		      struct str path, char to[static REQUEST_ROUTE_MAX])
{
	for (unsigned word = 0; word * 64 < rs->options.rule_count; word++)
		for (uint64_t left = s->rules[word]; left; left &= left - 1) {
			const struct rule_form *form =
				&rs->rules[word * 64 + (unsigned)__builtin_ctzll(left)];

			if (rule_matches(form, method, path))
				return request_fill(to, REQUEST_ROUTE_MAX, form->path);
		}
	return 0;
}

static size_t other(char to[static REQUEST_ROUTE_MAX])
{
	return request_fill(to, REQUEST_ROUTE_MAX, STR(ROUTE_OTHER));
}

static size_t known(struct routes *rs, struct route_site *s, struct str path,
		    char to[static REQUEST_ROUTE_MAX])
{
	size_t length;
	struct route_node *n = path_follow(rs, s, path, false, to, &length);

	return n && n->route ? length : other(to);
}

size_t routes_of(struct routes *rs, const struct request *r, bool learn,
		 char to[static REQUEST_ROUTE_MAX])
{
	struct str path = request_str(r, target);
	struct route_site *s = path.n ? site_get(rs, r) : NULL;
	struct route_node *n;
	size_t length;

	if (!s)
		return path.n ? other(to) : 0;
	length = rule_of(rs, s, request_str(r, op), path, to);
	if (length)
		return length;
	n = path_follow(rs, s, path, false, to, &length);
	if (n && !n->route)
		n = NULL;
	if (n && learn && n->hits < UINT32_MAX)
		n->hits++;
	if (n && (n->proven || !learn))
		return length;
	if (!learn)
		return other(to);
	if (n)
		route_again(rs, s, n, r);
	else
		route_learn(rs, s, r);
	return known(rs, s, path, to);
}

uint64_t routes_site(struct routes *rs, const struct request *r)
{
	const struct route_site *s = site_get(rs, r);

	return s ? s->key.hash : 0;
}

size_t routes_view(struct routes *rs, uint64_t site, uint8_t role, struct str path,
		   char to[static REQUEST_ROUTE_MAX])
{
	struct site_key key = {site, role};
	struct route_site *s = path.n ? table_find(rs->sites, &key) : NULL;
	size_t length;

	if (!s)
		return path.n ? other(to) : 0;
	length = rule_of(rs, s, STR("GET"), path, to);
	return length ? length : known(rs, s, path, to);
}

uint64_t routes_overflows(const struct routes *rs)
{
	return rs->overflows;
}

void routes_tables(const struct routes *rs, const struct table *tables[ROUTE_TABLES])
{
	tables[0] = rs->sites;
	tables[1] = rs->nodes;
}
