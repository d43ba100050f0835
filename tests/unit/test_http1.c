/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays tests/proto/http1: each folder is a test of its own name. A case is parsed whole and its
 * messages are compared with what is expected, as text; then each message is parsed again from
 * every prefix, with and without `cut`. Bytes always end at a page that may not be touched, so
 * reading past them crashes.
 *
 * What a prefix may say: nothing until the head is complete, then the same as the whole except how
 * far the body has got. With `cut` it may say less, but never something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "proto/protos.h"

#define CASES_MAX   1000
#define CASES_LEAST 70
#define FILE_MAX    65536

struct replay {
	char input[FILE_MAX], expect[FILE_MAX];
	struct str bytes;
	struct str expected; /* what is left of it to compare */
	enum msg_kind kind;
	struct str request_op;
	bool cut;
	int guess;
};

static const char *data_dir(void)
{
	const char *dir = getenv("SONDE_TEST_DATA");

	return dir ? dir : "tests/proto";
}

static struct str file_read(const char *name, const char *file, char *memory)
{
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/http1/%s/%s", data_dir(), name, file);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	n = fread(memory, 1, FILE_MAX, f);
	fclose(f);
	assert_in_range(n, 1, FILE_MAX - 1);
	return (struct str){memory, n};
}

/* One `key value` line of the first block. */
static void setting(struct replay *r, struct str line)
{
	struct str value = line, key = str_cut(&value, ' ');

	if (str_eq(key, STR("stream")))
		r->kind = str_eq(value, STR("response")) ? MSG_RESPONSE : MSG_REQUEST;
	else if (str_eq(key, STR("request_op")))
		r->request_op = value;
	else if (str_eq(key, STR("cut")))
		r->cut = true;
	else if (str_eq(key, STR("guess")))
		r->guess = *value.p - '0';
	else
		fail_msg("unknown setting: %.*s", (int)line.n, line.p);
}

static void replay_open(struct replay *r, const char *name)
{
	struct str line;

	memset(r, 0, sizeof(*r));
	r->bytes = file_read(name, "input", r->input);
	r->expected = file_read(name, "expect", r->expect);
	for (line = str_cut(&r->expected, '\n'); line.n; line = str_cut(&r->expected, '\n'))
		setting(r, line);
}

/* A copy of bytes that ends where memory ends. */
struct fenced {
	char *map;
	size_t size;
	struct str bytes;
};

