/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers that name a trace, each by its own specification:
 *   traceparent      W3C Trace Context, version-format of section 3.2, later versions by 4.3
 *   b3, x-b3-*       B3 Propagation of OpenZipkin
 *   uber-trace-id    the propagation format of Jaeger's client libraries
 *   x-datadog-*      what Datadog's tracers write and read
 *   x-amzn-trace-id  AWS X-Ray tracing header, and request tracing of its load balancers
 * Pure. What comes out is 32 and 16 lower-case digits, never all zero. Shorter ids are padded with
 * zeros on the left. It refuses a header as a whole: no part of an invalid one is used. Where a
 * head was cut, a missing half says nothing.
 */
#include "base/hex.h"
#include "flow/trace.h"

#define TRACEPARENT_MIN 55 /* 00-<32>-<16>-<2> */
#define AMZN_ROOT	35 /* 1-<8>-<24> */

/* The digits of s in lower case, padded to width; false if they are not some, or all zero. */
static bool id_take(char *to, size_t width, struct str s)
{
	size_t pad = width - s.n;
	int all = 0;

	if (s.n > width)
		return false;
	memset(to, '0', pad);
	for (size_t i = 0; i < s.n; i++) {
		all |= hex_digit(s.p[i]); /* -1 stays */
		to[pad + i] = (char)(s.p[i] | 0x20);
	}
	return all > 0;
}

/* The same, where upper case is wrong. */
static bool id_take_lower(char *to, size_t width, struct str s)
{
	return id_take(to, width, s) && memcmp(to + width - s.n, s.p, s.n) == 0;
}

static bool is_hex(struct str s, size_t least, size_t most)
{
	if (s.n < least || s.n > most)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (hex_digit(s.p[i]) < 0)
			return false;
	return true;
}

static bool is_lower_hex(struct str s, size_t n)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'F')
			return false;
	return is_hex(s, n, n);
}

static enum trace_word word_of(bool valid)
{
	return valid ? TRACE_VALID : TRACE_INVALID;
}

