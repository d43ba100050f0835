/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers that name a trace: what each one's own specification makes of a value. Rows are written
 * from the specifications; see user/flow/trace_header.c for which they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flow/flow.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define HALF   "8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define ZERO16 "0000000000000000"

/* trace: the id that it gives, NULL: it is invalid, "": it says nothing of a trace. */
struct row {
	const char *value, *trace, *parent;
};

static const struct row traceparents[] = {
	{"00-" TRACE "-" PARENT "-01", TRACE, PARENT},
	{"00-" TRACE "-" PARENT "-00", TRACE, PARENT},
	{"00-" TRACE "-" PARENT "-ff", TRACE, PARENT},
	{"01-" TRACE "-" PARENT "-01", TRACE, PARENT}, /* a later version, of the same form */
	{"cc-" TRACE "-" PARENT "-01-what-the-future-brings", TRACE, PARENT},
	{"fe-" TRACE "-" PARENT "-01-", TRACE, PARENT},
	{"00-00000000000000000000000000000001-0000000000000001-00",
	 "00000000000000000000000000000001", "0000000000000001"},
	{"00", NULL, NULL},
	{"00-" TRACE "-" PARENT, NULL, NULL},
	{"00-" TRACE "-" PARENT "-", NULL, NULL},
	{"00-" TRACE "-" PARENT "-0", NULL, NULL},
	{"00-" TRACE "-" PARENT "-01-extra", NULL, NULL}, /* version 00 ends here */
	{"00-" TRACE "-" PARENT "-01-", NULL, NULL},
	{"00-" TRACE "-" PARENT "-012", NULL, NULL},
	{"01-" TRACE "-" PARENT "-012", NULL, NULL},
	{"01-" TRACE "-" PARENT "-01.x", NULL, NULL},
	{"ff-" TRACE "-" PARENT "-01", NULL, NULL},
	{"FF-" TRACE "-" PARENT "-01", NULL, NULL},
	{"zz-" TRACE "-" PARENT "-01", NULL, NULL},
	{"0A-" TRACE "-" PARENT "-01", NULL, NULL},
	{" 0-" TRACE "-" PARENT "-01", NULL, NULL},
	{"00-" TRACE "-" PARENT "-zz", NULL, NULL},
	{"00-" TRACE "-" PARENT "-0A", NULL, NULL},
	{"00-" ZERO16 ZERO16 "-" PARENT "-01", NULL, NULL},
	{"00-" TRACE "-" ZERO16 "-01", NULL, NULL},
	{"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", NULL, NULL},
	{"00-" TRACE "-B7AD6B7169203331-01", NULL, NULL},
	{"00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01", NULL, NULL},
	{"00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01", NULL, NULL},
	{"00-" TRACE "-b7ad6b716920333g-01", NULL, NULL},
	{"00_" TRACE "-" PARENT "-01", NULL, NULL},
	{"00-" TRACE "_" PARENT "-01", NULL, NULL},
	{"00-" TRACE "-" PARENT "_01", NULL, NULL},
};

