/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options: every row from every source, the order among the sources, and commands.
 */
#include "event.h"
#include "option_input.h"

static void assert_parsed(struct options *o, struct input *in, const char *line,
			  const char *environment)
{
	if (parse(o, in, line, environment))
		fail_msg("%s %s: %s", environment, line, said);
	assert_string_equal(said, "");
}

static void test_defaults(void **state)
{
	struct options o;
	struct input in;

	(void)state;
	assert_parsed(&o, &in, "", "PATH=/bin");
	assert_int_equal(o.command, COMMAND_RUN);
	assert_string_equal(o.listen, "0.0.0.0:9435");
	assert_null(o.config);
	assert_string_equal(o.backend, "auto");
	assert_int_equal(o.detail, DETAIL_FULL);
	assert_int_equal(o.log_slow_ns, 1000000000);
	assert_int_equal(o.log_sample, 1000000);
	assert_int_equal(o.ring_size, 4 << 20);
	assert_int_equal(o.capture_bytes, 1024);
	assert_int_equal(o.series_max, 2000);
	assert_int_equal(o.routes_max, 200);
	assert_int_equal(o.series_ttl_ns, 0);
	assert_true(o.websocket_reconnect_ns == 30ULL * 1000000000);
	assert_int_equal(o.websocket_progress_ns, 0);
	assert_int_equal(o.connections_max, 65536);
	assert_int_equal(o.log_level, LOG_INFO);
	assert_false(o.bpf_stats);
	assert_null(o.btf);
	assert_null(o.node);
	assert_int_equal(o.service_count, 0);
	options_free(&o);
	options_free(&o);
	assert_int_equal(options_parse(&o, 0, (char *[]){NULL}, NULL), 0);
	options_free(&o);
}

static void assert_all_set(const struct options *o)
{
	assert_string_equal(o->listen, "[::1]:80");
	assert_string_equal(o->backend, "fexit");
	assert_int_equal(o->detail, DETAIL_METRICS);
	assert_int_equal(o->log_slow_ns, 250000000);
	assert_int_equal(o->log_sample, 50000);
	assert_int_equal(o->ring_size, 512 << 10);
	assert_int_equal(o->capture_bytes, 4096);
	assert_int_equal(o->series_max, 1);
	assert_int_equal(o->routes_max, 7);
	assert_true(o->series_ttl_ns == 5400ULL * 1000000000);
	assert_int_equal(o->websocket_reconnect_ns, 0);
	assert_true(o->websocket_progress_ns == 90ULL * 1000000000);
	assert_int_equal(o->connections_max, 64);
	assert_int_equal(o->log_level, LOG_ERROR);
	assert_true(o->bpf_stats);
	assert_string_equal(o->btf, "/x/btf");
	assert_string_equal(o->node, "n1");
	assert_int_equal(o->kube, KUBE_OFF);
	assert_string_equal(o->kube_logs, "/x/log");
	assert_string_equal(o->kube_account, "/x/account");
	assert_string_equal(o->service_label, "app");
	assert_int_equal(o->service_count, 2);
	assert_int_equal(o->services[0].port, 8000);
	assert_true(str_eq(o->services[0].name, STR("backend")));
	assert_int_equal(o->services[1].port, 65535);
	assert_true(str_eq(o->services[1].name, STR("shop=x")));
	assert_int_equal(o->route_count, 2);
	assert_true(str_eq(o->routes[0].text, STR("GET /users/{id}")));
	assert_true(str_eq(o->routes[1].text, STR("/f/{*}")));
	assert_null(o->routes[0].service.p);
}

