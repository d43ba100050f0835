/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pod's JSON to names, and from those to who is asked for: with fields that are missing, of
 * another type, or what nobody may be called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/table.h"
#include "who/pods.h"

#define UID1 "57e67067-89e4-4001-bdd4-8632d39ea02b"
#define UID2 "2c48913c-b29f-11e7-9350-020968147796"
#define ID1  "1111111111111111111111111111111111111111111111111111111111111111"
#define ID2  "2222222222222222222222222222222222222222222222222222222222222222"
#define HASH "33d556edd3ae8ef21980288cef77ae8b"
#define META "'uid':'" UID1 "','namespace':'shop','name':"
#define OWNED(KIND, NAME)                                                              \
	",'ownerReferences':[{'kind':'X','name':'x'},{'kind':'" KIND "','name':'" NAME \
	"','controller':true}]"
#define LABELS(TEXT) ",'labels':{" TEXT "}"

/* JSON with ' for ". */
static bool read_pod(struct pod_facts *f, const char *text)
{
	char json[4096];
	json_t *pod;
	bool read;

	assert_true(strlen(text) < sizeof(json));
	strcpy(json, text);
	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	pod = json_loads(json, JSON_DECODE_ANY, NULL);
	assert_non_null(pod);
	read = pod_read(f, pod, "app");
	json_decref(pod);
	return read;
}

static const char *const workloads[][2] = {
	{META "'web-5dd5756b68-x2k4q'" OWNED("ReplicaSet", "web-5dd5756b68")
		 LABELS("'pod-template-hash':'5dd5756b68'"),
	 "web"},
	{META "'a-4d-b-x2k4q'" OWNED("ReplicaSet", "a-4d-b")
		 LABELS("'rollouts-pod-template-hash':'b'"),
	 "a-4d"},
	{META "'web-5dd5756b68-x2k4q'" OWNED("ReplicaSet", "web-5dd5756b68"), "web-5dd5756b68"},
	{META "'w-x'" OWNED("ReplicaSet", "ww5dd5756b68")
		 LABELS("'pod-template-hash':'5dd5756b68'"),
	 "ww5dd5756b68"},
	{META "'w-x'" OWNED("ReplicaSet", "-b") LABELS("'pod-template-hash':'b'"), "-b"},
	{META "'w-x'" OWNED("ReplicaSet", "b") LABELS("'pod-template-hash':'b'"), "b"},
	{META "'w-x'" OWNED("ReplicaSet", "b") LABELS("'pod-template-hash':7"), "b"},
	{META "'db-0'" OWNED("StatefulSet", "db"), "db"},
	{META "'job-29384756-bcdfg'" OWNED("Job", "job-29384756"), "job"},
	{META "'job-7-bcdfg'" OWNED("Job", "job-7"), "job-7"},
	{META "'etcd-node-a'" OWNED("Node", "node-a"), "etcd"},
	{META "'web-1'", "web-1"},
	{META "'web-1','ownerReferences':[{'kind':'X','name':'x','controller':'true'}]", "web-1"},
	{META "'web-1','ownerReferences':{'kind':'X'}", "web-1"},
	{META "'web-1','ownerReferences':[7]", "web-1"},
	{META "'web-1'" OWNED("X", "No Name"), "web-1"},
	{META "'web-1'" OWNED("X", ""), "web-1"},
};

static void test_workloads(void **state)
{
	struct pod_facts f;
	char text[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++) {
		snprintf(text, sizeof(text), "{'metadata':{%s}}", workloads[i][0]);
		assert_true(read_pod(&f, text));
		assert_string_equal(f.workload, workloads[i][1]);
		assert_string_equal(f.namespace, "shop");
		assert_int_equal(f.container_count, 0);
	}
}

