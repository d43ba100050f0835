/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text written at a cursor, for hot paths: each function writes at `to` and returns where its text
 * ends. Nothing is checked: the caller has made room for the longest text that can come. Where that
 * is not so, use a struct buf.
 */
#ifndef SONDE_PUT_H
#define SONDE_PUT_H

#include <string.h>

#include "base/str.h"

#define PUT_U64_MAX	 20
#define PUT_FIXED_MAX	 21
#define PUT_JSON_MAX(n)	 (6 * (size_t)(n)) /* of n bytes, without quotes */
#define PUT_FIXED_PLACES 9

static inline char *put_char(char *to, char c)
{
	*to = c;
	return to + 1;
}

/* For literals: a few moves, and no call. */
static inline char *put_str(char *to, struct str s)
{
	memcpy(to, s.p, s.n);
	return to + s.n;
}

char *put_u64(char *to, uint64_t value);
/* value / 10^places, without trailing zeros: put_fixed(to, 12400, 3) writes 12.4 */
char *put_fixed(char *to, uint64_t value, int places);
char *put_digits(char *to, uint32_t value, int digits); /* with leading zeros, an even number */

/*
 * The inside of a JSON string. Control characters (C0, DEL, C1) and U+2028/2029 are escaped; bytes
 * that are not UTF-8 (RFC 3629: no overlong forms, no surrogates) become U+FFFD, one for each
 * longest beginning of a character (Unicode, section 3.9), as most decoders do.
 */
char *put_json(char *to, struct str s);

#endif