/* Every row by one source: options with '=', options with a blank, environment, file. */
static void test_every_row_on_the_line(void **state)
{
	static const char *const rows[][2] = {
		{"--listen", "[::1]:80"},
		{"--backend", "fexit"},
		{"--detail", "metrics"},
		{"--log-slow", "250ms"},
		{"--log-sample", "0.05"},
		{"--ring-size", "512KiB"},
		{"--capture-bytes", "4096"},
		{"--series-max", "1"},
		{"--routes-max", "7"},
		{"--series-ttl", "1h30m"},
		{"--connections-max", "64"},
		{"--log-level", "error"},
		{"--btf", "/x/btf"},
		{"--node", "n1"},
		{"--kube", "off"},
		{"--kube-logs", "/x/log"},
		{"--kube-account", "/x/account"},
		{"--service-label", "app"},
		{"--service", "8000=backend"},
		{"--service", "65535=shop=x"},
		{"--route", "GET /users/{id}"},
		{"--route", "/f/{*}"},
		{"--websocket-reconnect-window", "0"},
		{"--websocket-progress", "1m30s"},
	};
	enum { ROWS = sizeof(rows) / sizeof(*rows) };
	char joined[ROWS][64], *with_equals[ROWS + 3], *apart[2 * ROWS + 3];
	struct options o;

	(void)state;
	with_equals[0] = apart[0] = "sonde";
	for (int i = 0; i < ROWS; i++) {
		snprintf(joined[i], sizeof(joined[i]), "%s=%s", rows[i][0], rows[i][1]);
		with_equals[i + 1] = joined[i];
		apart[2 * i + 1] = (char *)rows[i][0];
		apart[2 * i + 2] = (char *)rows[i][1];
	}
	with_equals[ROWS + 1] = "--bpf-stats=true";
	apart[2 * ROWS + 1] = "--bpf-stats";
	with_equals[ROWS + 2] = apart[2 * ROWS + 2] = NULL;
	assert_int_equal(options_parse(&o, ROWS + 2, with_equals, NULL), 0);
	assert_all_set(&o);
	options_free(&o);
	assert_int_equal(options_parse(&o, 2 * ROWS + 2, apart, NULL), 0);
	assert_all_set(&o);
	options_free(&o);
}

static void test_every_row_in_the_environment(void **state)
{
	char *env[] = {"SONDE_LISTEN=[::1]:80",
		       "SONDE_BACKEND=fexit",
		       "SONDE_DETAIL=metrics",
		       "SONDE_LOG_SLOW=250000us",
		       "SONDE_LOG_SAMPLE=0.050000",
		       "SONDE_RING_SIZE=524288",
		       "SONDE_CAPTURE_BYTES=4096",
		       "SONDE_SERIES_MAX=1",
		       "SONDE_ROUTES_MAX=7",
		       "SONDE_SERIES_TTL=90m",
		       "SONDE_WEBSOCKET_RECONNECT_WINDOW=0",
		       "SONDE_WEBSOCKET_PROGRESS=90s",
		       "SONDE_CONNECTIONS_MAX=64",
		       "SONDE_LOG_LEVEL=error",
		       "SONDE_BTF=/x/btf",
		       "SONDE_BPF_STATS=1",
		       "NODE_NAME=n1",
		       "SONDE_KUBE=off",
		       "SONDE_KUBE_LOGS=/x/log",
		       "SONDE_KUBE_ACCOUNT=/x/account",
		       "SONDE_SERVICE_LABEL=app",
		       "SONDE_NODE=",
		       "SONDE_SERVICE=8000=backend, 65535=shop=x",
		       "SONDE_ROUTE=GET /users/{id}, /f/{*}",
		       "SONDE_PORT=tcp://x",
		       NULL};
	struct options o;

	(void)state;
	assert_int_equal(options_parse(&o, 1, (char *[]){"sonde", NULL}, env), 0);
	assert_all_set(&o);
	options_free(&o);
}

