/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One header of an HTTP/1 head, by a name that is known only once the agent has started. The
 * headers that are always looked for are found by the parser's own pass; this one reads the head
 * again, so it is only for what an option asks for.
 *
 * The invariant: it takes what the parser would take if it knew the name: the first field of that
 * name that has a value and stands on one line, once the next line shows that it does not go on. It
 * judges nothing: a head that the parser refused is none to look into.
 */
#include "proto/http1.h"

/* Past the first line, and the empty ones that may stand before it. */
static struct str without_start(struct str head)
{
	struct str line;

	while (http1_line_next(&head, &line))
		if (line.n)
			return head;
	return (struct str){NULL, 0};
}

/* Names begin with no blank, so a line that goes on with another field is never taken for one. */
static bool is_named(struct str line, struct str name, struct str *value)
{
	if (line.n <= name.n || !str_eq_nocase((struct str){line.p, name.n}, name))
		return false;
	*value = str_trim(str_from(line, name.n));
	if (value->n == 0 || *value->p != ':')
		return false;
	*value = str_trim(str_from(*value, 1));
	return true;
}

/* Takes the lines that go on with the field. False if its text stands on several, or may go on. */
static bool is_whole(struct str *rest, struct str *value)
{
	bool one = true;
	struct str line;

	while (rest->n && http1_is_blank(*rest->p) && http1_line_next(rest, &line)) {
		struct str more = str_trim(line);

		if (value->n == 0)
			*value = more;
		else if (more.n)
			one = false;
	}
	return one && rest->n && !http1_is_blank(*rest->p);
}

struct str http1_named(struct str head, struct str name)
{
	struct str rest = without_start(head), line, value;

	while (http1_line_next(&rest, &line) && line.n)
		if (is_named(line, name, &value) && is_whole(&rest, &value) && value.n)
			return value;
	return (struct str){NULL, 0};
}
