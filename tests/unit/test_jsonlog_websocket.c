/* SPDX-License-Identifier: Apache-2.0 */
/* The log lines of a WebSocket connection, parsed with jansson: when, which fields, which level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "out/jsonlog.h"

static const struct owner shop = {.id = 1,
				  .service = {"shop", 4},
				  .namespace = {"prod", 4},
				  .pod = {"shop-0", 6},
				  .container = {"app", 3}};
static struct clock clock_at_zero; /* monotonic is wall */

#define OPENED (1700000000 * NS_PER_SECOND)
#define LATER  (OPENED + 12345 * NS_PER_MS)
#define IDS                                                                                    \
	"\"request_id\":\"r1\",\"user_id\":\"u1\","                                            \
	"\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\","  \
	"\"parent_span_id\":\"00f067aa0ba902b7\",\"parent_source\":\"header\","                \
	"\"request_id_source\":\"local\",\"service\":\"shop\","                                \
	"\"namespace\":\"prod\",\"pod\":\"shop-0\",\"container\":\"app\",\"node\":\"node-1\"," \
	"\"role\":\"server\",\"protocol\":\"websocket\","
#define WHAT "\"path\":\"/ws/chat/7\",\"route\":\"/ws/chat/{id}\",\"subprotocol\":\"chat.v1\","
#define END  "\"peer\":\"1.2.3.4:80\",\"pid\":99}"

static char memory[JSONLOG_LINE_MAX];

static struct websocket make(uint16_t code)
{
	struct websocket w = {
		.role = ROLE_SERVER, .opened = OPENED, .closed = LATER, .close_code = code};

	request_set(&w, target, STR("/ws"));
	return w;
}

static struct websocket make_full(void)
{
	struct websocket w = make(1000);

	w.owner = &shop;
	w.pid = 99;
	w.peer = (struct request_addr){AF_INET, 80, {1, 2, 3, 4}};
	w.initiator = INITIATOR_CLIENT;
	for (unsigned type = 0; type < WEBSOCKET_TYPES; type++) {
		w.total.messages[DIR_OUT][type] = 1 + type;
		w.total.messages[DIR_IN][type] = 11 + type;
		w.total.bytes[DIR_OUT][type] = 100 + type;
		w.total.bytes[DIR_IN][type] = 200 + type;
	}
	w.added.messages[DIR_OUT][WEBSOCKET_TEXT] = 77; /* not what is said */
	request_set(&w, target, STR("/ws/chat/7"));
	request_set(&w, route, STR("/ws/chat/{id}"));
	request_set(&w, protocol, STR("chat.v1"));
	request_set(&w, request_id, STR("r1"));
	request_set(&w, user_id, STR("u1"));
	request_set(&w, trace_id, STR("0af7651916cd43dd8448eb211c80319c"));
	request_set(&w, span_id, STR("b7ad6b7169203331"));
	request_set(&w, parent_id, STR("00f067aa0ba902b7"));
	w.parent = PARENT_HEADER;
	w.id_source = ID_FROM_HERE;
	return w;
}

/* The line without its newline. */
static const char *line_of(enum websocket_event what, const struct websocket *w, const char *node)
{
	static struct jsonlog_form form;
	size_t n;

	jsonlog_form_init(&form, &(struct jsonlog_form_options){node, .clock = &clock_at_zero});
	n = jsonlog_format_websocket(&form, memory, what, w, LATER);
	assert_in_range(n, 1, sizeof(memory));
	assert_int_equal(memory[n - 1], '\n');
	memory[n - 1] = '\0';
	assert_null(strchr(memory, '\n'));
	return memory;
}

