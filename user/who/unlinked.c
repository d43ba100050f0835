/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which container of its pod a process is in, while no link says so. A pod's only container is
 * known by being the only one, and one of several by the file that the kubelet mounts into it for
 * its last words, /var/lib/kubelet/pods/UID/containers/CONTAINER/..., whose path the kernel tells
 * in mountinfo. A process that may mount can forge that: so it is believed only within its own pod
 * and only if that pod has such a container.
 */
#include "who/unlinked.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "who/name.h"

#define LIST_MAX	256 /* names in a pod's folder */
#define MOUNTINFO_BYTES 32768

bool unlinked_only(const char *folder, char *name)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned found = 0;

	for (unsigned n = 0; dir && n < LIST_MAX && (entry = readdir(dir)); n++) {
		struct str container = str_of(entry->d_name);

		if (name_is_dns(container, CONTAINER_SIZE, false) && !found++)
			str_copy(name, CONTAINER_SIZE, container);
	}
	if (dir)
		closedir(dir);
	if (found != 1)
		name[0] = '\0';
	return found == 1;
}

/* `.../pods/UID/containers/NAME/...` as the fourth word of a line. */
static struct str mounted_name(struct str line, struct str uid)
{
	struct str root = {NULL, 0};

	for (int word = 0; word < 4; word++)
		root = str_cut(&line, ' ');
	while (root.n) {
		if (!str_eq(str_cut(&root, '/'), STR("pods")) ||
		    !str_eq(str_cut(&root, '/'), uid) ||
		    !str_eq(str_cut(&root, '/'), STR("containers")))
			continue;
		return str_cut(&root, '/');
	}
	return (struct str){NULL, 0};
}

static bool has_container(const char *folder, struct str name)
{
	char path[UNLINKED_PATH_SIZE + CONTAINER_SIZE];

	snprintf(path, sizeof(path), "%s/%.*s", folder, (int)name.n, name.p);
	return !access(path, F_OK);
}

void unlinked_mounted(const char *folder, const struct proc *p, struct str uid, char *name)
{
	char bytes[MOUNTINFO_BYTES];
	struct str text = proc_text(p, "mountinfo", bytes, sizeof(bytes));

	while (text.n) {
		struct str found = mounted_name(str_cut(&text, '\n'), uid);

		if (!name_is_dns(found, CONTAINER_SIZE, false) || !has_container(folder, found))
			continue;
		str_copy(name, CONTAINER_SIZE, found);
		return;
	}
}
