/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a cgroup path to the systemd unit, by text alone. The kernel prints one line a hierarchy,
 * `number:controllers:path`. Under cgroup v1 and in hybrid mode systemd keeps its units in the
 * hierarchy "name=systemd"; under v2 there is the single line `0::path`.
 *
 * The innermost *.service is the unit. The user manager (user@UID.service) is only the root of
 * further units and does not count; scopes and slices are no services. Container engines make
 * paths of their own, and a unit above or inside such a path says nothing about the workload:
 * refused whole.
 */
#include "who/who.h"

/* in order of trust: the v2 line of a hybrid system is there, but may be "/" */
static const char *const hierarchies[] = {"name=systemd", ""};

/* how the directories of container engines begin */
static const char *const containers[] = {"kubepods", "docker-", "cri-containerd-", "crio-"};

static bool is_container(struct str component)
{
	if (str_eq(component, STR("docker")))
		return true;
	for (size_t i = 0; i < sizeof(containers) / sizeof(*containers); i++)
		if (str_has_prefix(component, str_of(containers[i])))
			return true;
	return false;
}

static bool is_unit(struct str component)
{
	return component.n > sizeof(".service") - 1 && str_has_suffix(component, STR(".service")) &&
	       !str_has_prefix(component, STR("user@"));
}

static struct str path_unit(struct str path)
{
	const struct str gone = STR(" (deleted)"); /* the kernel's mark for a removed cgroup */
	struct str unit = {NULL, 0};

	if (str_has_suffix(path, gone))
		path.n -= gone.n;
	while (path.n) {
		struct str component = str_cut(&path, '/');

		if (is_container(component))
			return (struct str){NULL, 0};
		if (is_unit(component))
			unit = (struct str){component.p, component.n - strlen(".service")};
	}
	return unit;
}

static struct str hierarchy_unit(struct str cgroup, struct str controllers)
{
	while (cgroup.n) {
		struct str line = str_cut(&cgroup, '\n');

		str_cut(&line, ':');
		if (line.n && str_eq(str_cut(&line, ':'), controllers))
			return path_unit(line);
	}
	return (struct str){NULL, 0};
}

struct str who_unit(struct str cgroup)
{
	struct str unit = {NULL, 0};

	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(*hierarchies) && !unit.n; i++)
		unit = hierarchy_unit(cgroup, str_of(hierarchies[i]));
	return unit;
}
