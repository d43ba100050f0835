/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letting identities go. Liveness is not counted up and down on the way but found by one pass over
 * the cache: nothing can drift through exits, execs, evictions and reused pids.
 *
 * The invariant: an identity is forgotten only if no process of it is known to live, no request of
 * it is open and nobody asked for it, all for longer than the ttl. In doubt it stays: one whose
 * live process was evicted is kept for good, since the exit could no longer be noticed.
 *
 * Forgetting has two steps, because records speak of a process after its end. First the figures of
 * others go, and the owner keeps its address and its id, which still means the same names. Its slot
 * is free for another name, under a new id, when nothing points to it: no open request (a gauge
 * would else fall below zero, too), no entry of the cache, no --service rule.
 */
#include "who/cache.h"

#include <errno.h>

#include "who/proc.h"

#define CHECKS_MAX 64 /* looks into procfs in one pass, about 5 us each */

/* False in doubt: a main thread may be a zombie while others go on, a read may fail. */
bool process_vanished(const struct who *w, const struct process *p)
{
	struct proc proc;
	int err = proc_find(&proc, w->procfs, p->pid);

	return err == -ENOENT || (!err && p->start && proc.start != p->start);
}

static void rules_mark(const struct who *w, const struct process *p,
		       void (*mark)(struct identity *))
{
	for (unsigned i = 0; p->served && i < w->rule_count; i++) {
		const struct owner *owner = p->served & rule_bit(i) ? rule_owner(w, p, i) : NULL;

		if (owner)
			mark(identity_of(owner));
	}
}

static void mark_unwatched(struct identity *identity)
{
	identity->unwatched = true;
}

static void mark_live(struct identity *identity)
{
	identity->live = true;
}

void process_evicted(void *ctx, void *entry)
{
	const struct who *w = ctx;
	const struct process *p = entry;

	if (!p->owner || p->gone || process_vanished(w, p))
		return;
	mark_unwatched(identity_of(p->owner));
	rules_mark(w, p, mark_unwatched);
}

/* Exit records can be lost. In rounds, so that each process has its turn. */
static void processes_check(struct who *w, uint64_t now)
{
	uint32_t vanished[CHECKS_MAX]; /* an exit may remove entries, so not in the loop */
	unsigned checks = 0, count = 0;

	for (struct process *p = table_oldest(w->processes); p && checks < CHECKS_MAX;
	     p = table_next(w->processes, p)) {
		if (!p->owner || p->gone || p->check == w->check)
			continue;
		p->check = w->check;
		checks++;
		if (process_vanished(w, p))
			vanished[count++] = p->pid;
	}
	if (checks < CHECKS_MAX)
		w->check++;
	while (count)
		who_exit(w, vanished[--count], now);
}

static void parent_look(struct who *w, const struct process *child)
{
	struct process *parent;
	struct proc proc;

	if (proc_find(&proc, w->procfs, child->parent) || proc.zombie)
		return;
	who_hint(w, child->parent, STR(""), 0);
	parent = table_find(w->processes, &child->parent);
	if (parent->owner == child->owner)
		parent->served |= child->served;
}

/*
 * Of a server that forks its workers perhaps one alone was ever asked about, and the others wait
 * for requests. When it goes, its parent tells whether the server goes on.
 */
static void parents_look(struct who *w)
{
	struct process orphans[CHECKS_MAX]; /* copies: a look may remove entries */
	unsigned count = 0;

	for (struct process *p = table_oldest(w->processes); p && count < CHECKS_MAX;
	     p = table_next(w->processes, p)) {
		if (!p->gone || !p->parent)
			continue;
		orphans[count++] = *p;
		p->parent = 0;
	}
	while (count)
		parent_look(w, &orphans[--count]);
}

/* Names that only processes of the past bear make room when it gets short. */
static void processes_mark(struct who *w)
{
	bool crowded = table_count(w->identities) > IDENTITY_MAX / 2;

	for (struct process *p = table_oldest(w->processes), *next; p; p = next) {
		struct identity *identity = p->owner ? identity_of(p->owner) : NULL;

		next = table_next(w->processes, p);
		if (!identity)
			continue;
		if (p->gone && crowded && !identity->given) {
			table_remove(w->processes, p);
			continue;
		}
		identity->known = true;
		if (p->ruled)
			identity_of(p->ruled)->known = true;
		if (p->gone)
			continue;
		mark_live(identity);
		rules_mark(w, p, mark_live);
	}
}

/* True: it has been idle for longer than the ttl. */
static bool identity_expired(struct identity *identity, uint64_t now, uint64_t ttl_ns)
{
	if (identity->live || identity->unwatched || identity->holds) {
		identity->idle_since = 0;
		return false;
	}
	if (identity->asked || !identity->idle_since)
		identity->idle_since = now;
	return now - identity->idle_since > ttl_ns;
}

void who_forget(struct who *w, uint64_t now, uint64_t ttl_ns, who_forget_fn *fn, void *ctx)
{
	if (!ttl_ns)
		return;
	processes_check(w, now);
	parents_look(w);
	processes_mark(w);
	for (struct identity *i = table_oldest(w->identities), *next; i; i = next) {
		next = table_next(w->identities, i);
		if (identity_expired(i, now, ttl_ns) && i->given) {
			fn(ctx, &i->owner);
			i->given = false;
		}
		/* a held one is still given */
		if (!i->given && !i->known && !i->pinned)
			table_remove(w->identities, i);
		i->asked = i->live = i->known = false;
	}
}

void who_hold(const struct owner *owner)
{
	identity_of(owner)->holds++;
}

void who_release(const struct owner *owner)
{
	identity_of(owner)->holds--;
}