static bool traceparent_form(struct str s)
{
	if (s.n < TRACEPARENT_MIN || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-')
		return false;
	if (!is_lower_hex((struct str){s.p, 2}, 2) || (s.p[0] == 'f' && s.p[1] == 'f'))
		return false; /* ff is a forbidden version */
	if (s.p[0] == '0' && s.p[1] == '0')
		return s.n == TRACEPARENT_MIN;
	return s.n == TRACEPARENT_MIN || s.p[55] == '-'; /* later versions may only append */
}

static enum trace_word traceparent_read(const struct str ids[ID_COUNT], bool whole,
					struct trace_context *t)
{
	struct str s = ids[ID_TRACEPARENT];

	(void)whole;
	t->has_parent = true;
	return word_of(!ids[ID_TRACEPARENT_AGAIN].n && traceparent_form(s) &&
		       id_take_lower(t->trace_id, 32, (struct str){s.p + 3, 32}) &&
		       id_take_lower(t->parent_id, 16, (struct str){s.p + 36, 16}) &&
		       is_lower_hex((struct str){s.p + 53, 2}, 2));
}

static bool b3_take(struct trace_context *t, struct str trace, struct str span)
{
	t->has_parent = true;
	return (trace.n == 32 || trace.n == 16) && id_take_lower(t->trace_id, 32, trace) &&
	       span.n == 16 && id_take_lower(t->parent_id, 16, span);
}

static bool b3_is_sampling(struct str s)
{
	return s.n == 1 && (*s.p == '0' || *s.p == '1' || *s.p == 'd');
}

/* trace-span, then what was decided, then the span's parent, which is not the sender. */
static enum trace_word b3_read(const struct str ids[ID_COUNT], bool whole, struct trace_context *t)
{
	struct str rest = ids[ID_B3], trace, span, next;

	(void)whole;
	if (b3_is_sampling(rest))
		return TRACE_SILENT;
	trace = str_cut(&rest, '-');
	span = str_cut(&rest, '-');
	if (!b3_take(t, trace, span))
		return TRACE_INVALID;
	if (!rest.p)
		return TRACE_VALID;
	next = str_cut(&rest, '-');
	if (b3_is_sampling(next) && rest.p)
		next = str_cut(&rest, '-');
	return word_of(!rest.p && (b3_is_sampling(next) || is_lower_hex(next, 16)));
}

static enum trace_word b3_multi_read(const struct str ids[ID_COUNT], bool whole,
				     struct trace_context *t)
{
	if (!whole && (!ids[ID_B3_TRACE].n || !ids[ID_B3_SPAN].n))
		return TRACE_SILENT;
	return word_of(b3_take(t, ids[ID_B3_TRACE], ids[ID_B3_SPAN]));
}

/* Up to a colon, which some clients percent-encode. */
static struct str uber_cut(struct str *rest)
{
	struct str s = *rest;

	for (size_t i = 0; i < s.n; i++) {
		size_t width = s.p[i] == ':' ? 1 : 3;

		if (width == 3 && (s.p[i] != '%' || i + 3 > s.n || s.p[i + 1] != '3' ||
				   (s.p[i + 2] | 0x20) != 'a'))
			continue;
		*rest = str_from(s, i + width);
		return (struct str){s.p, i};
	}
	*rest = (struct str){NULL, 0};
	return s;
}

/* trace:span:parent:flags, where the parent is deprecated, and 0 says that there is none. */
static enum trace_word uber_read(const struct str ids[ID_COUNT], bool whole,
				 struct trace_context *t)
{
	struct str rest = ids[ID_UBER];
	struct str trace = uber_cut(&rest), span = uber_cut(&rest), parent = uber_cut(&rest);

	(void)whole;
	t->has_parent = true;
	return word_of(id_take(t->trace_id, 32, trace) && id_take(t->parent_id, 16, span) &&
		       is_hex(parent, 1, 16) && is_hex(rest, 1, 2));
}

/* The value of a key among `key=value` fields. */
static struct str pair_find(struct str fields, char separator, struct str key)
{
	while (fields.p) {
		struct str value = str_trim(str_cut(&fields, separator));

		if (str_eq(str_trim(str_cut(&value, '=')), key))
			return value.p ? str_trim(value) : STR("");
	}
	return (struct str){NULL, 0};
}

/* Decimal. The upper half of a trace of 128 bits stands in the tags; a wrong one does not count. */
static enum trace_word datadog_read(const struct str ids[ID_COUNT], bool whole,
				    struct trace_context *t)
{
	struct str high = pair_find(ids[ID_DATADOG_TAGS], ',', STR("_dd.p.tid"));
	uint64_t trace, parent = 0;

	if (!whole && !ids[ID_DATADOG_TRACE].n)
		return TRACE_SILENT;
	if (!str_to_u64(ids[ID_DATADOG_TRACE], &trace) || !trace ||
	    (ids[ID_DATADOG_PARENT].n && !str_to_u64(ids[ID_DATADOG_PARENT], &parent)))
		return TRACE_INVALID;
	if (high.n != 16 || !id_take_lower(t->trace_id, 16, high))
		memset(t->trace_id, '0', 16);
	hex_write(t->trace_id + 16, trace);
	hex_write(t->parent_id, parent);
	t->has_parent = parent;
	return TRACE_VALID;
}

static bool amzn_root_take(struct trace_context *t, struct str root)
{
	char digits[32];

	if (root.n != AMZN_ROOT || root.p[0] != '1' || root.p[1] != '-' || root.p[10] != '-')
		return false;
	memcpy(digits, root.p + 2, 8);
	memcpy(digits + 8, root.p + 11, 24);
	return id_take(t->trace_id, 32, (struct str){digits, 32});
}

/* A load balancer gives a trace without a parent; others may put in fields of their own. */
static enum trace_word amzn_read(const struct str ids[ID_COUNT], bool whole,
				 struct trace_context *t)
{
	struct str root = pair_find(ids[ID_AMZN], ';', STR("Root"));
	struct str parent = pair_find(ids[ID_AMZN], ';', STR("Parent"));

	(void)whole;
	if (!root.p)
		return parent.p ? TRACE_INVALID : TRACE_SILENT;
	t->has_parent = parent.p;
	return word_of(amzn_root_take(t, root) &&
		       (!parent.p || (parent.n == 16 && id_take(t->parent_id, 16, parent))));
}

const struct trace_kind trace_kinds[TRACE_HEADERS] = {
	[TRACE_TRACEPARENT] = {"traceparent", {ID_TRACEPARENT, ID_TRACEPARENT}, traceparent_read},
	[TRACE_B3] = {"b3", {ID_B3, ID_B3}, b3_read},
	[TRACE_B3_MULTI] = {"x-b3-traceid", {ID_B3_TRACE, ID_B3_SPAN}, b3_multi_read},
	[TRACE_UBER] = {"uber-trace-id", {ID_UBER, ID_UBER}, uber_read},
	[TRACE_DATADOG] = {"x-datadog-trace-id",
			   {ID_DATADOG_TRACE, ID_DATADOG_PARENT},
			   datadog_read},
	[TRACE_AMZN] = {"x-amzn-trace-id", {ID_AMZN, ID_AMZN}, amzn_read},
};
