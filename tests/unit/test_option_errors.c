/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the options refuse, and the one line that they say then, word for word.
 */
#include "option_input.h"

static void assert_refused(const char *line, const char *environment, const char *message)
{
	struct options o;
	struct input in;
	char expected[1024];

	assert_int_equal(parse(&o, &in, line, environment), -EINVAL);
	snprintf(expected, sizeof(expected), "sonde: %s\n", message);
	assert_string_equal(said, expected);
	assert_null(o.memory);
	assert_null(o.services);
	assert_null(o.routes);
}

#define SIZE	 "must be a power of two from 64KiB to 1GiB, such as 4MiB"
#define DURATION "must be 0 or a duration such as 10m, 1h30m or 500ms"
#define SLOW	 "must be a duration such as 500ms, 2s or 1m"
#define SHARE	 "must be a share from 0 to 1 with at most six digits, such as 0.05"
#define DETAIL	 "must be full, errors or metrics"
#define LISTEN	 "must be ADDR:PORT, [v6]:PORT or :PORT with an IP address, such as 127.0.0.1:9435"
#define SERVICE	 "must be PORT=NAME, such as 8000=backend, for at most 256 ports"
#define ROUTE                                                                                  \
	"must be [METHOD] /PATH with {name} for a whole segment, such as GET /users/{id}; at " \
	"most "                                                                                \
	"256 of them"
#define UNKNOWN "unknown option; sonde --help lists them all"
#define CAPTURE "must be a number from 64 to 4096"
#define COMMAND "unknown command; there are run, check, version and help"

