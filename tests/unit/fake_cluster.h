/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders such as the kubelet makes. Each step of a pod's start is one call, so that a test can
 * look at any moment between.
 */
#ifndef SONDE_TEST_FAKE_CLUSTER_H
#define SONDE_TEST_FAKE_CLUSTER_H

#include "fake_proc.h"

#include "who/kube.h"

#define ID1  "1111111111111111111111111111111111111111111111111111111111111111"
#define ID2  "2222222222222222222222222222222222222222222222222222222222222222"
#define UID1 "57e67067-89e4-4001-bdd4-8632d39ea02b"
#define UID2 "2c48913c-b29f-11e7-9350-020968147796"
#define HASH "33d556edd3ae8ef21980288cef77ae8b"

static inline void shell(const struct world *w, const char *words)
{
	char command[1024];

	snprintf(command, sizeof(command), "cd '%s' && %s", w->logs, words);
	assert_int_equal(system(command), 0);
}

static inline void cluster_open(struct world *w, uint32_t process_max)
{
	strcpy(w->logs, "/tmp/sonde-logs-XXXXXX");
	assert_non_null(mkdtemp(w->logs));
	shell(w, "mkdir pods containers");
	world_make(w, process_max);
}

static inline void cluster_close(struct world *w)
{
	char command[96];

	world_close(w);
	snprintf(command, sizeof(command), "rm -r '%s'", w->logs);
	assert_int_equal(system(command), 0);
}

static inline void put_in(const struct world *w, uint32_t pid, const char *uid, const char *id)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "0::/kubepods/burstable/pod%s/%s\n", uid, id);

	put_process(w, pid, 1, "python3\0/srv/app.py\0");
	put(w, pid, "cgroup", (struct str){text, (size_t)n});
}

static inline void put_mount(const struct world *w, uint32_t pid, const char *uid,
			     const char *container)
{
	char text[512];
	int n = snprintf(
		text, sizeof(text),
		"100 90 0:50 / / rw - overlay overlay rw\n"
		"101 100 8:1 /var/lib/kubelet/pods/%s/etc-hosts /etc/hosts rw - ext4 /dev/a rw\n"
		"102 100 8:1 /var/lib/kubelet/pods/%s/containers/%s/3e3d1b9b "
		"/dev/termination-log rw - ext4 /dev/a rw\n",
		uid, uid, container);

	put(w, pid, "mountinfo", (struct str){text, (size_t)n});
}

/* service, namespace, pod, container, each followed by a blank; '?' if a name is awaited */
static inline const char *all(struct world *w, uint32_t pid, uint16_t port)
{
	static char text[1024];
	const struct owner *o = who_is(w->who, pid, port);

	snprintf(text, sizeof(text), "%.*s|%.*s|%.*s|%.*s%s", (int)o->service.n, o->service.p,
		 (int)o->namespace.n, o->namespace.n ? o->namespace.p : "", (int)o->pod.n,
		 o->pod.n ? o->pod.p : "", (int)o->container.n,
		 o->container.n ? o->container.p : "", who_is_provisional(o) ? "?" : "");
	return text;
}

#endif
