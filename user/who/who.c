/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a process is: the cache and the order of the sources. A service's name comes from the first
 * that has one: a --service rule for the port, the pod's label that --service-label names, the
 * OpenTelemetry variables of the process, its pod's workload, its systemd unit, its program, the
 * name in a kernel record, "unknown". Where it runs, its pod and container, comes with any of them.
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

#define CGROUP_BYTES 16384 /* v1 has a line a controller, and each may be long */
#define AWAIT_ROUNDS 5	   /* of who_refresh(), until a missing name is given up */

/* What is known of a process when it is named. */
struct look {
	const struct proc *proc;
	struct cgroup cgroup;
	struct place place;
};

typedef size_t source_fn(const struct look *look, char *name, size_t size);

static size_t source_label(const struct look *look, char *name, size_t size)
{
	return name_copy(name, size, look->place.label);
}

static size_t source_environment(const struct look *look, char *name, size_t size)
{
	return proc_otel_service(look->proc, name, size);
}

static size_t source_workload(const struct look *look, char *name, size_t size)
{
	return name_copy(name, size, look->place.workload);
}

static size_t source_unit(const struct look *look, char *name, size_t size)
{
	return name_copy(name, size, look->cgroup.unit);
}

static size_t source_program(const struct look *look, char *name, size_t size)
{
	return proc_program(look->proc, name, size);
}

static source_fn *const sources[] = {source_label, source_environment, source_workload, source_unit,
				     source_program};

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
	if (!w->kube || !w->processes || !w->identities || !w->rules || !w->exited) {
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

static void names_place(struct names *names, const struct place *place)
{
	memcpy(names->namespace, place->namespace, sizeof(names->namespace));
	memcpy(names->pod, place->pod, sizeof(names->pod));
	memcpy(names->container, place->container, sizeof(names->container));
}

static const struct owner *process_identify(struct who *w, struct process *p,
					    const struct proc *proc)
{
	char text[CGROUP_BYTES];
	struct names names = {.service = ""};
	struct look look = {.proc = proc};

	if (!proc)
		return p->name[0] ? identity_intern(w, str_of(p->name)) : w->unknown;
	cgroup_parse(&look.cgroup, proc_text(proc, "cgroup", text, sizeof(text)));
	kube_place(w->kube, proc, &look.cgroup, &look.place);
	names_place(&names, &look.place);
	p->told = look.place.untold ? kube_told(w->kube) + 1 : 0;
	names.provisional = look.place.awaited && p->looked - p->round < AWAIT_ROUNDS;
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		if (sources[i](&look, names.service, sizeof(names.service)))
			return names_intern(w, &names);
	name_copy(names.service, sizeof(names.service), str_of(p->name[0] ? p->name : "unknown"));
	return names_intern(w, &names);
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
	if (p->owner && !(found && (who_is_provisional(p->owner) || process_untold(w, p))))
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

void who_refresh(struct who *w)
{
	w->round++;
	kube_refresh(w->kube);
}

void who_tables(const struct who *w, const struct table *tables[WHO_TABLES])
{
	tables[0] = w->processes;
	tables[1] = w->identities;
	kube_tables(w->kube, &tables[2]);
}

const struct follow_stats *who_api(const struct who *w)
{
	return kube_asked(w->kube);
}
