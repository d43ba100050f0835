/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log line (parsed with jansson, order and all) and its way out: slow readers, gone readers,
 * and descriptors that others share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

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
	struct buf b;

	buf_init_fixed(&b, memory, sizeof(memory));
	jsonlog_format(&b, r, &clock_at_zero, node);
	assert_false(b.full);
	assert_int_equal(memory[b.n - 1], '\n');
	memory[b.n - 1] = '\0';
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

static struct jsonlog *new_log(int fd, size_t bytes)
{
	struct jsonlog *j = jsonlog_new(&(struct jsonlog_options){
		.fd = fd, .buffer_bytes = bytes, .clock = &clock_at_zero});

	assert_non_null(j);
	return j;
}

static void write_numbered(struct jsonlog *j, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		struct request r = make("GET", "/numbered", 200);

		r.pid = i + 1;
		jsonlog_write(j, &r);
	}
}

/* Reads until the end of the stream or would-block. Lines must be whole, with growing pids. */
struct reader {
	char rest[2 * JSONLOG_LINE_MAX];
	size_t n;
	uint64_t lines;
	json_int_t last_pid;
};

static void take_lines(struct reader *r)
{
	char *newline;

	while ((newline = memchr(r->rest, '\n', r->n))) {
		size_t length = (size_t)(newline - r->rest) + 1;
		json_t *json = json_loadb(r->rest, length, 0, NULL);

		assert_non_null(json);
		assert_true(json_integer_value(json_object_get(json, "pid")) > r->last_pid);
		r->last_pid = json_integer_value(json_object_get(json, "pid"));
		json_decref(json);
		r->lines++;
		memmove(r->rest, newline + 1, r->n - length);
		r->n -= length;
	}
}

static void read_some(struct reader *r, int fd, size_t most)
{
	while (most) {
		size_t room = sizeof(r->rest) - r->n;
		ssize_t n = read(fd, r->rest + r->n, room < most ? room : most);

		if (n <= 0)
			return;
		r->n += (size_t)n;
		most -= (size_t)n;
		take_lines(r);
	}
}

/* A reader that takes odd bits now and then: whole lines in order, and the counts add up. */
static void slow_reader(int read_fd, int write_fd)
{
	struct jsonlog *j = new_log(write_fd, 40000);
	struct reader *reader = calloc(1, sizeof(*reader));
	uint32_t written = 0;

	assert_non_null(reader);
	for (int round = 0; round < 50; round++) {
		write_numbered(j, written, written + 100);
		written += 100;
		jsonlog_flush(j);
		read_some(reader, read_fd, 7777);
	}
	assert_true(jsonlog_dropped(j) > 0);
	while (jsonlog_flush(j) == -EAGAIN)
		read_some(reader, read_fd, 7777);
	read_some(reader, read_fd, SIZE_MAX);
	assert_int_equal(reader->n, 0);
	assert_int_equal(reader->lines, jsonlog_lines(j));
	assert_int_equal(jsonlog_lines(j) + jsonlog_dropped(j), written);
	assert_int_equal(fcntl(write_fd, F_GETFL) & O_NONBLOCK, 0);
	jsonlog_free(j);
	assert_true(fcntl(write_fd, F_GETFL) >= 0);
	free(reader);
}

static void test_slow_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	slow_reader(fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);
}

static void test_slow_socket(void **state)
{
	int fds[2], bytes = 4096;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	slow_reader(fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);
}

/* It cannot be opened once more (ENXIO), so writes are asked for by poll(). */
static void test_fifo_without_reader(void **state)
{
	char directory[] = "/tmp/test_jsonlog_XXXXXX", path[64];
	int read_fd, write_fd;
	struct jsonlog *j;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	read_fd = open(path, O_RDONLY | O_NONBLOCK);
	write_fd = open(path, O_WRONLY);
	unlink(path);
	rmdir(directory);
	assert_true(read_fd >= 0 && write_fd >= 0);
	close(read_fd);
	j = new_log(write_fd, 40000);
	write_numbered(j, 0, 10);
	assert_int_equal(jsonlog_flush(j), -EPIPE);
	assert_int_equal(jsonlog_dropped(j), 10);
	jsonlog_free(j);
	close(write_fd);
}

static void test_reader_gone(void **state)
{
	struct jsonlog *j;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	j = new_log(fds[1], 1 << 20);
	write_numbered(j, 0, 3);
	assert_int_equal(jsonlog_flush(j), 0);
	write_numbered(j, 3, 10);
	close(fds[0]);
	assert_int_equal(jsonlog_flush(j), -EPIPE);
	assert_int_equal(jsonlog_flush(j), 0); /* said once */
	write_numbered(j, 10, 5000);
	assert_int_equal(jsonlog_flush(j), 0);
	assert_int_equal(jsonlog_lines(j), 3);
	assert_int_equal(jsonlog_dropped(j), 4997);
	jsonlog_drain(j, 1000);
	jsonlog_free(j);
	close(fds[1]);
}

/* The reader goes while a line is written, not flushed: it must still be said. */
static void test_reader_gone_unasked(void **state)
{
	struct jsonlog *j;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	j = new_log(fds[1], 1 << 20);
	close(fds[0]);
	write_numbered(j, 0, 5000);
	assert_int_equal(jsonlog_flush(j), -EPIPE);
	assert_int_equal(jsonlog_dropped(j), 5000);
	jsonlog_free(j);
	close(fds[1]);
}

static void *read_all(void *arg)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	uint64_t lines;

	read_some(reader, *(int *)arg, SIZE_MAX);
	lines = reader->lines;
	free(reader);
	return (void *)(uintptr_t)lines;
}

static void test_drain(void **state)
{
	struct jsonlog *j;
	pthread_t thread;
	void *lines;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	j = new_log(fds[1], 8 << 20);
	write_numbered(j, 0, 5000);
	assert_int_equal(jsonlog_flush(j), -EAGAIN);
	jsonlog_drain(j, 1); /* nobody reads: comes back */
	assert_int_equal(jsonlog_flush(j), -EAGAIN);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &fds[0]), 0);
	jsonlog_drain(j, 60000);
	assert_int_equal(jsonlog_lines(j), 5000);
	assert_int_equal(jsonlog_dropped(j), 0);
	jsonlog_free(j);
	close(fds[1]);
	pthread_join(thread, &lines);
	assert_int_equal((uintptr_t)lines, 5000);
	close(fds[0]);
}

static void test_file(void **state)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	FILE *f = tmpfile();
	struct jsonlog *j;

	(void)state;
	assert_non_null(f);
	assert_non_null(reader);
	j = new_log(fileno(f), 0); /* too small for a line: gets room for one */
	for (uint32_t i = 0; i < 2000; i++) {
		write_numbered(j, i, i + 1);
		assert_int_equal(jsonlog_flush(j), 0);
	}
	assert_int_equal(jsonlog_lines(j), 2000);
	rewind(f);
	read_some(reader, fileno(f), SIZE_MAX);
	assert_int_equal(reader->lines, 2000);
	jsonlog_free(j);
	free(reader);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),   cmocka_unit_test(test_absent_fields),
		cmocka_unit_test(test_levels),	     cmocka_unit_test(test_message_times),
		cmocka_unit_test(test_peers),	     cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_longest_line), cmocka_unit_test(test_slow_pipe),
		cmocka_unit_test(test_slow_socket),  cmocka_unit_test(test_fifo_without_reader),
		cmocka_unit_test(test_reader_gone),  cmocka_unit_test(test_reader_gone_unasked),
		cmocka_unit_test(test_drain),	     cmocka_unit_test(test_file),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
