/* SPDX-License-Identifier: Apache-2.0 */
/* What the Kubernetes API says of a pod, cut down to what names need. */
#ifndef SONDE_POD_H
#define SONDE_POD_H

#include <jansson.h>

#include "who/kube.h"
#include "who/name.h"

#define POD_CONTAINERS_MAX 64 /* of one pod; more are not looked at */

enum pod_news {
	POD_IS,		/* this pod is there, and that is what is known of it */
	POD_GONE,	/* uid alone counts */
	POD_LIST_BEGIN, /* what follows until the end is all that there is */
	POD_LIST_END,
};

struct pod_container {
	char id[CGROUP_ID_SIZE]; /* not terminated */
	char name[CONTAINER_SIZE];
};

struct pod_facts {
	enum pod_news news;
	char uid[CGROUP_POD_SIZE]; /* as cgroups have it, padded with zeros */
	char namespace[NAMESPACE_SIZE];
	char name[POD_SIZE];
	char workload[POD_SIZE];
	char label[NAME_SIZE];	   /* the value of the label that was asked for, or "" */
	char only[CONTAINER_SIZE]; /* the name of its only container, or "" */
	unsigned container_count;
	struct pod_container containers[POD_CONTAINERS_MAX]; /* started ones */
};

/* Bytes of a copy with its containers alone. */
size_t pod_facts_size(const struct pod_facts *f);

/* label: its key, or NULL. False: not a pod whose names Kubernetes allows. */
bool pod_read(struct pod_facts *f, const json_t *pod, const char *label);

#endif
