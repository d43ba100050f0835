/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the options about log lines: their rate, their fields, the headers in them. The
 * invariant is that of option_values.c: a function sets its members or leaves them alone.
 *
 * Refused: fields that no line has; more headers than a request keeps, names that are none (RFC
 * 9110, section 5.1), two that would be the same key of the line, and the headers whose only use is
 * to carry a secret. Who wants those has to look elsewhere: a log is read by many.
 */
#include <errno.h>
#include <string.h>

#include "option.h"
#include "out/jsonlog.h"

static const char *const always[] = {"timestamp", "level", "logger", "message"};
static const char *const secret[] = {"authorization", "proxy-authorization", "cookie",
				     "set-cookie"};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* N or N/s */
int set_rate(struct options *o, const struct option_row *row, const char *value)
{
	struct str s = str_of(value);
	uint64_t number = 0;

	if (str_has_suffix(s, STR("/s")))
		s.n -= 2;
	if (!str_to_u64(s, &number) || number > row->most)
		return -EINVAL;
	o->log_rate = (uint32_t)number;
	return 0;
}

static bool is_one_of(struct str name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(name, str_of(names[i])))
			return true;
	return false;
}

static bool field_find(struct str name, uint64_t *bits)
{
	for (unsigned i = 0; i < JSONLOG_FIELD_COUNT; i++) {
		if (!str_eq(name, str_of(jsonlog_field_names[i])))
			continue;
		*bits |= 1ULL << i;
		return true;
	}
	return is_one_of(name, always, LENGTH(always));
}

int set_log_fields(struct options *o, const struct option_row *row, const char *value)
{
	struct str list = str_of(value);
	uint64_t bits = JSONLOG_FIELDS_NONE;

	(void)row;
	do
		if (!field_find(str_trim(str_cut(&list, ',')), &bits))
			return -EINVAL;
	while (list.p);
	o->log_fields |= bits;
	return 0;
}

static const char *field_name(size_t i)
{
	return jsonlog_field_names[i];
}

const char *near_log_field(const char *value)
{
	struct str list = str_of(value), name;
	uint64_t bits = 0;

	do
		name = str_trim(str_cut(&list, ','));
	while (list.p && field_find(name, &bits));
	return field_find(name, &bits) ? NULL : name_nearest(name, field_name, JSONLOG_FIELD_COUNT);
}

/* As both become keys. */
static bool same_key(struct str a, struct str b)
{
	char key_a[JSONLOG_HEADER_KEY], key_b[JSONLOG_HEADER_KEY];
	size_t n = jsonlog_header_key(key_a, a);

	return n == jsonlog_header_key(key_b, b) && !memcmp(key_a, key_b, n);
}

static bool is_token(struct str name)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (!letter && !(c >= '0' && c <= '9') && !(c && strchr(others, c)))
			return false;
	}
	return name.n;
}

static int header_add(struct str *headers, unsigned *count, struct str name)
{
	if (!is_token(name) || name.n > JSONLOG_HEADER_NAME ||
	    is_one_of(name, secret, LENGTH(secret)))
		return -EINVAL;
	for (unsigned i = 0; i < *count; i++)
		if (same_key(name, headers[i]))
			return str_eq_nocase(name, headers[i]) ? 0 : -EINVAL;
	if (*count == REQUEST_HEADERS_MAX)
		return -ENOSPC;
	headers[(*count)++] = name;
	return 0;
}

int set_log_headers(struct options *o, const struct option_row *row, const char *value)
{
	struct str list = str_of(value), headers[REQUEST_HEADERS_MAX];
	unsigned count = o->log_header_count;
	int err = 0;

	(void)row;
	memcpy(headers, o->log_headers, sizeof(headers));
	do
		err = header_add(headers, &count, str_trim(str_cut(&list, ',')));
	while (list.p && !err);
	if (err)
		return err;
	memcpy(o->log_headers, headers, sizeof(headers));
	o->log_header_count = count;
	return 0;
}
