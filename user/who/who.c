/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a process is: the cache. What a process is called is found once, by identify.c, and looked
 * for again only while a name is missing.
 *
 * The invariants. Owners are interned by name; one that was given out keeps its address and its id
 * as long as it is not let go (forget.c), and no id is ever used for another name. When their table
 * is full every further name is the service "other". A process has one entry; what was learned
 * about a program dies with the next exec of that pid, and what was learned about a process with
 * the next bearer of its pid.
 *
 * Requests may be asked about after their process is gone, so an exit only marks the entry; the
 * longest gone are the first to make room for others. It refuses to look twice: a cached
 * answer costs one table_find().
 */
#include "who/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "who/follow.h"
#include "who/proc.h"

#define PROCESS_MAX_DEFAULT 8192

const struct owner *names_intern(struct who *w, const struct names *names)
{
	struct identity *identity = table_find(w->identities, names);

	if (identity)
		return &identity->owner;
	identity = table_add(w->identities, names);
	if (!identity)
		return w->other;
	identity->owner = (struct owner){
		.id = ++w->last_id,
		.service = str_of(identity->names.service),
		.namespace = str_of(identity->names.namespace),
		.pod = str_of(identity->names.pod),
		.container = str_of(identity->names.container),
	};
	return &identity->owner;
}

static const struct owner *identity_intern(struct who *w, struct str service)
{
	struct names names = {.service = ""};

	name_copy(names.service, sizeof(names.service), service);
	return names_intern(w, &names);
}

/* For owners that struct who points to. */
static const struct owner *identity_pin(struct who *w, struct str service)
{
	const struct owner *owner = identity_intern(w, service);

	identity_of(owner)->pinned = true;
	return owner;
}

static void rules_intern(struct who *w, const struct who_options *options)
{
	for (unsigned i = 0; i < options->service_count; i++) {
		w->rules[i].port = options->services[i].port;
		w->rules[i].owner = identity_pin(w, options->services[i].name);
	}
	w->rule_count = options->service_count;
}

struct who *who_new(const struct who_options *options)
{
	struct who *w = calloc(1, sizeof(*w));
	char why[FOLLOW_WHY_SIZE];

	if (!w)
		return NULL;
	w->procfs = options->procfs ? options->procfs : "/proc";
	w->check = 1;
	w->process_max = options->process_max ? options->process_max : PROCESS_MAX_DEFAULT;
	w->kube = kube_new(options->logs, options->node);
	w->groups = groups_new();
	w->processes = table_new(&(struct table_options){
		.name = "processes",
		.capacity = w->process_max,
		.key_size = sizeof(uint32_t),
		.entry_size = sizeof(struct process),
		.evicted = process_evicted,
		.ctx = w,
	});
	w->identities = table_new(&(struct table_options){
		.name = "identities",
		.capacity = IDENTITY_MAX,
		.key_size = sizeof(struct names),
		.entry_size = sizeof(struct identity),
	});
	w->rules = calloc(options->service_count + 1, sizeof(*w->rules));
	w->exited = calloc(w->process_max, sizeof(*w->exited));
	if (!w->kube || !w->groups || !w->processes || !w->identities || !w->rules || !w->exited) {
		who_free(w);
		return NULL;
	}
	if (options->api && !kube_ask(w->kube, options->api, why, sizeof(why)))
		log_warn("sonde.who",
			 "the Kubernetes API is not asked: %s; the names of the kubelet's folders "
			 "serve",
			 why);
	w->unknown = identity_pin(w, STR("unknown"));
	w->other = identity_pin(w, STR("other"));
	rules_intern(w, options);
	return w;
}

void who_free(struct who *w)
{
	if (!w)
		return;
	kube_free(w->kube);
	groups_free(w->groups);
	table_free(w->processes);
	table_free(w->identities);
	free(w->rules);
	free(w->exited);
	free(w);
}

/* Removes the process that exited first, unless its pid has another bearer by now. */
static void exited_remove_first(struct who *w)
{
	uint32_t pid = w->exited[w->exited_first];
	struct process *p = table_find(w->processes, &pid);

	w->exited_first = (w->exited_first + 1) % w->process_max;
	w->exited_count--;
	if (p && p->gone)
		table_remove(w->processes, p);
}

static void exited_append(struct who *w, uint32_t pid)
{
	if (w->exited_count == w->process_max)
		exited_remove_first(w);
	w->exited[(w->exited_first + w->exited_count++) % w->process_max] = pid;
}

/*
 * Without this, a node that starts many short programs would push idle servers out, and with them
 * what is remembered of their ports.
 */
static void processes_make_room(struct who *w)
{
	while (w->exited_count && table_count(w->processes) == w->process_max)
		exited_remove_first(w);
}

static struct process *process_find(struct who *w, uint32_t pid)
{
	struct process *p = table_find(w->processes, &pid);

	if (p)
		table_touch(w->processes, p);
	return p;
}

static struct process *process_add(struct who *w, uint32_t pid)
{
	processes_make_room(w);
	return table_add(w->processes, &pid);
}

static struct process *process_of(struct who *w, uint32_t pid)
{
	struct process *p = process_find(w, pid);

	return p ? p : process_add(w, pid);
}

