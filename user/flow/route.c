/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first route rule: a path becomes a template by looking at each segment alone. Numbers, UUIDs
 * and long hex strings are ids. Words that only contain digits (v2, oauth2) stay. Pure and bounded:
 * what does not fit becomes one {rest}, so that a template never ends in half a word or looks like
 * a shorter path.
 */
#include "flow/flow.h"

#define REST	   "/{rest}" /* stands for all segments that do not fit */
#define REST_BYTES (sizeof(REST) - 1)
#define HEX_ID_MIN 8 /* shorter hex could be a word: "face", "feed" */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return s.n > 0;
}

static bool is_uuid(struct str s)
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.p[i] != '-' : !is_hex(s.p[i]))
			return false;
	}
	return true;
}

static bool is_long_hex(struct str s)
{
	size_t digits = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!is_hex(s.p[i]))
			return false;
		digits += is_digit(s.p[i]);
	}
	return s.n >= HEX_ID_MIN && digits > 0;
}

static struct str segment_template(struct str segment)
{
	if (is_number(segment) || is_uuid(segment) || is_long_hex(segment))
		return STR("{id}");
	return segment;
}

/* The next segment of *path, with its slash; takes it off. */
static struct str segment_next(struct str *path, bool *slash)
{
	struct str segment = *path;

	*slash = path->p[0] == '/';
	segment = str_from(segment, *slash);
	for (size_t i = 0; i < segment.n; i++)
		if (segment.p[i] == '/')
			segment.n = i;
	*path = str_from(*path, *slash + segment.n);
	return segment_template(segment);
}

size_t route_template(struct str path, char *route, size_t size)
{
	size_t n = 0, with_rest = 0; /* the last border that leaves room for REST */

	while (path.n) {
		bool slash;
		struct str segment = segment_next(&path, &slash);

		if (n + REST_BYTES <= size)
			with_rest = n;
		if (n + slash + segment.n > size) {
			if (size < REST_BYTES)
				return 0;
			memcpy(route + with_rest, REST, REST_BYTES);
			return with_rest + REST_BYTES;
		}
		if (slash)
			route[n++] = '/';
		memcpy(route + n, segment.p, segment.n);
		n += segment.n;
	}
	return n;
}