static const char *const refused[] = {
	"{}",
	"[]",
	"null",
	"7",
	"'x'",
	"{'metadata':[]}",
	"{'metadata':{}}",
	"{'metadata':{'uid':'" UID1 "'}}",
	"{'metadata':{'uid':'" UID1 "','namespace':'shop'}}",
	"{'metadata':{'uid':'" UID1 "','namespace':'shop','name':''}}",
	"{'metadata':{'uid':'" UID1 "','namespace':'shop','name':'../x'}}",
	"{'metadata':{'uid':'" UID1 "','namespace':'sh.op','name':'x'}}",
	"{'metadata':{'uid':'" UID1 "','namespace':'shop','name':'W'}}",
	"{'metadata':{'uid':'" UID1 "','namespace':'shop','name':['x']}}",
	"{'metadata':{'uid':'" UID1 "0','namespace':'shop','name':'x'}}",
	"{'metadata':{'uid':7,'namespace':'shop','name':'x'}}",
	"{'metadata':{'uid':'','namespace':'shop','name':'x'}}",
	"{'metadata':{'uid':'a b','namespace':'shop','name':'x'}}",
};

static void test_refused(void **state)
{
	struct pod_facts f;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		assert_false(read_pod(&f, refused[i]));
}

static void test_names_that_are_too_long(void **state)
{
	struct pod_facts f;
	char text[1024], name[POD_SIZE + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[POD_SIZE - 1] = '\0';
	snprintf(text, sizeof(text), "{'metadata':{" META "'%s'}}", name);
	assert_true(read_pod(&f, text));
	assert_string_equal(f.workload, name);
	strcat(name, "a");
	snprintf(text, sizeof(text), "{'metadata':{" META "'%s'}}", name);
	assert_false(read_pod(&f, text));
}

static void test_labels_and_mirrors(void **state)
{
	struct pod_facts f;

	(void)state;
	assert_true(read_pod(&f, "{'metadata':{" META "'x'" LABELS("'app':'shop'") "}}"));
	assert_string_equal(f.label, "shop");
	assert_true(read_pod(&f, "{'metadata':{" META "'x'" LABELS("'app':'a\\nb\\u202e'") "}}"));
	assert_null(strchr(f.label, '\n'));
	assert_true(read_pod(&f, "{'metadata':{" META "'x'" LABELS("'app':['x']") "}}"));
	assert_string_equal(f.label, "");
	assert_true(read_pod(&f, "{'metadata':{" META
				 "'x','annotations':{'kubernetes.io/config.mirror':'" HASH "'}}}"));
	assert_string_equal(f.uid, HASH);
	assert_true(read_pod(&f, "{'metadata':{" META
				 "'x','annotations':{'kubernetes.io/config.mirror':'" UID2 "'}}}"));
	assert_string_equal(f.uid, UID1);
}

/* clang-format off */
static const char statuses[] =
	"{'metadata':{" META "'x'},"
	"'spec':{'containers':[{'name':'app'},{'name':'side'}]},"
	"'status':{'containerStatuses':["
		"{'name':'app','containerID':'containerd://" ID1 "'},"
		"{'name':'No','containerID':'x://" ID2 "'},"
		"{'name':'a','containerID':''},"
		"{'name':'a','containerID':'" ID2 "'},"
		"{'name':'a','containerID':'x://1'},"
		"{'name':'a','containerID':7},"
		"7,[]],"
	"'initContainerStatuses':[{'name':'init','containerID':'cri-o://" ID2 "'}],"
	"'ephemeralContainerStatuses':{}}}";
/* clang-format on */

static void test_containers(void **state)
{
	struct pod_facts f;

	(void)state;
	assert_true(read_pod(&f, statuses));
	assert_int_equal(f.container_count, 2);
	assert_memory_equal(f.containers[0].id, ID1, CGROUP_ID_SIZE);
	assert_string_equal(f.containers[1].name, "init");
	assert_string_equal(f.only, "");
	assert_true(
		read_pod(&f, "{'metadata':{" META "'x'},'spec':{'containers':[{'name':'app'}]}}"));
	assert_string_equal(f.only, "app");
}

static void test_more_containers_than_are_kept(void **state)
{
	json_t *statuses = json_array(), *pod;
	struct pod_facts f;
	char id[80];

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(id, sizeof(id), "x://%064u", i);
		json_array_append_new(statuses,
				      json_pack("{ssss}", "name", "c", "containerID", id));
	}
	pod = json_pack("{s{ssssss}s{so}}", "metadata", "uid", UID1, "namespace", "a", "name", "b",
			"status", "containerStatuses", statuses);
	assert_true(pod_read(&f, pod, NULL));
	assert_int_equal(f.container_count, POD_CONTAINERS_MAX);
	json_decref(pod);
}

