/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's name before the kubelet has made its link. folder: the pod's,
 * pods/NAMESPACE_POD_UID, which has a folder for each container. name: CONTAINER_SIZE bytes.
 */
#ifndef SONDE_UNLINKED_H
#define SONDE_UNLINKED_H

#include "who/kube.h"
#include "who/watch.h"

#define UNLINKED_PATH_SIZE (WATCH_PATH_SIZE + NAMESPACE_SIZE + POD_SIZE + CGROUP_POD_SIZE)

/* The only container that the pod has had until now. False, and "": there are none, or several. */
bool unlinked_only(const char *folder, char *name);
/* By what the kubelet has mounted into it; untouched if that says nothing. */
void unlinked_mounted(const char *folder, const struct proc *p, struct str uid, char *name);

#endif
