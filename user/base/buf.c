/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text writer. The invariant: n <= size <= max, and every call writes all of its text or none of
 * it. A growing buffer doubles up to max; a fixed one has size == max from the start. Failing to
 * grow and not fitting are the same to the caller: `full`.
 *
 * buf_json() is on the hot path of the log. A table says for each byte whether it can stand as it
 * is; runs of such bytes are copied at once. Everything else is looked at: quotes, control
 * characters (C0, DEL, C1), U+2028/2029, and UTF-8 that is not well formed, which is replaced byte
 * by byte. No output depends on the locale as long as nobody calls setlocale(), and nobody does.
 */
#include "base/buf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

#define GROW_FIRST 1024

static const char two_digits[] = "00010203040506070809"
				 "10111213141516171819"
				 "20212223242526272829"
				 "30313233343536373839"
				 "40414243444546474849"
				 "50515253545556575859"
				 "60616263646566676869"
				 "70717273747576777879"
				 "80818283848586878889"
				 "90919293949596979899";

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

/* Writes backwards from `end`; returns where the digits begin. */
static char *digits_before(char *end, uint64_t value)
{
	while (value >= 100) {
		end -= 2;
		memcpy(end, &two_digits[value % 100 * 2], 2);
		value /= 100;
	}
	if (value < 10) {
		*--end = (char)('0' + value);
		return end;
	}
	end -= 2;
	memcpy(end, &two_digits[value * 2], 2);
	return end;
}

void buf_u64(struct buf *b, uint64_t value)
{
	char text[20], *end = text + sizeof(text), *start = digits_before(end, value);

	buf_bytes(b, start, (size_t)(end - start));
}

void buf_i64(struct buf *b, int64_t value)
{
	char text[21], *end = text + sizeof(text);
	char *start = digits_before(end, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);

	if (value < 0)
		*--start = '-';
	buf_bytes(b, start, (size_t)(end - start));
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
	char text[48], *end = text + sizeof(text), *start = end;

	for (; places > 0 && value % 10 == 0; places--)
		value /= 10;
	for (; places > 0; places--, value /= 10)
		*--start = (char)('0' + value % 10);
	if (start != end)
		*--start = '.';
	start = digits_before(start, value);
	buf_bytes(b, start, (size_t)(end - start));
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

/* 0: stands as it is; 'u': \u00XX; 'm': begins a character of several bytes; 'x': never begins
 * one; else the letter after the backslash. */
static const char json_class[256] = {
	[0x00 ... 0x07] = 'u', ['\b'] = 'b',	      ['\t'] = 't', ['\n'] = 'n',
	[0x0b] = 'u',	       ['\f'] = 'f',	      ['\r'] = 'r', ['"'] = '"',
	['\\'] = '\\',	       [0x0e ... 0x1f] = 'u', [0x7f] = 'u', [0x80 ... 0xc1] = 'x',
	[0xc2 ... 0xf4] = 'm', [0xf5 ... 0xff] = 'x',
};

static size_t json_character(struct buf *b, const unsigned char *s, size_t left)
{
	size_t n = str_utf8((struct str){(const char *)s, left});

	if (n == 0)
		buf_text(b, "\xef\xbf\xbd");
	else if (s[0] == 0xc2 && s[1] < 0xa0)
		buf_printf(b, "\\u00%02x", s[1]);
	else if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] & 0xfe) == 0xa8)
		buf_text(b, s[2] == 0xa8 ? "\\u2028" : "\\u2029");
	else
		buf_bytes(b, s, n);
	return n ? n : 1;
}

static size_t json_special(struct buf *b, const unsigned char *s, size_t left)
{
	char class = json_class[*s];

	if (class == 'm')
		return json_character(b, s, left);
	if (class == 'x') {
		buf_text(b, "\xef\xbf\xbd");
	} else if (class == 'u') {
		buf_text(b, "\\u00");
		buf_hex(b, *s, 2);
	} else {
		buf_bytes(b, (const char[]){'\\', class}, 2);
	}
	return 1;
}

static bool utf8_continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A cut inside a character moves before it, at most over its three continuation bytes. */
static size_t json_cut(struct str s, size_t most)
{
	size_t n = most;

	if (s.n <= most)
		return s.n;
	while (n > 0 && most - n < 3 && utf8_continues(s.p[n]))
		n--;
	return utf8_continues(s.p[n]) ? most : n;
}

void buf_json(struct buf *b, struct str s, size_t most)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = json_cut(s, most), start = b->n, i = 0;
	bool was_full = b->full;

	b->full = false;
	buf_char(b, '"');
	while (i < n && !b->full) {
		size_t run = i;

		while (run < n && json_class[p[run]] == 0)
			run++;
		buf_bytes(b, p + i, run - i);
		i = run;
		if (i < n)
			i += json_special(b, p + i, n - i);
	}
	buf_char(b, '"');
	if (b->full)
		b->n = start;
	b->full |= was_full;
}

struct str buf_view(const struct buf *b)
{
	return (struct str){b->p, b->n};
}
