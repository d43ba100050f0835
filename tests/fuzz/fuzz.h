/* SPDX-License-Identifier: Apache-2.0 */
/* What a target defines. */
#ifndef SONDE_FUZZ_H
#define SONDE_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_INPUT_MAX 4096

/* Ends the program if something is wrong. Called by libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

/* An input to begin with, the same for the same seed, at most FUZZ_INPUT_MAX bytes. Returns its
 * length. Called by corpus.c. */
size_t fuzz_make(uint64_t seed, uint8_t *input);

#endif
