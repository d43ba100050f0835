/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text writer. The invariant: n <= size <= max, and every call writes all of its text or none of
 * it. A growing buffer doubles up to max; a fixed one has size == max from the start. Failing to
 * grow and not fitting are the same to the caller: `full`.
 *
 * What numbers and JSON strings look like, put.c knows; here it is made to fit.
 */
#include "base/buf.h"
#include "base/put.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

#define GROW_FIRST 1024
#define JSON_PIECE 256

void buf_init_fixed(struct buf *b, char *memory, size_t size)
{
	*b = (struct buf){.p = memory, .size = size, .max = size};
}

void buf_init_growing(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_close(struct buf *b)
{
	if (!b)
		return;
	free(b->p);
	*b = (struct buf){0};
}

static bool buf_grow(struct buf *b, size_t n)
{
	size_t size = b->size ? b->size : GROW_FIRST;
	char *p;

	if (b->size == b->max || n > b->max - b->n)
		return false;
	while (size - b->n < n && size < b->max)
		size = size > b->max / 2 ? b->max : size * 2;
	if (size > b->max)
		size = b->max;
	p = realloc(b->p, size);
	if (!p)
		return false;
	b->p = p;
	b->size = size;
	return true;
}

static bool buf_extend(struct buf *b, size_t n)
{
	if (buf_grow(b, n))
		return true;
	b->full = true;
	return false;
}

static inline bool buf_reserve(struct buf *b, size_t n)
{
	return n <= b->size - b->n || buf_extend(b, n);
}

void buf_bytes(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
}

void buf_str(struct buf *b, struct str s)
{
	buf_bytes(b, s.p, s.n);
}

void buf_text(struct buf *b, const char *terminated)
{
	buf_str(b, str_of(terminated));
}

void buf_char(struct buf *b, char c)
{
	if (buf_reserve(b, 1))
		b->p[b->n++] = c;
}

void buf_u64(struct buf *b, uint64_t value)
{
	char text[PUT_U64_MAX], *end = put_u64(text, value);

	buf_bytes(b, text, (size_t)(end - text));
}

void buf_i64(struct buf *b, int64_t value)
{
	char text[1 + PUT_U64_MAX] = "-";
	char *end = put_u64(text + (value < 0), value < 0 ? 0 - (uint64_t)value : (uint64_t)value);

	buf_bytes(b, text, (size_t)(end - text));
}

void buf_hex(struct buf *b, uint64_t value, int digits)
{
	char text[16];

	if (digits < 1)
		return;
	if (digits > 16)
		digits = 16;
	hex_write(text, value);
	buf_bytes(b, text + sizeof(text) - digits, (size_t)digits);
}

void buf_fixed(struct buf *b, uint64_t value, int places)
{
	char text[PUT_FIXED_MAX], *end = put_fixed(text, value, places);

	buf_bytes(b, text, (size_t)(end - text));
}

void buf_double(struct buf *b, double value)
{
	char text[32];
	int n = 0;

	if (isnan(value)) {
		buf_text(b, "NaN");
		return;
	}
	if (isinf(value)) {
		buf_text(b, value > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (fabs(value) < 1e15 && value == (double)(int64_t)value &&
	    !(value == 0 && signbit(value))) {
		buf_i64(b, (int64_t)value);
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		n = snprintf(text, sizeof(text), "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_bytes(b, text, (size_t)n);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	/* one more: vsnprintf() insists on its NUL, which does not count as text */
	if (n > 0 && buf_reserve(b, (size_t)n + 1))
		b->n += (size_t)vsnprintf(b->p + b->n, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
}

/* A character is at most four bytes, or less that are no UTF-8. */
static size_t json_piece(struct str s)
{
	return str_most(s, JSON_PIECE).n;
}

void buf_json(struct buf *b, struct str s, size_t most)
{
	char text[PUT_JSON_MAX(JSON_PIECE)];
	size_t start = b->n;
	bool was_full = b->full;

	b->full = false;
	buf_char(b, '"');
	for (s = str_most(s, most); s.n && !b->full; s = str_from(s, json_piece(s)))
		buf_bytes(b, text,
			  (size_t)(put_json(text, (struct str){s.p, json_piece(s)}) - text));
	buf_char(b, '"');
	if (b->full)
		b->n = start;
	b->full |= was_full;
}

struct str buf_view(const struct buf *b)
{
	return (struct str){b->p, b->n};
}