static void test_every_row_in_the_file(void **state)
{
	static const char *const services[] = {
		"[\"8000=backend\", \"65535=shop=x\"]",
		"{\"8000\": \"backend\", \"65535\": \"shop=x\"}",
		"\"8000=backend,65535=shop=x\"",
	};
	char text[1024], line[128];
	struct options o;
	struct input in;

	(void)state;
	snprintf(line, sizeof(line), "--config %s", file_path);
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			 "{\"listen\":\"[::1]:80\",\"backend\":\"fexit\",\"detail\":\"metrics\","
			 "\"log-slow\":\"250ms\",\"log-sample\":0.05,\"ring-size\":%s,"
			 "\"capture-bytes\":\"4096\",\"series-max\":1,\"routes-max\":7,"
			 "\"series-ttl\":\"1h30m\",\"connections-max\":64,\"log-level\":\"error\","
			 "\"websocket-reconnect-window\":0,\"websocket-progress\":\"90s\","
			 "\"bpf-stats\":true,\"btf\":\"/x/"
			 "btf\",\"node\":\"n1\",\"kube\":\"off\",\"kube-logs\":\"/x/"
			 "log\",\"kube-account\":\"/x/"
			 "account\",\"service-label\":\"app\",\"service\":%s,"
			 "\"route\":%s}",
			 i ? "524288" : "\"512KiB\"", services[i],
			 i ? "\"GET /users/{id},/f/{*}\"" : "[\"GET /users/{id}\", \"/f/{*}\"]");
		write_file(text);
		assert_parsed(&o, &in, line, "");
		assert_all_set(&o);
		assert_string_equal(o.config, file_path);
		options_free(&o);
	}
}

/* In the file routes can be those of a service. */
static void test_routes_of_services(void **state)
{
	char line[128];
	struct options o;
	struct input in;

	(void)state;
	snprintf(line, sizeof(line), "--config %s", file_path);
	write_file("{\"route\": {\"shop\": [\"GET /a\", \"/b/{c}\"], \"cart\": \"/d\"}}");
	assert_parsed(&o, &in, line, "");
	assert_int_equal(o.route_count, 3);
	assert_true(str_eq(o.routes[1].service, STR("shop")));
	assert_true(str_eq(o.routes[1].text, STR("/b/{c}")));
	assert_true(str_eq(o.routes[2].service, STR("cart")));
	assert_true(str_eq(o.routes[2].text, STR("/d")));
	options_free(&o);
	assert_parsed(&o, &in, line, "SONDE_ROUTE=/strong");
	assert_int_equal(o.route_count, 1);
	options_free(&o);
}

static void test_order_of_sources(void **state)
{
	char environment[256];
	struct options o;
	struct input in;

	(void)state;
	write_file("{\"series-max\": 10, \"routes-max\": 10, \"capture-bytes\": 100,"
		   " \"service\": [\"1=file\"], \"node\": \"file\"}");
	snprintf(environment, sizeof(environment),
		 "SONDE_CONFIG=%s SONDE_SERIES_MAX=20 SONDE_ROUTES_MAX=20 SONDE_SERVICE=2=env "
		 "NODE_NAME=weak SONDE_NODE=strong",
		 file_path);
	assert_parsed(&o, &in, "--series-max=30 --service=3=a --service=4=b --service=3=c",
		      environment);
	assert_int_equal(o.series_max, 30);
	assert_int_equal(o.routes_max, 20);
	assert_int_equal(o.capture_bytes, 100);
	assert_int_equal(o.connections_max, 65536);
	assert_string_equal(o.node, "strong");
	assert_int_equal(o.service_count, 2); /* of the strongest source alone */
	assert_int_equal(o.services[0].port, 3);
	assert_true(str_eq(o.services[0].name, STR("c")));
	options_free(&o);
	/* a mistake in a weaker source is overruled */
	assert_parsed(&o, &in, "--series-max=1 --series-max=2", "SONDE_SERIES_MAX=many");
	assert_int_equal(o.series_max, 2);
	options_free(&o);
}

