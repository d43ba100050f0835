/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash table of bounded size. Three parts, reserved once: a slab of nodes (a header of 16 bytes,
 * then the caller's entry), an index of node numbers with open addressing, at most half full, and a
 * ring through the headers that is the order of use. Node 0 is the ring's head and never an entry,
 * so 0 also means an empty slot of the index.
 *
 * The invariant: between an entry's home slot and its slot there is no empty one. Removing
 * therefore shifts the followers back instead of leaving tombstones, and no look-up grows slower
 * with churn. Free nodes are reused last in, first out; nodes past `reached` were never touched and
 * cost nothing.
 */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define RING 0

struct node {
	uint32_t older;
	uint32_t newer; /* of a free node: the next free one */
	uint32_t hash;
	uint32_t number; /* its own */
	char entry[];
};

struct table {
	struct table_options options;
	size_t node_size;
	uint32_t mask; /* slots of the index, less one */
	uint32_t *index;
	char *slab;
	uint32_t count;
	uint32_t reached; /* highest node number ever used */
	uint32_t free;	  /* first free node, or 0 */
	uint64_t evictions;
};

static struct node *node_at(const struct table *t, uint32_t number)
{
	return (struct node *)(t->slab + number * t->node_size);
}

static struct node *node_of(void *entry)
{
	return (struct node *)((char *)entry - offsetof(struct node, entry));
}

struct table *table_new(const struct table_options *options)
{
	struct table *t = calloc(1, sizeof(*t));
	uint64_t slots = 4;

	if (!t)
		return NULL;
	while (slots < 2ULL * options->capacity)
		slots *= 2;
	t->options = *options;
	t->mask = (uint32_t)(slots - 1);
	t->node_size = (sizeof(struct node) + options->entry_size + 15) & ~(size_t)15;
	t->index = calloc(slots, sizeof(*t->index));
	t->slab = calloc((size_t)options->capacity + 1, t->node_size);
	if (!t->index || !t->slab) {
		table_free(t);
		return NULL;
	}
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->index);
	free(t->slab);
	free(t);
}

/* Most keys are a number, which needs less. */
static uint32_t key_hash(const struct table *t, const void *key)
{
	uint64_t number;
	uint32_t half;

	switch (t->options.key_size) {
	case sizeof(number):
		memcpy(&number, key, sizeof(number));
		return number_hash(number);
	case sizeof(half):
		memcpy(&half, key, sizeof(half));
		return number_hash(half);
	default:
		return (uint32_t)bytes_hash(key, t->options.key_size);
	}
}

/* As a rule keys are a few words, for which a call of memcmp() costs more than the words. */
static bool key_is(const struct table *t, const struct node *node, const char *key)
{
	const char *own = node->entry;
	uint32_t left = t->options.key_size;

	for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t)) {
		if (memcmp(own, key, sizeof(uint64_t)) != 0)
			return false;
		own += sizeof(uint64_t);
		key += sizeof(uint64_t);
	}
	if (left == sizeof(uint32_t))
		return memcmp(own, key, sizeof(uint32_t)) == 0;
	return left == 0 || memcmp(own, key, left) == 0;
}

void *table_find(struct table *t, const void *key)
{
	uint32_t hash = key_hash(t, key);

	for (uint32_t slot = hash & t->mask; t->index[slot]; slot = (slot + 1) & t->mask) {
		struct node *node = node_at(t, t->index[slot]);

		if (node->hash == hash && key_is(t, node, key))
			return node->entry;
	}
	return NULL;
}

static void ring_insert_newest(struct table *t, struct node *node)
{
	struct node *ring = node_at(t, RING);

	node->older = ring->older;
	node->newer = RING;
	node_at(t, ring->older)->newer = node->number;
	ring->older = node->number;
}

static void ring_remove(struct table *t, const struct node *node)
{
	node_at(t, node->older)->newer = node->newer;
	node_at(t, node->newer)->older = node->older;
}

static void index_insert(struct table *t, uint32_t hash, uint32_t number)
{
	uint32_t slot = hash & t->mask;

	while (t->index[slot])
		slot = (slot + 1) & t->mask;
	t->index[slot] = number;
}

static void index_remove(struct table *t, uint32_t hash, uint32_t number)
{
	uint32_t hole = hash & t->mask;

	while (t->index[hole] != number)
		hole = (hole + 1) & t->mask;
	for (uint32_t slot = (hole + 1) & t->mask; t->index[slot]; slot = (slot + 1) & t->mask) {
		uint32_t home = node_at(t, t->index[slot])->hash & t->mask;

		/* may move back only if the hole is not before its home */
		if (((slot - home) & t->mask) < ((slot - hole) & t->mask))
			continue;
		t->index[hole] = t->index[slot];
		hole = slot;
	}
	t->index[hole] = 0;
}

bool table_evict(struct table *t)
{
	void *entry = table_oldest(t);

	if (!t->options.evicted || !entry)
		return false;
	t->options.evicted(t->options.ctx, entry);
	table_remove(t, entry);
	t->evictions++;
	return true;
}

static struct node *node_take(struct table *t)
{
	struct node *node;

	if (t->free) {
		node = node_at(t, t->free);
		t->free = node->newer;
		memset(node->entry, 0, t->options.entry_size);
	} else {
		node = node_at(t, ++t->reached);
		node->number = t->reached;
	}
	return node;
}

void *table_add(struct table *t, const void *key)
{
	struct node *node;

	if (t->count == t->options.capacity && !table_evict(t))
		return NULL;
	node = node_take(t);
	node->hash = key_hash(t, key);
	memcpy(node->entry, key, t->options.key_size);
	index_insert(t, node->hash, node->number);
	ring_insert_newest(t, node);
	t->count++;
	return node->entry;
}

void table_touch(struct table *t, void *entry)
{
	struct node *node = node_of(entry);

	if (node->newer == RING)
		return;
	ring_remove(t, node);
	ring_insert_newest(t, node);
}

void table_remove(struct table *t, void *entry)
{
	struct node *node = node_of(entry);

	index_remove(t, node->hash, node->number);
	ring_remove(t, node);
	node->newer = t->free;
	t->free = node->number;
	t->count--;
}

void *table_oldest(struct table *t)
{
	return table_next(t, NULL);
}

void *table_next(struct table *t, void *entry)
{
	uint32_t number = entry ? node_of(entry)->newer : node_at(t, RING)->newer;

	return number == RING ? NULL : node_at(t, number)->entry;
}

const char *table_name(const struct table *t)
{
	return t->options.name;
}

uint32_t table_count(const struct table *t)
{
	return t->count;
}

uint64_t table_evictions(const struct table *t)
{
	return t->evictions;
}
