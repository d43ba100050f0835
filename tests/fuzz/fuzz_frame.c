/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: the twin of the walk through WebSocket frames, against the reference. See frame_input.h
 * for what an input is.
 */
#include <stdio.h>
#include <stdlib.h>
#include "fuzz.h"
#include "frame_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	const char *wrong = input_check(input, n);

	if (wrong) {
		fprintf(stderr, "wrong: %s\n", wrong);
		abort();
	}
	return 0;
}

size_t fuzz_make(uint64_t seed, uint8_t *input)
{
	return input_make(seed, input);
}
