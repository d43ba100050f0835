/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids from headers: which traceparent is valid by W3C Trace Context (version-format of section
 * 3.2, higher versions by 4.3), and which header gives the request id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "flow/flow.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define ZERO16 "0000000000000000"

static const struct {
	const char *header;
	bool valid;
} traceparents[] = {
	{"00-" TRACE "-" PARENT "-01", true},
	{"00-" TRACE "-" PARENT "-00", true},
	{"00-" TRACE "-" PARENT "-ff", true},
	{"01-" TRACE "-" PARENT "-01", true}, /* a later version, of the same form */
	{"cc-" TRACE "-" PARENT "-01-what-the-future-brings", true},
	{"fe-" TRACE "-" PARENT "-01-", true},
	{"00-00000000000000000000000000000001-0000000000000001-00", true},
	{"", false},
	{"00", false},
	{"00-" TRACE "-" PARENT, false},
	{"00-" TRACE "-" PARENT "-", false},
	{"00-" TRACE "-" PARENT "-0", false},
	{"00-" TRACE "-" PARENT "-01-extra", false}, /* version 00 ends here */
	{"00-" TRACE "-" PARENT "-01-", false},
	{"00-" TRACE "-" PARENT "-012", false},
	{"01-" TRACE "-" PARENT "-012", false},
	{"01-" TRACE "-" PARENT "-01.x", false},
	{"ff-" TRACE "-" PARENT "-01", false},
	{"FF-" TRACE "-" PARENT "-01", false},
	{"zz-" TRACE "-" PARENT "-01", false},
	{"0A-" TRACE "-" PARENT "-01", false},
	{" 0-" TRACE "-" PARENT "-01", false},
	{"00-" TRACE "-" PARENT "-zz", false},
	{"00-" TRACE "-" PARENT "-0A", false},
	{"00-" ZERO16 ZERO16 "-" PARENT "-01", false},
	{"00-" TRACE "-" ZERO16 "-01", false},
	{"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", false},
	{"00-" TRACE "-B7AD6B7169203331-01", false},
	{"00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01", false},
	{"00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01", false},
	{"00-" TRACE "-b7ad6b716920333g-01", false},
	{"00_" TRACE "-" PARENT "-01", false},
	{"00-" TRACE "_" PARENT "-01", false},
	{"00-" TRACE "-" PARENT "_01", false},
};

static void test_traceparent(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(traceparents) / sizeof(traceparents[0]); i++) {
		struct str ids[ID_COUNT] = {[ID_TRACEPARENT] = str_of(traceparents[i].header)};
		struct request r = {0};

		trace_parent(&r, ids);
		if ((r.length.trace_id == 32) != traceparents[i].valid)
			fail_msg("wrong about %s", traceparents[i].header);
		assert_int_equal(r.length.parent_id, traceparents[i].valid ? 16 : 0);
		assert_int_equal(r.length.trace_id, traceparents[i].valid ? 32 : 0);
		assert_int_equal(r.length.span_id, 0);
	}
}

static void test_traceparent_parts(void **state)
{
	struct str ids[ID_COUNT] = {[ID_TRACEPARENT] = STR("00-" TRACE "-" PARENT "-01")};
	struct request r = {0};

	(void)state;
	trace_parent(&r, ids);
	assert_memory_equal(r.trace_id, TRACE, 32);
	assert_memory_equal(r.parent_id, PARENT, 16);
	ids[ID_TRACEPARENT] = STR("00-nonsense"); /* takes nothing back */
	trace_parent(&r, ids);
	assert_memory_equal(r.trace_id, TRACE, 32);
	trace_parent(&r, (struct str[ID_COUNT]){{0}});
	assert_int_equal(r.length.trace_id, 32);
}

static void assert_request_id(const struct request *r, const char *id)
{
	assert_int_equal(r->length.request_id, strlen(id));
	assert_memory_equal(r->request_id, id, strlen(id));
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
	assert_request_id(&r, "");
	trace_request_id(&r, one);
	assert_request_id(&r, "second");
	trace_request_id(&r, both); /* the request's goes before the response's */
	assert_request_id(&r, "second");
	r.length.request_id = 0;
	trace_request_id(&r, both);
	assert_request_id(&r, "first");
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traceparent),
		cmocka_unit_test(test_traceparent_parts),
		cmocka_unit_test(test_request_id),
		cmocka_unit_test(test_request_id_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
