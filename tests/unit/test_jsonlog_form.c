/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in a line: the fields that were chosen, the headers that were asked for, the names of
 * owners as they are kept. Read with jansson, in the order of the line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "out/jsonlog.h"
#include "proto/proto.h"

static const struct proto http = {.name = "http/1", .logger = "sonde.http"};
static const struct owner shop = {.id = 1,
				  .service = {"shop", 4},
				  .namespace = {"prod", 4},
				  .pod = {"shop-0", 6},
				  .container = {"app", 3}};
static struct clock clock_at_zero;
static struct jsonlog_form form;
static char memory[JSONLOG_LINE_MAX];

static void init(uint64_t fields, const struct str *headers, unsigned count)
{
	jsonlog_form_init(&form, &(struct jsonlog_form_options){.node = "node-1",
								.clock = &clock_at_zero,
								.fields = fields,
								.headers = headers,
								.header_count = count});
}

static struct request make(void)
{
	struct request r = {.role = ROLE_SERVER,
			    .proto = &http,
			    .id_source = ID_FROM_TCP,
			    .parent = PARENT_HEADER,
			    .owner = &shop,
			    .status = 500,
			    .error = REQUEST_ABORTED,
			    .stream = STREAM_OVER,
			    .start = 5,
			    .first_byte = 6,
			    .end = 7,
			    .pid = 9,
			    .peer = {AF_INET, 80, {1, 2, 3, 4}}};

	request_set(&r, op, STR("GET"));
	request_set(&r, target, STR("/a"));
	request_set(&r, route, STR("/a"));
	request_set(&r, request_id, STR("r1"));
	request_set(&r, user_id, STR("u1"));
	request_set(&r, trace_id, STR("0af7651916cd43dd8448eb211c80319c"));
	request_set(&r, span_id, STR("b7ad6b7169203331"));
	request_set(&r, parent_id, STR("00f067aa0ba902b7"));
	return r;
}

static struct websocket make_websocket(void)
{
	struct websocket w = {.role = ROLE_SERVER,
			      .id_source = ID_FROM_TCP,
			      .owner = &shop,
			      .opened = 5,
			      .closed = 7,
			      .resumed = true,
			      .reconnect = true,
			      .invalid = {true},
			      .total.unseen = {1},
			      .undelivered = 1,
			      .close_code = 1000,
			      .pid = 9,
			      .peer = {AF_INET, 80, {1, 2, 3, 4}}};

	request_set(&w, target, STR("/a"));
	request_set(&w, route, STR("/a"));
	request_set(&w, protocol, STR("chat"));
	request_set(&w, request_id, STR("r1"));
	request_set(&w, user_id, STR("u1"));
	request_set(&w, trace_id, STR("0af7651916cd43dd8448eb211c80319c"));
	request_set(&w, span_id, STR("b7ad6b7169203331"));
	request_set(&w, parent_id, STR("00f067aa0ba902b7"));
	return w;
}

