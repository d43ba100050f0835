/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exposition writer. It knows the two text formats and nothing of what is measured.
 *
 * Invariants: the buckets of a histogram are added up here, and _count is the last of them, so the
 * three can never disagree. The labels of a histogram are escaped once and copied into each of its
 * lines. A value that is not a number is left out, since both formats would carry it on as a fact.
 *
 * Label values must be UTF-8 already: two hostile names that became one only here would be two
 * series with the same labels, which a scraper refuses. out/words.c sees to it.
 */
#include <math.h>
#include <string.h>

#include "out/prom.h"

#define LABELS_MAX 8192 /* bytes of one series' labels, escaped */

static const char *const type_names[] = {
	[PROM_COUNTER] = "counter",
	[PROM_GAUGE] = "gauge",
	[PROM_HISTOGRAM] = "histogram",
};

static const char *const content_types[] = {
	[PROM_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	[PROM_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

const char *prom_content_type(enum prom_format format)
{
	return content_types[format];
}

static void write_escaped(struct buf *b, struct str s, bool quotes)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c != '\\' && c != '\n' && (c != '"' || !quotes))
			continue;
		buf_bytes(b, s.p + from, i - from);
		buf_bytes(b, c == '\n' ? "\\n" : (const char[]){'\\', c}, 2);
		from = i + 1;
	}
	if (from < s.n)
		buf_bytes(b, s.p + from, s.n - from);
}

static struct str family_name(const struct prom *p, const struct prom_family *family)
{
	struct str name = str_of(family->name);
	struct str total = STR("_total");

	if (p->format == PROM_OPENMETRICS && family->type == PROM_COUNTER &&
	    str_has_suffix(name, total))
		name.n -= total.n;
	return name;
}

static void write_comment(struct prom *p, const char *keyword, struct str name)
{
	buf_text(p->out, keyword);
	buf_str(p->out, name);
	buf_char(p->out, ' ');
}

void prom_family(struct prom *p, const struct prom_family *family)
{
	struct str name = family_name(p, family);

	write_comment(p, "# HELP ", name);
	write_escaped(p->out, str_of(family->help), p->format == PROM_OPENMETRICS);
	buf_char(p->out, '\n');
	write_comment(p, "# TYPE ", name);
	buf_text(p->out, type_names[family->type]);
	buf_char(p->out, '\n');
	if (p->format != PROM_OPENMETRICS || !family->unit)
		return;
	write_comment(p, "# UNIT ", name);
	buf_text(p->out, family->unit);
	buf_char(p->out, '\n');
}

static void write_labels(struct buf *b, const struct prom_label *labels, unsigned count)
{
	bool first = true;

	for (unsigned i = 0; i < count; i++) {
		if (!labels[i].value.n)
			continue;
		if (!first)
			buf_char(b, ',');
		first = false;
		buf_text(b, labels[i].name);
		buf_bytes(b, "=\"", 2);
		write_escaped(b, labels[i].value, true);
		buf_char(b, '"');
	}
}

static void write_braced(struct buf *b, struct str labels)
{
	if (labels.n) {
		buf_char(b, '{');
		buf_str(b, labels);
		buf_char(b, '}');
	}
	buf_char(b, ' ');
}

static void write_name(struct prom *p, const struct prom_family *family,
		       const struct prom_label *labels, unsigned label_count)
{
	bool any = false;

	for (unsigned i = 0; i < label_count; i++)
		any |= labels[i].value.n > 0;
	buf_text(p->out, family->name);
	if (any) {
		buf_char(p->out, '{');
		write_labels(p->out, labels, label_count);
		buf_char(p->out, '}');
	}
	buf_char(p->out, ' ');
}

void prom_u64(struct prom *p, const struct prom_family *family, const struct prom_label *labels,
	      unsigned label_count, uint64_t value)
{
	write_name(p, family, labels, label_count);
	buf_u64(p->out, value);
	buf_char(p->out, '\n');
}

void prom_double(struct prom *p, const struct prom_family *family, const struct prom_label *labels,
		 unsigned label_count, double value)
{
	if (isnan(value))
		return;
	write_name(p, family, labels, label_count);
	buf_double(p->out, value);
	buf_char(p->out, '\n');
}

/* OpenMetrics wants bounds that read as floats: 1.0, not 1. */
static void write_bound(struct prom *p, double bound)
{
	char text[40];
	struct buf b;
	struct str s;

	buf_init_fixed(&b, text, sizeof(text));
	buf_double(&b, bound);
	s = buf_view(&b);
	buf_str(p->out, s);
	if (p->format == PROM_OPENMETRICS && !memchr(s.p, '.', s.n) && !memchr(s.p, 'e', s.n))
		buf_bytes(p->out, ".0", 2);
}

static void write_exemplar(struct prom *p, const struct prom_exemplar *e)
{
	const struct prom_label label = {"trace_id", e->trace_id};

	buf_text(p->out, " # {");
	write_labels(p->out, &label, 1);
	buf_text(p->out, "} ");
	buf_double(p->out, e->value);
	if (e->time_ms) {
		buf_char(p->out, ' ');
		buf_fixed(p->out, e->time_ms, 3);
	}
}

static void write_bucket(struct prom *p, struct str name, struct str labels, const double *bound,
			 uint64_t count)
{
	buf_str(p->out, name);
	buf_text(p->out, "_bucket{");
	buf_str(p->out, labels);
	if (labels.n)
		buf_char(p->out, ',');
	buf_text(p->out, "le=\"");
	if (bound)
		write_bound(p, *bound);
	else
		buf_text(p->out, "+Inf");
	buf_text(p->out, "\"} ");
	buf_u64(p->out, count);
}

static void write_buckets(struct prom *p, struct str name, struct str labels,
			  const struct prom_buckets *b)
{
	bool exemplars = b->exemplars && p->format == PROM_OPENMETRICS;
	uint64_t count = 0;

	for (unsigned i = 0; i <= b->bound_count; i++) {
		count += b->counts[i];
		write_bucket(p, name, labels, i < b->bound_count ? &b->bounds[i] : NULL, count);
		if (exemplars && b->exemplars[i].trace_id.n)
			write_exemplar(p, &b->exemplars[i]);
		buf_char(p->out, '\n');
	}
	buf_str(p->out, name);
	buf_text(p->out, "_sum");
	write_braced(p->out, labels);
	buf_double(p->out, b->sum);
	buf_char(p->out, '\n');
	buf_str(p->out, name);
	buf_text(p->out, "_count");
	write_braced(p->out, labels);
	buf_u64(p->out, count);
	buf_char(p->out, '\n');
}

void prom_histogram(struct prom *p, const struct prom_family *family,
		    const struct prom_label *labels, unsigned label_count,
		    const struct prom_buckets *buckets)
{
	char memory[LABELS_MAX];
	struct buf escaped;

	buf_init_fixed(&escaped, memory, sizeof(memory));
	write_labels(&escaped, labels, label_count);
	p->out->full |= escaped.full;
	write_buckets(p, str_of(family->name), buf_view(&escaped), buckets);
}

void prom_end(struct prom *p)
{
	if (p->format == PROM_OPENMETRICS)
		buf_text(p->out, "# EOF\n");
}
