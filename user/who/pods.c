/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tables, filled by what api.c hands over. The invariant: a container is there only with its
 * pod, and a list that has come whole leaves nothing that did not stand in it. What was told stays
 * while the API is silent: a uid and an id never become those of another pod.
 */
#include "who/pods.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define PODS_MAX       2048
#define CONTAINERS_MAX 4096

struct container {
	char id[CGROUP_ID_SIZE]; /* the key */
	char uid[CGROUP_POD_SIZE];
	char name[CONTAINER_SIZE];
};

struct pods {
	struct table *pods;
	struct table *containers;
	uint64_t list; /* number of the list that came last */
	uint64_t news;
};

static void containers_forget(struct pods *p, const char *uid)
{
	for (struct container *c = table_oldest(p->containers), *next; c; c = next) {
		next = table_next(p->containers, c);
		if (!memcmp(c->uid, uid, sizeof(c->uid)))
			table_remove(p->containers, c);
	}
}

static void pod_evicted(void *ctx, void *entry)
{
	containers_forget(ctx, ((struct pods_pod *)entry)->uid);
}

static void container_evicted(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

struct pods *pods_new(void)
{
	struct pods *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pods = table_new(&(struct table_options){.name = "api_pods",
						    .capacity = PODS_MAX,
						    .key_size = CGROUP_POD_SIZE,
						    .entry_size = sizeof(struct pods_pod),
						    .evicted = pod_evicted,
						    .ctx = p});
	p->containers = table_new(&(struct table_options){.name = "api_containers",
							  .capacity = CONTAINERS_MAX,
							  .key_size = CGROUP_ID_SIZE,
							  .entry_size = sizeof(struct container),
							  .evicted = container_evicted});
	if (p->pods && p->containers)
		return p;
	pods_free(p);
	return NULL;
}

void pods_free(struct pods *p)
{
	if (!p)
		return;
	table_free(p->pods);
	table_free(p->containers);
	free(p);
}

static void container_add(struct pods *p, const char *uid, const struct pod_container *told)
{
	struct container *c = table_find(p->containers, told->id);

	if (!c)
		c = table_add(p->containers, told->id);
	memcpy(c->uid, uid, sizeof(c->uid));
	memcpy(c->name, told->name, sizeof(c->name));
}

static void pod_is(struct pods *p, const struct pod_facts *f)
{
	struct pods_pod *pod = table_find(p->pods, f->uid);

	if (!pod)
		pod = table_add(p->pods, f->uid);
	table_touch(p->pods, pod);
	memcpy(pod->namespace, f->namespace, sizeof(pod->namespace));
	memcpy(pod->name, f->name, sizeof(pod->name));
	memcpy(pod->workload, f->workload, sizeof(pod->workload));
	memcpy(pod->label, f->label, sizeof(pod->label));
	memcpy(pod->only, f->only, sizeof(pod->only));
	pod->list = p->list;
	containers_forget(p, f->uid);
	for (unsigned i = 0; i < f->container_count; i++)
		container_add(p, f->uid, &f->containers[i]);
}

static void pod_gone(struct pods *p, const char *uid)
{
	struct pods_pod *pod = table_find(p->pods, uid);

	if (!pod)
		return;
	containers_forget(p, uid);
	table_remove(p->pods, pod);
}

static void unlisted_gone(struct pods *p)
{
	for (struct pods_pod *pod = table_oldest(p->pods), *next; pod; pod = next) {
		next = table_next(p->pods, pod);
		if (pod->list != p->list)
			pod_gone(p, pod->uid);
	}
}

void pods_tell(struct pods *p, const struct pod_facts *facts)
{
	p->news++;
	switch (facts->news) {
	case POD_IS:
		return pod_is(p, facts);
	case POD_GONE:
		return pod_gone(p, facts->uid);
	case POD_LIST_BEGIN:
		p->list++;
		return;
	case POD_LIST_END:
		return unlisted_gone(p);
	}
}

static void *known(struct table *t, const void *key)
{
	void *entry = table_find(t, key);

	if (entry)
		table_touch(t, entry);
	return entry;
}

const struct pods_pod *pods_find(struct pods *p, const struct cgroup *c)
{
	const struct container *container;

	if (c->pod[0])
		return known(p->pods, c->pod);
	container = c->container.n ? known(p->containers, c->container.p) : NULL;
	return container ? known(p->pods, container->uid) : NULL;
}

const char *pods_container(struct pods *p, const struct pods_pod *pod, struct str id)
{
	const struct container *c = id.n ? known(p->containers, id.p) : NULL;

	if (c && !memcmp(c->uid, pod->uid, sizeof(c->uid)))
		return c->name;
	return id.n && !c && pod->only[0] ? pod->only : NULL;
}

uint64_t pods_news(const struct pods *p)
{
	return p->news;
}

const struct table *pods_table(const struct pods *p)
{
	return p->pods;
}

const struct table *pods_containers(const struct pods *p)
{
	return p->containers;
}
