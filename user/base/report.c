/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a report, as text or as one JSON object. The invariant: every row stands in both forms
 * with the same words, since both are made here from one struct; a row is complete before the next
 * is begun, and nothing is kept.
 *
 * The JSON is strict: strings are valid UTF-8 whatever paths and kernels say, members that have
 * nothing to say are absent. Its conclusion comes last, when it is known. Refused is what is longer
 * than TEXT_MAX bytes: it is cut.
 */
#include "base/report.h"

#include "base/buf.h"

#define REPORT_SCHEMA 1 /* of the JSON form; raised when a member changes its meaning or goes */
#define TEXT_MAX      512
#define ROW_MAX	      16384 /* five strings of that length, each byte escaped */

static const struct {
	const char *word; /* of the text form */
	const char *json;
} states[] = {
	[FINDING_OK] = {"ok", "ok"},
	[FINDING_LOST] = {"lost", "lost"},
	[FINDING_FAIL] = {"FAIL", "fail"},
	[FINDING_UNKNOWN] = {"?", "unknown"},
};

static void print(const struct report *r, const struct buf *b)
{
	fwrite(b->p, 1, b->n, r->to);
	fflush(r->to);
}

static void member(struct buf *b, const char *key, const char *value)
{
	if (!value)
		return;
	if (b->p[b->n - 1] != '{')
		buf_char(b, ',');
	buf_printf(b, "\"%s\":", key);
	buf_json(b, str_of(value), TEXT_MAX);
}

static void row_json(struct buf *b, const struct finding *f)
{
	buf_char(b, '{');
	member(b, "section", f->section);
	member(b, "name", f->name);
	member(b, "state", states[f->state].json);
	member(b, "found", f->found);
	member(b, "gives", f->gives);
	member(b, "remedy",
	       f->state == FINDING_LOST || f->state == FINDING_FAIL ? f->remedy : NULL);
	buf_char(b, '}');
}

static void part(struct buf *b, const char *between, const char *before, const char *text)
{
	if (!text)
		return;
	buf_text(b, b->n ? between : "");
	buf_text(b, before);
	buf_str(b, str_most(str_of(text), TEXT_MAX));
}

static void row_text(struct buf *b, const struct finding *f)
{
	bool missing = f->state == FINDING_LOST || f->state == FINDING_FAIL;
	char memory[4 * TEXT_MAX];
	struct buf said;

	buf_init_fixed(&said, memory, sizeof(memory));
	part(&said, "", "", f->found);
	part(&said, missing ? "; " : ": ", missing ? "lost without it: " : "", f->gives);
	part(&said, "; ", "", missing ? f->remedy : NULL);
	buf_printf(b, "%-4s  %-8s %-22s %.*s\n", states[f->state].word, f->section, f->name,
		   (int)said.n, said.p);
}

void report_begin(struct report *r, const char *version)
{
	char memory[TEXT_MAX * 7];
	struct buf b;

	r->rows = 0;
	if (!r->json)
		return;
	buf_init_fixed(&b, memory, sizeof(memory));
	buf_printf(&b, "{\"schema\":%d", REPORT_SCHEMA);
	member(&b, "version", version);
	buf_text(&b, ",\"findings\":[");
	print(r, &b);
}

void report_add(struct report *r, const struct finding *f)
{
	char memory[ROW_MAX];
	struct buf b;

	buf_init_fixed(&b, memory, sizeof(memory));
	if (r->json) {
		buf_text(&b, r->rows ? ",\n" : "\n");
		row_json(&b, f);
	} else {
		row_text(&b, f);
	}
	r->rows++;
	print(r, &b);
}

void report_end(struct report *r, const struct conclusion *c)
{
	char memory[ROW_MAX];
	struct buf b;

	buf_init_fixed(&b, memory, sizeof(memory));
	if (r->json) {
		buf_printf(&b, "\n],\"works\":%s", c->works ? "true" : "false");
		member(&b, "backend", c->backend);
		member(&b, "why", c->works ? NULL : c->why);
		buf_text(&b, "}\n");
	} else if (c->works) {
		buf_printf(&b, "sonde works here, with backend %s\n", c->backend);
	} else {
		buf_printf(&b, "sonde would not work here: %s\n", c->why);
	}
	print(r, &b);
}