/* clang-format off: a case a line */
static const char *const line_errors[][2] = {
	{"--ring-size=3", "--ring-size=3: " SIZE},
	{"--ring-size=3MiB", "--ring-size=3MiB: " SIZE},
	{"--ring-size=32KiB", "--ring-size=32KiB: " SIZE},
	{"--ring-size=2GiB", "--ring-size=2GiB: " SIZE},
	{"--ring-size 4MB", "--ring-size=4MB: " SIZE},
	{"--ring-size=1MiB1MiB", "--ring-size=1MiB1MiB: " SIZE},
	{"--ring-size=18014398509481985KiB", "--ring-size=18014398509481985KiB: " SIZE},
	{"--capture-bytes=63", "--capture-bytes=63: " CAPTURE},
	{"--capture-bytes=4097", "--capture-bytes=4097: " CAPTURE},
	{"--capture-bytes=-64", "--capture-bytes=-64: " CAPTURE},
	{"--series-max=0", "--series-max=0: must be a number from 1 to 1000000"},
	{"--series-max=4294967297", "--series-max=4294967297: must be a number from 1 to 1000000"},
	{"--routes-max=", "--routes-max: must be a number from 1 to 100000"},
	{"--connections-max=1", "--connections-max=1: must be a number from 64 to 1000000"},
	{"--series-ttl=10", "--series-ttl=10: " DURATION},
	{"--websocket-reconnect-window=30",
	 "--websocket-reconnect-window=30: must be 0 or a duration such as 10s, 2m or 500ms"},
	{"--websocket-progress",
	 "--websocket-progress: needs a value, --websocket-progress=DURATION"},
	{"--series-ttl=h", "--series-ttl=h: " DURATION},
	{"--series-ttl=300000d", "--series-ttl=300000d: " DURATION},
	{"--series-ttl=200000d200000d", "--series-ttl=200000d200000d: " DURATION},
	{"--listen=9435", "--listen=9435: " LISTEN},
	{"--listen=:65536", "--listen=:65536: " LISTEN},
	{"--listen=::1:80", "--listen=::1:80: " LISTEN},
	{"--listen=x:", "--listen=x:: " LISTEN},
	{"--listen=foo:1", "--listen=foo:1: " LISTEN},
	{"--listen=localhost:1", "--listen=localhost:1: " LISTEN},
	{"--listen=1.2.3:1", "--listen=1.2.3:1: " LISTEN},
	{"--listen=1.2.3.256:1", "--listen=1.2.3.256:1: " LISTEN},
	{"--listen=[::x]:1", "--listen=[::x]:1: " LISTEN},
	{"--listen=[::1:1", "--listen=[::1:1: " LISTEN},
	{"--backend=magic", "--backend=magic: must be auto, sock, fexit or syscall"},
	{"--detail=some", "--detail=some: " DETAIL},
	{"--detail=Full", "--detail=Full: " DETAIL},
	{"--detail=metric", "--detail=metric: " DETAIL},
	{"--detail=0", "--detail=0: " DETAIL},
	{"--detail=", "--detail: " DETAIL},
	{"--detail", "--detail: needs a value, --detail=LEVEL"},
	{"--log-slow=1", "--log-slow=1: " SLOW},
	{"--log-slow=-1s", "--log-slow=-1s: " SLOW},
	{"--log-slow=0.5s", "--log-slow=0.5s: " SLOW},
	{"--log-slow=", "--log-slow: " SLOW},
	{"--log-slow", "--log-slow: needs a value, --log-slow=DURATION"},
	{"--log-sample=2", "--log-sample=2: " SHARE},
	{"--log-sample=1.000001", "--log-sample=1.000001: " SHARE},
	{"--log-sample=-0.1", "--log-sample=-0.1: " SHARE},
	{"--log-sample=0.1234567", "--log-sample=0.1234567: " SHARE},
	{"--log-sample=.5", "--log-sample=.5: " SHARE},
	{"--log-sample=1.", "--log-sample=1.: " SHARE},
	{"--log-sample=0.5.5", "--log-sample=0.5.5: " SHARE},
	{"--log-sample=half", "--log-sample=half: " SHARE},
	{"--log-level=loud", "--log-level=loud: must be debug, info, warn or error"},
	{"--bpf-stats=perhaps", "--bpf-stats=perhaps: must be true or false"},
	{"--service=backend", "--service=backend: " SERVICE},
	{"--service=0=x", "--service=0=x: " SERVICE},
	{"--service=65536=x", "--service=65536=x: " SERVICE},
	{"--service=8000=", "--service=8000=: " SERVICE},
	{"--service=1=a,,2=b", "--service=1=a,,2=b: " SERVICE},
	{"--route=users", "--route=users: " ROUTE},
	{"--route=/a/x{id}", "--route=/a/x{id}: " ROUTE},
	{"--route=/a,,/b", "--route=/a,,/b: " ROUTE},
	{"--route=/a?b", "--route=/a?b: " ROUTE},
	{"--route=", "--route: " ROUTE},
	{"--node=", "--node: must be a name"},
	{"--kube=apis", "--kube=apis: must be off, files or api"},
	{"--kube-account=", "--kube-account: must be a folder's path"},
	{"--service-label=", "--service-label: must be a label's key"},
	{"--kube-logs=", "--kube-logs: must be a folder's path"},
	{"--btf=", "--btf: must be a file's path"},
	{"--help=pdf", "--help=pdf: must be given alone or as --help=markdown"},
	{"--version=2", "--version=2: must be given without a value"},
	{"--listen", "--listen: needs a value, --listen=ADDR:PORT"},
	{"check --node", "--node: needs a value, --node=NAME"},
	{"--ringsize=1", "--ringsize: unknown option; did you mean --ring-size?"},
	{"--capture", "--capture: unknown option; did you mean --capture-bytes?"},
	{"--lisetn=:1", "--lisetn: unknown option; did you mean --listen?"},
	{"--series-tll=0", "--series-tll: unknown option; did you mean --series-ttl?"},
	{"--xyz", "--xyz: " UNKNOWN},
	{"--", "--: " UNKNOWN},
	{"--=x", "--: " UNKNOWN},
	{"-x", "-x: " UNKNOWN},
	{"-listen=:1", "-listen: unknown option; did you mean --listen?"},
	{"--detial=full", "--detial: unknown option; did you mean --detail?"},
	{"chek", "chek: " COMMAND},
	{"run check", "check: one command at a time, there is 'run' already"},
	{"--json", "--json: only sonde check takes it"},
	{"run --json", "--json: only sonde check takes it"},
	{"--ring-size=\x1b[0m", "--ring-size=?[0m: " SIZE},
};
/* clang-format on */

static void test_errors_of_the_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(line_errors) / sizeof(*line_errors); i++)
		assert_refused(line_errors[i][0], "", line_errors[i][1]);
}

static void test_errors_of_the_environment(void **state)
{
	(void)state;
	assert_refused("", "SONDE_SERIES_MAX=many",
		       "SONDE_SERIES_MAX=many: must be a number from 1 to 1000000");
	assert_refused("", "SONDE_DETAIL=none", "SONDE_DETAIL=none: " DETAIL);
	assert_refused("", "SONDE_LOG_SLOW=2", "SONDE_LOG_SLOW=2: " SLOW);
	assert_refused("", "SONDE_SERVICE=1=a,b", "SONDE_SERVICE=1=a,b: " SERVICE);
	assert_refused("", "SONDE_CONFIG=/does/not/exist",
		       "/does/not/exist: cannot read config file: No such file or directory");
}

