/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text writer on a bounded buffer. What does not fit is dropped whole and `full` is set: nothing is
 * ever written past the end, and a caller checks once, when it is done.
 */
#ifndef SONDE_BUF_H
#define SONDE_BUF_H

#include "base/str.h"

struct buf {
	char *p;
	size_t n;
	size_t size;
	size_t max; /* a growing buffer may reach this size; equals size for a fixed one */
	bool full;  /* something did not fit */
};

void buf_init_fixed(struct buf *b, char *memory, size_t size); /* memory stays the caller's */
void buf_init_growing(struct buf *b, size_t max);	       /* heap; buf_close() frees it */
void buf_close(struct buf *b); /* NULL-safe; only after buf_init_growing() */

void buf_bytes(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_text(struct buf *b, const char *terminated);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t value);
void buf_i64(struct buf *b, int64_t value);
void buf_hex(struct buf *b, uint64_t value, int digits); /* lower case, exactly `digits` wide */
/* value / 10^places, without trailing zeros: buf_fixed(b, 12400, 3) writes 12.4 */
void buf_fixed(struct buf *b, uint64_t value, int places);
void buf_double(struct buf *b, double value); /* shortest that reads back the same; +Inf, NaN */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A JSON string with its quotes. Control characters are escaped, bytes that are not UTF-8 (RFC
 * 3629: no overlong forms, no surrogates) become U+FFFD, U+2028/2029 are escaped. At most `most`
 * bytes of s are taken (cut at a character's border).
 */
void buf_json(struct buf *b, struct str s, size_t most);

struct str buf_view(const struct buf *b);

#endif
