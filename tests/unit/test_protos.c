/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of protocols, and what the parsers say to bytes that are no data folder of tests/proto:
 * signatures, first bytes, last bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/protos.h"

static void test_signatures(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < proto_http1.signature_count; i++) {
		const struct signature *s = &proto_http1.signatures[i];
		struct str bytes = {s->bytes, s->length};
		struct msg msg = {.cut = true};

		assert_in_range(s->length, 1, 16);
		assert_int_equal(strlen(s->bytes), s->length);
		assert_int_equal(proto_http1.parse(s->message, bytes, &msg), s->length);
		assert_true(str_eq(msg.op, str_of(s->op)));
		assert_int_equal(s->tunnel, str_eq(msg.op, STR("CONNECT")));
	}
}

static void test_guess_short(void **state)
{
	(void)state;
	assert_int_equal(proto_http1.guess(STR(""), MSG_REQUEST), 0);
	assert_int_equal(proto_http1.guess(STR("P"), MSG_REQUEST), 1);
	assert_int_equal(proto_http1.guess(STR("POS"), MSG_REQUEST), 1);
	assert_int_equal(proto_http1.guess(STR("POST /"), MSG_REQUEST), 2);
	assert_int_equal(proto_http1.guess(STR("XYZ"), MSG_REQUEST), 0);
	assert_int_equal(proto_http1.guess(STR("XYZ /a"), MSG_REQUEST), 1);
	assert_int_equal(proto_http1.guess(STR("HTT"), MSG_RESPONSE), 1);
	assert_int_equal(proto_http1.guess(STR("HTTP/1."), MSG_RESPONSE), 2);
	assert_int_equal(proto_http1.guess(STR("HTTP/2"), MSG_RESPONSE), 0);
}

static void test_ends(void **state)
{
	(void)state;
	assert_int_equal(proto_http1.ends(STR("\r\n0\r\n\r\n")), 2);
	assert_int_equal(proto_http1.ends(STR("x\r\n0\r\n\r\n")), 2);
	assert_int_equal(proto_http1.ends(STR("0\r\n\r\n")), 2);
	assert_int_equal(proto_http1.ends(STR("abc0\r\n\r\n")), 1);
	assert_int_equal(proto_http1.ends(STR("m: 12\r\n\r\n")), 1);
	assert_int_equal(proto_http1.ends(STR("\r\n")), 1); /* who knows what stood before */
	assert_int_equal(proto_http1.ends(STR("")), 1);
	assert_int_equal(proto_http1.ends((struct str){NULL, 0}), 1);
	assert_int_equal(proto_http1.ends(STR("\r\n0\r\n\r")), 0);
	assert_int_equal(proto_http1.ends(STR("hello\r\n")), 0);
}

static void test_list(void **state)
{
	(void)state;
	for (int i = 0; i < PROTO_COUNT; i++) {
		bool parsed = protos[i]->framing != PROTO_FRAMES;

		assert_int_equal(!!protos[i]->parse, parsed);
		assert_int_equal(!!protos[i]->guess, parsed);
		assert_int_equal(!!protos[i]->ends, parsed);
		assert_int_equal(!!protos[i]->field, parsed);
	}
}

static void test_tls_refuses(void **state)
{
	struct msg msg = {.cut = true};
	struct str hello = STR("\x16\x03\x01\x02");

	(void)state;
	assert_int_equal(proto_tls.guess(hello, MSG_REQUEST), 0);
	assert_true(proto_tls.parse(MSG_REQUEST, hello, &msg) < 0);
	assert_int_equal(proto_tls.ends(hello), 0);
	assert_int_equal(proto_tls.field(hello, STR("host")).n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),  cmocka_unit_test(test_guess_short),
		cmocka_unit_test(test_ends),	    cmocka_unit_test(test_list),
		cmocka_unit_test(test_tls_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