/* NULL: nothing was ever heard of it, and it is gone. It takes no place from those that live. */
static struct process *process_known(struct who *w, uint32_t pid)
{
	struct process *p = process_find(w, pid);

	if (p)
		return p;
	return process_vanished(w, &(struct process){.pid = pid}) ? NULL : process_add(w, pid);
}

static void process_forget(struct process *p)
{
	uint32_t pid = p->pid;

	*p = (struct process){.pid = pid};
}

/* Is there anything to be learned of it? */
static bool process_is_seen(const struct who *w, const struct process *p, bool found)
{
	struct cgroup cgroup;

	return found || groups_find(w->groups, p->cgroup, &cgroup);
}

/* It is gone, and so is whatever could tell its missing name. */
static void process_give_up(struct who *w, struct process *p)
{
	struct names names = identity_of(p->owner)->names;

	if (!names.provisional || w->round - p->round < AWAIT_ROUNDS)
		return;
	names.provisional = false;
	p->owner = names_intern(w, &names);
	p->ruled = NULL;
}

/* The API has told of more pods since it was looked at, perhaps also of its own. */
static bool process_untold(const struct who *w, const struct process *p)
{
	return p->told && p->told != kube_told(w->kube) + 1 && p->looked != w->round && !p->gone;
}

static void process_look(struct who *w, struct process *p)
{
	struct proc proc;
	bool found = proc_find(&proc, w->procfs, p->pid) == 0;

	/* a child that never called exec() may bear the pid of one that is gone */
	if (found && p->gone && !proc.zombie && proc.start != p->start)
		process_forget(p);
	if (p->owner && !process_is_seen(w, p, found))
		process_give_up(w, p);
	if (p->owner && !(process_is_seen(w, p, found) &&
			  (who_is_provisional(p->owner) || process_untold(w, p))))
		return;
	if (found) {
		p->start = proc.start;
		p->parent = proc.parent;
	}
	p->looked = w->round;
	p->round = p->owner ? p->round : w->round;
	p->news = kube_news(w->kube); /* before the look, so that nothing falls between */
	p->owner = process_identify(w, p, found ? &proc : NULL);
	p->ruled = NULL;
}

void who_exec(struct who *w, uint32_t pid, struct str comm, struct str args, uint64_t cgroup)
{
	struct process *p = process_of(w, pid);
	bool looked_at = p->owner && !p->gone;

	process_forget(p);
	p->cgroup = cgroup;
	if (!who_program(args_whole(args, EVENT_ARGS_MAX), p->name, sizeof(p->name)))
		name_copy(p->name, sizeof(p->name), comm);
	/* at once: a server that execs itself anew goes on to keep its identity alive */
	if (looked_at)
		process_look(w, p);
}

void who_exit(struct who *w, uint32_t pid, uint64_t now)
{
	struct process *p = table_find(w->processes, &pid);

	if (!p || p->gone)
		return;
	p->gone = now ? now : 1;
	exited_append(w, pid);
}

/* It has been moved since it was looked at. */
static void process_moved(struct process *p, uint64_t cgroup)
{
	if (p->cgroup)
		p->owner = p->ruled = NULL;
	p->cgroup = cgroup;
}

void who_hint(struct who *w, uint32_t pid, struct str comm, uint64_t cgroup)
{
	struct process *p = process_of(w, pid);

	/* who opens a connection after its exit is another one */
	if (p->gone || p->owner == w->unknown)
		process_forget(p);
	if (cgroup && p->cgroup != cgroup)
		process_moved(p, cgroup);
	if (!p->name[0])
		name_copy(p->name, sizeof(p->name), comm);
	/* now rather than at the request's end: a short-lived client may be gone by then */
	if (!p->owner)
		process_look(w, p);
}

bool who_is_provisional(const struct owner *owner)
{
	return identity_of(owner)->names.provisional;
}

/* A name is missing, and there may be more of them than at the last look. */
static bool process_awaits(struct who *w, const struct process *p)
{
	if (process_untold(w, p))
		return true;
	return who_is_provisional(p->owner) &&
	       (p->looked != w->round || p->news != kube_news(w->kube));
}

const struct owner *who_is(struct who *w, uint32_t pid, uint16_t server_port)
{
	struct process *p = process_known(w, pid);
	const struct owner *owner;
	struct identity *identity;

	if (p && (!p->owner || p->gone || process_awaits(w, p)))
		process_look(w, p);
	owner = process_rule(w, p, server_port);
	if (!owner)
		owner = p ? p->owner : w->unknown;
	identity = identity_of(owner);
	identity->given = identity->asked = true;
	return owner;
}

void who_cgroup(struct who *w, uint64_t cgroup, struct str path)
{
	groups_made(w->groups, cgroup, path);
}

void who_cgroup_gone(struct who *w, uint64_t cgroup)
{
	groups_gone(w->groups, cgroup);
}

void who_refresh(struct who *w)
{
	w->round++;
	kube_refresh(w->kube);
	groups_refresh(w->groups);
}

void who_tables(const struct who *w, const struct table *tables[WHO_TABLES])
{
	tables[0] = w->processes;
	tables[1] = w->identities;
	kube_tables(w->kube, &tables[2]);
	tables[2 + KUBE_TABLES] = groups_table(w->groups);
}

const struct follow_stats *who_api(const struct who *w)
{
	return kube_asked(w->kube);
}
