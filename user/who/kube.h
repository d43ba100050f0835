/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of pods and containers: from the Kubernetes API, where it is asked and answers (api.h), and
 * from the kubelet's log folders, which it makes before it starts what they belong to:
 * `pods/NAMESPACE_POD_UID/CONTAINER/` and `containers/POD_NAMESPACE_CONTAINER-ID.log`.
 */
#ifndef SONDE_KUBE_H
#define SONDE_KUBE_H

#include <stdint.h>

#include "who/cgroup.h"
#include "who/proc.h"

#define NAMESPACE_SIZE 64 /* NUL included, as Kubernetes bounds them */
#define POD_SIZE       254
#define CONTAINER_SIZE 64

struct kube;
struct table;
struct api_options;
struct follow_stats;

struct place {
	char namespace[NAMESPACE_SIZE];
	char pod[POD_SIZE];
	char container[CONTAINER_SIZE];
	struct str workload; /* a view until the next kube_news() */
	struct str label;    /* likewise: of the label that names the service */
	bool awaited;	     /* a name is missing that is about to come */
	bool untold;	     /* the API is asked, and has not told of this pod yet */
};

/* logs: the folder of both, NULL for none; node: the node's name, NULL if not known. Borrowed. */
struct kube *kube_new(const char *logs, const char *node); /* NULL: no memory */
void kube_free(struct kube *k);

/* Asks the API, too. False after `why` was filled in: then the folders serve alone. */
bool kube_ask(struct kube *k, const struct api_options *options, char *why, size_t size);
const struct follow_stats *kube_asked(const struct kube *k); /* NULL: nobody wanted that */

/* Reads what is new. A number that changes with the names that are known. */
uint64_t kube_news(struct kube *k);
/* By what was known at the last kube_news(). p: NULL if it is gone. */
void kube_place(struct kube *k, const struct proc *p, const struct cgroup *c, struct place *place);
void kube_refresh(struct kube *k); /* to be called about once a second */

/* Changes with the pods that the API has told of, as far as they are read. */
uint64_t kube_told(const struct kube *k);

#define KUBE_TABLES 4
void kube_tables(const struct kube *k, const struct table *tables[KUBE_TABLES]);

#endif