static json_t *parse(size_t n)
{
	json_error_t error;
	json_t *json = json_loadb(memory, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (!json)
		print_error("%s\n%.*s\n", error.text, (int)n, memory);
	assert_non_null(json);
	assert_int_equal(memory[n - 1], '\n');
	return json;
}

static json_t *line(const struct request *r)
{
	return parse(jsonlog_format(&form, memory, r));
}

static json_t *line_of_websocket(const struct websocket *w)
{
	return parse(jsonlog_format_websocket(&form, memory, WEBSOCKET_CLOSED, w, 7));
}

/* Number of a key in the order of lines: those that always stand come first. */
static int place(const char *key)
{
	static const char *const always[] = {"timestamp", "level", "logger", "message"};

	for (int i = 0; i < 4; i++)
		if (!strcmp(always[i], key))
			return i - 4;
	for (int i = 0; i < (int)JSONLOG_FIELD_COUNT; i++)
		if (!strcmp(jsonlog_field_names[i], key))
			return i;
	fail_msg("%s is no field", key);
	return 0;
}

static void assert_ordered(json_t *json)
{
	const char *key;
	json_t *value;
	int last = -5;

	json_object_foreach(json, key, value)
	{
		assert_true(place(key) > last);
		last = place(key);
	}
	json_decref(json);
}

/* Every name that can be chosen is a field of one of the lines, and they come in its order. */
static void test_names(void **state)
{
	struct request r = make();
	struct websocket w = make_websocket();
	json_t *json, *of_websocket;

	(void)state;
	init(0, NULL, 0);
	json = line(&r);
	of_websocket = line_of_websocket(&w);
	for (unsigned i = 0; i < JSONLOG_FIELD_COUNT; i++)
		if (!json_object_get(json, jsonlog_field_names[i]) &&
		    !json_object_get(of_websocket, jsonlog_field_names[i]))
			fail_msg("no line has %s", jsonlog_field_names[i]);
	assert_ordered(json);
	assert_ordered(of_websocket);
}

/* One field alone: it and those that always stand, and nothing else. */
static void assert_chosen(json_t *json, const char *name, bool there)
{
	assert_int_equal(json_object_size(json), 4 + there);
	assert_int_equal(!!json_object_get(json, name), there);
	json_decref(json);
}

static void test_each_alone(void **state)
{
	struct request r = make();
	struct websocket w = make_websocket();
	json_t *whole, *of_websocket;

	(void)state;
	init(0, NULL, 0);
	whole = line(&r);
	of_websocket = line_of_websocket(&w);
	for (unsigned i = 0; i < JSONLOG_FIELD_COUNT; i++) {
		const char *name = jsonlog_field_names[i];

		init(JSONLOG_FIELDS_NONE | 1ULL << i, NULL, 0);
		assert_chosen(line(&r), name, json_object_get(whole, name));
		assert_chosen(line(&r), name, json_object_get(whole, name)); /* owner is kept */
		assert_chosen(line_of_websocket(&w), name, json_object_get(of_websocket, name));
	}
	init(JSONLOG_FIELDS_NONE, NULL, 0);
	assert_chosen(line(&r), "path", false);
	json_decref(whole);
	json_decref(of_websocket);
}

static void set_header(struct request_headers *headers, unsigned i, struct str value)
{
	headers->length[i] =
		(uint16_t)str_copy(headers->value[i], sizeof(headers->value[i]), value);
}

static void assert_text(json_t *json, const char *key, const char *value)
{
	if (value)
		assert_string_equal(json_string_value(json_object_get(json, key)), value);
	else
		assert_null(json_object_get(json, key));
}

static void test_headers(void **state)
{
	static const struct str names[] = {{"X-Tenant", 8}, {"server", 6}, {"!b.C9", 5}};
	struct request_headers headers = {0};
	struct request r = make();
	json_t *json;

	(void)state;
	init(JSONLOG_FIELDS_NONE, names, 3);
	r.headers = &headers;
	set_header(&headers, 0, STR("acme\",\"status\":\"200"));
	set_header(&headers, 2, STR("\xff\r\n{"));
	json = line(&r);
	assert_text(json, "header_x_tenant", "acme\",\"status\":\"200");
	assert_text(json, "header_server", NULL); /* not there: absent */
	assert_text(json, "header__b_c9", "\xef\xbf\xbd\r\n{");
	assert_int_equal(json_object_size(json), 6);
	json_decref(json);
	r.headers = NULL;
	json = line(&r);
	assert_int_equal(json_object_size(json), 4);
	json_decref(json);
}

/* Eight headers of bytes that need most room behind the longest of lines: those that still fit. */
static void test_headers_without_room(void **state)
{
	static char name[JSONLOG_HEADER_NAME], text[1000];
	struct str names[REQUEST_HEADERS_MAX];
	struct request_headers headers;
	struct str texts = {text, sizeof(text)};
	struct owner owner = {1, texts, texts, texts, texts};
	struct request r = make();
	json_t *json;
	size_t size;

	(void)state;
	memset(name, 'x', sizeof(name));
	memset(text, 1, sizeof(text));
	memset(&headers, 1, sizeof(headers));
	for (unsigned i = 0; i < REQUEST_HEADERS_MAX; i++) {
		names[i] = (struct str){name, sizeof(name) - i};
		headers.length[i] = REQUEST_HEADER_BYTES;
	}
	init(0, names, REQUEST_HEADERS_MAX);
	r.headers = &headers;
	json = line(&r);
	for (unsigned i = 0; i < REQUEST_HEADERS_MAX; i++) {
		char key[JSONLOG_HEADER_KEY];

		snprintf(key, sizeof(key), "header_%.*s", (int)names[i].n, names[i].p);
		assert_int_equal(json_string_length(json_object_get(json, key)),
				 REQUEST_HEADER_BYTES);
	}
	size = json_object_size(json);
	json_decref(json);
	r.owner = &owner;
	request_set(&r, target, texts);
	request_set(&r, route, texts);
	json = line(&r);
	assert_in_range(json_object_size(json), size - REQUEST_HEADERS_MAX, size - 2);
	assert_non_null(json_object_get(json, "pid"));
	json_decref(json);
}

/* Many owners in turn, more than are kept: each line has its own one's names. */
static void test_owners_in_turn(void **state)
{
	static char long_name[250];
	struct request r = make();

	(void)state;
	memset(long_name, 'y', sizeof(long_name));
	init(0, NULL, 0);
	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t id = i * 7919 % 200;
		char service[32];
		struct owner owner = {.id = id};
		json_t *json;

		snprintf(service, sizeof(service), "service-%u", id);
		owner.service = str_of(service);
		if (id % 3 == 0) /* past what is kept */
			owner.pod = owner.namespace =
				(struct str){long_name, sizeof(long_name) - id % 2};
		r.owner = id == 50 ? NULL : &owner;
		json = line(&r);
		assert_text(json, "service", id == 50 ? NULL : service);
		assert_text(json, "node", "node-1");
		assert_int_equal(json_string_length(json_object_get(json, "pod")), owner.pod.n);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	       cmocka_unit_test(test_each_alone),
		cmocka_unit_test(test_headers),	       cmocka_unit_test(test_headers_without_room),
		cmocka_unit_test(test_owners_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
