/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The config file: one JSON object whose keys are the options' long names. Values are text, and
 * where the option is a number or a flag, that. Lists may be arrays; "service" may be an object
 * from port to name, "route" one from service to patterns.
 *
 * The invariant: the parsed file stays in options.memory, since the options' strings stand in it.
 * Refused are files of more than 256 KiB, keys that are no option, keys that come twice, and
 * anything behind the object. Each error names the file, the line and the column; jansson tells
 * them for bad JSON, for a bad value the key is looked up in the text.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "option.h"

#define FILE_MAX_BYTES (256 << 10)
#define WHERE_MAX      512

struct config {
	struct option_state *state;
	const char *path;
	struct str text;
};

int option_file(const char *path, size_t most, char **bytes, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = 1;
	int err = 0;

	if (fd < 0)
		return -errno;
	*length = 0;
	*bytes = malloc(most + 1);
	while (*bytes && n > 0 && *length <= most) {
		n = read(fd, *bytes + *length, most + 1 - *length);
		*length += n > 0 ? (size_t)n : 0;
	}
	if (!*bytes)
		err = -ENOMEM;
	else if (n < 0)
		err = -errno;
	else if (*length > most)
		err = -EFBIG;
	close(fd);
	return err;
}

/* Where the text has the key; absent if the key is written with escapes. */
static struct str key_find(struct str text, const char *key)
{
	size_t n = strlen(key);

	while (text.n && (str_cut(&text, '"'), text.n > n)) {
		struct str after = str_from(text, n);

		if (memcmp(text.p, key, n) != 0 || *after.p != '"')
			continue;
		after = str_from(after, 1);
		while (after.n && strchr(" \t\r\n", *after.p))
			after = str_from(after, 1);
		if (after.n && *after.p == ':')
			return text;
	}
	return (struct str){NULL, 0};
}

/* "FILE:LINE:COLUMN" of a key, or of the file alone. */
static const char *key_place(const struct config *c, const char *key, char *where, size_t size)
{
	struct str at = key_find(c->text, key);
	struct str before = {c->text.p, at.p ? (size_t)(at.p - c->text.p) : 0}, line = before;
	unsigned number = 0;

	if (!at.p) {
		snprintf(where, size, "%s", c->path);
		return where;
	}
	for (; before.p; number++) {
		line = before;
		str_cut(&before, '\n');
	}
	snprintf(where, size, "%s:%u:%u", c->path, number, (unsigned)line.n);
	return where;
}

static int unknown_key(const struct config *c, const char *key)
{
	const char *nearest = option_nearest(str_of(key));
	char where[WHERE_MAX];

	key_place(c, key, where, sizeof(where));
	if (nearest)
		return option_error("%s: %s: unknown key; did you mean %s?", where, key, nearest);
	return option_error("%s: %s: unknown key; sonde --help lists them all", where, key);
}

/* As one writes it on the command line: no exponent, as few digits as say the same. */
static void real_text(char *text, size_t size, double value)
{
	for (int digits = 0; digits < 18; digits++) {
		snprintf(text, size, "%.*f", digits, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

/* The value as the command line would give it; NULL if this type says nothing for this row. */
static const char *value_text(const struct option_row *row, const json_t *value, char *number,
			      size_t size)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value) && row->traits & OPTION_FLAG)
		return json_is_true(value) ? "true" : "false";
	if (json_is_real(value) && row->traits & OPTION_NUMBER) {
		real_text(number, size, json_real_value(value));
		return number;
	}
	if (!json_is_integer(value) || !(row->traits & OPTION_NUMBER))
		return NULL;
	snprintf(number, size, "%lld", (long long)json_integer_value(value));
	return number;
}

static int value_set(const struct config *c, const struct option_row *row, const json_t *value)
{
	char where[WHERE_MAX], number[24];
	const char *text = value_text(row, value, number, sizeof(number));

	key_place(c, row->name, where, sizeof(where));
	if (text)
		return option_give(c->state, row, text, "%s: %s=%s", where, row->name, text);
	return option_refuse(row, "%s: %s", where, row->name);
}

static int list_read(const struct config *c, const struct option_row *row, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		int err = value_set(c, row, json_array_get(list, i));

		if (err)
			return err;
	}
	return 0;
}

static int services_object(const struct config *c, const struct option_row *row, json_t *object)
{
	char where[WHERE_MAX];
	const char *port;
	json_t *name;

	json_object_foreach(object, port, name)
	{
		struct str text = str_of(json_string_value(name));

		if (services_add(c->state->o, str_of(port), text) == 0)
			continue;
		key_place(c, port, where, sizeof(where));
		return option_refuse(row, "%s: %s=%.*s", where, port, (int)text.n,
				     text.n ? text.p : "");
	}
	return 0;
}

static int route_add(const struct config *c, const struct option_row *row, const char *service,
		     const json_t *pattern)
{
	struct str text = str_of(json_string_value(pattern));
	char where[WHERE_MAX];

	if (*service && routes_add(c->state->o, str_of(service), text) == 0)
		return 0;
	key_place(c, service, where, sizeof(where));
	return option_refuse(row, "%s: %s=%.*s", where, service, (int)text.n, text.n ? text.p : "");
}

static int routes_object(const struct config *c, const struct option_row *row, json_t *object)
{
	const char *service;
	json_t *list;
	int err = 0;

	json_object_foreach(object, service, list)
	{
		if (!json_is_array(list))
			err = route_add(c, row, service, list);
		for (size_t i = 0; !err && i < json_array_size(list); i++)
			err = route_add(c, row, service, json_array_get(list, i));
		if (err)
			break;
	}
	return err;
}

static int key_read(const struct config *c, const char *key, json_t *value)
{
	const struct option_row *row = option_find(str_of(key));

	if (!row)
		return unknown_key(c, key);
	if (row->traits & (OPTION_LINE_ONLY | OPTION_NOT_IN_FILE)) {
		char where[WHERE_MAX];

		key_place(c, key, where, sizeof(where));
		return option_error("%s: %s: only as an option, not in the file", where, key);
	}
	if (!option_claim(c->state, row, SOURCE_FILE))
		return 0;
	if (row->traits & OPTION_LIST && json_is_array(value))
		return list_read(c, row, value);
	if (row->set == set_routes && json_is_object(value))
		return routes_object(c, row, value);
	if (row->set == set_services && json_is_object(value))
		return services_object(c, row, value);
	return value_set(c, row, value);
}

static int text_read(const struct config *c)
{
	json_error_t error;
	json_t *root = json_loadb(c->text.p, c->text.n, JSON_REJECT_DUPLICATES, &error);
	const char *key;
	json_t *value;
	int err = 0;

	c->state->o->memory = root;
	if (!root)
		return option_error("%s:%d:%d: not valid JSON: %s", c->path, error.line,
				    error.column, error.text);
	if (!json_is_object(root))
		return option_error(
			"%s:1:1: must be a JSON object, such as {\"listen\": \":9435\"}", c->path);
	json_object_foreach(root, key, value)
	{
		err = key_read(c, key, value);
		if (err)
			break;
	}
	return err;
}

int config_read(struct option_state *s, const char *path)
{
	struct config c = {.state = s, .path = path};
	char *bytes = NULL;
	int err = option_file(path, FILE_MAX_BYTES, &bytes, &c.text.n);

	c.text.p = bytes;
	if (err == -EFBIG)
		err = option_error("%s: config file of more than 256 KiB", path);
	else if (err)
		err = option_error("%s: cannot read config file: %s", path, strerror(-err));
	else
		err = text_read(&c);
	free(bytes);
	return err;
}
