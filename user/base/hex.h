/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits, to and from; in the header since each request's ids are written with it. */
#ifndef SONDE_HEX_H
#define SONDE_HEX_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* -1: none */
static inline int hex_digit(char c)
{
	char letter = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Eight lower-case digits in the order of memory: a nibble a byte, then all at once to digits. */
static inline uint64_t hex_digits(uint32_t value)
{
	uint64_t x = value, letters;

	x = (x | x << 16) & 0x0000ffff0000ffffULL;
	x = (x | x << 8) & 0x00ff00ff00ff00ffULL;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fULL;
	letters = (x + 0x0606060606060606ULL) >> 4 & 0x0101010101010101ULL;
	return htobe64(x + 0x3030303030303030ULL + letters * ('a' - '0' - 10));
}

/* The sixteen lower-case digits of value. */
static inline void hex_write(char to[16], uint64_t value)
{
	uint64_t digits[] = {hex_digits((uint32_t)(value >> 32)), hex_digits((uint32_t)value)};

	memcpy(to, digits, sizeof(digits));
}

#endif
