/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options about users: where their ids are looked for, and the key of the hash. The invariant:
 * if ids are to be hashed there is a key, the file's or one that was drawn for this start.
 *
 * Refused: headers that carry secrets, a key that could be guessed, and a key that nothing uses,
 * since who gives one counts on the hash.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "option.h"

#define KEY_LEAST  16 /* bytes */
#define KEY_MOST   4096
#define KEY_DRAWN  32
#define NAME_LIMIT 64

static bool is_secret(struct str header)
{
	static const struct str secrets[] = {
		{"authorization", 13}, {"proxy-authorization", 19}, {"cookie", 6}};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (str_eq_nocase(header, secrets[i]))
			return true;
	return false;
}

/* Of a header or a claim: no blanks, no control bytes. */
static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
			return false;
	return name.n > 0 && name.n <= NAME_LIMIT;
}

static int source_add(struct user_options *user, struct str word)
{
	struct str name = word, kind = str_cut(&name, ':');
	bool jwt = str_eq(kind, STR("jwt"));

	if (!jwt && !str_eq(kind, STR("header")))
		return -EINVAL;
	if (name.p &&
	    (!is_name(name) || (!jwt && (is_secret(name) || memchr(name.p, ':', name.n)))))
		return -EINVAL;
	if (user->source_count == USER_SOURCES_MAX)
		return -EINVAL;
	if (jwt && !name.p)
		name = STR("sub");
	user->sources[user->source_count++] =
		(struct user_source){jwt ? USER_JWT : USER_HEADER, name};
	return 0;
}

int set_user_id(struct options *o, const struct option_row *row, const char *value)
{
	struct user_options user = {0};
	struct str list = str_of(value);

	(void)row;
	if (str_eq(list, STR("off")))
		list.p = NULL;
	else if (!list.n)
		return -EINVAL;
	while (list.p) {
		struct str word = str_cut(&list, ',');

		if (str_eq(word, STR("hash")))
			user.hash = true;
		else if (source_add(&user, word))
			return -EINVAL;
	}
	if (user.hash && !user.source_count) { /* of what is looked for anyway */
		source_add(&user, STR("header"));
		source_add(&user, STR("jwt"));
	}
	o->user = user;
	return 0;
}

/* Editors end a file with a newline, secrets that are mounted have none: it is not of the key. */
static size_t without_newline(const char *key, size_t n)
{
	while (n && (key[n - 1] == '\n' || key[n - 1] == '\r'))
		n--;
	return n;
}

static int key_read(struct options *o)
{
	size_t n = 0;
	int err = option_file(o->user_key_file, KEY_MOST, &o->user_key, &n);

	if (err == -EFBIG)
		return option_error("%s: key file of more than %d bytes", o->user_key_file,
				    KEY_MOST);
	if (err)
		return option_error("%s: cannot read key file: %s", o->user_key_file,
				    strerror(-err));
	n = without_newline(o->user_key, n);
	if (n < KEY_LEAST)
		return option_error("%s: key file of less than %d bytes", o->user_key_file,
				    KEY_LEAST);
	o->user.key = (struct str){o->user_key, n};
	return 0;
}

static int key_draw(struct options *o)
{
	o->user_key = malloc(KEY_DRAWN);
	if (!o->user_key || getrandom(o->user_key, KEY_DRAWN, 0) != KEY_DRAWN)
		return option_error("cannot draw a random key: %s", strerror(errno));
	o->user.key = (struct str){o->user_key, KEY_DRAWN};
	return 0;
}

int option_user_key(struct options *o)
{
	if (o->user_key_file && !o->user.hash)
		return option_error("user-id-key-file: a key, but nothing is hashed: add hash to "
				    "user-id, such as --user-id=header,jwt,hash");
	if (!o->user.hash)
		return 0;
	return o->user_key_file ? key_read(o) : key_draw(o);
}
