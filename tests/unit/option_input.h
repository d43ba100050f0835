/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the options share: options_parse() on a line of text, with what it says on
 * stderr caught in a temporary file, and a config file to write to.
 */
#ifndef SONDE_TEST_OPTION_INPUT_H
#define SONDE_TEST_OPTION_INPUT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "option.h"

#define ARGS_MAX 8

static char said[8192]; /* by the last call, on the descriptor that was caught */

struct catch
{
	int fd, saved;
	FILE *file;
};

static inline struct catch catch_begin(int fd)
{
	struct catch c = {fd, dup(fd), tmpfile()};

	assert_non_null(c.file);
	dup2(fileno(c.file), fd);
	return c;
}

static inline void catch_end(struct catch *c)
{
	size_t n;

	dup2(c->saved, c->fd);
	close(c->saved);
	rewind(c->file);
	n = fread(said, 1, sizeof(said) - 1, c->file);
	said[n] = '\0';
	fclose(c->file);
}

/* line: arguments separated by blanks; environment likewise. They must outlive *o. */
struct input {
	char line[512], environment[512];
	char *argv[ARGS_MAX + 2], *env[ARGS_MAX + 1];
};

static inline void split(char *text, char **to)
{
	char *rest = NULL;

	for (char *p = strtok_r(text, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
		*to++ = p;
	*to = NULL;
}

static inline int parse(struct options *o, struct input *in, const char *line,
			const char *environment)
{
	struct catch c;
	int argc = 0, err;

	*in = (struct input){.argv = {"sonde"}};
	snprintf(in->line, sizeof(in->line), "%s", line);
	snprintf(in->environment, sizeof(in->environment), "%s", environment);
	split(in->line, in->argv + 1);
	split(in->environment, in->env);
	while (in->argv[argc])
		argc++;
	c = catch_begin(STDERR_FILENO);
	err = options_parse(o, argc, in->argv, in->env);
	catch_end(&c);
	return err;
}

static char file_path[64];

static inline void write_file(const char *text)
{
	FILE *f = fopen(file_path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline int file_setup(void **state)
{
	int fd;

	(void)state;
	strcpy(file_path, "/tmp/sonde-options-XXXXXX");
	fd = mkstemp(file_path);
	close(fd);
	return fd < 0;
}

static inline int file_teardown(void **state)
{
	(void)state;
	return unlink(file_path);
}

#endif
