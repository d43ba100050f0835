/* SPDX-License-Identifier: Apache-2.0 */
/* Row numbers run through the parsers' tables in the order of protos.h, without gap or end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>

#include "event.h"
#include "proto/rows.h"

static void test_numbering(void **state)
{
	enum proto_number protocol;
	unsigned row = 1;

	(void)state;
	for (int i = 0; i < PROTO_COUNT; i++)
		for (uint32_t k = 0; k < protos[i]->signature_count; k++, row++) {
			assert_ptr_equal(proto_row(row, &protocol), &protos[i]->signatures[k]);
			assert_int_equal(protocol, i);
		}
	assert_null(proto_row(row, &protocol));
	assert_null(proto_row(row + 1, &protocol));
	assert_null(proto_row(UINT_MAX, &protocol));
	assert_null(proto_row(0, &protocol));
	assert_in_range(row, 2, SIGNATURE_MAX);
}

/* The event's numbers for messages are the parsers'. */
static void test_signatures(void **state)
{
	enum proto_number protocol;
	const struct signature *s;

	(void)state;
	assert_int_equal(MESSAGE_REQUEST, MSG_REQUEST);
	assert_int_equal(MESSAGE_RESPONSE, MSG_RESPONSE);
	for (unsigned row = 1; (s = proto_row(row, &protocol)); row++) {
		assert_in_range(s->length, 1, 16);
		assert_in_range(s->message, MSG_REQUEST, MSG_RESPONSE);
	}
}

static void test_op(void **state)
{
	enum proto_number protocol;
	const struct signature *s;

	(void)state;
	for (unsigned row = 1; (s = proto_row(row, &protocol)); row++) {
		assert_true(str_eq(proto_row_op(row), str_of(s->op)));
		if (s->op) /* what it proves is how it begins */
			assert_true(
				str_has_prefix((struct str){s->bytes, s->length}, str_of(s->op)));
	}
	assert_null(proto_row_op(0).p);
	assert_null(proto_row_op(255).p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbering),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_op),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
