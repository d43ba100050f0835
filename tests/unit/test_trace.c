/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of requests: which header goes first, what a header leaves of what was known, which one gives
 * the request id, and new ids. What makes a header valid is in test_trace_header.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "flow/trace.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319"
#define PARENT "b7ad6b716920333"

/* Of each kind a value that names another trace; the kinds in their order. */
static const struct {
	enum msg_id id;
	const char *value, *trace, *parent;
} kinds[] = {
	{ID_TRACEPARENT, "00-" TRACE "1-" PARENT "1-01", TRACE "1", PARENT "1"},
	{ID_B3, TRACE "2-" PARENT "2-1", TRACE "2", PARENT "2"},
	{ID_B3_TRACE, TRACE "3", TRACE "3", PARENT "3"},
	{ID_UBER, TRACE "4:" PARENT "4:0:1", TRACE "4", PARENT "4"},
	{ID_DATADOG_TRACE, "5", "00000000000000000000000000000005", NULL},
	{ID_AMZN, "Root=1-0af76519-16cd43dd8448eb211c803196;Parent=" PARENT "6", TRACE "6",
	 PARENT "6"},
};

static void assert_id(struct str id, const char *expected)
{
	assert_int_equal(id.n, expected ? strlen(expected) : 0);
	assert_memory_equal(id.n ? id.p : "", expected ? expected : "", id.n);
}

/* All headers from one kind on, the first `wrong` of them not valid. */
static void headers_from(struct str ids[ID_COUNT], int first, int wrong)
{
	memset(ids, 0, ID_COUNT * sizeof(*ids));
	for (int i = first; i < TRACE_HEADERS; i++)
		ids[kinds[i].id] = i < first + wrong ? STR("Root") : str_of(kinds[i].value);
	ids[ID_B3_SPAN] = first <= TRACE_B3_MULTI ? STR(PARENT "3") : (struct str){NULL, 0};
}

static void test_order(void **state)
{
	(void)state;
	for (int first = 0; first < TRACE_HEADERS; first++) {
		for (int wrong = 0; first + wrong <= TRACE_HEADERS; wrong++) {
			int valid = first + wrong;
			uint64_t invalid[TRACE_HEADERS] = {0};
			struct str ids[ID_COUNT];
			struct request r = {0};

			headers_from(ids, first, wrong);
			trace_parent(&r, ids, true, invalid);
			for (int i = 0; i < TRACE_HEADERS; i++)
				assert_int_equal(invalid[i], i >= first && i < valid);
			if (valid == TRACE_HEADERS) {
				assert_int_equal(r.length.trace_id + r.length.parent_id, 0);
				continue;
			}
			assert_id(request_str(&r, trace_id), kinds[valid].trace);
			assert_id(request_str(&r, parent_id), kinds[valid].parent);
		}
	}
}

/* What a thread's request gave before the head was read. */
static void test_what_was_known(void **state)
{
	struct str ids[ID_COUNT] = {{0}};
	uint64_t invalid[TRACE_HEADERS] = {0};
	struct request known = {.parent = PARENT_THREAD}, r;

	(void)state;
	request_set(&known, trace_id, STR(TRACE "6"));
	request_set(&known, parent_id, STR(PARENT "a"));
	r = known;
	trace_parent(&r, ids, true, invalid); /* no header: it stays */
	assert_memory_equal(&r, &known, sizeof(r));
	ids[ID_UBER] = STR("nonsense"); /* takes nothing back */
	trace_parent(&r, ids, true, invalid);
	assert_memory_equal(&r, &known, sizeof(r));

	ids[ID_AMZN] = STR("Root=1-0af76519-16cd43dd8448eb211c803196"); /* the same trace */
	trace_parent(&r, ids, true, invalid);
	assert_memory_equal(&r, &known, sizeof(r));

	ids[ID_AMZN] = STR("Root=1-0af76519-16cd43dd8448eb211c803197"); /* another one */
	trace_parent(&r, ids, true, invalid);
	assert_id(request_str(&r, trace_id), TRACE "7");
	assert_id(request_str(&r, parent_id), NULL);
	assert_int_equal(r.parent, PARENT_NONE);

	r = known;
	ids[ID_TRACEPARENT] = str_of(kinds[0].value);
	trace_parent(&r, ids, true, invalid);
	assert_id(request_str(&r, trace_id), kinds[0].trace);
	assert_id(request_str(&r, parent_id), kinds[0].parent);
	assert_int_equal(r.parent, PARENT_HEADER);
	assert_int_equal(r.length.span_id, 0);
	assert_int_equal(invalid[TRACE_UBER], 3);
}

