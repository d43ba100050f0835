/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a process in a cgroup to its pod.
 */
#include "fake_cluster.h"

static void test_a_pod_of_one_container(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-5dd5756b68-x2k4q_" UID1 "/nginx");
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "web|shop|web-5dd5756b68-x2k4q|nginx");
	cluster_close(&w);
}

static void test_folders_from_before(void **state)
{
	struct world w = {.logs = ""};

	(void)state;
	strcpy(w.logs, "/tmp/sonde-logs-XXXXXX");
	assert_non_null(mkdtemp(w.logs));
	shell(&w, "mkdir -p pods/shop_db-0_" UID1 "/db pods/shop_db-0_" UID1 "/backup containers");
	shell(&w,
	      "touch containers/db-0_shop_db-" ID1 ".log containers/db-0_shop_backup-" ID2 ".log");
	world_make(&w, 64);
	put_in(&w, 10, UID1, ID1);
	put_in(&w, 11, UID1, ID2);
	assert_string_equal(all(&w, 10, 0), "db|shop|db-0|db");
	assert_string_equal(all(&w, 11, 0), "db|shop|db-0|backup");
	cluster_close(&w);
}

/* The link comes last; until then the kubelet's mount says which of the two it is. */
static void test_one_of_several_before_its_link(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app pods/shop_web-x2k4q_" UID1 "/daprd");
	put_in(&w, 10, UID1, ID1);
	put_in(&w, 11, UID1, ID2);
	put_mount(&w, 10, UID1, "app");
	put_mount(&w, 11, UID1, "daprd");
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|app");
	assert_string_equal(all(&w, 11, 0), "web|shop|web-x2k4q|daprd");
	cluster_close(&w);
}

/* A process that mounts what it likes can at most name another container of its own pod. */
static void test_forged_mounts(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-x2k4q_" UID1 "/app pods/shop_web-x2k4q_" UID1 "/daprd");
	shell(&w, "mkdir -p pods/bank_vault-0_" UID2 "/vault");
	put_in(&w, 10, UID1, ID1);
	put_mount(&w, 10, UID2, "vault");
	assert_string_equal(all(&w, 10, 0), "web|shop|web-x2k4q|?");
	put_in(&w, 11, UID1, ID2);
	put_mount(&w, 11, UID1, "vault");
	assert_string_equal(all(&w, 11, 0), "web|shop|web-x2k4q|?");
	put_in(&w, 12, UID1, ID2);
	put_mount(&w, 12, UID1, "..");
	assert_string_equal(all(&w, 12, 0), "web|shop|web-x2k4q|?");
	put_in(&w, 13, UID1, ID2);
	put_mount(&w, 13, UID2, "app"); /* another pod's */
	assert_string_equal(all(&w, 13, 0), "web|shop|web-x2k4q|?");
	cluster_close(&w);
}

static void test_sources_in_a_pod(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-5dd5756b68-x2k4q_" UID1 "/app");
	put_in(&w, 10, UID1, ID1);
	put(&w, 10, "environ", STR("OTEL_SERVICE_NAME=orders"));
	assert_string_equal(all(&w, 10, 0), "orders|shop|web-5dd5756b68-x2k4q|app");
	assert_string_equal(all(&w, 10, 8000), "backend|shop|web-5dd5756b68-x2k4q|app");
	assert_string_equal(all(&w, 10, 9000), "admin|shop|web-5dd5756b68-x2k4q|app");
	assert_string_equal(all(&w, 10, 0), "backend|shop|web-5dd5756b68-x2k4q|app");
	assert_ptr_equal(who_is(w.who, 10, 0), who_is(w.who, 10, 8000));
	cluster_close(&w);
}

/* The same rule, two pods: two identities. */
static void test_rules_in_two_pods(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/shop_web-0_" UID1 "/app pods/shop_web-1_" UID2 "/app");
	put_in(&w, 10, UID1, ID1);
	put_in(&w, 11, UID2, ID2);
	put_process(&w, 12, 1, "nginx\0");
	assert_string_equal(all(&w, 10, 8000), "backend|shop|web-0|app");
	assert_string_equal(all(&w, 11, 8000), "backend|shop|web-1|app");
	assert_string_equal(all(&w, 12, 8000), "backend|||");
	assert_string_equal(all(&w, 10, 0), "backend|shop|web-0|app");
	assert_string_equal(all(&w, 11, 0), "backend|shop|web-1|app");
	cluster_close(&w);
}

static void on_forgotten(void *ctx, const struct owner *owner)
{
	char *text = ctx;

	strncat(text, owner->service.p, owner->service.n);
	strncat(text, "@", 2);
	strncat(text, owner->pod.n ? owner->pod.p : "", owner->pod.n);
	strncat(text, " ", 2);
}

static const char *look_long(struct world *w, uint64_t now)
{
	static char text[1024];

	text[0] = '\0';
	for (int i = 0; i < 4; i++)
		who_forget(w->who, now + 11 * i, 10, on_forgotten, text);
	return text;
}

