/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String views: pointer and length, for bytes that belong to somebody else. Never NUL-terminated,
 * never owned. An absent string is {NULL, 0}; all functions accept it.
 */
#ifndef SONDE_STR_H
#define SONDE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){literal, sizeof(literal) - 1})

struct str str_of(const char *terminated); /* NULL gives the absent string */
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
struct str str_trim(struct str s);		  /* spaces and tabs at both ends */
struct str str_from(struct str s, size_t offset); /* the rest from offset; empty if past the end */
struct str str_cut(struct str *rest,
		   char separator); /* takes the part before; *rest what follows */

/* All of s in decimal; false if empty, not all digits, or above UINT64_MAX. */
bool str_to_u64(struct str s, uint64_t *value);

/* Copies at most size - 1 bytes and ends them with NUL. Returns the bytes copied. */
size_t str_copy(char *to, size_t size, struct str s);

/* Bytes of the well-formed UTF-8 character (RFC 3629) at the start of s; 0 if there is none. */
size_t str_utf8(struct str s);
/* Where there is none: bytes of the longest beginning of one, at least 1; 0 at the end. */
size_t str_utf8_part(struct str s);
/* At most `most` bytes of s; a cut inside a character moves before it. */
struct str str_most(struct str s, size_t most);

/* Of one number. */
static inline uint32_t number_hash(uint64_t number)
{
	unsigned __int128 product = (unsigned __int128)number * 0x9E3779B97F4A7C15ULL;

	return (uint32_t)(product >> 32) ^ (uint32_t)(product >> 64);
}

uint64_t str_hash(struct str s);
uint64_t bytes_hash(const void *bytes, size_t n);

#endif