static void test_names(void **state)
{
	static const char *const names[] = {"traceparent",	  "b3",
					    "x-b3-traceid",	  "uber-trace-id",
					    "x-datadog-trace-id", "x-amzn-trace-id"};

	(void)state;
	for (int i = 0; i < TRACE_HEADERS; i++)
		assert_string_equal(trace_header_name(i), names[i]);
}

static void test_request_id(void **state)
{
	struct str both[ID_COUNT] = {
		[ID_REQUEST_ID] = STR("first"), [ID_CORRELATION_ID] = STR("c")};
	struct str one[ID_COUNT] = {[ID_CORRELATION_ID] = STR("second")};
	struct str none[ID_COUNT] = {{0}};
	struct request r = {0};

	(void)state;
	trace_request_id(&r, none);
	assert_id(request_str(&r, request_id), NULL);
	assert_int_equal(r.id_source, ID_FROM_NOWHERE);
	trace_request_id(&r, one);
	assert_id(request_str(&r, request_id), "second");
	assert_int_equal(r.id_source, ID_FROM_HEADER);
	trace_request_id(&r, both); /* the request's goes before the response's */
	assert_id(request_str(&r, request_id), "second");
	r.id_source = ID_FROM_TCP; /* and each of them before what TCP says */
	trace_request_id(&r, none);
	assert_id(request_str(&r, request_id), "second");
	assert_int_equal(r.id_source, ID_FROM_TCP);
	trace_request_id(&r, both);
	assert_id(request_str(&r, request_id), "first");
	assert_int_equal(r.id_source, ID_FROM_HEADER);
}

static void test_request_id_too_long(void **state)
{
	char id[1000];
	struct str ids[ID_COUNT] = {[ID_REQUEST_ID] = {id, sizeof(id)}};
	struct request r = {0};

	(void)state;
	memset(id, 'x', sizeof(id));
	trace_request_id(&r, ids);
	assert_int_equal(r.length.request_id, sizeof(r.request_id));
	assert_int_equal(r.length.trace_id, 0);
}

#define NEW 100000

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static size_t count_twins(char (*ids)[16])
{
	size_t twins = 0;

	qsort(ids, NEW, 16, by_bytes);
	for (size_t i = 1; i < NEW; i++)
		twins += by_bytes(ids[i - 1], ids[i]) == 0;
	return twins;
}

/* Of two nodes: never the same twice, all digits at all places, never zero. */
static void test_new_ids(void **state)
{
	static char spans[NEW][16], highs[NEW][16], lows[NEW][16];
	struct trace_random random[2];
	unsigned seen[16] = {0};

	(void)state;
	assert_int_equal(trace_seed(&random[0]), 0);
	assert_int_equal(trace_seed(&random[1]), 0);
	for (size_t i = 0; i < NEW; i++) {
		struct request r = {0};

		trace_new(&random[i & 1], &r);
		assert_int_equal(r.length.span_id, 16);
		assert_int_equal(r.length.trace_id, 32);
		assert_int_equal(r.length.parent_id, 0);
		assert_int_equal(r.parent, PARENT_NONE);
		memcpy(spans[i], r.span_id, 16);
		memcpy(highs[i], r.trace_id, 16);
		memcpy(lows[i], r.trace_id + 16, 16);
		for (int at = 0; at < 16; at++)
			seen[at] |= 1U << hex_digit(r.span_id[at]);
	}
	for (int at = 0; at < 16; at++)
		assert_int_equal(seen[at], 0xffff);
	assert_int_equal(count_twins(spans), 0);
	assert_int_equal(count_twins(highs), 0);
	assert_int_equal(count_twins(lows), 0);
}

static void test_never_zero(void **state)
{
	struct trace_random random = {{0}}; /* whose numbers are all 0 */
	struct request r = {0};

	(void)state;
	trace_new(&random, &r);
	assert_id(request_str(&r, span_id), "0000000000000001");
	assert_id(request_str(&r, trace_id), "00000000000000010000000000000001");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_what_was_known),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_request_id),
		cmocka_unit_test(test_request_id_too_long),
		cmocka_unit_test(test_new_ids),
		cmocka_unit_test(test_never_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
