/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums that the kernel half keeps by process, taken over in two steps: tally_read() copies what
 * came, tally_give() gives it out. Between them the caller empties the ring, so that whatever is
 * given out stands behind its process's exec record. Private to kern/.
 */
#ifndef SONDE_TALLY_H
#define SONDE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct tally;

#define TALLY_KEY_MAX 16

struct tally_options {
	const char *name;
	int fd;		     /* of a hash map; its values are whole __u64 sums */
	uint32_t capacity;   /* entries */
	uint32_t key_size;   /* at most TALLY_KEY_MAX; the key begins with the process id */
	uint32_t words;	     /* __u64 of a value */
	uint32_t processors; /* copies of a value in a per-CPU map; else 1 */
};

struct tally *tally_new(const struct tally_options *options); /* NULL: no memory */
void tally_free(struct tally *t);			      /* NULL-safe */

void tally_read(struct tally *t);
/* Calls fn with what each entry added since it took that last. False: it does not take it yet. */
void tally_give(struct tally *t, bool (*fn)(void *ctx, const void *key, const uint64_t *added),
		void *ctx);

#endif
