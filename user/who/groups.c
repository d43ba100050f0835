/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups by number. The kernel half tells of one when it is made, so it is known before the first
 * process in it does anything, and for the agent's own questions procfs is not needed. Kept is what
 * the path says, and only if it says something: a pod, a container or a unit.
 *
 * The invariant: a number is never used for another cgroup, so what is known of one stays true.
 * One that was removed is kept for a while, because processes are asked about after their end, and
 * makes room at once when the table is full; only then the least recently used one goes.
 */
#include "who/groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "who/name.h"

#define GROUPS_MAX  4096
#define KEPT_ROUNDS 300 /* of groups_refresh(), after its end */

struct group {
	uint64_t number; /* the key */
	uint64_t gone;	 /* the round of its end, or 0 */
	char pod[CGROUP_POD_SIZE];
	char container[CGROUP_ID_SIZE + 1];
	char unit[NAME_SIZE];
};

struct groups {
	struct table *table;
	uint64_t round; /* from 1 */
};

static void group_evicted(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

struct groups *groups_new(void)
{
	struct groups *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->round = 1;
	g->table = table_new(&(struct table_options){.name = "cgroups",
						     .capacity = GROUPS_MAX,
						     .key_size = sizeof(uint64_t),
						     .entry_size = sizeof(struct group),
						     .evicted = group_evicted});
	if (g->table)
		return g;
	free(g);
	return NULL;
}

void groups_free(struct groups *g)
{
	if (!g)
		return;
	table_free(g->table);
	free(g);
}

/* Those that have been gone for as many rounds. */
static void remove_gone(struct groups *g, uint64_t rounds)
{
	for (struct group *group = table_oldest(g->table), *next; group; group = next) {
		next = table_next(g->table, group);
		if (group->gone && g->round - group->gone >= rounds)
			table_remove(g->table, group);
	}
}

void groups_made(struct groups *g, uint64_t number, struct str path)
{
	struct group *group;
	struct cgroup c;

	cgroup_read(&c, path);
	if ((!cgroup_is_container(&c) && !c.unit.n) || table_find(g->table, &number))
		return;
	if (table_count(g->table) == GROUPS_MAX)
		remove_gone(g, 0);
	group = table_add(g->table, &number);
	str_copy(group->pod, sizeof(group->pod), str_of(c.pod));
	str_copy(group->container, sizeof(group->container), c.container);
	str_copy(group->unit, sizeof(group->unit), c.unit);
}

void groups_gone(struct groups *g, uint64_t number)
{
	struct group *group = table_find(g->table, &number);

	if (group)
		group->gone = g->round;
}

void groups_refresh(struct groups *g)
{
	g->round++;
	remove_gone(g, KEPT_ROUNDS);
}

static struct str view(const char *text)
{
	return text[0] ? str_of(text) : (struct str){NULL, 0};
}

bool groups_find(const struct groups *g, uint64_t number, struct cgroup *found)
{
	struct group *group = number ? table_find(g->table, &number) : NULL;

	if (!group)
		return false;
	table_touch(g->table, group);
	*found = (struct cgroup){.unit = view(group->unit), .container = view(group->container)};
	memcpy(found->pod, group->pod, sizeof(found->pod));
	found->foreign = cgroup_is_container(found);
	return true;
}

const struct table *groups_table(const struct groups *g)
{
	return g->table;
}