static void test_pods_are_let_go(void **state)
{
	uint32_t before;
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	before = table_count(who_identities(w.who));
	shell(&w, "mkdir -p pods/shop_web-0_" UID1 "/app pods/shop_web-1_" UID2 "/app");
	put_in(&w, 10, UID1, ID1);
	put_in(&w, 11, UID2, ID2);
	assert_string_equal(all(&w, 10, 8000), "backend|shop|web-0|app");
	assert_string_equal(all(&w, 11, 8000), "backend|shop|web-1|app");
	assert_string_equal(look_long(&w, 1000), "");
	who_exit(w.who, 10, 1100);
	vanish(&w, 10);
	assert_string_equal(look_long(&w, 2000), "backend@web-0 ");
	put_process(&w, 20, 1, "another\0"); /* takes no slot that something points to */
	assert_string_equal(all(&w, 20, 0), "another|||");
	assert_string_equal(all(&w, 10, 8000), "backend|shop|web-0|app"); /* told of late */
	who_exit(w.who, 11, 2100);
	vanish(&w, 11);
	who_exit(w.who, 20, 2100);
	vanish(&w, 20);
	look_long(&w, 3000);
	for (uint32_t pid = 100; pid < 200; pid++) { /* they leave the cache */
		who_exec(w.who, pid, STR("sh"), STR("sh\0"), 0);
		who_exit(w.who, pid, 3000);
	}
	look_long(&w, 4000);
	assert_int_equal(table_count(who_identities(w.who)), before);
	cluster_close(&w);
}

static void test_static_pods_bear_the_nodes_name(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir -p pods/kube-system_etcd-node-1_" HASH "/etcd");
	shell(&w, "mkdir -p pods/kube-system_etcd-node-1_" UID1 "/etcd");
	put_in(&w, 10, HASH, ID1);
	put_in(&w, 11, UID1, ID2);
	assert_string_equal(all(&w, 10, 0), "etcd|kube-system|etcd-node-1|etcd");
	assert_string_equal(all(&w, 11, 0), "etcd-node|kube-system|etcd-node-1|etcd");
	cluster_close(&w);
}

/* Without a pod in the path, as a container of the agent's own pod may look, the id is enough. */
static void test_by_id_alone(void **state)
{
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "touch containers/sonde-x2k4q_sonde_proxy-" ID1 ".log");
	put_process(&w, 10, 1, "envoy\0");
	put(&w, 10, "cgroup", STR("0::/../cri-containerd-" ID1 ".scope\n"));
	put_process(&w, 11, 1, "envoy\0");
	put(&w, 11, "cgroup", STR("0::/system.slice/docker-" ID2 ".scope\n"));
	assert_string_equal(all(&w, 10, 0), "sonde|sonde|sonde-x2k4q|proxy");
	assert_string_equal(all(&w, 11, 0), "envoy|||222222222222");
	cluster_close(&w);
}

static void test_other_names_are_refused(void **state)
{
	const struct table *tables[WHO_TABLES];
	struct world w;

	(void)state;
	cluster_open(&w, 64);
	shell(&w, "mkdir pods/shop_web-0 pods/shop_web-0_ pods/_web-0_" UID1 " pods/shop__" UID1
		  " pods/Shop_web-0_" UID1 " 'pods/shop_we b_" UID1 "' pods/shop_.._" UID1
		  " pods/shop_web-0_" UID1 "0 pods/shop_web_0_" UID1 " pods/sho.p_web_" UID1);
	shell(&w, "mkdir pods/$(printf %064d 1)_web-0_" UID1);
	shell(&w, "touch pods/x containers/x.log containers/a_b_c.log containers/a_b_-" ID1
		  ".log containers/a_b_c_" ID1 ".log containers/a_b_c-" ID1 " containers/a_b_C-" ID1
		  ".log containers/a_b_c" ID1 ".log containers/a_b_c-" ID1 ".txt");
	who_refresh(w.who);
	who_tables(w.who, tables);
	assert_int_equal(table_count(tables[2]), 0);
	assert_int_equal(table_count(tables[3]), 0);
	cluster_close(&w);
}

static void test_off(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, 64);
	put_in(&w, 10, UID1, ID1);
	assert_string_equal(all(&w, 10, 0), "app|||111111111111");
	who_refresh(w.who);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pod_of_one_container),
		cmocka_unit_test(test_folders_from_before),
		cmocka_unit_test(test_one_of_several_before_its_link),
		cmocka_unit_test(test_forged_mounts),
		cmocka_unit_test(test_sources_in_a_pod),
		cmocka_unit_test(test_rules_in_two_pods),
		cmocka_unit_test(test_pods_are_let_go),
		cmocka_unit_test(test_static_pods_bear_the_nodes_name),
		cmocka_unit_test(test_by_id_alone),
		cmocka_unit_test(test_other_names_are_refused),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
