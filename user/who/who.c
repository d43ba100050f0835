/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a process is: the cache and the order of the sources. A service's name comes from the first
 * that has one: a --service rule for the port, the OpenTelemetry variables of the process, its
 * systemd unit, its program, the name in a kernel record, "unknown".
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

#include "who/proc.h"

#define PROCESS_MAX_DEFAULT 8192

typedef size_t source_fn(const struct proc *p, char *name, size_t size);

static source_fn *const sources[] = {proc_otel_service, proc_unit, proc_program};

static const struct owner *identity_intern(struct who *w, struct str service)
{
	char key[NAME_SIZE] = {0};
	struct identity *identity;

	name_copy(key, sizeof(key), service);
	identity = table_find(w->identities, key);
	if (identity)
		return &identity->owner;
	identity = table_add(w->identities, key);
	if (!identity)
		return w->other;
	identity->owner.id = ++w->last_id;
	identity->owner.service = str_of(identity->service);
	return &identity->owner;
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

	if (!w)
		return NULL;
	w->procfs = options->procfs ? options->procfs : "/proc";
	w->check = 1;
	w->process_max = options->process_max ? options->process_max : PROCESS_MAX_DEFAULT;
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
		.key_size = NAME_SIZE,
		.entry_size = sizeof(struct identity),
	});
	w->rules = calloc(options->service_count + 1, sizeof(*w->rules));
	w->exited = calloc(w->process_max, sizeof(*w->exited));
	if (!w->processes || !w->identities || !w->rules || !w->exited) {
		who_free(w);
		return NULL;
	}
	w->unknown = identity_pin(w, STR("unknown"));
	w->other = identity_pin(w, STR("other"));
	rules_intern(w, options);
	return w;
}

void who_free(struct who *w)
{
	if (!w)
		return;
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

static struct process *process_of(struct who *w, uint32_t pid)
{
	struct process *p = table_find(w->processes, &pid);

	if (p) {
		table_touch(w->processes, p);
		return p;
	}
	processes_make_room(w);
	return table_add(w->processes, &pid);
}

/* NULL: nothing was ever heard of it, and it is gone. It takes no place from those that live. */
static struct process *process_known(struct who *w, uint32_t pid)
{
	if (!table_find(w->processes, &pid) && process_vanished(w, &(struct process){.pid = pid}))
		return NULL;
	return process_of(w, pid);
}

static void process_forget(struct process *p)
{
	uint32_t pid = p->pid;

	*p = (struct process){.pid = pid};
}

static const struct owner *process_identify(struct who *w, const struct process *p,
					    const struct proc *proc)
{
	char name[NAME_SIZE];

	for (size_t i = 0; proc && i < sizeof(sources) / sizeof(*sources); i++)
		if (sources[i](proc, name, sizeof(name)))
			return identity_intern(w, str_of(name));
	return p->name[0] ? identity_intern(w, str_of(p->name)) : w->unknown;
}

static void process_look(struct who *w, struct process *p)
{
	struct proc proc;
	bool found = proc_find(&proc, w->procfs, p->pid) == 0;

	/* a child that never called exec() may bear the pid of one that is gone */
	if (found && p->gone && !proc.zombie && proc.start != p->start)
		process_forget(p);
	if (p->owner)
		return;
	if (found) {
		p->start = proc.start;
		p->parent = proc.parent;
	}
	p->owner = process_identify(w, p, found ? &proc : NULL);
}

void who_exec(struct who *w, uint32_t pid, struct str comm, struct str args)
{
	struct process *p = process_of(w, pid);
	bool looked_at = p->owner && !p->gone;

	process_forget(p);
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

void who_hint(struct who *w, uint32_t pid, struct str comm)
{
	struct process *p = process_of(w, pid);

	/* who opens a connection after its exit is another one */
	if (p->gone || p->owner == w->unknown)
		process_forget(p);
	if (!p->name[0])
		name_copy(p->name, sizeof(p->name), comm);
	/* now rather than at the request's end: a short-lived client may be gone by then */
	if (!p->owner)
		process_look(w, p);
}

static const struct owner *rule_owner(const struct who *w, struct process *p, uint16_t server_port)
{
	if (!server_port)
		return p && p->rule ? w->rules[p->rule - 1].owner : NULL;
	for (unsigned i = 0; i < w->rule_count; i++) {
		if (w->rules[i].port != server_port)
			continue;
		if (p)
			p->served |= rule_bit(i);
		if (p && (!p->rule || i + 1 < p->rule))
			p->rule = i + 1;
		return w->rules[i].owner;
	}
	return NULL;
}

const struct owner *who_is(struct who *w, uint32_t pid, uint16_t server_port)
{
	struct process *p = process_known(w, pid);
	const struct owner *owner;
	struct identity *identity;

	if (p && (!p->owner || p->gone))
		process_look(w, p);
	owner = rule_owner(w, p, server_port);
	if (!owner)
		owner = p ? p->owner : w->unknown;
	identity = identity_of(owner);
	identity->given = identity->asked = true;
	return owner;
}

const struct table *who_table(const struct who *w)
{
	return w->processes;
}
