/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of pods is one JSON value of several megabytes, a watch one without an end. Neither is
 * ever held whole: of a list the objects that are elements of an array in the outermost object
 * leave one by one, of a watch the lines. The invariant: what is held is at most one part and what
 * stands around them. A part that is longer is left out, and told.
 *
 * Only strings and brackets are told apart here; whether a part is JSON its reader finds out.
 */
#include "who/split.h"

#include <string.h>

void split_reset(struct split *s)
{
	buf_close(&s->part);
	buf_close(&s->envelope);
	*s = (struct split){.fn = s->fn, .ctx = s->ctx};
	buf_init_growing(&s->part, SPLIT_PART_MAX);
	buf_init_growing(&s->envelope, SPLIT_ENVELOPE_MAX);
}

static bool part_leave(struct split *s)
{
	bool go_on = s->fn(s->ctx, s->part.full ? (struct str){NULL, 0} : buf_view(&s->part));

	s->part.n = 0;
	s->part.full = false;
	return go_on;
}

static void string_step(struct split *s, char c)
{
	if (s->escaped)
		s->escaped = false;
	else if (c == '\\')
		s->escaped = true;
	else if (c == '"')
		s->in_string = false;
}

static void open_step(struct split *s, char c)
{
	if (s->depth == 1)
		s->in_list = c == '[';
	if (s->depth == 2 && s->in_list && c == '{')
		s->in_item = true;
	s->depth++;
}

/* True: an item ends with this bracket. */
static bool close_step(struct split *s)
{
	if (s->depth)
		s->depth--;
	if (!s->depth)
		s->ended = true;
	return s->in_item && s->depth == 2;
}

bool split_list(struct split *s, struct str bytes)
{
	bool go_on = true;

	for (size_t i = 0; i < bytes.n && go_on; i++) {
		char c = bytes.p[i];
		bool last = false;

		if (s->in_string)
			string_step(s, c);
		else if (c == '"')
			s->in_string = true;
		else if (c == '{' || c == '[')
			open_step(s, c);
		else if (c == '}' || c == ']')
			last = close_step(s);
		if (s->in_item)
			buf_char(&s->part, c);
		else if (c != ',' || s->depth != 2 || !s->in_list)
			buf_char(&s->envelope, c);
		if (last) {
			s->in_item = false;
			go_on = part_leave(s);
		}
	}
	return go_on;
}

struct str split_envelope(const struct split *s)
{
	return s->ended && !s->envelope.full ? buf_view(&s->envelope) : (struct str){NULL, 0};
}

bool split_lines(struct split *s, struct str bytes)
{
	bool go_on = true;

	while (bytes.n && go_on) {
		const char *end = memchr(bytes.p, '\n', bytes.n);
		size_t n = end ? (size_t)(end - bytes.p) : bytes.n;

		buf_bytes(&s->part, bytes.p, n);
		bytes = str_from(bytes, end ? n + 1 : n);
		if (end && (s->part.n || s->part.full))
			go_on = part_leave(s);
	}
	return go_on;
}

bool split_rest(const struct split *s)
{
	return s->part.n || s->part.full;
}
