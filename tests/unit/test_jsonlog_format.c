/* SPDX-License-Identifier: Apache-2.0 */
/* The log line, parsed with jansson: order, absence, levels, hostile bytes, length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "out/jsonlog.h"
#include "proto/proto.h"

static const struct proto http = {.name = "http/1", .logger = "sonde.http"};
static const struct owner shop = {.id = 1,
				  .service = {"shop", 4},
				  .namespace = {"prod", 4},
				  .pod = {"shop-0", 6},
				  .container = {"app", 3}};
static struct clock clock_at_zero; /* monotonic is wall */

static char memory[JSONLOG_LINE_MAX];

static struct request make(const char *op, const char *target, int status)
{
	struct request r = {.role = ROLE_SERVER, .proto = &http, .status = (uint16_t)status};

	request_set(&r, op, str_of(op));
	request_set(&r, target, str_of(target));
	r.start = 1700000000 * NS_PER_SECOND;
	r.end = r.start + 12403 * NS_PER_US;
	return r;
}

/* The line without its newline. */
static const char *line_of(const struct request *r, const char *node)
{
	static struct jsonlog_form form;
	size_t n;

	jsonlog_form_init(&form, &(struct jsonlog_form_options){node, .clock = &clock_at_zero});
	n = jsonlog_format(&form, memory, r);
	assert_in_range(n, 1, sizeof(memory));
	assert_int_equal(memory[n - 1], '\n');
	memory[n - 1] = '\0';
	assert_null(strchr(memory, '\n'));
	return memory;
}

