/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the sources. A service's name comes from the first that has one: a --service rule
 * for the port (rule.c), the pod's label that --service-label names, the OpenTelemetry variables of
 * the process, its pod's workload, its systemd unit, its program, the name in a kernel record,
 * "unknown". Where it runs, its pod and
 * container, comes with any of them.
 *
 * The invariant: of a process that is gone as much is known as of a living one, but for what stands
 * in procfs alone, its variables and its whole command line.
 */
#include "who/cache.h"

#include <string.h>

#include "who/proc.h"

#define CGROUP_BYTES 16384 /* v1 has a line a controller, and each may be long */

/* What is known of a process when it is named. */
struct look {
	const struct proc *proc; /* NULL: it is gone */
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
	return look->proc ? proc_otel_service(look->proc, name, size) : 0;
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
	return look->proc ? proc_program(look->proc, name, size) : 0;
}

static source_fn *const sources[] = {source_label, source_environment, source_workload, source_unit,
				     source_program};

static void names_place(struct names *names, const struct place *place)
{
	memcpy(names->namespace, place->namespace, sizeof(names->namespace));
	memcpy(names->pod, place->pod, sizeof(names->pod));
	memcpy(names->container, place->container, sizeof(names->container));
}

/*
 * The kernel's own word for a container comes first: it is also true of a process that is gone, or
 * whose pid has another bearer by now. Units may be in a hierarchy that procfs alone knows.
 */
static void look_cgroup(const struct who *w, const struct process *p, struct look *look,
			char text[static CGROUP_BYTES])
{
	bool told = groups_find(w->groups, p->cgroup, &look->cgroup);

	if (look->proc && !(told && cgroup_is_container(&look->cgroup)))
		cgroup_parse(&look->cgroup, proc_text(look->proc, "cgroup", text, CGROUP_BYTES));
}

static void look_service(const struct process *p, const struct look *look, struct names *names)
{
	const struct identity *before = p->owner ? identity_of(p->owner) : NULL;

	/* what is not known of a place has no part in this, and its environment is gone */
	if (!look->proc && before && before->names.pod[0]) {
		memcpy(names->service, before->names.service, sizeof(names->service));
		return;
	}
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		if (sources[i](look, names->service, sizeof(names->service)))
			return;
	name_copy(names->service, sizeof(names->service), str_of(p->name));
}

const struct owner *process_identify(struct who *w, struct process *p, const struct proc *proc)
{
	char text[CGROUP_BYTES];
	struct names names = {.service = ""};
	struct look look = {.proc = proc};

	look_cgroup(w, p, &look, text);
	kube_place(w->kube, proc, &look.cgroup, &look.place);
	names_place(&names, &look.place);
	p->told = look.place.untold ? kube_told(w->kube) + 1 : 0;
	names.provisional = look.place.awaited && p->looked - p->round < AWAIT_ROUNDS;
	look_service(p, &look, &names);
	if (!names.service[0] && !proc && !look.place.container[0])
		return w->unknown;
	if (!names.service[0])
		str_copy(names.service, sizeof(names.service), w->unknown->service);
	return names_intern(w, &names);
}
