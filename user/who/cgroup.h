/* SPDX-License-Identifier: Apache-2.0 */
/* What a cgroup path says: the systemd unit, or the container and its pod. */
#ifndef SONDE_CGROUP_H
#define SONDE_CGROUP_H

#include "base/str.h"

#define CGROUP_ID_SIZE	64 /* hex digits of a container's id */
#define CGROUP_POD_SIZE 37 /* of a pod's uid as the kubelet's folders have it, NUL included */

struct cgroup {
	struct str unit;	   /* without ".service"; absent for containers */
	struct str container;	   /* CGROUP_ID_SIZE digits, or absent */
	char pod[CGROUP_POD_SIZE]; /* or "" */
	bool foreign;		   /* an engine's path, whatever else is known of it */
};

/* Pure; the views are into the text. The first reads a path, the second /proc/PID/cgroup. */
void cgroup_read(struct cgroup *c, struct str path);
void cgroup_parse(struct cgroup *c, struct str text);

static inline bool cgroup_is_container(const struct cgroup *c)
{
	return c->pod[0] || c->container.n;
}

#endif