static struct fenced fence(struct str bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (bytes.n + page) / page * page;
	struct fenced f = {.size = used + page};

	f.map = mmap(NULL, f.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(f.map != MAP_FAILED);
	assert_int_equal(mprotect(f.map + used, page, PROT_NONE), 0);
	f.bytes = (struct str){f.map + used - bytes.n, bytes.n};
	memcpy(f.map + used - bytes.n, bytes.p, bytes.n);
	return f;
}

static void fence_free(struct fenced *f)
{
	munmap(f->map, f->size);
}

static const char *const header_names[ID_COUNT] = {
	[ID_REQUEST_ID] = "X-Request-ID",
	[ID_CORRELATION_ID] = "x-correlation-id",
	[ID_TRACEPARENT] = "traceparent",
	[ID_USER] = "X-USER-ID",
	[ID_AUTHORIZATION] = "Authorization",
	[ID_WEBSOCKET_KEY] = "Sec-WebSocket-Key",
	[ID_WEBSOCKET_ACCEPT] = "Sec-WebSocket-Accept",
	[ID_WEBSOCKET_PROTOCOL] = "Sec-WebSocket-Protocol",
};

/* field() and the parser's own pass see the same. */
static void assert_fields(const struct msg *msg, struct str head)
{
	for (int i = 0; i < ID_COUNT; i++)
		if (header_names[i])
			assert_true(str_eq(proto_http1.field(head, str_of(header_names[i])),
					   msg->ids[i]));
}

static int64_t parse(const struct replay *r, struct str bytes, bool cut, struct msg *msg)
{
	int64_t n;

	*msg = (struct msg){.cut = cut, .request_op = r->request_op};
	n = proto_http1.parse(r->kind, bytes, msg);
	if (n > 0)
		assert_fields(msg,
			      (struct str){bytes.p, msg->head_bytes ? msg->head_bytes : (size_t)n});
	return n;
}

static void write_str(struct buf *b, const char *key, struct str value)
{
	if (!value.p)
		return;
	buf_printf(b, "%s ", key);
	buf_str(b, value);
	buf_char(b, '\n');
}

static const char *const kind_names[] = {"request", "response", "interim"};
static const char *const end_names[] = {"here", "length", "mark", "close"};
static const char *const id_names[ID_COUNT] = {
	[ID_REQUEST_ID] = "request_id",
	[ID_CORRELATION_ID] = "correlation_id",
	[ID_TRACEPARENT] = "traceparent",
	[ID_TRACEPARENT_AGAIN] = "traceparent_again",
	[ID_B3] = "b3",
	[ID_B3_TRACE] = "b3_trace",
	[ID_B3_SPAN] = "b3_span",
	[ID_UBER] = "uber",
	[ID_DATADOG_TRACE] = "datadog_trace",
	[ID_DATADOG_PARENT] = "datadog_parent",
	[ID_DATADOG_TAGS] = "datadog_tags",
	[ID_AMZN] = "amzn",
	[ID_USER] = "user_id",
	[ID_AUTHORIZATION] = "authorization",
	[ID_UPGRADE] = "upgrade",
	[ID_WEBSOCKET_KEY] = "websocket_key",
	[ID_WEBSOCKET_ACCEPT] = "websocket_accept",
	[ID_WEBSOCKET_PROTOCOL] = "websocket_protocol",
};

/* The same text as in an `expect` file. */
static void write_message(struct buf *b, const struct msg *m, int64_t consumed)
{
	write_str(b, "kind", str_of(kind_names[m->kind]));
	write_str(b, "op", m->op);
	write_str(b, "target", m->target);
	write_str(b, "host", m->host);
	if (m->status)
		buf_printf(b, "status %u\n", m->status);
	for (int i = 0; i < ID_COUNT; i++)
		write_str(b, id_names[i], m->ids[i]);
	write_str(b, "tunnel", str_of(m->tunnel ? "true" : NULL));
	write_str(b, "streams", str_of(m->streams ? "true" : NULL));
	write_str(b, "expects", str_of(m->expects ? "true" : NULL));
	write_str(b, "end", str_of(end_names[m->end]));
	if (m->end == MSG_END_LENGTH)
		buf_printf(b, "body_left %llu\n", (unsigned long long)m->body_left);
	buf_printf(b, "head_bytes %u\nconsumed %lld\n", m->head_bytes, (long long)consumed);
}

/* Takes the next block, up to an empty line or the end, and compares. */
static void expect_block(struct replay *r, struct str actual)
{
	struct str block = r->expected, line;

	do
		line = str_cut(&r->expected, '\n');
	while (line.n);
	block.n = (size_t)(line.p ? line.p - block.p : 0);
	if (!str_eq(block, actual))
		fail_msg("expected:\n%.*s\nbut is:\n%.*s", (int)block.n, block.p, (int)actual.n,
			 actual.p);
}

/* Absent, or the same. */
static void assert_unchanged(struct str part, struct str whole)
{
	if (part.n)
		assert_true(str_eq(part, whole));
}

static void assert_same_head(const struct msg *part, const struct msg *whole)
{
	assert_int_equal(part->kind, whole->kind);
	assert_int_equal(part->status, whole->status);
	assert_int_equal(part->tunnel, whole->tunnel);
	assert_true(part->streams == whole->streams && part->expects == whole->expects);
	assert_int_equal(part->head_bytes, whole->head_bytes);
	assert_true(str_eq(part->op, whole->op));
	assert_true(str_eq(part->target, whole->target));
	assert_true(str_eq(part->host, whole->host));
	for (int i = 0; i < ID_COUNT; i++)
		assert_true(str_eq(part->ids[i], whole->ids[i]));
}

/* What a cut head says is true of the whole one. */
static void assert_less(const struct msg *part, const struct msg *whole)
{
	if (part->status)
		assert_int_equal(part->status, whole->status);
	assert_true(whole->expects >= part->expects && whole->streams >= part->streams);
	assert_unchanged(part->op, whole->op);
	assert_unchanged(part->host, whole->host);
	assert_true(str_has_prefix(whole->target, part->target));
	for (int i = 0; i < ID_COUNT; i++)
		assert_unchanged(part->ids[i], whole->ids[i]);
}

static void prefix_of_message(const struct replay *r, struct str bytes, const struct msg *whole,
			      int64_t consumed)
{
	struct msg msg;
	int64_t n = parse(r, bytes, false, &msg);

	if (whole->head_bytes == 0 || bytes.n < whole->head_bytes) {
		assert_int_equal(n, 0);
		n = parse(r, bytes, true, &msg);
		assert_int_equal(n, bytes.n ? (int64_t)bytes.n : -1);
		assert_int_equal(msg.head_bytes, 0);
		if (n > 0)
			assert_less(&msg, whole);
		return;
	}
	assert_in_range(n, whole->head_bytes, bytes.n);
	assert_same_head(&msg, whole);
	if (msg.end == MSG_END_LENGTH)
		assert_true(msg.body_left + (uint64_t)n == whole->body_left + (uint64_t)consumed);
	else if (msg.end != MSG_END_HERE)
		assert_int_equal(n, bytes.n);
	else
		assert_int_equal(n, consumed);
}

/* Once refused, always refused. */
static bool prefix_of_refused(const struct replay *r, struct str bytes, bool refused)
{
	struct msg msg;
	int64_t n = parse(r, bytes, false, &msg), cut = parse(r, bytes, true, &msg);

	assert_true(n < 0 || (n == 0 && !refused));
	assert_true(cut < 0 || (cut == (int64_t)bytes.n && !refused));
	return n < 0;
}

static void every_prefix(const struct replay *r, struct str bytes, const struct msg *whole,
			 int64_t consumed)
{
	size_t last = consumed > 0 ? (size_t)consumed : bytes.n;
	bool refused = false;

	for (size_t n = 0; n <= last; n++) {
		struct fenced f = fence((struct str){bytes.p, n});

		if (consumed > 0)
			prefix_of_message(r, f.bytes, whole, consumed);
		else if (consumed < 0 && n < last)
			refused = prefix_of_refused(r, f.bytes, refused);
		fence_free(&f);
	}
}

static bool message_check(struct replay *r, struct str *bytes)
{
	struct fenced f = fence(*bytes);
	struct msg msg;
	int64_t n = parse(r, f.bytes, r->cut, &msg);
	char memory[FILE_MAX];
	struct buf text;

	buf_init_fixed(&text, memory, sizeof(memory));
	if (n > 0)
		write_message(&text, &msg, n);
	else
		buf_text(&text, n < 0 ? "refused\n" : "more\n");
	assert_false(text.full);
	expect_block(r, buf_view(&text));
	every_prefix(r, *bytes, &msg, n);
	fence_free(&f);
	*bytes = str_from(*bytes, n > 0 ? (size_t)n : bytes->n);
	return n > 0 && !msg.tunnel && bytes->n;
}

static void test_case(void **state)
{
	static struct replay r;
	struct fenced f;
	struct str bytes;

	replay_open(&r, *state);
	f = fence(r.bytes);
	bytes = r.bytes;
	assert_int_equal(proto_http1.guess(f.bytes, r.kind), r.guess);
	fence_free(&f);
	while (message_check(&r, &bytes))
		;
	assert_int_equal(r.expected.n, 0);
}

static int cases_list(struct dirent ***names)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/http1", data_dir());
	return scandir(path, names, NULL, alphasort);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[CASES_MAX];
	struct dirent **names = NULL;
	int count = cases_list(&names), used = 0, err;

	for (int i = 0; i < count && used < CASES_MAX; i++)
		if (names[i]->d_name[0] != '.')
			tests[used++] = (struct CMUnitTest){.name = names[i]->d_name,
							    .test_func = test_case,
							    .initial_state = names[i]->d_name};
	if (used < CASES_LEAST) {
		fprintf(stderr, "test_http1: only %d cases under %s\n", used, data_dir());
		return 1;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	err = _cmocka_run_group_tests("http1", tests, (size_t)used, NULL, NULL);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return err;
}
