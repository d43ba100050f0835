/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One claim of a JSON Web Token (RFC 7519): the payload of a signed one in compact form, decoded
 * from base64url (RFC 7515, without padding) and scanned as JSON (RFC 8259). Header and signature
 * are not looked at. One pass, no recursion, no memory but the caller's.
 *
 * The invariant: behind the payload stand eight NULs, and no rule of JSON takes a NUL, so nothing
 * reads past them. Of members that come twice the last one counts, as RFC 7519 section 4 has it.
 *
 * It refuses the whole token if it has not three parts, if a byte is not of the alphabet, if unused
 * bits are set, and if the payload is no valid JSON object in UTF-8, holds \u0000, or is nested
 * deeper than DEPTH_MAX.
 */
#include "proto/jwt.h"

#include <endian.h>
#include <string.h>

#include "base/hex.h"

#define DEPTH_MAX 64
#define DIGIT	  64u /* set in each digit, so that 0 is no digit */

#define DIGITS_8(first, value)                                                                 \
	[(first)] = (value), [(first) + 1] = (value) + 1, [(first) + 2] = (value) + 2,         \
	[(first) + 3] = (value) + 3, [(first) + 4] = (value) + 4, [(first) + 5] = (value) + 5, \
	[(first) + 6] = (value) + 6, [(first) + 7] = (value) + 7

/* RFC 4648 section 5 */
static const uint8_t digits[256] = {
	DIGITS_8('A', DIGIT),	   DIGITS_8('I', DIGIT + 8),  DIGITS_8('Q', DIGIT + 16),
	['Y'] = DIGIT + 24,	   ['Z'] = DIGIT + 25,	      DIGITS_8('a', DIGIT + 26),
	DIGITS_8('i', DIGIT + 34), DIGITS_8('q', DIGIT + 42), ['y'] = DIGIT + 50,
	['z'] = DIGIT + 51,	   DIGITS_8('0', DIGIT + 52), ['8'] = DIGIT + 60,
	['9'] = DIGIT + 61,	   ['-'] = DIGIT + 62,	      ['_'] = DIGIT + 63,
};

/* Four digits as three bytes, and a NUL behind them; false if one is no digit. */
static bool decode_four(const uint8_t *p, char *to)
{
	uint32_t a = digits[p[0]], b = digits[p[1]], c = digits[p[2]], d = digits[p[3]], bytes;

	/* a's mark falls off the top, the others are taken off */
	bytes = (a << 26) + (b << 20) + (c << 14) + (d << 8) - (DIGIT << 20) - (DIGIT << 14) -
		(DIGIT << 8);
	bytes = htobe32(bytes);
	memcpy(to, &bytes, sizeof(bytes));
	return a & b & c & d & DIGIT;
}

/* The last two or three digits: with zeros behind them. What those bits say must be 0. */
static bool decode_rest(struct str rest, char *to, size_t *n)
{
	uint8_t four[4] = {'A', 'A', 'A', 'A'};

	if (rest.n == 1)
		return false;
	memcpy(four, rest.p, rest.n);
	if (!decode_four(four, to) || to[rest.n - 1])
		return false;
	*n += rest.n - 1;
	return true;
}

static bool decode(struct str text, struct jwt_memory *m)
{
	size_t whole = text.n / 4 * 4, n = 0;

	if (text.n / 4 * 3 + 2 > JWT_PAYLOAD_MAX)
		return false;
	for (size_t i = 0; i < whole; i += 4, n += 3)
		if (!decode_four((const uint8_t *)text.p + i, m->payload + n))
			return false;
	if (text.n > whole && !decode_rest(str_from(text, whole), m->payload + n, &n))
		return false;
	memset(m->payload + n, 0, 8);
	m->used = n;
	return true;
}

/* Past what stands in a string as it is: to a quote, a backslash, a control byte or no ASCII. */
static char *plain_skip(char *p)
{
	const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;

	for (;; p += 8) {
		uint64_t w, odd;

		memcpy(&w, p, sizeof(w));
		odd = w | (w - 0x20 * ones) | ((w ^ '"' * ones) - ones) |
		      ((w ^ '\\' * ones) - ones);
		if (odd & high) /* little endian: the first byte stands lowest */
			return p + __builtin_ctzll(odd & high) / 8;
	}
}

