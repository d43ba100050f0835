/* SPDX-License-Identifier: Apache-2.0 */
/* What the Kubernetes API has told of this node's pods, to be looked up by uid and container id. */
#ifndef SONDE_PODS_H
#define SONDE_PODS_H

#include "who/pod.h"

struct table;
struct pods;

struct pods_pod {
	char uid[CGROUP_POD_SIZE]; /* the key, padded with zeros */
	char namespace[NAMESPACE_SIZE];
	char name[POD_SIZE];
	char workload[POD_SIZE];
	char label[NAME_SIZE];
	char only[CONTAINER_SIZE];
	uint64_t list; /* in which it stood last */
};

struct pods *pods_new(void); /* NULL: no memory */
void pods_free(struct pods *p);

void pods_tell(struct pods *p, const struct pod_facts *facts);

/* By the uid, or where a cgroup says none, by the container's id. NULL: not known. */
const struct pods_pod *pods_find(struct pods *p, const struct cgroup *c);
/* The container's name in this pod, or NULL. */
const char *pods_container(struct pods *p, const struct pods_pod *pod, struct str id);

/* Changes with the pods that are known. */
uint64_t pods_news(const struct pods *p);

const struct table *pods_table(const struct pods *p);
const struct table *pods_containers(const struct pods *p);

#endif
