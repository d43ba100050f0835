/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be true of a log line, and of the exposition, whatever a request said. */
#ifndef SONDE_FLOW_CHECK_H
#define SONDE_FLOW_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out/jsonlog.h"

static inline void wrong(const char *what, const char *text, size_t n)
{
	fprintf(stderr, "wrong: %s: %.*s\n", what, (int)n, text);
	abort();
}

static inline bool is_known(const char *key)
{
	static const char *const others[] = {"timestamp", "level",	     "logger",
					     "message",	  "header_x_tenant", "header_x_other"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(key, others[i]))
			return true;
	for (size_t i = 0; i < JSONLOG_FIELD_COUNT; i++)
		if (!strcmp(key, jsonlog_field_names[i]))
			return true;
	return false;
}

/* jansson refuses what is not UTF-8; a raw control would pass outside of strings only. */
static inline void check_line(const char *line, size_t n)
{
	json_t *json = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL), *value;
	const char *key;

	if (!json_is_object(json))
		wrong("no object of JSON", line, n);
	if (n >= JSONLOG_LINE_MAX)
		wrong("too long", line, n);
	json_object_foreach(json, key, value)
	{
		if (!is_known(key))
			wrong("a field that nobody knows", line, n);
		if (json_is_object(value) || json_is_array(value) || json_is_null(value))
			wrong("not flat", line, n);
		if (json_is_string(value) && !json_string_length(value))
			wrong("an empty field", line, n);
	}
	for (int i = 0; i < 4; i++) {
		static const char *const always[] = {"timestamp", "level", "logger", "message"};

		if (!json_is_string(json_object_get(json, always[i])))
			wrong("not always there", line, n);
	}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			wrong("a raw control", line, n);
	json_decref(json);
}

/* The sum of a family's counts. */
static inline uint64_t sum_of(const char *text, const char *family)
{
	size_t n = strlen(family);
	uint64_t sum = 0;

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p != NULL)
		if (!strncmp(p, family, n) && strchr(" {", p[n]))
			sum += strtoull(strchr(p, '\n')
						? memrchr(p, ' ', (size_t)(strchr(p, '\n') - p))
						: "0",
					NULL, 10);
	return sum;
}

#endif