static json_t *parse(enum websocket_event what, const struct websocket *w)
{
	json_error_t error;
	json_t *json =
		json_loads(line_of(what, w, NULL), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (!json)
		print_error("%s\n%s\n", error.text, memory);
	assert_non_null(json);
	return json;
}

/* value NULL: absent */
static void assert_field(enum websocket_event what, const struct websocket *w, const char *key,
			 const char *value)
{
	json_t *json = parse(what, w), *field = json_object_get(json, key);

	if (value)
		assert_string_equal(json_string_value(field), value);
	else
		assert_null(field);
	json_decref(json);
}

static void assert_number(enum websocket_event what, const struct websocket *w, const char *key,
			  json_int_t value)
{
	json_t *json = parse(what, w), *field = json_object_get(json, key);

	assert_true(json_is_integer(field));
	assert_int_equal(json_integer_value(field), value);
	json_decref(json);
}

static void test_open(void **state)
{
	struct websocket w = make_full();

	(void)state;
	w.closed = 0;
	w.reconnect = true;
	assert_string_equal(line_of(WEBSOCKET_OPENED, &w, "node-1"),
			    "{\"timestamp\":\"2023-11-14T22:13:20.000000Z\",\"level\":\"INFO\","
			    "\"logger\":\"sonde.websocket\","
			    "\"message\":\"WebSocket /ws/chat/7 open\"," IDS
			    "\"event\":\"open\"," WHAT "\"reconnect\":true," END);
}

static void test_progress(void **state)
{
	struct websocket w = make_full();

	(void)state;
	w.closed = 0;
	assert_string_equal(line_of(WEBSOCKET_PROGRESSED, &w, "node-1"),
			    "{\"timestamp\":\"2023-11-14T22:13:32.345000Z\",\"level\":\"INFO\","
			    "\"logger\":\"sonde.websocket\","
			    "\"message\":\"WebSocket /ws/chat/7 open for 12.3s\"," IDS
			    "\"event\":\"progress\"," WHAT
			    "\"duration_ms\":12345,\"messages_sent\":3,\"messages_received\":23,"
			    "\"bytes_sent\":201,\"bytes_received\":401," END);
}

static void test_close(void **state)
{
	struct websocket w = make_full();

	(void)state;
	assert_string_equal(
		line_of(WEBSOCKET_CLOSED, &w, "node-1"),
		"{\"timestamp\":\"2023-11-14T22:13:32.345000Z\",\"level\":\"INFO\","
		"\"logger\":\"sonde.websocket\","
		"\"message\":\"WebSocket /ws/chat/7 closed 1000 normal by client after 12.3s\"," IDS
		"\"event\":\"close\"," WHAT
		"\"duration_ms\":12345,\"messages_sent\":3,\"messages_received\":23,"
		"\"bytes_sent\":201,\"bytes_received\":401,\"close_code\":1000,"
		"\"close_reason\":\"normal\",\"initiator\":\"client\"," END);
}

/* Found by its frames alone: nothing is known of its handshake. */
static void test_resumed(void **state)
{
	struct websocket w = {.role = ROLE_CLIENT,
			      .opened = OPENED,
			      .closed = OPENED + 412 * NS_PER_MS,
			      .resumed = true,
			      .close_code = 1006};

	(void)state;
	assert_string_equal(
		line_of(WEBSOCKET_OPENED, &w, NULL),
		"{\"timestamp\":\"2023-11-14T22:13:20.000000Z\",\"level\":\"INFO\","
		"\"logger\":\"sonde.websocket\",\"message\":\"WebSocket open\",\"role\":\"client\","
		"\"protocol\":\"websocket\",\"event\":\"open\",\"resumed\":true}");
	assert_string_equal(
		line_of(WEBSOCKET_CLOSED, &w, NULL),
		"{\"timestamp\":\"2023-11-14T22:13:20.412000Z\",\"level\":\"WARN\","
		"\"logger\":\"sonde.websocket\","
		"\"message\":\"WebSocket closed 1006 abnormal by network after 0.412s\","
		"\"role\":\"client\",\"protocol\":\"websocket\",\"event\":\"close\","
		"\"resumed\":true,\"duration_ms\":412,\"messages_sent\":0,\"messages_received\":0,"
		"\"bytes_sent\":0,\"bytes_received\":0,\"close_code\":1006,"
		"\"close_reason\":\"abnormal\",\"initiator\":\"network\"}");
}

static void test_levels(void **state)
{
	static const struct {
		uint16_t code;
		const char *level, *name;
	} cases[] = {
		{1000, "INFO", "normal"},
		{1001, "INFO", "going_away"},
		{1005, "INFO", "no_status"},
		{1006, "WARN", "abnormal"},
		{1011, "WARN", "internal_error"},
		{1015, "WARN", "tls_handshake"},
		{3999, "INFO", NULL},
		{4000, "WARN", NULL},
		{4999, "WARN", NULL},
		{65535, "INFO", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct websocket w = make(cases[i].code);

		assert_field(WEBSOCKET_CLOSED, &w, "level", cases[i].level);
		assert_field(WEBSOCKET_CLOSED, &w, "close_reason", cases[i].name);
		assert_number(WEBSOCKET_CLOSED, &w, "close_code", cases[i].code);
		/* it is not over: whatever stands there is no code yet */
		assert_field(WEBSOCKET_PROGRESSED, &w, "level", "INFO");
		assert_field(WEBSOCKET_PROGRESSED, &w, "close_code", NULL);
		assert_field(WEBSOCKET_PROGRESSED, &w, "initiator", NULL);
	}
}

static void test_messages(void **state)
{
	struct websocket w = make(4001);

	(void)state;
	w.initiator = INITIATOR_SERVER;
	w.closed = w.opened + 7200 * NS_PER_SECOND;
	assert_field(WEBSOCKET_CLOSED, &w, "message",
		     "WebSocket /ws closed 4001 by server after 7200s");
	w.closed = w.opened + 9999499 * NS_PER_US;
	assert_field(WEBSOCKET_CLOSED, &w, "message",
		     "WebSocket /ws closed 4001 by server after 9.999s");
	w.opened = w.closed + NS_PER_SECOND; /* never a time below zero */
	assert_field(WEBSOCKET_CLOSED, &w, "message",
		     "WebSocket /ws closed 4001 by server after 0s");
}

static void test_what_went_wrong(void **state)
{
	struct websocket w = make(1006);

	(void)state;
	assert_field(WEBSOCKET_CLOSED, &w, "error", NULL);
	assert_field(WEBSOCKET_CLOSED, &w, "undelivered_bytes", NULL);
	assert_field(WEBSOCKET_CLOSED, &w, "unseen_bytes", NULL);
	w.undelivered = 1234;
	w.total.unseen[DIR_IN] = 5;
	w.total.unseen[DIR_OUT] = 6;
	assert_number(WEBSOCKET_CLOSED, &w, "undelivered_bytes", 1234);
	assert_number(WEBSOCKET_CLOSED, &w, "unseen_bytes", 11);
	w.invalid[DIR_OUT] = true;
	assert_field(WEBSOCKET_CLOSED, &w, "error", "protocol_error");
	w.invalid[DIR_OUT] = false;
	w.invalid[DIR_IN] = true;
	assert_field(WEBSOCKET_PROGRESSED, &w, "error", "protocol_error");
}

static void test_hostile_bytes(void **state)
{
	struct websocket w = make(1000);

	(void)state;
	request_set(&w, target, STR("/a\"b\n%s\xff"));
	request_set(&w, protocol, STR("\x01\","));
	assert_field(WEBSOCKET_OPENED, &w, "path", "/a\"b\n%s\xef\xbf\xbd");
	assert_field(WEBSOCKET_OPENED, &w, "subprotocol", "\x01\",");
	assert_field(WEBSOCKET_OPENED, &w, "message", "WebSocket /a\"b\n%s\xef\xbf\xbd open");
}

/* Every string as long as it gets, of the byte that needs most room. */
static void test_longest_line(void **state)
{
	static char name[1000];
	struct str names = {name, sizeof(name)};
	struct owner owner = {1, names, names, names, names};
	struct websocket w = make_full();
	char node[1000];
	json_t *json;

	(void)state;
	memset(name, 1, sizeof(name));
	memset(node, 1, sizeof(node));
	node[sizeof(node) - 1] = '\0';
	memset(&w.total, 0x7f, sizeof(w.total));
	w.owner = &owner;
	w.resumed = w.reconnect = w.invalid[0] = true;
	w.undelivered = INT64_MAX; /* all that jansson takes */
	w.total.unseen[0] = w.total.unseen[1] = INT64_MAX / 2;
	for (unsigned dir = 0; dir < 2; dir++)
		for (unsigned type = 0; type < WEBSOCKET_TYPES; type++)
			w.total.messages[dir][type] = w.total.bytes[dir][type] = INT64_MAX / 2;
	w.opened = 1;
	w.closed = UINT64_MAX;
	w.close_code = 1010;
	w.pid = UINT32_MAX;
	w.peer.family = AF_INET6;
	memset(w.peer.ip, 0xff, sizeof(w.peer.ip));
	request_set(&w, target, names);
	request_set(&w, route, names);
	request_set(&w, protocol, names);
	request_set(&w, request_id, names);
	request_set(&w, user_id, names);
	request_set(&w, trace_id, names);
	request_set(&w, span_id, names);
	request_set(&w, parent_id, names);
	json = json_loads(line_of(WEBSOCKET_CLOSED, &w, node), 0, NULL);
	assert_non_null(json);
	assert_int_equal(json_string_length(json_object_get(json, "path")), REQUEST_TARGET_MAX);
	json_decref(json);
}

/* Through the log itself: no line for what it moved, and none is sampled away. */
static void test_lines(void **state)
{
	static const char *const events[] = {"open", "progress", "close"};
	struct websocket w = make(1000);
	FILE *f = tmpfile();
	struct jsonlog *j;
	json_t *json;

	(void)state;
	assert_non_null(f);
	j = jsonlog_new(&(struct jsonlog_options){.fd = fileno(f),
						  .buffer_bytes = 1 << 16,
						  .form.clock = &clock_at_zero,
						  .slow_ns = UINT64_MAX});
	assert_non_null(j);
	for (int what = WEBSOCKET_OPENED; what <= WEBSOCKET_CLOSED; what++)
		jsonlog_websocket(j, what, &w);
	assert_int_equal(jsonlog_flush(j), 0);
	assert_int_equal(jsonlog_lines(j), 3);
	assert_int_equal(jsonlog_suppressed(j, SUPPRESSED_SAMPLE), 0);
	assert_int_equal(jsonlog_suppressed(j, SUPPRESSED_RATE), 0);
	assert_int_equal(jsonlog_dropped(j), 0);
	rewind(f);
	for (size_t i = 0; i < 3; i++) {
		json = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
		assert_string_equal(json_string_value(json_object_get(json, "event")), events[i]);
		json_decref(json);
	}
	jsonlog_free(j);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_what_went_wrong),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
