/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interned label values.
 *
 * Invariant: two words of one scope never have the same text, also after bytes that are not UTF-8
 * and control characters have become U+FFFD. Were texts mended later, when they are printed, two
 * routes could end as one set of labels, and a scraper refuses that.
 *
 * Text as it comes is looked for first: it can only equal a stored one if there is nothing to mend,
 * so the common case pays for no check. Entries are keyed by hash, scope and length; texts that
 * share those are told apart by trying the next few hashes, and past them a word is refused, as it
 * is when the table is full.
 */
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "out/words.h"

#define HASH_TRIES 4

struct word_key {
	uint64_t hash;
	uint32_t scope;
	uint32_t length;
};

struct entry {
	struct word_key key;
	struct word word;
	char text[WORD_TEXT_MAX];
};

struct words {
	struct table *table;
	uint32_t last_id;
};

struct words *words_new(const char *name, uint32_t capacity, uint32_t after_id)
{
	struct table_options options = {
		.name = name,
		.capacity = capacity,
		.key_size = sizeof(struct word_key),
		.entry_size = sizeof(struct entry),
	};
	struct words *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->last_id = after_id;
	w->table = table_new(&options);
	if (!w->table) {
		free(w);
		return NULL;
	}
	return w;
}

void words_free(struct words *w)
{
	if (!w)
		return;
	table_free(w->table);
	free(w);
}

/* NULL: absent. *vacant: key can be added. */
static struct entry *locate(struct words *w, uint32_t scope, struct str text, struct word_key *key,
			    bool *vacant)
{
	*vacant = false;
	*key = (struct word_key){str_hash(text), scope, (uint32_t)text.n};
	for (int i = 0; i < HASH_TRIES; i++, key->hash++) {
		struct entry *e = table_find(w->table, key);

		if (!e) {
			*vacant = true;
			return NULL;
		}
		if (memcmp(e->text, text.p, text.n) == 0)
			return e;
	}
	return NULL;
}

static size_t fit_length(struct str rest)
{
	unsigned char first = (unsigned char)rest.p[0];

	return first < 0x20 || first == 0x7f ? 0 : str_utf8(rest);
}

/* Returns what fits of the text: to[] itself where something had to be mended. */
static struct str mend(struct str text, char to[static WORD_TEXT_MAX])
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t n = 0, length;

	for (size_t i = 0; i < text.n; i += length ? length : 1) {
		struct str piece = str_from(text, i);

		length = fit_length(piece);
		piece.n = length;
		if (!length)
			piece = STR(replacement);
		if (n + piece.n > WORD_TEXT_MAX)
			break;
		memcpy(to + n, piece.p, piece.n);
		n += piece.n;
	}
	return (struct str){to, n};
}

static struct entry *find(struct words *w, uint32_t scope, struct str text, struct word_key *key,
			  bool *vacant, struct str *mended, char memory[static WORD_TEXT_MAX])
{
	struct entry *e = NULL;

	*vacant = false;
	if (text.n <= WORD_TEXT_MAX)
		e = locate(w, scope, text, key, vacant);
	if (e)
		return e;
	*mended = mend(text, memory);
	if (str_eq(text, *mended))
		return NULL;
	return locate(w, scope, *mended, key, vacant);
}

struct word *words_find(struct words *w, uint32_t scope, struct str text)
{
	char memory[WORD_TEXT_MAX];
	struct word_key key;
	struct str mended;
	bool vacant;
	struct entry *e = find(w, scope, text, &key, &vacant, &mended, memory);

	return e ? &e->word : NULL;
}

struct word *words_get(struct words *w, uint32_t scope, struct str text)
{
	char memory[WORD_TEXT_MAX];
	struct word_key key;
	struct str mended;
	bool vacant;
	struct entry *e = find(w, scope, text, &key, &vacant, &mended, memory);

	if (e)
		return &e->word;
	e = vacant ? table_add(w->table, &key) : NULL;
	if (!e)
		return NULL;
	if (mended.n)
		memcpy(e->text, mended.p, mended.n);
	e->word.text = (struct str){e->text, mended.n};
	e->word.id = ++w->last_id;
	return &e->word;
}

static struct entry *entry_of(struct word *word)
{
	return (struct entry *)((char *)word - offsetof(struct entry, word));
}

void words_release(struct words *w, struct word *word)
{
	if (--word->holders == 0)
		table_remove(w->table, entry_of(word));
}

uint32_t words_sweep(struct words *w, uint32_t scope)
{
	uint32_t count = 0;
	struct entry *next;

	for (struct entry *e = table_oldest(w->table); e; e = next) {
		next = table_next(w->table, e);
		if (e->key.scope != scope || e->word.holders)
			continue;
		table_remove(w->table, e);
		count++;
	}
	return count;
}

void words_forget(struct words *w, uint32_t scope)
{
	struct entry *next;

	for (struct entry *e = table_oldest(w->table); e; e = next) {
		next = table_next(w->table, e);
		if (e->key.scope == scope)
			table_remove(w->table, e);
	}
}

const struct table *words_table(const struct words *w)
{
	return w->table;
}
