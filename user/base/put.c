/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text at a cursor. The invariant: what is written is never longer than the header says, and
 * nothing behind it is touched.
 *
 * put_json() is on the hot path of the log, where nearly every byte stands as it is: sixteen are
 * looked at and copied at once, a short rest eight or four at once. Only where one of them is
 * special they are taken singly: quotes, control characters (C0, DEL, C1), U+2028/2029, and UTF-8
 * that is not well formed. No output depends on the locale as long as nobody calls setlocale(), and
 * nobody does.
 */
#include "base/put.h"

#define EACH(byte) (0x0101010101010101ULL * (byte))

typedef signed char bytes16 __attribute__((vector_size(16)));

static const char two_digits[100][3] = {
	"00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14",
	"15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29",
	"30", "31", "32", "33", "34", "35", "36", "37", "38", "39", "40", "41", "42", "43", "44",
	"45", "46", "47", "48", "49", "50", "51", "52", "53", "54", "55", "56", "57", "58", "59",
	"60", "61", "62", "63", "64", "65", "66", "67", "68", "69", "70", "71", "72", "73", "74",
	"75", "76", "77", "78", "79", "80", "81", "82", "83", "84", "85", "86", "87", "88", "89",
	"90", "91", "92", "93", "94", "95", "96", "97", "98", "99",
};

static const uint64_t powers[] = {1,	  10,	   100,	     1000,	10000,
				  100000, 1000000, 10000000, 100000000, 1000000000};

static unsigned digits_of(uint64_t value)
{
	unsigned n = 1;

	for (; value >= 10000; value /= 10000)
		n += 4;
	return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

char *put_u64(char *to, uint64_t value)
{
	char *end = to + digits_of(value), *p = end;

	for (; value >= 100; value /= 100)
		memcpy(p -= 2, two_digits[value % 100], 2);
	if (p - to == 2)
		memcpy(to, two_digits[value], 2);
	else
		*to = (char)('0' + value);
	return end;
}

char *put_digits(char *to, uint32_t value, int digits)
{
	for (char *p = to + digits; p > to; value /= 100)
		memcpy(p -= 2, two_digits[value % 100], 2);
	return to + digits;
}

char *put_fixed(char *to, uint64_t value, int places)
{
	uint64_t scale = powers[places], rest = value % scale;

	to = put_u64(to, value / scale);
	if (rest)
		*to++ = '.';
	for (; rest; rest %= scale) {
		scale /= 10;
		*to++ = (char)('0' + rest / scale);
	}
	return to;
}

/* 0: stands as it is; 'u': \u00XX; 'm': begins a character of several bytes; 'x': never begins
 * one; else the letter after the backslash. */
static const char json_class[256] = {
	[0x00 ... 0x07] = 'u', ['\b'] = 'b',	      ['\t'] = 't', ['\n'] = 'n',
	[0x0b] = 'u',	       ['\f'] = 'f',	      ['\r'] = 'r', ['"'] = '"',
	['\\'] = '\\',	       [0x0e ... 0x1f] = 'u', [0x7f] = 'u', [0x80 ... 0xc1] = 'x',
	[0xc2 ... 0xf4] = 'm', [0xf5 ... 0xff] = 'x',
};

static char *put_escape(char *to, unsigned char byte)
{
	to = put_str(to, STR("\\u00"));
	to[0] = "0123456789abcdef"[byte >> 4];
	to[1] = "0123456789abcdef"[byte & 15];
	return to + 2;
}

/* The character of several bytes at *p, or what there is of it. */
static char *put_character(char *to, const char **p, size_t left)
{
	const unsigned char *s = (const unsigned char *)*p;
	struct str rest = {*p, left};
	size_t n = str_utf8(rest);

	if (n == 0) {
		*p += str_utf8_part(rest);
		return put_str(to, STR("\xef\xbf\xbd"));
	}
	*p += n;
	if (s[0] == 0xc2 && s[1] < 0xa0)
		return put_escape(to, s[1]);
	if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] & 0xfe) == 0xa8)
		return put_str(to, s[2] == 0xa8 ? STR("\\u2028") : STR("\\u2029"));
	memcpy(to, s, n);
	return to + n;
}

/* One character, of whatever kind. */
static char *put_one(char *to, const char **p, const char *end)
{
	char class = json_class[(unsigned char)**p];

	if (class == 0)
		return put_char(to, *(*p)++);
	if (class == 'm')
		return put_character(to, p, (size_t)(end - *p));
	if (class == 'u')
		return put_escape(to, (unsigned char)*(*p)++);
	++*p;
	if (class == 'x')
		return put_str(to, STR("\xef\xbf\xbd"));
	to[0] = '\\';
	to[1] = class;
	return to + 2;
}

/* Signed, so that bytes from 0x80 on are less than a blank, too. */
static inline bool plain16(bytes16 b)
{
	bytes16 special = (b < 0x20) | (b == 0x7f) | (b == '"') | (b == '\\');
	uint64_t half[2];

	memcpy(half, &special, sizeof(half));
	return !(half[0] | half[1]);
}

static inline uint64_t zeros(uint64_t b)
{
	return (b - EACH(1)) & ~b;
}

static inline bool plain8(uint64_t b)
{
	uint64_t special = b | ((b - EACH(0x20)) & ~b) | zeros(b ^ EACH('"')) |
			   zeros(b ^ EACH('\\')) | zeros(b ^ EACH(0x7f));

	return !(special & EACH(0x80));
}

/* A rest of less than 16 bytes: false if something in it is special. */
static inline bool put_rest(char *to, const char *p, size_t n)
{
	uint64_t first = 0, last = 0;
	uint32_t half[2] = {0};

	if (n >= 8) {
		memcpy(&first, p, 8);
		memcpy(&last, p + n - 8, 8);
		if (!plain8(first) || !plain8(last))
			return false;
		memcpy(to, &first, 8);
		memcpy(to + n - 8, &last, 8);
		return true;
	}
	if (n < 4)
		return false;
	memcpy(&half[0], p, 4);
	memcpy(&half[1], p + n - 4, 4);
	if (!plain8(half[0] | (uint64_t)half[1] << 32))
		return false;
	memcpy(to, &half[0], 4);
	memcpy(to + n - 4, &half[1], 4);
	return true;
}

char *put_json(char *to, struct str s)
{
	const char *p = s.p, *end = s.n ? p + s.n : p;
	bytes16 bytes;

	while (end - p >= (ptrdiff_t)sizeof(bytes)) {
		memcpy(&bytes, p, sizeof(bytes));
		if (plain16(bytes)) {
			memcpy(to, &bytes, sizeof(bytes));
			to += sizeof(bytes);
			p += sizeof(bytes);
			continue;
		}
		while (json_class[(unsigned char)*p] == 0)
			*to++ = *p++;
		to = put_one(to, &p, end);
	}
	if (put_rest(to, p, (size_t)(end - p)))
		return to + (end - p);
	while (p < end)
		to = put_one(to, &p, end);
	return to;
}
