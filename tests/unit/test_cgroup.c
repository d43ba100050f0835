/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spellings of cgroup paths, as engines, drivers and distributions make them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "who/cgroup.h"

#define ID     "6d393320601b821561e43bd46f658284cb172cf297ecc3d3665be657870d32e2"
#define NODE   "9bca8d63d5fa610783847915bcff0ecac1273e5b4bed3f6fa1b07350e0135961"
#define UID    "57e67067-89e4-4001-bdd4-8632d39ea02b"
#define UNDER  "57e67067_89e4_4001_bdd4_8632d39ea02b"
#define STATIC "33d556edd3ae8ef21980288cef77ae8b"
#define OTHER  "2c48913c-b29f-11e7-9350-020968147796"
#define SLICES "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UNDER ".slice"

struct unit_case {
	const char *cgroup, *unit;
};

static const struct unit_case units[] = {
	{"0::/system.slice/nginx.service\n", "nginx"},
	{"0::/system.slice/nginx.service", "nginx"},
	{"0::/system.slice/system-app.slice/app@blue.service\n", "app@blue"},
	{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service\n", "foo"},
	{"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", ""},
	{"0::/user.slice/user-1000.slice/session-3.scope\n", ""},
	{"0::/\n", ""},
	{"0::/init.scope\n", ""},
	{"0::/system.slice/.service\n", ""},
	{"0::/system.slice/a.service/payload\n", "a"},
	{"0::/system.slice/a.service/b.service/worker\n", "b"},
	{"0::/system.slice/a.service (deleted)\n", "a"},
	{"0::/system.slice/odd:name.service\n", "odd:name"},
	{"0::/system.slice/docker.service\n", "docker"},
	{"0::/system.slice/docker-0123.scope/system.slice/x.service\n", ""},
	{"0::/docker/0123/system.slice/x.service\n", ""},
	{"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-1.scope\n", ""},
	{"0::/system.slice/containerd.service/kubepods/pod1/2\n", ""},
	{"12:cpu,cpuacct:/wrong.service\n1:name=systemd:/system.slice/ssh.service\n0::/x.service\n",
	 "ssh"},
	{"1:name=systemd:/\n0::/system.slice/x.service\n", "x"},
	{"12:pids:/wrong.service\n", ""},
	{"nonsense", ""},
	{"::", ""},
	{"", ""},
	{"0::/system.slice/docker-" ID ".scope/system.slice/x.service\n", ""},
	{"0::/system.slice/containerd.service\n", "containerd"},
	{"0::/system.slice/x.service/" ID "\n", ""},
	{"0::/system.slice/x.service/tasks-" ID "a\n", "x"},
};

static void test_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		struct cgroup c;

		cgroup_parse(&c, str_of(units[i].cgroup));
		assert_int_equal(c.unit.n, strlen(units[i].unit));
		if (c.unit.n)
			assert_memory_equal(c.unit.p, units[i].unit, c.unit.n);
	}
}

struct pod_case {
	const char *what, *cgroup, *pod, *container;
};

