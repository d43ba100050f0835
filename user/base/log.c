/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics on stderr. The invariant: a line is valid JSON and leaves with one write(2), so lines
 * of several threads do not mix. It is built on the stack; a message that would not fit is cut. The
 * level is the one global that changes, and it is set once, at the start.
 *
 * It refuses to be a request log: it reads the clock and calls the kernel for each line.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define LINE_MAX_BYTES 2048
#define LINE_END       "}\n"

static enum log_level least = LOG_INFO;

static const char *const level_names[] = {
	[LOG_DEBUG] = "DEBUG",
	[LOG_INFO] = "INFO",
	[LOG_WARN] = "WARN",
	[LOG_ERROR] = "ERROR",
};

void log_set_level(enum log_level level)
{
	least = level;
}

int log_level_parse(const char *name, enum log_level *level)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (str_eq_nocase(str_of(name), str_of(level_names[i]))) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void line_begin(struct buf *b, enum log_level level, const char *logger)
{
	struct clock clock = {0};

	clock_sync(&clock);
	buf_text(b, "{\"timestamp\":\"");
	clock_write(&clock, b, clock_monotonic());
	buf_text(b, "\",\"level\":\"");
	buf_text(b, level_names[level]);
	buf_text(b, "\",\"logger\":");
	buf_json(b, str_of(logger), 64);
	buf_text(b, ",\"message\":");
}

/* Escaping can make a message six times as long: what does not fit is halved until it does. */
static void line_message(struct buf *b, struct str message)
{
	size_t most = message.n;

	do {
		b->full = false;
		buf_json(b, message, most);
		most /= 2;
	} while (b->full && most);
}

static void line_write(struct str line)
{
	ssize_t written;

	do
		written = write(STDERR_FILENO, line.p, line.n);
	while (written < 0 && errno == EINTR);
}

void log_line(enum log_level level, const char *logger, const char *format, ...)
{
	char line[LINE_MAX_BYTES], message[LINE_MAX_BYTES];
	struct buf b;
	va_list args;

	if (level < least)
		return;
	va_start(args, format);
	if (vsnprintf(message, sizeof(message), format, args) < 0)
		message[0] = '\0';
	va_end(args);

	buf_init_fixed(&b, line, sizeof(line) - (sizeof(LINE_END) - 1));
	line_begin(&b, level, logger);
	line_message(&b, str_of(message));
	b.size = b.max = sizeof(line);
	buf_text(&b, LINE_END);
	line_write(buf_view(&b));
}
