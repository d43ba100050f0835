/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The help text, made from the rows: for a terminal, wrapped and aligned, or as the Markdown table
 * that stands in the README. The invariant: no line of the terminal's form is wider than 80
 * columns, unless a single word is.
 */
#include <stdio.h>

#include "base/buf.h"
#include "option.h"

#define WIDTH	 80
#define COLUMN	 24 /* where the explanations begin */
#define HELP_MAX (64 << 10)

static void spaces(struct buf *b, size_t n)
{
	while (n--)
		buf_char(b, ' ');
}

/* Words from column `COLUMN` on; `used` columns of the first line are taken. */
static void write_wrapped(struct buf *b, size_t used, struct str text)
{
	if (used + 2 > COLUMN) {
		buf_char(b, '\n');
		used = 0;
	}
	spaces(b, COLUMN - used);
	used = COLUMN;
	while (text.n) {
		struct str word = str_cut(&text, ' ');

		if (used > COLUMN && used + 1 + word.n > WIDTH) {
			buf_char(b, '\n');
			spaces(b, COLUMN);
			used = COLUMN;
		} else if (used > COLUMN) {
			buf_char(b, ' ');
			used++;
		}
		buf_str(b, word);
		used += word.n;
	}
	buf_char(b, '\n');
}

static void write_option(struct buf *b, const struct option_row *row)
{
	char twin[TWIN_SIZE], memory[512];
	struct buf text;
	size_t before = b->n;

	buf_init_fixed(&text, memory, sizeof(memory));
	buf_text(&text, row->help);
	if (row->fallback)
		buf_printf(&text, " Default: %s.", row->fallback);
	option_twin(row, twin, sizeof(twin));
	if (!(row->traits & OPTION_LINE_ONLY))
		buf_printf(&text, " [%s%s%s]", twin, row->twin ? ", " : "",
			   row->twin ? row->twin : "");
	buf_printf(b, "  --%s%s%s", row->name, row->placeholder ? "=" : "",
		   row->placeholder ? row->placeholder : "");
	write_wrapped(b, b->n - before, buf_view(&text));
}

static void write_terminal(struct buf *b)
{
	buf_text(b,
		 "Usage: sonde [COMMAND] [OPTION]...\n\n"
		 "Sees every HTTP request on this node: metrics for Prometheus, and a JSON line\n"
		 "a request on stdout.\n\nCommands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		size_t before = b->n;

		buf_printf(b, "  %s", command_words[i].word);
		write_wrapped(b, b->n - before, str_of(command_words[i].help));
	}
	buf_text(b, "\nOptions, and the environment variables that do the same:\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		write_option(b, &option_rows[i]);
	buf_text(b, "\nAn option goes before the environment, the environment before the config "
		    "file.\n");
}

static void write_code(struct buf *b, const char *text)
{
	if (text)
		buf_printf(b, "`%s`", text);
}

static void write_markdown(struct buf *b)
{
	buf_text(b, "| Option | Environment | Default | What it does |\n"
		    "| --- | --- | --- | --- |\n");
	for (const struct option_row *row = option_rows; row < option_rows + OPTION_COUNT; row++) {
		char twin[TWIN_SIZE];

		option_twin(row, twin, sizeof(twin));
		buf_printf(b, "| `--%s%s%s` | ", row->name, row->placeholder ? "=" : "",
			   row->placeholder ? row->placeholder : "");
		write_code(b, row->traits & OPTION_LINE_ONLY ? NULL : twin);
		buf_text(b, row->twin ? ", " : "");
		write_code(b, row->twin);
		buf_text(b, " | ");
		write_code(b, row->fallback);
		buf_printf(b, " | %s |\n", row->help);
	}
}

void options_help(bool markdown)
{
	struct buf b;
	struct str text;

	buf_init_growing(&b, HELP_MAX);
	if (markdown)
		write_markdown(&b);
	else
		write_terminal(&b);
	text = buf_view(&b);
	fwrite(text.p, 1, text.n, stdout);
	fflush(stdout);
	buf_close(&b);
}
