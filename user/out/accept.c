/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content negotiation, RFC 9110 section 12.5: comma-separated ranges with parameters, of which q is
 * a weight from 0 to 1.
 *
 * Invariants: no answer is ever refused; what cannot be understood counts as not said, and text is
 * the answer then, as in Prometheus' own client libraries. A range that asks for a version which
 * is not spoken here does not match. Unknown parameters (escaping=...) are passed over.
 */
#include "out/accept.h"

#define WEIGHT_ONE 1000

struct range {
	struct str type;
	struct str version;
	unsigned weight; /* thousandths */
};

/* "0.75" is 750. What is not a weight is 1, as if it had not been given. */
static unsigned parse_weight(struct str s)
{
	unsigned weight = 0, unit = WEIGHT_ONE;

	if (!s.n || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return WEIGHT_ONE;
	weight = (unsigned)(s.p[0] - '0') * WEIGHT_ONE;
	for (size_t i = 2; i < s.n && unit > 1; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return WEIGHT_ONE;
		unit /= 10;
		weight += (unsigned)(s.p[i] - '0') * unit;
	}
	return weight < WEIGHT_ONE ? weight : WEIGHT_ONE;
}

static struct str unquote(struct str s)
{
	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return s;
	return (struct str){s.p + 1, s.n - 2};
}

static struct range next_range(struct str *list)
{
	struct str rest = str_cut(list, ',');
	struct range range = {.weight = WEIGHT_ONE};

	range.type = str_trim(str_cut(&rest, ';'));
	while (rest.n) {
		struct str value = str_cut(&rest, ';');
		struct str name = str_trim(str_cut(&value, '='));

		value = unquote(str_trim(value));
		if (str_eq_nocase(name, STR("q")))
			range.weight = parse_weight(value);
		else if (str_eq_nocase(name, STR("version")))
			range.version = value;
	}
	return range;
}

static bool is_openmetrics(const struct range *r)
{
	return str_eq_nocase(r->type, STR("application/openmetrics-text")) &&
	       (!r->version.n || str_eq(r->version, STR("1.0.0")) ||
		str_eq(r->version, STR("0.0.1")));
}

static bool is_text(const struct range *r)
{
	return str_eq_nocase(r->type, STR("text/plain")) &&
	       (!r->version.n || str_eq(r->version, STR("0.0.4")));
}

enum prom_format accept_format(struct str accept)
{
	unsigned openmetrics = 0, text = 0;

	while (accept.n) {
		struct range range = next_range(&accept);

		if (is_openmetrics(&range) && range.weight > openmetrics)
			openmetrics = range.weight;
		else if (is_text(&range) && range.weight > text)
			text = range.weight;
	}
	return openmetrics && openmetrics >= text ? PROM_OPENMETRICS : PROM_TEXT;
}

bool accept_gzip(struct str accept_encoding)
{
	bool any = false;

	while (accept_encoding.n) {
		struct range range = next_range(&accept_encoding);

		if (str_eq_nocase(range.type, STR("gzip")))
			return range.weight > 0;
		if (str_eq(range.type, STR("*")))
			any = range.weight > 0;
	}
	return any;
}
