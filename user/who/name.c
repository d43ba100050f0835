/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one gate through which foreign bytes become a name. The invariant: what stands in `to` is a
 * label value as it is, without escapes that a reader would stumble over: UTF-8, printable, and
 * never half a character. It refuses nothing: a name of pure garbage becomes underscores, which
 * tells two processes of the same garbage apart from none at all.
 */
#include "who/name.h"

#include <string.h>

struct character {
	size_t length; /* bytes that it takes of the source */
	bool fit;      /* may stand in a name */
};

static struct character character_at(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t length = str_utf8(s);

	if (length == 0)
		return (struct character){1, false};
	if (length == 1)
		return (struct character){1, *p >= 0x20 && *p != 0x7f};
	/* U+0080 to U+009F are control characters, too */
	return (struct character){length, *p != 0xc2 || p[1] >= 0xa0};
}

size_t name_copy(char *to, size_t size, struct str s)
{
	size_t n = 0;

	if (size == 0)
		return 0;
	while (s.n) {
		struct character c = character_at(s);
		size_t needed = c.fit ? c.length : 1;

		if (n + needed >= size)
			break;
		memcpy(to + n, c.fit ? s.p : "_", needed);
		n += needed;
		s = str_from(s, c.length);
	}
	to[n] = '\0';
	return n;
}

bool name_is_dns(struct str s, size_t size, bool dots)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		      (c == '.' && dots && i)))
			return false;
	}
	return s.n && s.n < size;
}
