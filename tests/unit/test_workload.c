/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of pods as Kubernetes makes them, and names that only look like it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "who/workload.h"

#define TEN  "abcdefghij"
#define LONG TEN TEN TEN TEN

struct workload_case {
	const char *pod, *workload;
};

static const struct workload_case cases[] = {
	/* Deployment */
	{"coredns-5dd5756b68-x2k4q", "coredns"},
	{"metrics-server-6d94bc8694-bcdfg", "metrics-server"},
	{"backend-api-787d4945fb-9zxwv", "backend-api"},
	{"web-66bff467f-7tvmh", "web"},
	{"web-4bff467f-7tvmh", "web"},
	{"web-4bff467-7tvmh", "web"},
	{"a-5dd5756b68-x2k4q", "a"},
	{"redis-0-5dd5756b68-x2k4q", "redis-0"},
	{"my.app-5dd5756b68-x2k4q", "my.app"},
	{"web-5dd5756b68-5dd5756b68-x2k4q", "web-5dd5756b68"},
	/* not of its hash: only the random end goes */
	{"web-5dd5756-x2k4q", "web"},
	{"web-5dd575-x2k4q", "web-5dd575"},
	{"web-5dd5756b68f-x2k4q", "web-5dd5756b68f"},
	{"web-5dd5756a68-x2k4q", "web-5dd5756a68"},
	{"web-5dd5756g68-x2k4q", "web-5dd5756g68"},
	{"web-1234567890-x2k4q", "web-1234567890"},
	/* DaemonSet, Job, ReplicaSet */
	{"kube-proxy-x2k4q", "kube-proxy"},
	{"node-exporter-24567", "node-exporter"},
	{"migrate-v2-vwxz9", "migrate-v2"},
	{"indexed-3-x2k4q", "indexed-3"},
	/* CronJob */
	{"report-28410360-x2k4q", "report"},
	{"report-29931234-x2k4q", "report"},
	{"report-30000000-x2k4q", "report"},
	{"report-20261122-x2k4q", "report-20261122"},
	{"report-2841036-x2k4q", "report-2841036"},
	{"report-284103600-x2k4q", "report-284103600"},
	/* StatefulSet */
	{"kafka-0", "kafka"},
	{"kafka-12", "kafka"},
	{"kafka-99999", "kafka"},
	{"redis-cluster-2", "redis-cluster"},
	{"kafka-01", "kafka-01"},
	{"kafka-123456", "kafka-123456"},
	{"kafka-1a", "kafka-1a"},
	/* neither */
	{"web", "web"},
	{"my-pod", "my-pod"},
	{"my-nginx", "my-nginx"},
	{"web-x2k4", "web-x2k4"},
	{"web-x2k4qq", "web-x2k4qq"},
	{"web-x2k4a", "web-x2k4a"},
	{"web-x2k40", "web-x2k40"},
	{"web-x2k4Q", "web-x2k4Q"},
	{"x2k4q", "x2k4q"},
	{"-x2k4q", "-x2k4q"},
	{"-0", "-0"},
	{"0", "0"},
	{"-", "-"},
	{"web-", "web-"},
	{"", ""},
	/* 63 characters: cut off before the random end */
	{LONG "abcdefg-5dd5756b68x2k4q", LONG "abcdefg"},
	{LONG TEN "bcefg-4fx2k4q", LONG TEN "bcefg"},
	{LONG TEN "bcefghijx2k4q", LONG TEN "bcefghij"},
	{LONG TEN "bcefghi-x2k4q", LONG TEN "bcefghi"},
	{LONG TEN "bcefghijx2k4a", LONG TEN "bcefghijx2k4a"},
	{LONG TEN "bcefg-4fx2k4", LONG TEN "bcefg-4fx2k4"},
};

static void assert_name(const char *pod, struct str name, const char *expected)
{
	if (!str_eq(name, str_of(expected)))
		fail_msg("%s: '%.*s', expected '%s'", pod, (int)name.n, name.p, expected);
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_name(cases[i].pod, workload_name(str_of(cases[i].pod)), cases[i].workload);
	assert_int_equal(workload_name((struct str){NULL, 0}).n, 0);
}

static void test_static(void **state)
{
	struct str etcd = STR("etcd-minikube");

	(void)state;
	assert_name("etcd", workload_static(etcd, STR("minikube")), "etcd");
	assert_name("etcd", workload_static(etcd, STR("kube")), "etcd-minikube");
	assert_name("etcd", workload_static(etcd, STR("etcd-minikube")), "etcd-minikube");
	assert_name("etcd", workload_static(etcd, (struct str){NULL, 0}), "etcd-minikube");
	assert_name("etcd", workload_static(STR("-minikube"), STR("minikube")), "-minikube");
	assert_name("etcd", workload_static(STR("etcd-ip-10-0-0-7"), STR("ip-10-0-0-7")), "etcd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_static),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
