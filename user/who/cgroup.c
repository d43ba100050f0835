/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a cgroup path to the systemd unit, or to container and pod, by text alone. The kernel prints
 * one line a hierarchy, `number:controllers:path`. Under cgroup v1 and in hybrid mode systemd keeps
 * its units in the hierarchy "name=systemd"; under v2 there is the single line `0::path`. Engines
 * without systemd may be found in a controller's hierarchy only.
 *
 * Engines differ in prefixes, drivers in separators, but a pod's part always ends in "pod" and its
 * uid, and a container's in its id of 64 hex digits. The first pod of a path counts, and the first
 * container below it: whoever may make cgroups below its own cannot pass for another pod. For the
 * same reason nothing is believed below user@UID.service, which belongs to that user.
 *
 * The innermost *.service is the unit. The user manager is only the root of further units and does
 * not count; scopes and slices are no services. A unit above or inside an engine's path says
 * nothing about the workload: refused whole.
 */
#include "who/cgroup.h"

#include <string.h>

/* in order of trust: the v2 line of a hybrid system is there, but may be "/" */
static const char *const hierarchies[] = {"name=systemd", ""};

/* how the directories of container engines begin */
static const char *const engines[] = {"kubepods", "docker-", "cri-containerd-", "crio-", "libpod-"};

static const size_t uid_sizes[] = {CGROUP_POD_SIZE - 1, 32}; /* the short one: static pods */

static bool is_engine(struct str component)
{
	if (str_eq(component, STR("docker")))
		return true;
	for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++)
		if (str_has_prefix(component, str_of(engines[i])))
			return true;
	return false;
}

static bool is_unit(struct str component)
{
	return component.n > sizeof(".service") - 1 && str_has_suffix(component, STR(".service")) &&
	       !str_has_prefix(component, STR("user@"));
}

static struct str without(struct str s, struct str suffix)
{
	return str_has_suffix(s, suffix) ? (struct str){s.p, s.n - suffix.n} : s;
}

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return s.n;
}

/* As the folders spell it: systemd's names have '_' where the uid has '-'. */
static bool uid_copy(char to[CGROUP_POD_SIZE], struct str s)
{
	bool dashes = s.n == CGROUP_POD_SIZE - 1;

	memset(to, '\0', CGROUP_POD_SIZE); /* it becomes a table's key */
	for (size_t i = 0; i < s.n; i++) {
		bool dash = dashes && (i == 8 || i == 13 || i == 18 || i == 23);

		if (dash ? s.p[i] != '-' && s.p[i] != '_' : !is_hex((struct str){s.p + i, 1}))
			return false;
		to[i] = (char)(dash ? '-' : s.p[i]);
	}
	to[s.n] = '\0';
	return true;
}

/* kubepods-burstable-podUID.slice, kubelet-kubepods-podUID.slice, podUID */
static bool pod_read(char uid[CGROUP_POD_SIZE], struct str component)
{
	struct str name = without(component, STR(".slice"));

	for (size_t i = 0; i < sizeof(uid_sizes) / sizeof(*uid_sizes); i++) {
		size_t n = uid_sizes[i];
		struct str head = {name.p, name.n < n ? 0 : name.n - n};

		if (!str_has_suffix(head, STR("pod")) || (head.n > 3 && head.p[head.n - 4] != '-'))
			continue;
		if (uid_copy(uid, str_from(name, head.n)))
			return true;
	}
	memset(uid, '\0', CGROUP_POD_SIZE);
	return false;
}

/* cri-containerd-ID.scope, crio-ID.scope, docker-ID.scope, ID; conmon is the container's guard */
static struct str container_id(struct str component)
{
	struct str name = without(component, STR(".scope")), id;
	size_t head = name.n < CGROUP_ID_SIZE ? 0 : name.n - CGROUP_ID_SIZE;

	id = str_from(name, head);
	if (id.n != CGROUP_ID_SIZE || !is_hex(id) || (head && name.p[head - 1] != '-') ||
	    str_has_suffix((struct str){name.p, head}, STR("conmon-")))
		return (struct str){NULL, 0};
	return id;
}

static void part_read(struct cgroup *c, struct str part)
{
	struct str id;

	c->foreign |= is_engine(part);
	if (!c->pod[0] && pod_read(c->pod, part)) {
		c->foreign = true;
		c->container = (struct str){NULL, 0}; /* of a node that is itself a container */
		return;
	}
	id = c->container.n ? (struct str){NULL, 0} : container_id(part);
	if (!id.n)
		return;
	c->foreign = true;
	c->container = id;
}

/* A containerd that was not told of the kubelet's systemd driver: SLICE:cri-containerd:ID. */
static void component_read(struct cgroup *c, struct str component)
{
	const struct str mark = STR(".slice:");

	if (!component.n || !memmem(component.p, component.n, mark.p, mark.n))
		part_read(c, component);
	else
		while (component.n)
			part_read(c, str_cut(&component, ':'));
}

void cgroup_read(struct cgroup *c, struct str path)
{
	bool users = false;

	*c = (struct cgroup){.foreign = false};
	path = without(path, STR(" (deleted)")); /* the kernel's mark for a removed cgroup */
	while (path.n) {
		struct str component = str_cut(&path, '/');

		if (!users)
			component_read(c, component);
		else
			c->foreign |= is_engine(component);
		users |= str_has_prefix(component, STR("user@"));
		if (is_unit(component))
			c->unit = without(component, STR(".service"));
	}
	if (c->foreign)
		c->unit = (struct str){NULL, 0};
}

static bool hierarchy_read(struct cgroup *c, struct str text, struct str controllers)
{
	while (text.n) {
		struct str line = str_cut(&text, '\n');

		str_cut(&line, ':');
		if (line.n && str_eq(str_cut(&line, ':'), controllers)) {
			cgroup_read(c, line);
			return true;
		}
	}
	return false;
}

static bool any_container(struct cgroup *c, struct str text)
{
	while (text.n) {
		struct str line = str_cut(&text, '\n');

		str_cut(&line, ':');
		str_cut(&line, ':');
		cgroup_read(c, line);
		if (cgroup_is_container(c))
			return true;
	}
	return false;
}

void cgroup_parse(struct cgroup *c, struct str text)
{
	struct cgroup found = {.foreign = false};

	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(*hierarchies); i++) {
		if (!hierarchy_read(c, text, str_of(hierarchies[i])))
			continue;
		if (cgroup_is_container(c))
			return;
		if (!found.unit.n)
			found = *c;
	}
	if (!any_container(c, text))
		*c = found;
}
