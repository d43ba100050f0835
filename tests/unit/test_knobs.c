/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel half is told. Signature rows are walked as window.bpf.c walks them and compared
 * with a plain search through the parsers' tables, on each row and all that is one byte off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/syscall.h>

#include "kern/knobs.h"
#include "proto/rows.h"

#define WINDOW 16

static struct event_signature rows[SIGNATURE_MAX];
static __u8 row_of_byte[256];

static int setup(void **state)
{
	(void)state;
	memset(rows, 0xee, sizeof(rows));
	memset(row_of_byte, 0xee, sizeof(row_of_byte));
	return knobs_signatures(rows, row_of_byte);
}

static int kernel_match(const char window[WINDOW])
{
	unsigned row = row_of_byte[(unsigned char)window[0]];
	__u64 word[2];

	memcpy(word, window, sizeof(word));
	for (int i = 0; i < SIGNATURES_PER_BYTE && row; i++) {
		const struct event_signature *s = &rows[row];

		if ((word[0] & s->mask[0]) == s->value[0] && (word[1] & s->mask[1]) == s->value[1])
			return (int)row;
		row = s->next;
	}
	return -1;
}

static int plain_match(const char window[WINDOW])
{
	enum proto_number protocol;
	const struct signature *s;

	for (unsigned row = 1; (s = proto_row(row, &protocol)); row++)
		if (!memcmp(window, s->bytes, s->length))
			return (int)row;
	return -1;
}

static void row_window(char window[WINDOW], const struct signature *s, int filler)
{
	memset(window, filler, WINDOW);
	memcpy(window, s->bytes, s->length);
}

static void test_every_row_matches(void **state)
{
	static const int fillers[] = {0, ' ', '/', 'A', 0xff};
	enum proto_number protocol;
	const struct signature *s;
	char window[WINDOW];

	(void)state;
	for (unsigned row = 1; (s = proto_row(row, &protocol)); row++)
		for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
			row_window(window, s, fillers[i]);
			assert_int_equal(plain_match(window), row);
			assert_int_equal(kernel_match(window), row);
		}
}

static void test_near_misses(void **state)
{
	enum proto_number protocol;
	const struct signature *s;
	char window[WINDOW];

	(void)state;
	for (unsigned row = 1; (s = proto_row(row, &protocol)); row++)
		for (unsigned at = 0; at < s->length; at++)
			for (int byte = 0; byte < 256; byte++) {
				row_window(window, s, 'x');
				window[at] = (char)byte;
				assert_int_equal(kernel_match(window), plain_match(window));
				row_window(window, s, 0); /* too short */
				memset(window + at, 0, WINDOW - at);
				assert_int_equal(kernel_match(window), plain_match(window));
			}
}

static void test_row_fields(void **state)
{
	enum proto_number protocol;
	const struct signature *s;
	unsigned row;

	(void)state;
	for (row = 1; (s = proto_row(row, &protocol)); row++) {
		assert_int_equal(rows[row].protocol, protocol);
		assert_int_equal(rows[row].message, s->message);
		assert_int_equal(rows[row].tunnel, s->tunnel);
		assert_int_equal(rows[row].framing,
				 protocol == PROTO_tls ? FRAMING_NONE : FRAMING_LINE);
		assert_int_equal(rows[row].unseen, protocol == PROTO_tls ? COUNT_TLS : 0);
	}
	assert_in_range(row, 2, SIGNATURE_MAX);
	assert_int_equal(rows[0].protocol, PROTO_http1); /* any token method */
	assert_int_equal(rows[0].framing, FRAMING_LINE);
	assert_int_equal(rows[0].message, MESSAGE_REQUEST);
	assert_int_equal(rows[0].next, 0);
}

/* A longer chain would hide its last rows from the kernel half. */
static void test_chains_are_short(void **state)
{
	unsigned chained = 0, count = 0;
	enum proto_number protocol;

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		unsigned length = 0;

		for (unsigned row = row_of_byte[byte]; row; row = rows[row].next) {
			assert_int_equal(*(const __u8 *)rows[row].value, byte);
			assert_in_range(++length, 1, SIGNATURES_PER_BYTE);
		}
		chained += length;
	}
	while (proto_row(count + 1, &protocol))
		count++;
	assert_int_equal(chained, count);
}

static void test_token_bytes(void **state)
{
	static const char tchar[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	__u8 token[256];

	(void)state;
	memset(token, 0xee, sizeof(token));
	knobs_token_bytes(token);
	assert_int_equal(token[0], 0);
	for (int byte = 1; byte < 256; byte++)
		assert_int_equal(token[byte], !!strchr(tchar, byte));
}

/* The kernel half looks at all of them, so those beyond must not end a search. */
static void test_bounds(void **state)
{
	uint64_t values[SHED_BOUNDS];
	__u64 bounds[SHED_BOUNDS];

	(void)state;
	for (unsigned i = 0; i < SHED_BOUNDS; i++)
		values[i] = 10 * (i + 1);
	for (unsigned count = 0; count <= SHED_BOUNDS; count++) {
		memset(bounds, 0xee, sizeof(bounds));
		knobs_bounds(bounds, values, count);
		for (unsigned i = 0; i < SHED_BOUNDS; i++)
			assert_true(bounds[i] == (i < count ? values[i] : UINT64_MAX));
	}
}

static void test_io_calls(void **state)
{
	__u8 forms[IO_CALLS] = {0}, ways[IO_CALLS] = {0};
	unsigned known = 0;

	(void)state;
	knobs_io_calls(forms, ways);
	assert_int_equal(forms[__NR_read], IO_BUFFER);
	assert_int_equal(forms[__NR_write], IO_BUFFER);
	assert_int_equal(forms[__NR_sendto], IO_BUFFER);
	assert_int_equal(forms[__NR_recvfrom], IO_BUFFER);
	assert_int_equal(forms[__NR_readv], IO_VECTOR);
	assert_int_equal(forms[__NR_writev], IO_VECTOR);
	assert_int_equal(forms[__NR_sendmsg], IO_MESSAGE);
	assert_int_equal(forms[__NR_recvmsg], IO_MESSAGE);
	assert_int_equal(forms[__NR_sendmmsg], IO_MESSAGES);
	assert_int_equal(forms[__NR_recvmmsg], IO_MESSAGES);
	assert_int_equal(forms[__NR_sendfile], IO_NO_BYTES);
	assert_int_equal(forms[__NR_splice], IO_NO_BYTES);
	assert_int_equal(forms[__NR_io_uring_enter], IO_URING);
	assert_int_equal(ways[__NR_read], IO_IN);
	assert_int_equal(ways[__NR_writev], IO_OUT);
	assert_int_equal(ways[__NR_recvfrom], IO_IN | IO_FLAGS_FOURTH);
	assert_int_equal(ways[__NR_recvmsg], IO_IN | IO_FLAGS_THIRD);
	assert_int_equal(ways[__NR_splice], IO_OUT | IO_TO_THIRD);
	assert_int_equal(ways[__NR_io_uring_enter], 0);
	assert_int_equal(ways[__NR_close], 0);
	assert_int_equal(forms[__NR_getppid], IO_NONE);
	assert_int_equal(forms[__NR_ioctl], IO_NONE);
	for (int call = 0; call < IO_CALLS; call++)
		known += forms[call] != IO_NONE;
	assert_in_range(known, 11, 32);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_matches),
		cmocka_unit_test(test_near_misses),
		cmocka_unit_test(test_row_fields),
		cmocka_unit_test(test_chains_are_short),
		cmocka_unit_test(test_token_bytes),
		cmocka_unit_test(test_io_calls),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
