/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's own diagnostics: one flat JSON object a line on stderr with timestamp, level, logger,
 * message. A message says what happened, to what, and what to do. The level is the one global.
 */
#ifndef SONDE_LOG_H
#define SONDE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level);
int log_level_parse(const char *name, enum log_level *level); /* 0 or -EINVAL */

/* logger: the room, e.g. "sonde.kern" */
void log_line(enum log_level level, const char *logger, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