/* clang-format off */
static const struct pod_case pods[] = {
	{"containerd, systemd, v2", "0::" SLICES "/cri-containerd-" ID ".scope\n", UID, ID},
	{"containerd, systemd, v1: kubeadm", "12:memory:" SLICES "/cri-containerd-" ID ".scope\n"
	 "1:name=systemd:" SLICES "/cri-containerd-" ID ".scope\n", UID, ID},
	{"containerd, cgroupfs, v1: k3s, minikube", "12:pids:/kubepods/burstable/pod" UID "/" ID "\n"
	 "1:name=systemd:/kubepods/burstable/pod" UID "/" ID "\n", UID, ID},
	{"containerd, cgroupfs, v2", "0::/kubepods/besteffort/pod" UID "/" ID "\n", UID, ID},
	{"guaranteed, systemd", "0::/kubepods.slice/kubepods-pod" UNDER ".slice/cri-containerd-" ID ".scope", UID, ID},
	{"guaranteed, cgroupfs", "0::/kubepods/pod" UID "/" ID, UID, ID},
	{"CRI-O, systemd, v2, crun", "0::" SLICES "/crio-" ID ".scope/container\n", UID, ID},
	{"CRI-O, systemd, v2, runc", "0::" SLICES "/crio-" ID ".scope\n", UID, ID},
	{"CRI-O, cgroupfs", "0::/kubepods/burstable/pod" UID "/crio-" ID "\n", UID, ID},
	{"CRI-O's guard", "0::" SLICES "/crio-conmon-" ID ".scope\n", UID, ""},
	{"cri-dockerd, systemd", "0::" SLICES "/docker-" ID ".scope\n", UID, ID},
	{"cri-dockerd, dashes", "11:cpu:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID ".slice/docker-" ID ".scope\n", UID, ID},
	{"cri-dockerd, cgroupfs: minikube --driver=none", "11:cpu,cpuacct:/kubepods/burstable/pod" UID "/" ID "\n0::/\n", UID, ID},
	{"hybrid: v2 line says nothing", "5:memory:" SLICES "/docker-" ID ".scope\n1:name=systemd:" SLICES "/docker-" ID ".scope\n0::/\n", UID, ID},
	{"hybrid: systemd's line says nothing", "1:name=systemd:/\n0::" SLICES "/cri-containerd-" ID ".scope\n", UID, ID},
	{"no systemd: OpenRC", "3:cpuset:/\n2:pids:/kubepods/burstable/pod" UID "/" ID "\n", UID, ID},
	{"containerd without SystemdCgroup, v1", "11:devices:/system.slice/containerd.service/kubepods-burstable-pod" UNDER ".slice:cri-containerd:" ID "\n", UID, ID},
	{"containerd without SystemdCgroup, at the root", "0::/kubepods-besteffort-pod" UNDER ".slice:cri-containerd:" ID "\n", UID, ID},
	{"kind, systemd", "0::/system.slice/docker-" NODE ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	 "kubelet-kubepods-burstable-pod" UNDER ".slice/cri-containerd-" ID ".scope\n", UID, ID},
	{"kind, cgroupfs, v1", "1:name=systemd:/docker/" NODE "/kubelet/kubepods/besteffort/pod" UID "/" ID "\n", UID, ID},
	{"minikube, docker driver", "0::/docker/" NODE "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UNDER ".slice/docker-" ID ".scope\n", UID, ID},
	{"k3s, rootful v2", "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UNDER ".slice/cri-containerd-" ID ".scope\n", UID, ID},
	{"k3d", "0::/../" NODE "/kubepods/pod" UID "/" ID, UID, ID},
	{"from a cgroup namespace, another QoS class", "0::/../../../kubepods-burstable.slice/kubepods-burstable-pod" UNDER ".slice/cri-containerd-" ID ".scope\n", UID, ID},
	{"from a cgroup namespace, cgroupfs", "0::/../../pod" UID "/" ID "\n", UID, ID},
	{"from a cgroup namespace, the same pod", "0::/../cri-containerd-" ID ".scope\n", "", ID},
	{"static pod", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC ".slice/cri-containerd-" ID ".scope\n", STATIC, ID},
	{"static pod, cgroupfs", "0::/kubepods/burstable/pod" STATIC "/" ID "\n", STATIC, ID},
	{"systemd in the container", "0::" SLICES "/cri-containerd-" ID ".scope/system.slice/x.service\n", UID, ID},
	{"removed", "0::" SLICES "/cri-containerd-" ID ".scope (deleted)\n", UID, ID},
	{"the pod's own cgroup", "0::" SLICES "\n", UID, ""},
	{"Docker, systemd", "0::/system.slice/docker-" ID ".scope\n", "", ID},
	{"Docker, cgroupfs", "1:name=systemd:/docker/" ID "\n", "", ID},
	{"Docker, v1, Debian 8", "10:net_prio:/" ID "\n9:perf_event:/" ID "\n", "", ID},
	{"Podman", "0::/machine.slice/libpod-" ID ".scope/container\n", "", ID},
	{"Podman's guard", "0::/machine.slice/libpod-conmon-" ID ".scope\n", "", ""},
	{"Podman's pod is none of Kubernetes", "0::/machine.slice/machine-libpod_pod_" NODE ".slice/libpod-" ID ".scope\n", "", ID},
	{"ECS", "0::/ecs/" STATIC "/" ID "\n", "", ID},

	/* what may be made by those who are not the engine */
	{"a pod in a container", "0::" SLICES "/cri-containerd-" ID ".scope/kubepods/pod" OTHER "/" NODE "\n", UID, ID},
	{"a container in a container", "0::/docker/" ID "/docker/" NODE "\n", "", ID},
	{"of a user", "0::/user.slice/user-1000.slice/user@1000.service" SLICES "/cri-containerd-" ID ".scope\n", "", ""},
	{"of a user, a container", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope\n", "", ""},

	/* nearly */
	{"a digit too few", "0::/kubepods/pod57e67067-89e4-4001-bdd4-8632d39ea02/" ID "\n", "", ID},
	{"a digit too many", "0::/kubepods/pod" UID "0/" ID "\n", "", ID},
	{"no hex", "0::/kubepods/podg7e67067-89e4-4001-bdd4-8632d39ea02b\n", "", ""},
	{"no dash", "0::/kubepods/pod57e670670 9e4-4001-bdd4-8632d39ea02b\n", "", ""},
	{"another word", "0::/kubepods/tripod" UID "\n", "", ""},
	{"upper case", "0::/docker/6D393320601b821561e43bd46f658284cb172cf297ecc3d3665be657870d32e2\n", "", ""},
	{"longer id", "0::/docker/0" ID "\n", "", ""},
	{"shorter id", "0::/docker/d393320601b821561e43bd46f658284cb172cf297ecc3d3665be657870d32e2\n", "", ""},
	{"32 digits without pod", "4:memory:/x/" STATIC "\n", "", ""},
	{"nothing", "", "", ""},
	{"a path alone", SLICES, "", ""},
	{"colons", ":::::", "", ""},
	{"an empty part", "0::/kubepods//" ".slice:::" "/pod\n", "", ""},
};
/* clang-format on */

static void assert_cgroup(const struct pod_case *row)
{
	size_t n = strlen(row->cgroup);
	char *text = malloc(n ? n : 1); /* exactly as long, so that a read past its end shows */
	struct cgroup c;

	memcpy(text, row->cgroup, n);
	memset(&c, 'x', sizeof(c));
	cgroup_parse(&c, (struct str){text, n});
	if (strcmp(c.pod, row->pod) || c.container.n != strlen(row->container) ||
	    (c.container.n && memcmp(c.container.p, row->container, c.container.n) != 0))
		fail_msg("%s: pod '%s', container '%.*s'", row->what, c.pod, (int)c.container.n,
			 c.container.p ? c.container.p : "");
	for (size_t i = strlen(c.pod); i < sizeof(c.pod); i++)
		assert_int_equal(c.pod[i], 0); /* it is a key */
	free(text);
}

static void test_pods(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pods) / sizeof(*pods); i++)
		assert_cgroup(&pods[i]);
}

/* Cut anywhere, a text gives the same or nothing. */
static void test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pods) / sizeof(*pods); i++)
		for (size_t n = 0; pods[i].pod[0] && n < strlen(pods[i].cgroup); n++) {
			char *text = malloc(n ? n : 1);
			struct cgroup c;

			memcpy(text, pods[i].cgroup, n);
			cgroup_parse(&c, (struct str){text, n});
			assert_true(!c.pod[0] || !strcmp(c.pod, pods[i].pod));
			free(text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
