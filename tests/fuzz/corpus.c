/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the inputs that a target begins with, the same each time. Linked with one target.
 * usage: fuzz_TARGET-corpus DIRECTORY COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include "fuzz.h"

static int write_input(const char *directory, unsigned seed)
{
	static uint8_t input[FUZZ_INPUT_MAX];
	size_t n = fuzz_make(seed, input);
	char path[4096];
	FILE *file;
	int err = 0;

	snprintf(path, sizeof(path), "%s/seed-%u", directory, seed);
	file = fopen(path, "wb");
	if (!file || fwrite(input, 1, n, file) != n)
		err = 1;
	if (file && fclose(file))
		err = 1;
	if (err)
		perror(path);
	return err;
}

int main(int argc, char **argv)
{
	unsigned count;

	if (argc != 3) {
		fprintf(stderr, "usage: %s DIRECTORY COUNT\n", argv[0]);
		return 2;
	}
	count = (unsigned)strtoul(argv[2], NULL, 10);
	for (unsigned i = 0; i < count; i++)
		if (write_input(argv[1], i))
			return 1;
	return 0;
}
