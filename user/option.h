/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One option as a row, and what the files behind options.h share about it: option_rows.c,
 * option_values.c (what values mean), options.c (command line, environment), option_config.c (the
 * file), option_help.c.
 */
#ifndef SONDE_OPTION_H
#define SONDE_OPTION_H

#include "options.h"

struct option_row;

/* 0, or -EINVAL if the value is not what the row takes. Unless the row is a number or a flag, the
 * text must live as long as *o. */
typedef int option_set_fn(struct options *o, const struct option_row *row, const char *value);

enum option_traits {
	OPTION_FLAG = 1,   /* needs no value */
	OPTION_NUMBER = 2, /* may be a number in the config file */
	OPTION_NOT_IN_FILE = 4,
	OPTION_LINE_ONLY = 8, /* nor in the environment */
	OPTION_LIST = 16,     /* may be an array of strings in the config file */
};

struct option_row {
	const char *name;
	const char *placeholder; /* NULL: takes no value */
	const char *fallback;	 /* the default as text, NULL: none */
	const char *help;
	const char *takes; /* completes "must be ..."; NULL: a number from least to most */
	option_set_fn *set;
	size_t offset; /* of the member that it sets */
	uint64_t least, most;
	unsigned traits;
	const char *twin;			/* a further environment variable */
	const char *(*near)(const char *value); /* the name that was meant; NULL: nobody knows */
};

#define OPTION_COUNT 33
#define TWIN_SIZE    40 /* of the longest SONDE_LONG_NAME, NUL included */

extern const struct option_row option_rows[OPTION_COUNT];

/* Where a row's value came from; the first source that gives one wins. */
enum option_source { SOURCE_NONE, SOURCE_LINE, SOURCE_ENVIRONMENT, SOURCE_FILE, SOURCE_DEFAULT };

struct option_state {
	struct options *o;
	enum option_source by[OPTION_COUNT];
};

const struct option_row *option_find(struct str name); /* NULL: unknown */
const char *option_nearest(struct str name);	       /* the name that was meant, or NULL */
size_t option_twin(const struct option_row *row, char *name, size_t size); /* SONDE_LONG_NAME */

/* True if this source may give the row a value: no stronger one did. */
bool option_claim(struct option_state *s, const struct option_row *row, enum option_source by);

/* All errors leave through here: "sonde: " and one line on stderr. Returns -EINVAL. */
int option_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "WHERE must be WHAT THE ROW TAKES" */
int option_refuse(const struct option_row *row, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sets the row, or refuses as option_refuse() does, with the name that may have been meant. */
int option_give(struct option_state *s, const struct option_row *row, const char *value,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

typedef const char *name_fn(size_t i);
const char *name_nearest(struct str name, name_fn *name_of, size_t count); /* or NULL */

/* A whole file of at most `most` bytes; 0 or -errno, -EFBIG if it is longer. The caller frees
 * *bytes. */
int option_file(const char *path, size_t most, char **bytes, size_t *length);
/* Once all sources are read: the key of the hash of user ids. */
int option_user_key(struct options *o);			   /* 0 or -EINVAL, said */
int config_read(struct option_state *s, const char *path); /* 0 or -EINVAL, said */

option_set_fn set_listen, set_text, set_backend, set_detail, set_kube, set_share, set_size,
	set_number, set_duration, set_log_level, set_flag, set_services, set_routes, set_user_id,
	set_rate, set_log_fields, set_log_headers, set_help, set_version;
const char *near_log_field(const char *value);
int services_add(struct options *o, struct str port, struct str name); /* 0, -EINVAL, -ENOSPC */
/* Of one service; absent: of all. Likewise. */
int routes_add(struct options *o, struct str service, struct str pattern);

struct command_word {
	const char *word;
	enum command command;
	const char *help;
};

#define COMMAND_COUNT 4

extern const struct command_word command_words[COMMAND_COUNT];

#endif