static json_t *parse(const struct request *r)
{
	json_error_t error;
	json_t *json =
		json_loads(line_of(r, NULL), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (!json)
		print_error("%s\n%s\n", error.text, memory);
	assert_non_null(json);
	return json;
}

static void assert_field(const struct request *r, const char *key, const char *value)
{
	json_t *json = parse(r), *field = json_object_get(json, key);

	if (value)
		assert_string_equal(json_string_value(field), value);
	else
		assert_null(field);
	json_decref(json);
}

static struct request make_full(void)
{
	struct request r = make("POST", "/api/tasks/7", 500);

	r.owner = &shop;
	r.error = REQUEST_ABORTED;
	r.first_byte = r.start + 1500 * NS_PER_US;
	r.request_bytes = 12;
	r.response_bytes = 34;
	r.pid = 99;
	r.peer = (struct request_addr){AF_INET, 80, {1, 2, 3, 4}};
	request_set(&r, route, STR("/api/tasks/{id}"));
	request_set(&r, request_id, STR("r1"));
	request_set(&r, user_id, STR("u1"));
	request_set(&r, trace_id, STR("0af7651916cd43dd8448eb211c80319c"));
	request_set(&r, span_id, STR("b7ad6b7169203331"));
	request_set(&r, parent_id, STR("00f067aa0ba902b7"));
	r.parent = PARENT_THREAD;
	r.id_source = ID_FROM_TCP;
	return r;
}

static void test_all_fields(void **state)
{
	struct request r = make_full();

	(void)state;
	assert_string_equal(
		line_of(&r, "node-1"),
		"{\"timestamp\":\"2023-11-14T22:13:20.012403Z\",\"level\":\"ERROR\","
		"\"logger\":\"sonde.http\",\"message\":\"POST /api/tasks/7 aborted 12.4ms\","
		"\"request_id\":\"r1\",\"user_id\":\"u1\","
		"\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\","
		"\"span_id\":\"b7ad6b7169203331\",\"parent_span_id\":\"00f067aa0ba902b7\","
		"\"parent_source\":\"thread\",\"request_id_source\":\"tcp\","
		"\"service\":\"shop\",\"namespace\":\"prod\",\"pod\":\"shop-0\","
		"\"container\":\"app\",\"node\":\"node-1\",\"role\":\"server\","
		"\"protocol\":\"http/1\",\"method\":\"POST\",\"path\":\"/api/tasks/7\","
		"\"route\":\"/api/tasks/{id}\",\"status\":500,\"error\":\"aborted\","
		"\"duration_ms\":12.403,\"ttfb_ms\":1.5,\"request_bytes\":12,"
		"\"response_bytes\":34,\"peer\":\"1.2.3.4:80\",\"pid\":99}");
}

static void test_absent_fields(void **state)
{
	struct request r = {.end = 1700000000 * NS_PER_SECOND};

	(void)state;
	request_set(&r, op, STR("GET"));
	request_set(&r, target, STR("/"));
	assert_string_equal(line_of(&r, NULL),
			    "{\"timestamp\":\"2023-11-14T22:13:20.000000Z\",\"level\":\"INFO\","
			    "\"message\":\"GET /\",\"method\":\"GET\",\"path\":\"/\","
			    "\"request_bytes\":0,\"response_bytes\":0}");
}

/* A request without a record has neither path nor, sometimes, method. */
static void test_message_without_path(void **state)
{
	struct request r = make("GET", "", 200);

	(void)state;
	assert_field(&r, "message", "GET 200 12.4ms");
	assert_field(&r, "path", NULL);
	assert_field(&r, "route", NULL);
	r.error = REQUEST_ABORTED;
	assert_field(&r, "message", "GET aborted 12.4ms");
	r = make("GET", "", 0);
	assert_field(&r, "message", "GET 12.4ms");
	r = make("", "", 201);
	assert_field(&r, "message", "_OTHER 201 12.4ms");
	assert_field(&r, "method", "_OTHER");
	r.error = REQUEST_ABORTED;
	assert_field(&r, "message", "_OTHER aborted 12.4ms");
	r = make("", "/a", 200);
	assert_field(&r, "message", "_OTHER /a 200 12.4ms");
}

static void test_unknown_sizes(void **state)
{
	struct request r = make("GET", "/", 200);
	json_t *json;

	(void)state;
	r.request_bytes = r.response_bytes = REQUEST_SIZE_UNKNOWN;
	json = parse(&r);
	assert_null(json_object_get(json, "request_bytes"));
	assert_null(json_object_get(json, "response_bytes"));
	json_decref(json);
}

/* A line of a stream says that its duration is no latency. */
static void test_stream(void **state)
{
	struct request r = make("GET", "/events", 200);
	json_t *json = parse(&r);

	(void)state;
	assert_null(json_object_get(json, "stream"));
	json_decref(json);
	r.stream = STREAM_OVER;
	r.first_byte = r.start + 300 * NS_PER_US;
	json = parse(&r);
	assert_true(json_is_true(json_object_get(json, "stream")));
	assert_true(json_real_value(json_object_get(json, "duration_ms")) == 12.403);
	assert_true(json_real_value(json_object_get(json, "ttfb_ms")) == 0.3);
	json_decref(json);
}

/* Where ids are from; of a request without ids, nothing. */
static void test_sources(void **state)
{
	static const char *const parents[] = {[PARENT_NONE] = "none",
					      [PARENT_HEADER] = "header",
					      [PARENT_THREAD] = "thread",
					      NULL};
	static const char *const ids[] = {[ID_FROM_NOWHERE] = NULL,
					  [ID_FROM_HEADER] = "header",
					  [ID_FROM_TCP] = "tcp",
					  [ID_FROM_HERE] = "local",
					  NULL};
	struct request r = make("GET", "/", 200);

	(void)state;
	assert_field(&r, "parent_source", NULL);
	request_set(&r, span_id, STR("b7ad6b7169203331"));
	for (uint8_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		r.parent = i;
		assert_field(&r, "parent_source", parents[i]);
	}
	for (uint8_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		r.id_source = i;
		assert_field(&r, "request_id_source", ids[i]);
	}
}

static void test_levels(void **state)
{
	static const struct {
		int status;
		const char *level;
	} cases[] = {{200, "INFO"}, {399, "INFO"}, {400, "WARN"}, {499, "WARN"}, {500, "ERROR"}};
	struct request r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = make("GET", "/", cases[i].status);
		assert_field(&r, "level", cases[i].level);
	}
	r = make("GET", "/", 200);
	r.error = REQUEST_ABORTED;
	assert_field(&r, "level", "ERROR");
}