static void test_too_many_services(void **state)
{
	char list[4096], *argv[] = {"sonde", "--service", list, NULL};
	struct options o;
	struct catch c;
	size_t n = 0;

	(void)state;
	for (int port = 1; port <= 257; port++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%d=s,", port);
	c = catch_begin(STDERR_FILENO);
	assert_int_equal(options_parse(&o, 3, argv, NULL), -EINVAL);
	catch_end(&c);
	*strstr(list, "257=") = '\0';
	assert_int_equal(options_parse(&o, 3, argv, NULL), 0);
	assert_int_equal(o.service_count, 256);
	options_free(&o);
}

/* clang-format off: a case a line */
static const char *const file_errors[][2] = {
	{"", ":1:0: not valid JSON: '[' or '{' expected near end of file"},
	{"{\n  \"node\": \"x\",\n}", ":3:1: not valid JSON: string or '}' expected near '}'"},
	{"{\"node\":\"a\",\n\"node\":\"b\"}",
	 ":2:6: not valid JSON: duplicate object key near '\"node\"'"},
	{"{} x", ":1:4: not valid JSON: end of file expected near 'x'"},
	{"[1]", ":1:1: must be a JSON object, such as {\"listen\": \":9435\"}"},
	{"{\"node\": \"ring-size\",\n  \"ring-size\" : 3}", ":2:3: ring-size=3: " SIZE},
	{"{\"ring-size\": 1.5}", ":1:2: ring-size=1.5: " SIZE},
	{"{\"series-max\": -1}", ":1:2: series-max=-1: must be a number from 1 to 1000000"},
	{"{\"series-max\": true}", ":1:2: series-max: must be a number from 1 to 1000000"},
	{"{\"detail\": \"less\"}", ":1:2: detail=less: " DETAIL},
	{"{\"log-sample\": 1.5}", ":1:2: log-sample=1.5: " SHARE},
	{"{\"log-sample\": -0.5}", ":1:2: log-sample=-0.5: " SHARE},
	{"{\"log-sample\": 0.1234567}", ":1:2: log-sample=0.1234567: " SHARE},
	{"{\"log-sample\": 0.9999999}", ":1:2: log-sample=0.9999999: " SHARE},
	{"{\"log-sample\": true}", ":1:2: log-sample: " SHARE},
	{"{\"detail\": 1}", ":1:2: detail: " DETAIL},
	{"{\"log-slow\": 2}", ":1:2: log-slow=2: " SLOW},
	{"{\"log-slow\": true}", ":1:2: log-slow: " SLOW},
	{"{\"node\": 5}", ":1:2: node: must be a name"},
	{"{\"bpf-stats\": 1}", ":1:2: bpf-stats: must be true or false"},
	{"{\"nod\": \"x\"}", ":1:2: nod: unknown key; did you mean node?"},
	{"{\n\n   \"colour\": 1}", ":3:4: colour: unknown key; sonde --help lists them all"},
	{"{\"col\\u006fur\": 1}", ": colour: unknown key; sonde --help lists them all"},
	{"{\"config\": \"x\"}", ":1:2: config: only as an option, not in the file"},
	{"{\"help\": true}", ":1:2: help: only as an option, not in the file"},
	{"{\"service\": [\"x\"]}", ":1:2: service=x: " SERVICE},
	{"{\"service\": [5]}", ":1:2: service: " SERVICE},
	{"{\"service\": {\"80\": \"a\", \"http\": \"b\"}}", ":1:25: http=b: " SERVICE},
	{"{\"service\": {\"80\": 5}}", ":1:14: 80=: " SERVICE},
	{"{\"route\": [\"/a\", \"b\"]}", ":1:2: route=b: " ROUTE},
	{"{\"route\": [5]}", ":1:2: route: " ROUTE},
	{"{\"route\": {\"shop\": [\"/a\"], \"backend\": [\"/b\", \"/{\"]}}",
	 ":1:28: backend=/{: " ROUTE},
	{"{\"route\": {\"shop\": 5}}", ":1:12: shop=: " ROUTE},
	{"{\"route\": {\"\": [\"/a\"]}}", ":1:12: =/a: " ROUTE},
};
/* clang-format on */

static void test_errors_of_the_file(void **state)
{
	char line[128], message[512];

	(void)state;
	snprintf(line, sizeof(line), "--config=%s", file_path);
	for (size_t i = 0; i < sizeof(file_errors) / sizeof(*file_errors); i++) {
		write_file(file_errors[i][0]);
		snprintf(message, sizeof(message), "%s%s", file_path, file_errors[i][1]);
		assert_refused(line, "", message);
	}
	assert_refused("--config=/tmp", "", "/tmp: cannot read config file: Is a directory");
}

static void test_file_too_large(void **state)
{
	char line[128], message[256];
	FILE *f = fopen(file_path, "w");

	(void)state;
	assert_non_null(f);
	fprintf(f, "{%300000s}", "");
	fclose(f);
	snprintf(line, sizeof(line), "--config=%s", file_path);
	snprintf(message, sizeof(message), "%s: config file of more than 256 KiB", file_path);
	assert_refused(line, "", message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_of_the_line),
		cmocka_unit_test(test_errors_of_the_environment),
		cmocka_unit_test(test_too_many_services),
		cmocka_unit_test(test_errors_of_the_file),
		cmocka_unit_test(test_file_too_large),
	};

	return cmocka_run_group_tests(tests, file_setup, file_teardown);
}
