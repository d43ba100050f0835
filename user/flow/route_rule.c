/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that somebody wrote: "[METHOD ]/literal/{name}/...". A {name} stands for one segment that
 * is not empty, a {*} at the end for one or more. The most specific rule wins: segment by segment a
 * literal goes before a name, a name before {*}; then one with a method, then one of a service.
 * Refused are braces inside a segment, names of other characters than letters, digits, '_', '-'
 * and '.', a query, and anything that would not fit into a route.
 */
#include "flow/route_tree.h"

#define NAME_MAX_BYTES 32

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_method(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0;
}

static bool is_name(struct str segment)
{
	return segment.n && *segment.p == '{';
}

static bool is_tail(struct str segment, struct str rest)
{
	return !rest.p && str_eq(segment, kind_text(KIND_ANY));
}

static bool name_valid(struct str segment)
{
	struct str name = {segment.p + 1, segment.n - 2};

	if (str_eq(segment, kind_text(KIND_ANY)))
		return true;
	if (segment.n < 3 || name.n > NAME_MAX_BYTES || segment.p[segment.n - 1] != '}')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!is_letter(name.p[i]) && !(name.p[i] >= '0' && name.p[i] <= '9') &&
		    !strchr("_-.", name.p[i]))
			return false;
	return true;
}

static bool literal_valid(struct str segment)
{
	for (size_t i = 0; i < segment.n; i++)
		if (segment.p[i] <= ' ' || segment.p[i] > '~' || strchr("{}?#\"\\", segment.p[i]))
			return false;
	return true;
}

static bool path_valid(struct str path)
{
	if (!path.n || path.n > REQUEST_ROUTE_MAX || *path.p != '/')
		return false;
	path = str_from(path, 1);
	while (path.p) {
		struct str segment = str_cut(&path, '/');

		if (is_name(segment) ? !name_valid(segment) : !literal_valid(segment))
			return false;
	}
	return true;
}

bool rule_parse(struct str text, struct rule_form *form)
{
	const char *brace;

	form->path = text = str_trim(text);
	form->method = (struct str){NULL, 0};
	if (text.n && *text.p != '/') {
		form->method = str_cut(&form->path, ' ');
		form->path = str_trim(form->path);
		if (!is_method(form->method))
			return false;
	}
	if (!path_valid(form->path))
		return false;
	brace = memchr(form->path.p, '{', form->path.n);
	form->prefix = form->path;
	if (brace)
		form->prefix.n = (size_t)(brace - form->path.p);
	return true;
}

bool route_rule_valid(struct str text)
{
	struct rule_form form;

	return rule_parse(text, &form);
}

bool rule_matches(const struct rule_form *form, struct str method, struct str path)
{
	struct str rule = str_from(form->path, form->prefix.n);

	if (!str_has_prefix(path, form->prefix) ||
	    (form->method.n && !str_eq(form->method, method)))
		return false;
	path = str_from(path, form->prefix.n);
	while (rule.p) {
		struct str wanted = str_cut(&rule, '/'), segment;

		if (!path.p)
			return false;
		if (is_tail(wanted, rule))
			return path.n > 0;
		segment = str_cut(&path, '/');
		if (is_name(wanted) ? !segment.n : !str_eq(wanted, segment))
			return false;
	}
	return !path.p;
}

/* 0: a literal, 1: a name, 2: the rest, 3: nothing */
static int segment_rank(struct str *path)
{
	struct str segment;

	if (!path->p)
		return 3;
	segment = str_cut(path, '/');
	if (!is_name(segment))
		return 0;
	return is_tail(segment, *path) ? 2 : 1;
}

int rule_compare(const void *left, const void *right)
{
	const struct rule_form *a = left, *b = right;
	struct str x = a->path, y = b->path;

	while (x.p || y.p) {
		int order = segment_rank(&x) - segment_rank(&y);

		if (order)
			return order;
	}
	if (!a->method.n != !b->method.n)
		return !a->method.n - !b->method.n;
	return !a->service.n - !b->service.n;
}
