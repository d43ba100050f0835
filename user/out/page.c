/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page for people: one self-contained HTML document without scripts, so that it works under the
 * strictest content policy and behind any proxy. Links are relative for the same reason.
 *
 * Invariant: every text that is not a literal goes through write_escaped(). Names of services come
 * from processes, and bytes that are not UTF-8 were already mended by the registry.
 */
#include "out/metrics.h"
#include "out/page.h"

#define TOP_MAX 20

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<title>Sonde</title>\n"
	"<style>\n"
	":root{color-scheme:light dark}\n"
	"body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\n"
	"table{border-collapse:collapse;width:100%}\n"
	"th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #8886}\n"
	".n{text-align:right;font-variant-numeric:tabular-nums}\n"
	"</style>\n<h1>Sonde</h1>\n";

static const char links[] = "<ul>\n<li><a href=\"metrics\">Metrics</a>\n"
			    "<li><a href=\"healthz\">Health</a>\n"
			    "<li><a href=\"readyz\">Readiness</a>\n</ul>\n";

static const char table_head[] =
	"<h2>Busiest services</h2>\n<table>\n<thead><tr><th>Service<th>Namespace<th>Pod"
	"<th>Container<th class=\"n\">Requests<th class=\"n\">Errors<th class=\"n\">Mean</thead>\n"
	"<tbody>\n";

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void write_escaped(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char *entity = entity_of(s.p[i]);

		if (entity)
			buf_text(b, entity);
		else
			buf_char(b, s.p[i]);
	}
}

static void write_text_cell(struct buf *b, struct str s)
{
	buf_text(b, "<td>");
	write_escaped(b, s);
}

static void write_number_cell(struct buf *b, uint64_t value)
{
	buf_text(b, "<td class=\"n\">");
	buf_u64(b, value);
}

static void write_row(struct buf *b, const struct metrics_top *row)
{
	buf_text(b, "<tr>");
	write_text_cell(b, row->service);
	write_text_cell(b, row->namespace);
	write_text_cell(b, row->pod);
	write_text_cell(b, row->container);
	write_number_cell(b, row->requests);
	write_number_cell(b, row->errors);
	buf_text(b, "<td class=\"n\">");
	buf_fixed(b, row->mean_ns / 1000, 3);
	buf_text(b, " ms\n");
}

static void write_services(struct buf *b, const struct metrics *metrics)
{
	struct metrics_top top[TOP_MAX];
	unsigned n = metrics_top(metrics, top, TOP_MAX);

	if (!n) {
		buf_text(b, "<p>No requests were served yet.\n");
		return;
	}
	buf_text(b, table_head);
	for (unsigned i = 0; i < n; i++)
		write_row(b, &top[i]);
	buf_text(b, "</tbody>\n</table>\n");
}

void page_write(const struct page *page, struct buf *html)
{
	buf_text(html, head);
	buf_text(html, "<p>Version ");
	write_escaped(html, str_of(page->version));
	buf_text(html, ", backend ");
	write_escaped(html, str_of(page->backend));
	buf_text(html, page->ready ? ", ready.\n" : ", not ready.\n");
	buf_text(html, links);
	write_services(html, page->metrics);
	buf_text(html, "</html>\n");
}
