/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name that was meant. Near is what a few edits turn into the other, or a name that begins with
 * what was given. Refused are guesses: names that share nothing have no nearest.
 */
#include "option.h"

#define NEAR_ENOUGH  2 /* edits between a mistyped name and the one to suggest */
#define PREFIX_MIN   3 /* letters of a name that say which one is meant */
#define NAME_MAX_LEN 32

/* Edits that turn a into b, by one row of the usual matrix; names longer than that are far. */
static size_t edit_distance(struct str a, struct str b)
{
	size_t row[NAME_MAX_LEN + 1];

	if (a.n > NAME_MAX_LEN || b.n > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t replaced = diagonal + (a.p[i - 1] != b.p[j - 1]);
			size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = replaced < shorter ? replaced : shorter;
		}
	}
	return row[b.n];
}

const char *name_nearest(struct str name, name_fn *name_of, size_t count)
{
	const char *nearest = NULL;
	size_t least = NEAR_ENOUGH + 1;

	for (size_t i = 0; i < count; i++) {
		struct str known = str_of(name_of(i));
		size_t distance = edit_distance(name, known);

		if (name.n >= PREFIX_MIN && str_has_prefix(known, name))
			distance = NEAR_ENOUGH;
		if (distance >= least || distance >= known.n)
			continue;
		least = distance;
		nearest = known.p;
	}
	return nearest;
}