/* \uXXXX; -1 if it is none. */
static int32_t escape_unit(const char *p)
{
	int32_t unit = 0;

	if (p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* The character that an escape stands for; returns the escape's bytes, 0: it is none. */
static size_t escape_read(const char *p, uint32_t *character)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *at = p[1] ? strchr(letters, p[1]) : NULL;
	int32_t high = escape_unit(p), low;

	if (at) {
		*character = (uint8_t)meant[at - letters];
		return 2;
	}
	*character = (uint32_t)high;
	if (high <= 0 || high >> 10 == 0xdc00 >> 10)
		return 0;
	if (high >> 10 != 0xd800 >> 10)
		return 6;
	low = escape_unit(p + 6);
	if (low < 0 || low >> 10 != 0xdc00 >> 10)
		return 0;
	*character = 0x10000 + ((*character & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
	return 12;
}

static size_t utf8_write(char *to, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = n; i-- > 1; c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)(lead[n] | c);
	return n;
}

/*
 * A string from behind its opening quote: *text is what it means, written over it where there are
 * escapes, which are never shorter. Returns what stands behind it; NULL: it is none.
 */
static char *string_read(char *p, struct str *text)
{
	char *start = p, *to = p, *from = p;

	for (;;) {
		uint32_t character;
		size_t n;

		p = plain_skip(p);
		if (*p != '\\') {
			n = (uint8_t)*p < 0x80 ? 0 : str_utf8((struct str){p, 4});
			p += n;
			if (n)
				continue;
			break;
		}
		n = escape_read(p, &character);
		if (!n)
			return NULL;
		memmove(to, from, (size_t)(p - from));
		to += p - from;
		to += utf8_write(to, character);
		from = p += n;
	}
	if (to != from)
		memmove(to, from, (size_t)(p - from));
	*text = (struct str){start, (size_t)(to - start) + (size_t)(p - from)};
	return *p == '"' ? p + 1 : NULL;
}

static char *blanks_skip(char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One digit or more; NULL: none. */
static char *digits_skip(char *p)
{
	if (!p || !is_digit(*p))
		return NULL;
	while (is_digit(*p))
		p++;
	return p;
}

static char *number_skip(char *p)
{
	p += *p == '-';
	p = *p == '0' ? p + 1 : digits_skip(p);
	if (p && *p == '.')
		p = digits_skip(p + 1);
	if (p && (*p | 0x20) == 'e') {
		p++;
		p = digits_skip(p + (*p == '+' || *p == '-'));
	}
	return p;
}

static char *word_skip(char *p)
{
	static const struct str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (*p == *words[i].p && memcmp(p, words[i].p, words[i].n) == 0)
			return p + words[i].n;
	return NULL;
}

/* A value that holds no other. */
static char *scalar_skip(char *p)
{
	struct str text;

	if (*p == '"')
		return string_read(p + 1, &text);
	return *p == '-' || is_digit(*p) ? number_skip(p) : word_skip(p);
}

/* The name of a member and the colon behind it. */
static char *name_read(char *p, struct str *name)
{
	p = blanks_skip(p);
	p = *p == '"' ? string_read(p + 1, name) : NULL;
	if (!p)
		return NULL;
	p = blanks_skip(p);
	return *p == ':' ? blanks_skip(p + 1) : NULL;
}

/* What is open, one bit a level. */
struct nest {
	uint64_t objects;
	unsigned depth;
};

/* Behind a value: closes what ends here. Returns where the next value begins, or, at depth 0, what
 * stands behind all of it. */
static char *nest_next(struct nest *nest, char *p)
{
	struct str name;

	for (; nest->depth; nest->depth--, nest->objects >>= 1, p++) {
		bool object = nest->objects & 1;

		p = blanks_skip(p);
		if (*p == ',')
			return object ? name_read(p + 1, &name) : blanks_skip(p + 1);
		if (*p != (object ? '}' : ']'))
			return NULL;
	}
	return p;
}

/* Opens what *p opens. Returns where its first value begins, or the end of an empty one. */
static char *nest_open(struct nest *nest, char *p, bool *empty)
{
	bool object = *p == '{';
	struct str name;

	if (nest->depth++ == DEPTH_MAX)
		return NULL;
	nest->objects = nest->objects << 1 | object;
	p = blanks_skip(p + 1);
	*empty = *p == (object ? '}' : ']');
	return object && !*empty ? name_read(p, &name) : p;
}

static char *value_skip(char *p)
{
	struct nest nest = {0};

	do {
		bool empty = true;

		p = *p == '{' || *p == '[' ? nest_open(&nest, p, &empty) : scalar_skip(p);
		if (p && empty)
			p = nest_next(&nest, p);
	} while (p && nest.depth);
	return p;
}

/* Members of the payload, from behind its brace; returns what stands behind it all. */
static char *members_read(char *p, struct str claim, struct str *value)
{
	struct str name;
	bool found;

	p = blanks_skip(p);
	if (*p == '}')
		return p + 1;
	do {
		p = name_read(p, &name);
		if (!p)
			return NULL;
		found = str_eq(name, claim);
		if (found)
			*value = (struct str){NULL, 0};
		p = found && *p == '"' ? string_read(p + 1, value) : value_skip(p);
		if (!p)
			return NULL;
		p = blanks_skip(p);
	} while (*p++ == ',');
	return p[-1] == '}' ? p : NULL;
}

struct str jwt_claim(struct str token, struct str claim, struct jwt_memory *memory)
{
	const struct str absent = {NULL, 0};
	struct str rest = token, header = str_cut(&rest, '.'), payload = str_cut(&rest, '.');
	struct str value = absent;
	char *p;

	if (!header.n || !rest.p || (rest.n && memchr(rest.p, '.', rest.n)) ||
	    !decode(payload, memory))
		return absent;
	p = blanks_skip(memory->payload);
	p = *p == '{' ? members_read(p + 1, claim, &value) : NULL;
	if (!p || blanks_skip(p) != memory->payload + memory->used || !value.n)
		return absent;
	return value;
}
