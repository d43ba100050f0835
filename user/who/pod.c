/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pod's JSON to its names. The server is trusted to speak of its own cluster and with
 * nothing else: each text is bounded, has the form that Kubernetes gives it or is left out, and a
 * pod without a uid, a namespace or a name is refused.
 *
 * The kubelet runs static pods on its own and shows them to the API as mirrors with another uid.
 * Their cgroups bear the one in the mirror's annotation, which is believed only in the short form
 * that other uids do not have: so nobody can pass for an ordinary pod.
 */
#include "who/pod.h"

#include <stddef.h>
#include <string.h>

#include "who/workload.h"

#define MIRROR	   "kubernetes.io/config.mirror"
#define MIRROR_UID 32 /* digits */

static const char *const template_hashes[] = {"pod-template-hash", "rollouts-pod-template-hash"};
static const char *const statuses[] = {"containerStatuses", "initContainerStatuses",
				       "ephemeralContainerStatuses"};
static const char *const specs[] = {"containers", "initContainers", "ephemeralContainers"};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct str text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return (struct str){json_string_value(value), json_string_length(value)};
}

size_t pod_facts_size(const struct pod_facts *f)
{
	return offsetof(struct pod_facts, containers) +
	       f->container_count * sizeof(f->containers[0]);
}

static bool uid_read(struct pod_facts *f, const json_t *meta)
{
	struct str mirror = text_of(json_object_get(meta, "annotations"), MIRROR);
	struct str uid = text_of(meta, "uid");

	if (mirror.n == MIRROR_UID)
		uid = mirror;
	if (!name_is_dns(uid, sizeof(f->uid), false))
		return false;
	str_copy(f->uid, sizeof(f->uid), uid);
	return true;
}

/* Absent: nobody looks after this pod. */
static const json_t *controller_of(const json_t *meta)
{
	const json_t *owners = json_object_get(meta, "ownerReferences");

	for (size_t i = 0; i < json_array_size(owners); i++) {
		const json_t *owner = json_array_get(owners, i);

		if (json_is_true(json_object_get(owner, "controller")))
			return owner;
	}
	return NULL;
}

static void workload_read(struct pod_facts *f, const json_t *meta)
{
	const json_t *controller = controller_of(meta), *labels = json_object_get(meta, "labels");
	struct str name = text_of(controller, "name"), kind = text_of(controller, "kind");
	struct str hash = {NULL, 0};

	for (size_t i = 0; i < LENGTH(template_hashes) && !hash.n; i++)
		hash = text_of(labels, template_hashes[i]);
	if (!name_is_dns(name, POD_SIZE, true))
		name = str_of(f->name);
	else if (str_eq(kind, STR("Node")))
		name = workload_static(str_of(f->name), name);
	else
		name = workload_controlled(kind, name, hash);
	str_copy(f->workload, sizeof(f->workload), name);
}

/* ENGINE://ID */
static struct str container_id(const json_t *status)
{
	struct str id = text_of(status, "containerID");
	const char *mark = id.n ? memmem(id.p, id.n, "://", 3) : NULL;

	id = mark ? str_from(id, (size_t)(mark - id.p) + 3) : (struct str){NULL, 0};
	return id.n == CGROUP_ID_SIZE && name_is_dns(id, CGROUP_ID_SIZE + 1, false)
		       ? id
		       : (struct str){NULL, 0};
}

static void container_read(struct pod_facts *f, const json_t *status)
{
	struct str id = container_id(status), name = text_of(status, "name");
	struct pod_container *c = &f->containers[f->container_count];

	if (f->container_count == POD_CONTAINERS_MAX || !id.n ||
	    !name_is_dns(name, sizeof(c->name), false))
		return;
	memcpy(c->id, id.p, sizeof(c->id));
	str_copy(c->name, sizeof(c->name), name);
	f->container_count++;
}

static void containers_read(struct pod_facts *f, const json_t *pod)
{
	const json_t *status = json_object_get(pod, "status");

	for (size_t i = 0; i < LENGTH(statuses); i++) {
		const json_t *list = json_object_get(status, statuses[i]);

		for (size_t j = 0; j < json_array_size(list); j++)
			container_read(f, json_array_get(list, j));
	}
}

static void only_read(struct pod_facts *f, const json_t *pod)
{
	const json_t *spec = json_object_get(pod, "spec");
	size_t count = 0;
	struct str name;

	for (size_t i = 0; i < LENGTH(specs); i++)
		count += json_array_size(json_object_get(spec, specs[i]));
	name = text_of(json_array_get(json_object_get(spec, specs[0]), 0), "name");
	if (count == 1 && name_is_dns(name, sizeof(f->only), false))
		str_copy(f->only, sizeof(f->only), name);
}

bool pod_read(struct pod_facts *f, const json_t *pod, const char *label)
{
	const json_t *meta = json_object_get(pod, "metadata");
	struct str namespace = text_of(meta, "namespace"), name = text_of(meta, "name");

	memset(f, 0, offsetof(struct pod_facts, containers));
	if (!uid_read(f, meta) || !name_is_dns(namespace, sizeof(f->namespace), false) ||
	    !name_is_dns(name, sizeof(f->name), true))
		return false;
	str_copy(f->namespace, sizeof(f->namespace), namespace);
	str_copy(f->name, sizeof(f->name), name);
	workload_read(f, meta);
	if (label)
		name_copy(f->label, sizeof(f->label),
			  text_of(json_object_get(meta, "labels"), label));
	containers_read(f, pod);
	only_read(f, pod);
	return true;
}