static const struct row b3_singles[] = {
	{TRACE "-" PARENT, TRACE, PARENT}, /* deferred */
	{TRACE "-" PARENT "-1", TRACE, PARENT},
	{TRACE "-" PARENT "-0", TRACE, PARENT},
	{TRACE "-" PARENT "-d", TRACE, PARENT},
	{HALF "-" PARENT "-1", ZERO16 HALF, PARENT},
	{ZERO16 HALF "-" PARENT "-1", ZERO16 HALF, PARENT},
	{HALF ZERO16 "-" PARENT "-1", HALF ZERO16, PARENT},
	{TRACE "-" PARENT "-1-05e3ac9a4f6e3b90", TRACE, PARENT}, /* the sender's own parent */
	{TRACE "-" PARENT "-05e3ac9a4f6e3b90", TRACE, PARENT},
	{"0", "", NULL}, /* only whether to sample */
	{"1", "", NULL},
	{"d", "", NULL},
	{"2", NULL, NULL},
	{"D", NULL, NULL},
	{TRACE, NULL, NULL},
	{TRACE "-", NULL, NULL},
	{"-" PARENT, NULL, NULL},
	{TRACE "-1", NULL, NULL},
	{TRACE "-" PARENT "-", NULL, NULL},
	{TRACE "-" PARENT "-2", NULL, NULL},
	{TRACE "-" PARENT "-01", NULL, NULL},
	{TRACE "-" PARENT "-true", NULL, NULL},
	{TRACE "-" PARENT "-1-", NULL, NULL},
	{TRACE "-" PARENT "-1-05e3ac9a4f6e3b9", NULL, NULL},
	{TRACE "-" PARENT "-1-05E3AC9A4F6E3B90", NULL, NULL},
	{TRACE "-" PARENT "-1-05e3ac9a4f6e3b90-1", NULL, NULL},
	{TRACE "-" PARENT "-05e3ac9a4f6e3b90-1", NULL, NULL},
	{"0AF7651916CD43DD8448EB211C80319C-" PARENT "-1", NULL, NULL},
	{TRACE "-B7AD6B7169203331-1", NULL, NULL},
	{ZERO16 "-" PARENT "-1", NULL, NULL},
	{ZERO16 ZERO16 "-" PARENT "-1", NULL, NULL},
	{TRACE "-" ZERO16 "-1", NULL, NULL},
	{"0" HALF "-" PARENT "-1", NULL, NULL}, /* neither 16 nor 32 */
	{"448eb211c80319c-" PARENT "-1", NULL, NULL},
	{TRACE "0-" PARENT "-1", NULL, NULL},
	{TRACE "-" PARENT "0-1", NULL, NULL},
	{TRACE "-7ad6b7169203331-1", NULL, NULL},
	{TRACE ":" PARENT ":1", NULL, NULL},
};

static const struct row ubers[] = {
	{TRACE ":" PARENT ":0:1", TRACE, PARENT},
	{HALF ":" PARENT ":05e3ac9a4f6e3b90:1", ZERO16 HALF, PARENT},
	{TRACE "%3A" PARENT "%3A0%3A1", TRACE, PARENT},
	{TRACE "%3a" PARENT ":0%3a1", TRACE, PARENT},
	{"1a:b:0:0", "0000000000000000000000000000001a", "000000000000000b"}, /* without padding */
	{"0AF7651916CD43DD8448EB211C80319C:B7AD6B7169203331:0:1", TRACE, PARENT},
	{TRACE ":" PARENT ":0:0f", TRACE, PARENT},
	{TRACE ":" PARENT ":0:", NULL, NULL},
	{TRACE ":" PARENT ":0:001", NULL, NULL},
	{TRACE ":" PARENT ":0:x", NULL, NULL},
	{TRACE ":" PARENT "::1", NULL, NULL},
	{TRACE ":" PARENT ":0", NULL, NULL},
	{TRACE ":" PARENT ":0:1:2", NULL, NULL},
	{TRACE, NULL, NULL},
	{":" PARENT ":0:1", NULL, NULL},
	{TRACE "::0:1", NULL, NULL},
	{"0:" PARENT ":0:1", NULL, NULL},
	{ZERO16 ":" PARENT ":0:1", NULL, NULL},
	{TRACE ":0:0:1", NULL, NULL},
	{TRACE "0:" PARENT ":0:1", NULL, NULL},
	{TRACE ":0" PARENT ":0:1", NULL, NULL},
	{TRACE ":" PARENT ":05e3ac9a4f6e3b901:1", NULL, NULL},
	{"0x1a:" PARENT ":0:1", NULL, NULL},
	{"-1a:" PARENT ":0:1", NULL, NULL},
	{TRACE "%3B" PARENT ":0:1", NULL, NULL},
	{TRACE "%3", NULL, NULL},
	{TRACE "%", NULL, NULL},
	{TRACE "-" PARENT "-0-1", NULL, NULL},
};

#define ROOT "1-0af76519-16cd43dd8448eb211c80319c"

