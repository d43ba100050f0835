/* SPDX-License-Identifier: Apache-2.0 */
/* Requests by their paths, and figures by route that follow each renaming, as the metrics do. */
#ifndef ROUTE_MODEL_H
#define ROUTE_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "flow/route.h"

#define FIGURES_MAX 2048

struct figure {
	char route[REQUEST_ROUTE_MAX + 1];
	uint64_t count;
};

struct model {
	struct routes *routes;
	struct figure figures[FIGURES_MAX];
	unsigned used, most; /* routes with a count; the most at once */
	unsigned renamings;
	uint64_t requests;
	/* of what is asked next */
	const struct owner *owner;
	uint8_t role;
	const char *host;
};

static struct owner model_owner = {.id = 1, .service = {"backend", 7}};

static struct figure *figure_of(struct model *m, struct str route)
{
	for (unsigned i = 0; i < m->used; i++)
		if (str_eq(str_of(m->figures[i].route), route))
			return &m->figures[i];
	assert_in_range(m->used, 0, FIGURES_MAX - 1);
	str_copy(m->figures[m->used].route, sizeof(m->figures[0].route), route);
	m->figures[m->used].count = 0;
	return &m->figures[m->used++];
}

static void model_renamed(void *ctx, const struct route_change *change)
{
	struct model *m = ctx;
	char to[REQUEST_ROUTE_MAX], twice[REQUEST_ROUTE_MAX];

	m->renamings++;
	for (unsigned i = 0; i < m->used; i++) {
		struct figure old = m->figures[i];
		size_t n = change->again(change, str_of(old.route), to);

		if (!n)
			continue;
		assert_int_equal(change->again(change, (struct str){to, n}, twice), 0);
		m->figures[i--] = m->figures[--m->used];
		figure_of(m, (struct str){to, n})->count += old.count;
	}
}

static struct model *model_new(const struct route_rule *rules, unsigned rule_count,
			       uint32_t routes_max)
{
	struct model *m = calloc(1, sizeof(*m));

	m->owner = &model_owner;
	m->role = ROLE_SERVER;
	m->routes = routes_new(&(struct routes_options){.routes_max = routes_max,
							.nodes_max = 4096,
							.sites_max = 16,
							.rules = rules,
							.rule_count = rule_count,
							.renamed = model_renamed,
							.ctx = m});
	assert_non_null(m->routes);
	return m;
}

static void model_free(struct model *m)
{
	routes_free(m->routes);
	free(m);
}

/* A request and what its route is right then, until the next one. */
static const char *model_ask(struct model *m, const char *op, struct str path, uint16_t status)
{
	static struct request r;
	static char text[REQUEST_ROUTE_MAX + 1];
	char *route = malloc(REQUEST_ROUTE_MAX); /* overruns are seen */
	size_t n;

	r.role = m->role;
	r.status = status;
	r.owner = m->owner;
	request_set(&r, host, str_of(m->host));
	request_set(&r, op, str_of(op));
	request_set(&r, target, path);
	n = routes_of(m->routes, &r, true, route);
	assert_in_range(n, 0, REQUEST_ROUTE_MAX);
	str_copy(text, sizeof(text), (struct str){route, n});
	free(route);
	figure_of(m, str_of(text))->count++;
	m->requests++;
	if (m->used > m->most)
		m->most = m->used;
	return text;
}

static const char __attribute__((unused)) *
	model_get(struct model *m, const char *path, uint16_t status)
{
	return model_ask(m, "GET", str_of(path), status);
}

/* format has two %c; words from..to */
static void __attribute__((unused))
ask_words(struct model *m, const char *format, unsigned from, unsigned to, uint16_t status)
{
	char path[128];

	for (unsigned i = from; i < to; i++) {
		snprintf(path, sizeof(path), format, 'a' + i / 26 % 26, 'a' + i % 26);
		model_get(m, path, status);
	}
}

static uint64_t __attribute__((unused)) model_count(struct model *m, const char *route)
{
	for (unsigned i = 0; i < m->used; i++)
		if (strcmp(m->figures[i].route, route) == 0)
			return m->figures[i].count;
	return 0;
}

static uint32_t __attribute__((unused)) model_segments(const struct model *m)
{
	const struct table *tables[ROUTE_TABLES];

	routes_tables(m->routes, tables);
	return table_count(tables[1]);
}

#endif