static void tell(struct pods *p, enum pod_news news, const char *uid, const char *name,
		 const char *id)
{
	struct pod_facts *f = calloc(1, sizeof(*f));

	f->news = news;
	strcpy(f->uid, uid);
	strcpy(f->namespace, "shop");
	strcpy(f->name, name);
	if (id) {
		memcpy(f->containers[0].id, id, CGROUP_ID_SIZE);
		strcpy(f->containers[0].name, "app");
		f->container_count = 1;
	}
	pods_tell(p, f);
	free(f);
}

static const char *name_of(struct pods *p, const char *uid, const char *id)
{
	struct cgroup c = {.container = str_of(id)};
	const struct pods_pod *pod;

	strcpy(c.pod, uid);
	pod = pods_find(p, &c);
	return pod ? pod->name : "";
}

static void test_lists_and_changes(void **state)
{
	struct pods *p = pods_new();

	(void)state;
	tell(p, POD_LIST_BEGIN, "", "", NULL);
	tell(p, POD_IS, UID1, "web-1", ID1);
	tell(p, POD_IS, UID2, "web-2", NULL);
	tell(p, POD_LIST_END, "", "", NULL);
	assert_string_equal(name_of(p, UID1, NULL), "web-1");
	assert_string_equal(name_of(p, "", ID1), "web-1");
	assert_string_equal(name_of(p, UID2, ID1), "web-2");
	tell(p, POD_IS, UID1, "web-1", ID2);
	assert_string_equal(name_of(p, "", ID1), "");
	assert_string_equal(name_of(p, "", ID2), "web-1");
	tell(p, POD_LIST_BEGIN, "", "", NULL);
	tell(p, POD_IS, UID2, "web-2", ID1);
	assert_string_equal(name_of(p, UID1, NULL), "web-1");
	tell(p, POD_LIST_END, "", "", NULL);
	assert_string_equal(name_of(p, UID1, NULL), "");
	assert_int_equal(table_count(pods_containers(p)), 1);
	tell(p, POD_GONE, UID2, "", NULL);
	tell(p, POD_GONE, UID2, "", NULL);
	assert_int_equal(table_count(pods_table(p)) + table_count(pods_containers(p)), 0);
	pods_free(p);
}

static void test_more_pods_than_are_kept(void **state)
{
	struct pods *p = pods_new();
	char uid[CGROUP_POD_SIZE], id[CGROUP_ID_SIZE + 1];

	(void)state;
	for (unsigned i = 0; i < 6000; i++) {
		snprintf(uid, sizeof(uid), "%036u", i);
		snprintf(id, sizeof(id), "%064u", i);
		tell(p, POD_IS, uid, "x", i % 3 ? id : NULL);
		assert_string_equal(name_of(p, uid, NULL), "x");
	}
	assert_int_equal(table_count(pods_table(p)), 2048);
	assert_true(table_count(pods_containers(p)) <= 2048);
	pods_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workloads),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_names_that_are_too_long),
		cmocka_unit_test(test_labels_and_mirrors),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_more_containers_than_are_kept),
		cmocka_unit_test(test_lists_and_changes),
		cmocka_unit_test(test_more_pods_than_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