static void test_message_times(void **state)
{
	static const struct {
		uint64_t ns;
		const char *message;
	} cases[] = {
		{0, "GET / 200 0ms"},		{412345, "GET / 200 0.412ms"},
		{9999499, "GET / 200 9.999ms"}, {9999999, "GET / 200 10ms"},
		{12460000, "GET / 200 12.5ms"}, {7200000000000, "GET / 200 7200000ms"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request r = make("GET", "/", 200);

		r.end = r.start + cases[i].ns;
		assert_field(&r, "message", cases[i].message);
	}
}

static void test_peers(void **state)
{
	static const struct {
		struct request_addr addr;
		const char *text;
	} cases[] = {
		{{AF_INET, 65535, {255, 255, 255, 255}}, "255.255.255.255:65535"},
		{{AF_INET6, 80, {[15] = 1}}, "[::1]:80"},
		{{AF_INET6, 80, {[10] = 0xff, [11] = 0xff, 10, 0, 0, 9}}, "10.0.0.9:80"},
		{{.family = AF_UNIX}, "unix"},
		{{.family = 0}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request r = make("GET", "/", 200);

		r.peer = cases[i].addr;
		assert_field(&r, "peer", cases[i].text);
	}
}

static void test_hostile_bytes(void **state)
{
	struct request r = make("GET", "/a\"b\\c\n\x01%s\xc3\xa4\xff\xed\xa0\x80\xe2\x80\xa8", 200);

	(void)state;
	assert_field(&r, "path",
		     "/a\"b\\c\n\x01%s\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
		     "\xe2\x80\xa8");
	for (int byte = 0; byte < 256; byte++) {
		json_t *json;

		r = make("GET", "/", 200);
		memset(r.target, byte, 5);
		r.length.target = 5;
		json = parse(&r);
		assert_true(json_string_length(json_object_get(json, "path")) >= 5);
		json_decref(json);
	}
}

/* Every string as long as it gets, of the byte that needs most room. */
static void test_longest_line(void **state)
{
	static char name[1000];
	struct str names = {name, sizeof(name)};
	struct owner owner = {1, names, names, names, names};
	struct request r;
	char node[1000];
	json_t *json;

	(void)state;
	memset(name, 1, sizeof(name));
	memset(node, 1, sizeof(node));
	node[sizeof(node) - 1] = '\0';
	memset(&r, 1, sizeof(r));
	r.proto = &http;
	r.headers = NULL;
	r.owner = &owner;
	r.error = REQUEST_ABORTED;
	r.status = 65535;
	r.start = 1;
	r.first_byte = r.end = UINT64_MAX;
	r.request_bytes = r.response_bytes = INT64_MAX; /* all that jansson takes */
	r.peer.family = AF_INET6;
	memset(r.peer.ip, 0xff, sizeof(r.peer.ip));
	request_set(&r, op, names);
	request_set(&r, target, names);
	request_set(&r, route, names);
	request_set(&r, request_id, names);
	request_set(&r, user_id, names);
	request_set(&r, trace_id, names);
	request_set(&r, span_id, names);
	request_set(&r, parent_id, names);
	json = json_loads(line_of(&r, node), 0, NULL);
	assert_non_null(json);
	assert_int_equal(json_string_length(json_object_get(json, "path")), REQUEST_TARGET_MAX);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),    cmocka_unit_test(test_absent_fields),
		cmocka_unit_test(test_stream),	      cmocka_unit_test(test_message_without_path),
		cmocka_unit_test(test_unknown_sizes), cmocka_unit_test(test_levels),
		cmocka_unit_test(test_message_times), cmocka_unit_test(test_peers),
		cmocka_unit_test(test_hostile_bytes), cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
