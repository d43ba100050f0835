/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pod's uid and a container's id to their names. Two tables follow the two folders through
 * watch.c; the least recently used name makes room, which more than 2,048 pods on a node would
 * take.
 *
 * The kubelet makes a pod's folder before the pod's sandbox, and a container's folder in it before
 * the container: at a process's first look they are there. The link in containers/, the only name
 * that says which id is which container, comes after the start; until then unlinked.c looks.
 *
 * What the API has told of a pod comes before the folders, which serve for what it has not told:
 * all, if it does not answer.
 *
 * Names that are not what Kubernetes allows are refused: these folders are the kubelet's, and
 * another name there is no pod.
 */
#include "who/kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "who/api.h"
#include "who/pods.h"
#include "who/unlinked.h"
#include "who/watch.h"
#include "who/workload.h"

#define PODS_MAX       2048
#define CONTAINERS_MAX 4096
#define SHORT_ID       12  /* digits, as engines print them */
#define TOLD_MAX       256 /* news of the API that are read at once */

struct pod {
	char uid[CGROUP_POD_SIZE]; /* the key, padded with zeros */
	char namespace[NAMESPACE_SIZE];
	char name[POD_SIZE];
};

struct container {
	char id[CGROUP_ID_SIZE]; /* the key */
	char namespace[NAMESPACE_SIZE];
	char pod[POD_SIZE];
	char name[CONTAINER_SIZE];
};

struct kube {
	const char *logs;
	const char *node;
	struct watch watch;
	struct table *pods;
	struct table *containers;
	uint64_t news;
	struct pods *told;     /* by the API */
	struct api *api;       /* NULL: it is not asked */
	bool wanted;	       /* though it should be */
	struct api_news *next; /* what it has told and was not read */
};

static bool names_fit(struct str namespace, struct str pod)
{
	return name_is_dns(namespace, NAMESPACE_SIZE, false) && name_is_dns(pod, POD_SIZE, true);
}

static void *entry_of(struct table *t, const void *key)
{
	void *entry = table_find(t, key);

	return entry ? entry : table_add(t, key);
}

static void entry_remove(struct table *t, const void *key)
{
	void *entry = table_find(t, key);

	if (entry)
		table_remove(t, entry);
}

static void table_empty(struct table *t)
{
	for (void *entry; (entry = table_oldest(t));)
		table_remove(t, entry);
}

