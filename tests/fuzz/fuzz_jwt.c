/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: what is read out of a token, against jansson. See jwt_input.h for what an input is. The
 * code is compiled here, so that libFuzzer sees which of its paths an input takes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.c"
#include "fuzz.h"
#include "jwt_input.h"
#include "proto/jwt.c"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	const char *wrong = jwt_input_check(input, n);

	if (wrong) {
		fprintf(stderr, "wrong: %s\n", wrong);
		abort();
	}
	return 0;
}

size_t fuzz_make(uint64_t seed, uint8_t *input)
{
	return jwt_input_make(seed, input);
}
