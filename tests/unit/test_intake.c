/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw records of every kind and every length. Each stands alone in memory, so that a byte read past
 * its end is seen; each handler reads all that it was promised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kern/intake.h"

#define KINDS	   10
#define RECORD_MAX 512

static struct {
	unsigned calls[KINDS];
	struct str bytes;
	uint64_t sum; /* of all bytes that a handler may read */
} got;

static void take(unsigned kind, const void *record, size_t fixed, struct str bytes)
{
	got.calls[kind]++;
	got.bytes = bytes;
	for (size_t i = 0; i < fixed; i++)
		got.sum += ((const unsigned char *)record)[i];
	for (size_t i = 0; i < bytes.n; i++)
		got.sum += (unsigned char)bytes.p[i];
}

static void on_open(void *ctx, const struct event_open *e)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_OPEN, e, sizeof(*e), (struct str){0});
}

static void on_data(void *ctx, const struct event_data *e, struct str bytes)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_DATA, e, sizeof(*e), bytes);
}

static void on_end(void *ctx, const struct event_end *e)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_END, e, sizeof(*e), (struct str){0});
}

static void on_close(void *ctx, const struct event_close *e)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_CLOSE, e, sizeof(*e), (struct str){0});
}

static void on_websocket(void *ctx, const struct event_websocket *e)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_WEBSOCKET, e, sizeof(*e), (struct str){0});
}

static void on_exec(void *ctx, const struct event_exec *e, struct str args)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_EXEC, e, sizeof(*e), args);
}

static void on_exit_(void *ctx, const struct event_exit *e)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_EXIT, e, sizeof(*e), (struct str){0});
}

static void on_cgroup(void *ctx, const struct event_cgroup *e, struct str path)
{
	assert_ptr_equal(ctx, &got);
	take(EVENT_CGROUP, e, sizeof(*e), path);
}

static const size_t fixed[KINDS] = {
	[EVENT_OPEN] = sizeof(struct event_open),
	[EVENT_DATA] = sizeof(struct event_data),
	[EVENT_END] = sizeof(struct event_end),
	[EVENT_CLOSE] = sizeof(struct event_close),
	[EVENT_EXEC] = sizeof(struct event_exec),
	[EVENT_EXIT] = sizeof(struct event_exit),
	[EVENT_WEBSOCKET] = sizeof(struct event_websocket),
	[EVENT_CGROUP] = sizeof(struct event_cgroup),
};

static struct intake start(void)
{
	memset(&got, 0, sizeof(got));
	return (struct intake){.handlers = {on_open, on_data, on_end, on_close, on_websocket,
					    on_exec, on_exit_, on_cgroup, &got}};
}

/* The counted length of data and exec records stands where the kind says. */
static void feed(struct intake *in, unsigned kind, size_t size, uint16_t captured)
{
	char *record = malloc(size ? size : 1);
	char whole[RECORD_MAX];

	assert_non_null(record);
	memset(whole, 1, sizeof(whole));
	((struct event_head *)whole)->kind = (uint8_t)kind;
	if (kind == EVENT_DATA)
		((struct event_data *)whole)->captured = captured;
	if (kind == EVENT_EXEC)
		((struct event_exec *)whole)->captured = captured;
	if (kind == EVENT_CGROUP)
		((struct event_cgroup *)whole)->captured = captured;
	memcpy(record, whole, size);
	intake_record(in, record, size);
	if (got.bytes.p)
		assert_ptr_equal(got.bytes.p, record + fixed[kind]);
	free(record);
}

static void test_lengths(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++)
		for (size_t size = 0; size < RECORD_MAX; size++) {
			bool good = fixed[kind] && size >= fixed[kind];
			struct intake in = start();

			feed(&in, kind, size, 0);
			assert_int_equal(in.records, 1);
			assert_int_equal(in.malformed, !good);
			for (unsigned other = 0; other < KINDS; other++)
				assert_int_equal(got.calls[other], good && other == kind);
		}
}

/* What the kernel half was compiled with. */
static void test_sizes(void **state)
{
	static const size_t sizes[KINDS] = {0, 112, 96, 56, 104, 64, 32, 256, 48};

	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t less = 0; sizes[kind] && less < 2; less++) {
			struct intake in = start();

			feed(&in, kind, sizes[kind] - less, 0);
			assert_int_equal(in.malformed, less);
			assert_int_equal(got.calls[kind], !less);
		}
	}
}

static void test_unknown_kinds(void **state)
{
	struct intake in = start();

	(void)state;
	feed(&in, 0, RECORD_MAX, 0);
	for (unsigned kind = EVENT_CGROUP + 1; kind < 256; kind++)
		feed(&in, kind, RECORD_MAX, 0);
	assert_int_equal(in.records, 256 - EVENT_CGROUP);
	assert_int_equal(in.malformed, in.records);
}

/* A record may be longer than what it counts; what it counts beyond its end is not there. */
static void test_captured(void **state)
{
	static const unsigned kinds[] = {EVENT_DATA, EVENT_EXEC, EVENT_CGROUP};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t room = 0; room <= 40; room++)
			for (uint16_t captured = 0; captured < 60; captured++) {
				struct intake in = start();

				feed(&in, kinds[i], fixed[kinds[i]] + room, captured);
				assert_int_equal(got.calls[kinds[i]], 1);
				assert_non_null(got.bytes.p);
				assert_int_equal(got.bytes.n, captured < room ? captured : room);
			}
}

static void test_captured_most(void **state)
{
	struct intake in = start();

	(void)state;
	feed(&in, EVENT_DATA, sizeof(struct event_data) + 8, UINT16_MAX);
	assert_int_equal(got.bytes.n, 8);
	assert_int_equal(in.malformed, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),	      cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_unknown_kinds), cmocka_unit_test(test_captured),
		cmocka_unit_test(test_captured_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
