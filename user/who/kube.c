/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pod's uid and a container's id to their names. Two tables follow the two folders through
 * watch.c; the least recently used name makes room, which more than 2,048 pods on a node would
 * take.
 *
 * The kubelet makes a pod's folder before the pod's sandbox, and a container's folder in it before
 * the container: at a process's first look they are there. The link in containers/, the only name
 * that says which id is which container, comes after the start. Until then a pod's only container
 * is known by being the only one, and one of several by the file that the kubelet mounts into it
 * for its last words, /var/lib/kubelet/pods/UID/containers/CONTAINER/..., whose path the kernel
 * tells in mountinfo. A process that may mount can forge that: so it is believed only within its
 * own pod and only if that pod has such a container.
 *
 * Names that are not what Kubernetes allows are refused: these folders are the kubelet's, and
 * another name there is no pod.
 */
#include "who/kube.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "who/watch.h"
#include "who/workload.h"

#define PODS_MAX	2048
#define CONTAINERS_MAX	4096
#define LIST_MAX	256 /* names in a pod's folder */
#define MOUNTINFO_BYTES 32768
#define SHORT_ID	12 /* digits, as engines print them */

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
};

/* Of letters, digits and '-', in pods' names also '.'. */
static bool is_name(struct str s, size_t size, bool dots)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		      (c == '.' && dots && i)))
			return false;
	}
	return s.n && s.n < size;
}

static bool names_fit(struct str namespace, struct str pod)
{
	return is_name(namespace, NAMESPACE_SIZE, false) && is_name(pod, POD_SIZE, true);
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
	if (!names_fit(namespace, name) || !is_name(uid, sizeof(key), false))
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
	if (!names_fit(namespace, pod) || !is_name(name, CONTAINER_SIZE, false) || id[-1] != '-')
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
	if (!k->pods || !k->containers) {
		kube_free(k);
		return NULL;
	}
	kube_watch(k);
	return k;
}

void kube_free(struct kube *k)
{
	if (!k)
		return;
	watch_stop(&k->watch);
	table_free(k->pods);
	table_free(k->containers);
	free(k);
}

static bool pod_path(const struct kube *k, const struct pod *pod, struct str container, char *path,
		     size_t size)
{
	int n = snprintf(path, size, "%s/pods/%s_%s_%s/%.*s", k->logs, pod->namespace, pod->name,
			 pod->uid, (int)container.n, container.p ? container.p : "");

	return n > 0 && (size_t)n < size;
}

/* The only container that the pod has had until now. */
static bool only_container(const struct kube *k, const struct pod *pod, char *name)
{
	char path[WATCH_PATH_SIZE + sizeof(struct pod)];
	DIR *dir = pod_path(k, pod, STR(""), path, sizeof(path)) ? opendir(path) : NULL;
	struct dirent *entry;
	unsigned found = 0;

	for (unsigned n = 0; dir && n < LIST_MAX && (entry = readdir(dir)); n++) {
		struct str folder = str_of(entry->d_name);

		if (is_name(folder, CONTAINER_SIZE, false) && !found++)
			str_copy(name, CONTAINER_SIZE, folder);
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

static void mounted_container(const struct kube *k, const struct pod *pod, const struct proc *p,
			      char *name)
{
	char path[WATCH_PATH_SIZE + sizeof(struct pod) + CONTAINER_SIZE], bytes[MOUNTINFO_BYTES];
	struct str text = proc_text(p, "mountinfo", bytes, sizeof(bytes));

	while (text.n) {
		struct str found = mounted_name(str_cut(&text, '\n'), str_of(pod->uid));

		if (!is_name(found, CONTAINER_SIZE, false) ||
		    !pod_path(k, pod, found, path, sizeof(path)) || access(path, F_OK))
			continue;
		str_copy(name, CONTAINER_SIZE, found);
		return;
	}
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

static void place_workload(const struct kube *k, const struct cgroup *c, struct place *place)
{
	bool is_static = c->pod[0] && strlen(c->pod) < CGROUP_POD_SIZE - 1;
	struct str pod = str_of(place->pod);

	place->workload = is_static ? workload_static(pod, str_of(k->node)) : workload_name(pod);
}

/* An engine of its own, or a pod of which nothing is known. */
static void place_bare(const struct cgroup *c, struct place *place)
{
	str_copy(place->container, SHORT_ID + 1, c->container);
}

void kube_place(struct kube *k, const struct proc *p, const struct cgroup *c, struct place *place)
{
	const struct container *container;
	const struct pod *pod;

	*place = (struct place){.awaited = false};
	container = c->container.n ? known(k->containers, c->container.p) : NULL;
	pod = c->pod[0] ? known(k->pods, c->pod) : NULL;
	if (container) {
		place_names(place, container->namespace, container->pod);
		str_copy(place->container, sizeof(place->container), str_of(container->name));
	} else if (pod) {
		place_names(place, pod->namespace, pod->name);
		if (c->container.n && !only_container(k, pod, place->container))
			mounted_container(k, pod, p, place->container);
	} else {
		place_bare(c, place);
	}
	place->awaited =
		k->logs && c->pod[0] && c->container.n && (!place->pod[0] || !place->container[0]);
	place_workload(k, c, place);
}

uint64_t kube_news(struct kube *k)
{
	watch_read(&k->watch);
	return k->news;
}

void kube_refresh(struct kube *k)
{
	if (k->logs)
		watch_refresh(&k->watch);
}

const struct table *kube_pods(const struct kube *k)
{
	return k->pods;
}

const struct table *kube_containers(const struct kube *k)
{
	return k->containers;
}