static const struct row amzns[] = {
	{"Root=" ROOT ";Parent=" PARENT ";Sampled=1", TRACE, PARENT},
	{"Root=" ROOT ";Sampled=1", TRACE, NULL}, /* of a load balancer: nobody's child */
	{"Root=" ROOT, TRACE, NULL},
	{"Self=1-67891234-12456789abcdef0123456789;Root=" ROOT, TRACE, NULL},
	{"Sampled=?; Parent=" PARENT " ;Root=" ROOT ";CalledFrom=app", TRACE, PARENT},
	{"Root=1-0AF76519-16CD43DD8448EB211C80319C;Parent=B7AD6B7169203331", TRACE, PARENT},
	{"Root=" ROOT ";Lineage=a87bd80c:1|68fd508a:5;", TRACE, NULL},
	{"Root=1-00000000-16cd43dd8448eb211c80319c", "0000000016cd43dd8448eb211c80319c", NULL},
	{"CalledFrom=app", "", NULL},
	{"Sampled=1", "", NULL},
	{"Self=1-67891234-12456789abcdef0123456789", "", NULL},
	{"Parent=" PARENT ";Sampled=1", NULL, NULL},
	{"Root=" ROOT ";Parent=", NULL, NULL},
	{"Root=;Parent=" PARENT, NULL, NULL},
	{"Root", NULL, NULL},
	{"Root=2-0af76519-16cd43dd8448eb211c80319c", NULL, NULL},
	{"Root=1-0af765191-6cd43dd8448eb211c80319c", NULL, NULL},
	{"Root=1-0af76519_16cd43dd8448eb211c80319c", NULL, NULL},
	{"Root=1_0af76519-16cd43dd8448eb211c80319c", NULL, NULL},
	{"Root=1-0af76519-16cd43dd8448eb211c80319", NULL, NULL},
	{"Root=1-0af76519-16cd43dd8448eb211c80319cc", NULL, NULL},
	{"Root=1-0af7651g-16cd43dd8448eb211c80319c", NULL, NULL},
	{"Root=1-00000000-000000000000000000000000;Parent=" PARENT, NULL, NULL},
	{"Root=" ROOT ";Parent=" ZERO16, NULL, NULL},
	{"Root=" ROOT ";Parent=b7ad6b716920333", NULL, NULL},
	{"Root=" ROOT ";Parent=b7ad6b71692033310", NULL, NULL},
	{"Root=" ROOT ";Parent=b7ad6b716920333g", NULL, NULL},
	{"Root=1-0af76519-16cd43dd8448eb211c80319d;Root=" ROOT, "0af7651916cd43dd8448eb211c80319d",
	 NULL},
};

/* The words of a value that stand alone in memory, so that reading past them is seen. */
struct headers {
	struct str ids[ID_COUNT];
};

static void headers_add(struct headers *h, enum msg_id id, const char *value)
{
	size_t n = strlen(value);
	char *copy = malloc(n + !n);

	assert_non_null(copy);
	memcpy(copy, value, n);
	h->ids[id] = (struct str){copy, n};
}

static void headers_free(struct headers *h)
{
	for (int i = 0; i < ID_COUNT; i++)
		free((void *)h->ids[i].p);
	*h = (struct headers){0};
}

static void assert_id(const char *what, const char *value, struct str id, const char *expected)
{
	if (!str_eq(id, str_of(expected)))
		fail_msg("%s of %s: %.*s", what, value, (int)id.n, id.n ? id.p : "");
}

/* What trace_parent() makes of the headers, which are of one kind, and what it counts. */
static void check(struct headers *h, enum trace_header kind, bool whole, const struct row *row)
{
	uint64_t invalid[TRACE_HEADERS] = {0};
	struct request r = {0};
	bool valid = row->trace && *row->trace;

	trace_parent(&r, h->ids, whole, invalid);
	assert_id("trace", row->value, request_str(&r, trace_id), valid ? row->trace : NULL);
	assert_id("parent", row->value, request_str(&r, parent_id), row->parent);
	assert_int_equal(r.parent, row->parent ? PARENT_HEADER : PARENT_NONE);
	for (int i = 0; i < TRACE_HEADERS; i++)
		if (invalid[i] != (i == (int)kind && !row->trace))
			fail_msg("count of %s for %s", trace_header_name(i), row->value);
	headers_free(h);
}

