/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label values, each kept once, so that a series can be found by small numbers. A word belongs to a
 * scope (one service's routes, say): the same text in two scopes is two words. Text is made fit for
 * the exposition formats: well-formed UTF-8 without control characters, at most WORD_TEXT_MAX
 * bytes.
 */
#ifndef SONDE_WORDS_H
#define SONDE_WORDS_H

#include "base/str.h"

#define WORD_TEXT_MAX 256

struct table;
struct words;

struct word {
	uint32_t id; /* never 0, never used again */
	uint32_t holders;
	struct str text;
};

/* Ids begin above after_id, so that two of these can serve one label. NULL: no memory. */
struct words *words_new(const char *name, uint32_t capacity, uint32_t after_id);
void words_free(struct words *w); /* NULL-safe */

struct word *words_find(struct words *w, uint32_t scope, struct str text); /* NULL if absent */
struct word *words_get(struct words *w, uint32_t scope, struct str text);  /* NULL if full */
void words_release(struct words *w, struct word *word); /* one holder less; the last removes it */
uint32_t words_sweep(struct words *w, uint32_t scope);	/* those of a scope that nobody holds */
void words_forget(struct words *w, uint32_t scope);	/* all of a scope, whoever holds them */

const struct table *words_table(const struct words *w);

#endif