/* Room is made by forgetting names; who asks for one of them again gets none. */
static void entry_evicted(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

static void on_pod(void *ctx, struct str uid, bool gone)
{
	struct kube *k = ctx;
	struct str namespace = str_cut(&uid, '_'), name = str_cut(&uid, '_');
	char key[CGROUP_POD_SIZE] = "";
	struct pod *pod;

	k->news++;
	if (!namespace.p)
		return table_empty(k->pods);
	if (!names_fit(namespace, name) || !name_is_dns(uid, sizeof(key), false))
		return;
	str_copy(key, sizeof(key), uid);
	if (gone)
		return entry_remove(k->pods, key);
	pod = entry_of(k->pods, key);
	str_copy(pod->namespace, sizeof(pod->namespace), namespace);
	str_copy(pod->name, sizeof(pod->name), name);
}

static void on_container(void *ctx, struct str file, bool gone)
{
	struct kube *k = ctx;
	struct str rest = file, pod = str_cut(&rest, '_'), namespace = str_cut(&rest, '_');
	const size_t tail = 1 + CGROUP_ID_SIZE + (sizeof(".log") - 1); /* -ID.log */
	struct container *container;
	struct str name;
	const char *id;

	k->news++;
	if (!file.p)
		return table_empty(k->containers);
	if (rest.n <= tail || !str_has_suffix(rest, STR(".log")))
		return;
	name = (struct str){rest.p, rest.n - tail};
	id = rest.p + name.n + 1;
	if (!names_fit(namespace, pod) || !name_is_dns(name, CONTAINER_SIZE, false) ||
	    id[-1] != '-')
		return;
	if (gone)
		return entry_remove(k->containers, id);
	container = entry_of(k->containers, id);
	str_copy(container->namespace, sizeof(container->namespace), namespace);
	str_copy(container->pod, sizeof(container->pod), pod);
	str_copy(container->name, sizeof(container->name), name);
}

static bool folder_path(struct watch_folder *f, const char *logs, const char *name)
{
	int n = snprintf(f->path, sizeof(f->path), "%s/%s", logs, name);

	return n > 0 && (size_t)n < sizeof(f->path);
}

static void kube_watch(struct kube *k)
{
	struct watch_folder *f = k->watch.folders;

	k->watch.ctx = k;
	f[0].fn = on_pod;
	f[1].fn = on_container;
	if (k->logs && folder_path(&f[0], k->logs, "pods") &&
	    folder_path(&f[1], k->logs, "containers"))
		watch_start(&k->watch);
	else
		k->logs = NULL;
}

struct kube *kube_new(const char *logs, const char *node)
{
	struct kube *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->logs = logs;
	k->node = node;
	k->watch.fd = -1;
	k->pods = table_new(&(struct table_options){.name = "pods",
						    .capacity = PODS_MAX,
						    .key_size = CGROUP_POD_SIZE,
						    .entry_size = sizeof(struct pod),
						    .evicted = entry_evicted});
	k->containers = table_new(&(struct table_options){.name = "containers",
							  .capacity = CONTAINERS_MAX,
							  .key_size = CGROUP_ID_SIZE,
							  .entry_size = sizeof(struct container),
							  .evicted = entry_evicted});
	k->told = pods_new();
	if (!k->pods || !k->containers || !k->told) {
		kube_free(k);
		return NULL;
	}
	kube_watch(k);
	return k;
}

static void next_drop(struct kube *k)
{
	struct api_news *read = k->next;

	k->next = read->next;
	free(read);
}

void kube_free(struct kube *k)
{
	if (!k)
		return;
	watch_stop(&k->watch);
	api_free(k->api);
	while (k->next)
		next_drop(k);
	pods_free(k->told);
	table_free(k->pods);
	table_free(k->containers);
	free(k);
}

/* What the folders say of a container that has no link yet. */
static void unlinked_name(const struct kube *k, const struct pod *pod, const struct proc *p,
			  char name[CONTAINER_SIZE])
{
	char folder[UNLINKED_PATH_SIZE];
	int n = snprintf(folder, sizeof(folder), "%s/pods/%s_%s_%s", k->logs, pod->namespace,
			 pod->name, pod->uid);

	if (n > 0 && (size_t)n < sizeof(folder) && !unlinked_only(folder, name))
		unlinked_mounted(folder, p, str_of(pod->uid), name);
}

static void *known(struct table *t, const void *key)
{
	void *entry = table_find(t, key);

	if (entry)
		table_touch(t, entry);
	return entry;
}

static void place_names(struct place *place, const char *namespace, const char *pod)
{
	str_copy(place->namespace, sizeof(place->namespace), str_of(namespace));
	str_copy(place->pod, sizeof(place->pod), str_of(pod));
}

static void place_container(struct place *place, const char *name)
{
	str_copy(place->container, sizeof(place->container), str_of(name));
}

static void place_workload(const struct kube *k, const struct cgroup *c, struct place *place)
{
	bool is_static = c->pod[0] && strlen(c->pod) < CGROUP_POD_SIZE - 1;
	struct str pod = str_of(place->pod);

	place->workload = is_static ? workload_static(pod, str_of(k->node)) : workload_name(pod);
}

/* By the folders; an engine of its own, or a pod of which nothing is known, has a short id. */
static void place_by_folders(struct kube *k, const struct proc *p, const struct cgroup *c,
			     struct place *place)
{
	const struct container *container =
		c->container.n ? known(k->containers, c->container.p) : NULL;
	const struct pod *pod = c->pod[0] ? known(k->pods, c->pod) : NULL;

	if (container) {
		place_names(place, container->namespace, container->pod);
		place_container(place, container->name);
	} else if (pod) {
		place_names(place, pod->namespace, pod->name);
		if (c->container.n)
			unlinked_name(k, pod, p, place->container);
	} else {
		str_copy(place->container, SHORT_ID + 1, c->container);
	}
	place_workload(k, c, place);
}

/* What the API says is put over what the folders say; a container it may not know yet. */
static void place_by_api(struct kube *k, const struct cgroup *c, struct place *place)
{
	const struct pods_pod *pod = pods_find(k->told, c);
	const char *container = pod ? pods_container(k->told, pod, c->container) : NULL;

	place->untold = !pod && c->pod[0];
	if (!pod)
		return;
	if (!place->pod[0])
		place->container[0] = '\0';
	place_names(place, pod->namespace, pod->name);
	if (container)
		place_container(place, container);
	place->workload = str_of(pod->workload);
	place->label = str_of(pod->label);
}

void kube_place(struct kube *k, const struct proc *p, const struct cgroup *c, struct place *place)
{
	bool in_pod = c->pod[0] && c->container.n;

	*place = (struct place){.awaited = false};
	place_by_folders(k, p, c, place);
	if (k->api)
		place_by_api(k, c, place);
	if (k->logs || k->api)
		place->awaited = in_pod && (!place->pod[0] || !place->container[0] ||
					    (place->untold && api_stats(k->api)->up));
}

bool kube_ask(struct kube *k, const struct api_options *options, char *why, size_t size)
{
	k->wanted = true;
	k->api = api_new(options, why, size);
	return k->api;
}

const struct follow_stats *kube_asked(const struct kube *k)
{
	static const struct follow_stats nothing;

	if (k->wanted && !k->api)
		return &nothing;
	return k->api ? api_stats(k->api) : NULL;
}

static void api_read(struct kube *k)
{
	for (unsigned n = 0; n < TOLD_MAX; n++) {
		if (!k->next)
			k->next = api_take(k->api);
		if (!k->next)
			return;
		pods_tell(k->told, &k->next->facts);
		next_drop(k);
	}
}

uint64_t kube_news(struct kube *k)
{
	watch_read(&k->watch);
	if (k->api)
		api_read(k);
	return k->news + pods_news(k->told);
}

uint64_t kube_told(const struct kube *k)
{
	return pods_news(k->told);
}

void kube_refresh(struct kube *k)
{
	if (k->logs)
		watch_refresh(&k->watch);
	if (k->api)
		api_read(k);
}

void kube_tables(const struct kube *k, const struct table *tables[KUBE_TABLES])
{
	tables[0] = k->pods;
	tables[1] = k->containers;
	tables[2] = pods_table(k->told);
	tables[3] = pods_containers(k->told);
}