static void check_rows(enum msg_id id, enum trace_header kind, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct headers h = {0};

		headers_add(&h, id, rows[i].value);
		check(&h, kind, true, &rows[i]);
	}
}

#define CHECK_ROWS(id, kind, rows) check_rows(id, kind, rows, sizeof(rows) / sizeof((rows)[0]))

static void test_traceparent(void **state)
{
	(void)state;
	CHECK_ROWS(ID_TRACEPARENT, TRACE_TRACEPARENT, traceparents);
}

/* The specification's own test suite: two of them are none, whatever they say. */
static void test_traceparent_twice(void **state)
{
	struct headers h = {0};

	(void)state;
	headers_add(&h, ID_TRACEPARENT, traceparents[0].value);
	headers_add(&h, ID_TRACEPARENT_AGAIN, traceparents[0].value);
	check(&h, TRACE_TRACEPARENT, true, &(struct row){"two of them", NULL, NULL});
}

static void test_b3(void **state)
{
	(void)state;
	CHECK_ROWS(ID_B3, TRACE_B3, b3_singles);
}

static void test_uber(void **state)
{
	(void)state;
	CHECK_ROWS(ID_UBER, TRACE_UBER, ubers);
}

static void test_amzn(void **state)
{
	(void)state;
	CHECK_ROWS(ID_AMZN, TRACE_AMZN, amzns);
}

struct several {
	const char *first, *second, *third; /* NULL: that header is not there */
	bool cut;			    /* so may be what is not there */
	const char *trace, *parent;
};

static void check_several(const enum msg_id ids[3], enum trace_header kind, const struct several *s)
{
	struct headers h = {0};

	if (s->first)
		headers_add(&h, ids[0], s->first);
	if (s->second)
		headers_add(&h, ids[1], s->second);
	if (s->third)
		headers_add(&h, ids[2], s->third);
	check(&h, kind, !s->cut,
	      &(struct row){s->first ? s->first : s->second, s->trace, s->parent});
}

