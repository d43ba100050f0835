/* SPDX-License-Identifier: Apache-2.0 */
/* What a /proc/PID/cgroup text says: the systemd unit, or the container and its pod. */
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

/* Pure; the views are into the text. */
void cgroup_parse(struct cgroup *c, struct str text);

#endif