static void test_detail(void **state)
{
	static const char *const levels[] = {"full", "errors", "metrics"};
	struct options o;
	struct input in;
	char line[64];

	(void)state;
	for (uint32_t level = DETAIL_FULL; level <= DETAIL_METRICS; level++) {
		snprintf(line, sizeof(line), "--detail=%s --log-slow=0", levels[level]);
		assert_parsed(&o, &in, line, "SONDE_DETAIL=errors SONDE_LOG_SLOW=1m");
		assert_int_equal(o.detail, level);
		assert_int_equal(o.log_slow_ns, 0);
		options_free(&o);
	}
}

static void test_log_sample(void **state)
{
	static const struct {
		const char *line;
		uint32_t millionths;
	} cases[] = {
		{"--log-sample=0", 0},	       {"--log-sample=1", 1000000},
		{"--log-sample=0.000001", 1},  {"--log-sample=0.5", 500000},
		{"--log-sample=1.0", 1000000}, {"--log-sample=0.999999", 999999},
	};
	struct options o;
	struct input in;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_parsed(&o, &in, cases[i].line, "");
		assert_int_equal(o.log_sample, cases[i].millionths);
		options_free(&o);
	}
}

/* In the file it is a number too, or text as on the command line. */
static void test_log_sample_in_file(void **state)
{
	static const struct {
		const char *value;
		uint32_t millionths;
	} cases[] = {
		{"0", 0},
		{"1", 1000000},
		{"0.0", 0},
		{"1.0", 1000000},
		{"0.05", 50000},
		{"5e-2", 50000},
		{"0.000001", 1},
		{"0.00005", 50},
		{"0.1", 100000},
		{"0.3", 300000},
		{"0.999999", 999999},
		{"0.123456", 123456},
		{"\"0.25\"", 250000},
	};
	char text[64], line[128];
	struct options o;
	struct input in;

	(void)state;
	snprintf(line, sizeof(line), "--config %s", file_path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "{\"log-sample\": %s}", cases[i].value);
		write_file(text);
		assert_parsed(&o, &in, line, "");
		assert_int_equal(o.log_sample, cases[i].millionths);
		options_free(&o);
	}
}

static void test_commands(void **state)
{
	static const struct {
		const char *line;
		enum command command;
	} cases[] = {
		{"run", COMMAND_RUN},
		{"check", COMMAND_CHECK},
		{"--bpf-stats check", COMMAND_CHECK},
		{"version", COMMAND_VERSION},
		{"--version", COMMAND_VERSION},
		{"-V", COMMAND_VERSION},
		{"help", COMMAND_HELP},
		{"--help", COMMAND_HELP},
		{"-h", COMMAND_HELP},
		{"check --help", COMMAND_HELP},
		{"--help=markdown", COMMAND_HELP},
	};
	struct options o;
	struct input in;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_parsed(&o, &in, cases[i].line, "");
		assert_int_equal(o.command, cases[i].command);
		assert_int_equal(o.markdown, strstr(cases[i].line, "markdown") != NULL);
		options_free(&o);
	}
	/* nothing else matters then */
	assert_parsed(&o, &in, "--help", "SONDE_CONFIG=/does/not/exist SONDE_SERIES_MAX=x");
	options_free(&o);
}

static void test_fallbacks_are_accepted(void **state)
{
	struct options o = {.listen = NULL};

	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].fallback)
			assert_int_equal(
				option_rows[i].set(&o, &option_rows[i], option_rows[i].fallback),
				0);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		assert_ptr_equal(option_find(str_of(option_rows[i].name)), &option_rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_row_on_the_line),
		cmocka_unit_test(test_every_row_in_the_environment),
		cmocka_unit_test(test_every_row_in_the_file),
		cmocka_unit_test(test_routes_of_services),
		cmocka_unit_test(test_order_of_sources),
		cmocka_unit_test(test_detail),
		cmocka_unit_test(test_log_sample),
		cmocka_unit_test(test_log_sample_in_file),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_fallbacks_are_accepted),
	};

	return cmocka_run_group_tests(tests, file_setup, file_teardown);
}
