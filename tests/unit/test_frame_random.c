/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk through WebSocket frames at random, and always the same way: streams, cuts and holes of
 * the fuzz target (tests/fuzz/frame_input.h), without its search for new ones. Whole streams must
 * come to what the reference says; of all others every byte must be accounted for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "../fuzz/frame_input.h"

#define INPUTS 6000

static void check_input(uint64_t seed, const uint8_t *input, size_t n)
{
	const char *wrong = input_check(input, n);

	if (wrong)
		fail_msg("input %llu: %s", (unsigned long long)seed, wrong);
}

static void test_streams(void **state)
{
	static uint8_t input[INPUT_MAX];

	(void)state;
	for (uint64_t seed = 0; seed < INPUTS; seed++) {
		size_t n = input_make(seed, input);

		check_input(seed, input, n);
	}
}

/* Short ones of few different bytes: mostly what is forbidden. */
static void test_noise(void **state)
{
	static const uint8_t bytes[] = {0, 1, 2, 0x7e, 0x7f, 0x80, 0x81, 0x88, 0x89, 0xfe, 0xff};
	uint8_t input[64];
	uint64_t draw = 1;

	(void)state;
	for (uint64_t seed = 0; seed < 10 * INPUTS; seed++) {
		size_t n = 1 + input_draw(&draw, sizeof(input));

		for (size_t i = 0; i < n; i++)
			input[i] = bytes[input_draw(&draw, sizeof(bytes))];
		check_input(seed, input, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