static void test_b3_multi(void **state)
{
	static const enum msg_id ids[] = {ID_B3_TRACE, ID_B3_SPAN, ID_USER};
	static const struct several cases[] = {
		{TRACE, PARENT, NULL, false, TRACE, PARENT},
		{HALF, PARENT, NULL, false, ZERO16 HALF, PARENT},
		{TRACE, PARENT, NULL, true, TRACE, PARENT},
		{TRACE, NULL, NULL, false, NULL, NULL}, /* both are required */
		{NULL, PARENT, NULL, false, NULL, NULL},
		{TRACE, NULL, NULL, true, "", NULL},
		{NULL, PARENT, NULL, true, "", NULL},
		{"0AF7651916CD43DD8448EB211C80319C", PARENT, NULL, false, NULL, NULL},
		{TRACE, "B7AD6B7169203331", NULL, false, NULL, NULL},
		{ZERO16, PARENT, NULL, false, NULL, NULL},
		{ZERO16 ZERO16, PARENT, NULL, false, NULL, NULL},
		{TRACE, ZERO16, NULL, false, NULL, NULL},
		{"1", PARENT, NULL, false, NULL, NULL},
		{TRACE "0", PARENT, NULL, false, NULL, NULL},
		{TRACE, "1", NULL, false, NULL, NULL},
		{TRACE, PARENT "0", NULL, false, NULL, NULL},
		{"0af7651916cd43dd8448eb211c80319g", PARENT, NULL, false, NULL, NULL},
		{TRACE, "b7ad6b716920333g", NULL, false, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_several(ids, TRACE_B3_MULTI, &cases[i]);
}

static void test_datadog(void **state)
{
	static const enum msg_id ids[] = {ID_DATADOG_TRACE, ID_DATADOG_PARENT, ID_DATADOG_TAGS};
	static const char *const most = "18446744073709551615", *const more =
									"18446744073709551616";
	static const char *const one = ZERO16 "0000000000000001";
	const struct several cases[] = {
		{"9532127138774266268", "13235353014750950193", NULL, false, ZERO16 HALF, PARENT},
		{most, "1", NULL, false, ZERO16 "ffffffffffffffff", "0000000000000001"},
		{"1", most, NULL, true, one, "ffffffffffffffff"},
		{"1", NULL, NULL, false, one, NULL}, /* of a browser, say */
		{"1", "0", NULL, false, one, NULL},
		{"9532127138774266268", "1", "_dd.p.tid=0af7651916cd43dd", false, TRACE,
		 "0000000000000001"},
		{"9532127138774266268", "1", "_dd.p.dm=-3, _dd.p.tid=0af7651916cd43dd,x=y", false,
		 TRACE, "0000000000000001"},
		{"1", NULL, "_dd.p.tid=0af7651916cd43d", false, one, NULL},
		{"1", NULL, "_dd.p.tid=0af7651916cd43dd1", false, one, NULL},
		{"1", NULL, "_dd.p.tid=0af7651916cd43dg", false, one, NULL},
		{"1", NULL, "_dd.p.tid=0AF7651916CD43DD", false, one, NULL},
		{"1", NULL, "_dd.p.tid=" ZERO16, false, one, NULL},
		{"1", NULL, "_dd.p.tid", false, one, NULL},
		{"1", NULL, "x_dd.p.tid=0af7651916cd43dd", false, one, NULL},
		{"0", "1", NULL, false, NULL, NULL},
		{"0", "1", "_dd.p.tid=0af7651916cd43dd", false, NULL, NULL},
		{more, "1", NULL, false, NULL, NULL},
		{"1", more, NULL, false, NULL, NULL},
		{"-1", "1", NULL, false, NULL, NULL},
		{"+1", "1", NULL, false, NULL, NULL},
		{"1", "-1", NULL, false, NULL, NULL},
		{HALF, "1", NULL, false, NULL, NULL}, /* hex */
		{"1", PARENT, NULL, false, NULL, NULL},
		{"1.0", "1", NULL, false, NULL, NULL},
		{NULL, "1", NULL, false, NULL, NULL},
		{NULL, "1", NULL, true, "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_several(ids, TRACE_DATADOG, &cases[i]);
}

/* Any prefix of a value, and any byte in it: never an id that is not one. */
static void test_bytes(void **state)
{
	static const struct {
		enum msg_id id;
		const char *value;
	} values[] = {{ID_TRACEPARENT, "00-" TRACE "-" PARENT "-01"},
		      {ID_B3, TRACE "-" PARENT "-1-05e3ac9a4f6e3b90"},
		      {ID_UBER, TRACE "%3A" PARENT ":0:1"},
		      {ID_AMZN, "Root=" ROOT ";Parent=" PARENT ";Sampled=1"}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t n = strlen(values[i].value);

		for (unsigned at = 0; at < n * 256; at++) {
			char value[128];
			uint64_t invalid[TRACE_HEADERS] = {0};
			struct headers h = {0};
			struct request r = {0};

			str_copy(value, sizeof(value), str_of(values[i].value));
			value[at / 256] = (char)(at % 256); /* with 0: a prefix */
			headers_add(&h, values[i].id, value);
			trace_parent(&r, h.ids, true, invalid);
			for (unsigned c = 0; c < r.length.trace_id; c++)
				assert_non_null(strchr("0123456789abcdef", r.trace_id[c]));
			for (unsigned c = 0; c < r.length.parent_id; c++)
				assert_non_null(strchr("0123456789abcdef", r.parent_id[c]));
			headers_free(&h);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traceparent), cmocka_unit_test(test_traceparent_twice),
		cmocka_unit_test(test_b3),	    cmocka_unit_test(test_b3_multi),
		cmocka_unit_test(test_uber),	    cmocka_unit_test(test_datadog),
		cmocka_unit_test(test_amzn),	    cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
