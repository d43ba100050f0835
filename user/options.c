/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options' sources: the command line, the environment, and the order among all. The invariant:
 * sources are read from the strongest to the weakest, and a row that has a value is claimed, so
 * that a weaker source neither replaces it nor is judged for it. A mistake in the environment can
 * thus be overruled on the command line.
 *
 * Every error is one line on stderr that names what was given and what would be right. Refused are
 * unknown options and second commands; unknown SONDE_* variables are not, since Kubernetes makes
 * some of its own for a Service named "sonde".
 */
#include "options.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option.h"

int option_error(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "sonde: %s\n", line);
	return -EINVAL;
}

int option_refuse(const struct option_row *row, const char *format, ...)
{
	char where[512];
	va_list args;

	va_start(args, format);
	vsnprintf(where, sizeof(where), format, args);
	va_end(args);
	if (row->takes)
		return option_error("%s: must be %s", where, row->takes);
	return option_error("%s: must be a number from %llu to %llu", where,
			    (unsigned long long)row->least, (unsigned long long)row->most);
}

int option_give(struct option_state *s, const struct option_row *row, const char *value,
		const char *format, ...)
{
	const char *near;
	char where[512];
	va_list args;

	if (!row->set(s->o, row, value))
		return 0;
	va_start(args, format);
	vsnprintf(where, sizeof(where), format, args);
	va_end(args);
	near = row->near ? row->near(value) : NULL;
	if (near)
		return option_error("%s: must be %s; did you mean %s?", where, row->takes, near);
	return option_refuse(row, "%s", where);
}

bool option_claim(struct option_state *s, const struct option_row *row, enum option_source by)
{
	enum option_source *holder = &s->by[row - option_rows];

	if (*holder == SOURCE_NONE)
		*holder = by;
	return *holder == by;
}

static const char *row_name(size_t i)
{
	return option_rows[i].name;
}

/* The name that was meant, or NULL. */
const char *option_nearest(struct str name)
{
	return name_nearest(name, row_name, OPTION_COUNT);
}

static int unknown_option(struct str arg)
{
	struct str rest = arg, name;
	const char *nearest;

	arg = name = str_cut(&rest, '=');
	while (name.n && *name.p == '-')
		name = str_from(name, 1);
	nearest = option_nearest(name);
	if (nearest)
		return option_error("%.*s: unknown option; did you mean --%s?", (int)arg.n, arg.p,
				    nearest);
	return option_error("%.*s: unknown option; sonde --help lists them all", (int)arg.n, arg.p);
}

/* One option and its value, "NAME=VALUE" or "NAME" with the value in the next argument. */
static int line_option(struct option_state *s, char ***argv)
{
	const char *text = **argv + 2;
	const char *equals = strchr(text, '=');
	struct str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
	const struct option_row *row = option_find(name);
	const char *value = equals ? equals + 1 : NULL;

	if (!row)
		return unknown_option(str_of(text - 2));
	if (!value && row->traits & OPTION_FLAG)
		value = "true";
	else if (!value)
		value = *++*argv;
	if (!value)
		return option_error("--%s: needs a value, --%s=%s", row->name, row->name,
				    row->placeholder);
	option_claim(s, row, SOURCE_LINE);
	return option_give(s, row, value, "--%s%s%s", row->name, *value ? "=" : "", value);
}

static int line_word(const char *word, const struct command_word **chosen)
{
	if (*chosen)
		return option_error("%s: one command at a time, there is '%s' already", word,
				    (*chosen)->word);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(word, command_words[i].word) == 0)
			*chosen = &command_words[i];
	if (!*chosen)
		return option_error("%s: unknown command; there are run, check, version and help",
				    word);
	return 0;
}

static int line_read(struct option_state *s, char **argv)
{
	const struct command_word *chosen = NULL;
	int err = 0;

	for (; *argv && !err; argv += *argv != NULL) {
		if (strncmp(*argv, "--", 2) == 0)
			err = line_option(s, &argv);
		else if (strcmp(*argv, "-h") == 0 || strcmp(*argv, "-V") == 0)
			s->o->command = (*argv)[1] == 'h' ? COMMAND_HELP : COMMAND_VERSION;
		else if (**argv == '-')
			err = unknown_option(str_of(*argv));
		else
			err = line_word(*argv, &chosen);
	}
	/* `sonde check --help` asks for help */
	if (chosen && s->o->command == COMMAND_RUN)
		s->o->command = chosen->command;
	return err;
}

/* An empty variable counts as unset. */
static const char *variable_find(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=' && (*env)[n + 1])
			return *env + n + 1;
	return NULL;
}

static int environment_read(struct option_state *s, char **env)
{
	int err = 0;

	for (const struct option_row *row = option_rows; !err && row < option_rows + OPTION_COUNT;
	     row++) {
		char twin[TWIN_SIZE];
		const char *variable = twin, *value;

		if (row->traits & OPTION_LINE_ONLY)
			continue;
		option_twin(row, twin, sizeof(twin));
		value = variable_find(env, variable);
		if (!value && row->twin)
			value = variable_find(env, variable = row->twin);
		if (!value || !option_claim(s, row, SOURCE_ENVIRONMENT))
			continue;
		err = option_give(s, row, value, "%s=%s", variable, value);
	}
	return err;
}

static void defaults_set(struct option_state *s)
{
	for (const struct option_row *row = option_rows; row < option_rows + OPTION_COUNT; row++)
		if (row->fallback && option_claim(s, row, SOURCE_DEFAULT))
			row->set(s->o, row, row->fallback);
}

static int sources_read(struct option_state *s, char **argv, char **env)
{
	int err = line_read(s, argv);

	/* a broken file must not keep anybody from the help text */
	if (!err && (s->o->command == COMMAND_HELP || s->o->command == COMMAND_VERSION))
		return 0;
	if (!err)
		err = environment_read(s, env);
	if (!err && s->o->config)
		err = config_read(s, s->o->config);
	return err;
}

int options_parse(struct options *o, int argc, char **argv, char **env)
{
	struct option_state s = {.o = o};
	int err;

	*o = (struct options){.command = COMMAND_RUN};
	err = sources_read(&s, argc > 0 ? argv + 1 : argv, env);
	if (!err) {
		defaults_set(&s);
		if (o->command == COMMAND_RUN || o->command == COMMAND_CHECK)
			err = option_user_key(o);
		if (!err && o->json && o->command == COMMAND_RUN)
			err = option_error("--json: only sonde check takes it");
	}
	if (err)
		options_free(o);
	return err;
}

void options_free(struct options *o)
{
	free(o->services);
	free(o->user_key);
	free(o->routes);
	json_decref(o->memory);
	o->services = NULL;
	o->user_key = NULL;
	o->service_count = 0;
	o->routes = NULL;
	o->route_count = 0;
	o->memory = NULL;
}
