/* SPDX-License-Identifier: Apache-2.0 */
/* An answer's bytes, as they come, cut into texts that are whole JSON values. */
#ifndef SONDE_SPLIT_H
#define SONDE_SPLIT_H

#include "base/buf.h"

#define SPLIT_PART_MAX	   (1 << 20)
#define SPLIT_ENVELOPE_MAX (64 << 10)

/* Of one part; absent text: it was longer than SPLIT_PART_MAX and was left out. False: stop. */
typedef bool split_fn(void *ctx, struct str text);

struct split {
	split_fn *fn; /* the caller fills these two */
	void *ctx;
	struct buf part;
	struct buf envelope; /* of a list: what stands around its items */
	unsigned depth;
	bool in_string, escaped;
	bool in_list, in_item;
	bool ended; /* the outermost value is whole */
};

/* From the beginning; frees what was held. */
void split_reset(struct split *s);

/* Of {"...": ..., "items": [ITEM, ...]} each item. False: fn() said so. */
bool split_list(struct split *s, struct str bytes);
/* What stands around the items, `[]` in their place; absent if the answer is not whole. */
struct str split_envelope(const struct split *s);

/* Each line, without its end. Likewise. */
bool split_lines(struct split *s, struct str bytes);
bool split_rest(const struct split *s); /* a line has begun and did not end */

#endif
