/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String views. The invariant: {NULL, 0} is a valid view everywhere, so no function hands a null
 * pointer to memcmp() or adds to one. Case folding is ASCII only, since what is compared without
 * regard to case are protocol tokens, never text.
 *
 * The hash multiplies 64 by 64 bits and folds the halves, sixteen bytes a step, as wyhash does. It
 * is for tables of bounded size; it refuses to be a defence against chosen keys.
 */
#include "base/str.h"

#include <string.h>

#define HASH_A 0x9E3779B97F4A7C15ULL
#define HASH_B 0xD1B54A32D192ED03ULL
#define HASH_C 0x8EBC6AF09C88C6E3ULL

struct str str_of(const char *terminated)
{
	return (struct str){terminated, terminated ? strlen(terminated) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

bool str_has_suffix(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_blank(*s.p)) {
		s.p++;
		s.n--;
	}
	return s;
}

struct str str_from(struct str s, size_t offset)
{
	if (!s.p)
		return s;
	if (offset > s.n)
		offset = s.n;
	return (struct str){s.p + offset, s.n - offset};
}

struct str str_cut(struct str *rest, char separator)
{
	struct str whole = *rest;
	const char *at = whole.n ? memchr(whole.p, separator, whole.n) : NULL;
	size_t before = at ? (size_t)(at - whole.p) : whole.n;

	*rest = at ? str_from(whole, before + 1) : (struct str){NULL, 0};
	return (struct str){whole.p, before};
}

bool str_to_u64(struct str s, uint64_t *value)
{
	uint64_t sum = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	*value = sum;
	return true;
}

size_t str_copy(char *to, size_t size, struct str s)
{
	size_t n;

	if (size == 0)
		return 0;
	n = s.n < size ? s.n : size - 1;
	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
	return n;
}

static size_t utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Keeps overlong forms, surrogates and what lies beyond U+10FFFF out. */
static bool utf8_second_fits(const unsigned char *p)
{
	unsigned char least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char most = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

	return p[1] >= least && p[1] <= most;
}

size_t str_utf8_part(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t whole = s.n ? utf8_length(*p) : 0, n = 2;

	if (whole < 2 || s.n < 2 || !utf8_second_fits(p))
		return s.n ? 1 : 0;
	while (n < whole && n < s.n && (p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

size_t str_utf8(struct str s)
{
	size_t n = s.n ? utf8_length((unsigned char)*s.p) : 0;

	return n && str_utf8_part(s) == n ? n : 0;
}

static bool utf8_continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* At most over three bytes back: more that continue belong to no character. */
struct str str_most(struct str s, size_t most)
{
	size_t n = most;

	if (s.n <= most)
		return s;
	while (n > 0 && most - n < 3 && utf8_continues(s.p[n]))
		n--;
	s.n = utf8_continues(s.p[n]) ? most : n;
	return s;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t load32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

uint64_t bytes_hash(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t hash = HASH_C ^ n, a = 0, b = 0;
	size_t left = n;

	for (; left > 16; left -= 16, p += 16)
		hash = fold(load64(p) ^ HASH_A, load64(p + 8) ^ hash);
	if (left >= 8) {
		a = load64(p);
		b = load64(p + left - 8);
	} else if (left >= 4) {
		a = load32(p);
		b = load32(p + left - 4);
	} else if (left) {
		a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
	}
	return fold(HASH_B ^ n, fold(a ^ HASH_A, b ^ hash));
}

uint64_t str_hash(struct str s)
{
	return bytes_hash(s.p, s.n);
}
