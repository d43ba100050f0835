/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash table with a hard capacity, least-recently-used order and stable entry addresses. An entry
 * is a caller's struct whose first key_size bytes are its key. Memory is reserved once (capacity x
 * entry_size, touched only as far as it was ever in use) and nothing is allocated later.
 */
#ifndef SONDE_TABLE_H
#define SONDE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

struct table_options {
	const char *name; /* label `table` of sonde_table_entries; a literal */
	uint32_t capacity;
	uint32_t key_size;
	uint32_t entry_size; /* key included */
	/* Full: the least recently used entry is evicted after this call; NULL: table_add fails
	 * instead. */
	void (*evicted)(void *ctx, void *entry);
	void *ctx;
};

struct table *table_new(const struct table_options *options); /* NULL: no memory */
void table_free(struct table *t);			      /* NULL-safe */

void *table_find(struct table *t, const void *key); /* NULL if absent; does not count as use */
/* A zeroed entry with its key set. NULL if full and not evicting. The key must be absent. */
void *table_add(struct table *t, const void *key);
void table_touch(struct table *t, void *entry); /* now the most recently used */
void table_remove(struct table *t, void *entry);
bool table_evict(struct table *t); /* the least recently used entry; false: not an evicting table */
void *table_oldest(struct table *t);		/* least recently used, or NULL */
void *table_next(struct table *t, void *entry); /* from oldest to newest; entry NULL: the oldest */

const char *table_name(const struct table *t);
uint32_t table_count(const struct table *t);
uint64_t table_evictions(const struct table *t);

#endif
