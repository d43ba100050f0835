/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that had to make room while requests were open on them. They wait aside, whole but
 * for heads in pieces, until something is heard of them again: else a response that comes later
 * would count a request that had been called lost before. Those without an open request need no
 * such place, since all that they were is counted.
 *
 * The invariant: a connection stands in one of the two tables, never in both. When this one is
 * full, too, the one that waits for longest goes, and what it had open is lost.
 */
#include "base/table.h"
#include "flow/conn.h"

#define FORGOTTEN_MAX 4096

static void forgotten_evicted(void *ctx, void *entry)
{
	close_forget(ctx, entry);
}

int forgotten_init(struct flow *f)
{
	f->forgotten = table_new(&(struct table_options){
		.name = "forgotten_connections",
		.capacity = FORGOTTEN_MAX,
		.key_size = sizeof(uint64_t),
		.entry_size = sizeof(struct conn),
		.evicted = forgotten_evicted,
		.ctx = f,
	});
	return f->forgotten ? 0 : -1;
}

void forgotten_keep(struct flow *f, const struct conn *c)
{
	struct conn *kept;

	if (!c->first && !c->early && !c->homeless)
		return;
	kept = table_add(f->forgotten, &c->id);
	*kept = *c;
	if (!c->first)
		kept->last = NULL;
}

bool forgotten_restore(struct flow *f, struct conn *c)
{
	struct conn *kept = table_find(f->forgotten, &c->id);

	if (!kept)
		return false;
	*c = *kept;
	c->last = c->first ? c->last : &c->first; /* else it points into the last exchange */
	table_remove(f->forgotten, kept);
	return true;
}
