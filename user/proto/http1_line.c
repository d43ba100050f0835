/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first line of an HTTP/1 message, and what stands in it: method, target, host, status.
 *
 * A line may be judged before its end was seen. The invariant: what is said then stays true for
 * each longer form of the same line, so only complete parts are taken: a method once a space
 * follows, a status once it has three digits. The target alone may be a cut one.
 *
 * It refuses control bytes, a method that is not a token, a version other than 1.x, and a status
 * below 100. It does not judge targets: servers answer to the oddest, and a space in one is common.
 * It keeps no query, no user and no password.
 */
#include "proto/http1.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110 tchar, one bit a byte: ALPHA DIGIT !#$%&'*+-.^_`|~ */
static bool is_token(unsigned char c)
{
	static const uint64_t bits[4] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};

	return bits[c >> 6] >> (c & 63) & 1;
}

static size_t token_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && is_token((unsigned char)s.p[n]))
		n++;
	return n;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static bool is_version(struct str s)
{
	return s.n == 8 && str_has_prefix(s, STR("HTTP/1.")) && is_digit(s.p[7]);
}

bool http1_line_next(struct str *rest, struct str *line)
{
	const char *p = rest->p, *end = rest->n ? memchr(p, '\n', rest->n) : NULL;
	size_t n = end ? (size_t)(end - p) : rest->n;

	line->p = p;
	line->n = n - (n && p[n - 1] == '\r');
	if (!end)
		return false;
	rest->p = end + 1;
	rest->n -= n + 1;
	return true;
}

/* Names and passwords may stand before a host, with any number of '@' in them. */
static struct str without_user(struct str s)
{
	const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;

	return at ? str_from(s, (size_t)(at - s.p) + 1) : s;
}

struct str http1_host_of(struct str authority)
{
	struct str rest = without_user(authority), host;

	if (rest.n && *rest.p == '[') {
		rest = str_from(rest, 1);
		host = str_cut(&rest, ']');
	} else {
		host = str_cut(&rest, ':');
	}
	return host.n ? host : (struct str){NULL, 0};
}

static struct str without_query(struct str target)
{
	struct str path = str_cut(&target, '#');

	return str_cut(&path, '?');
}

static size_t authority_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
		n++;
	return n;
}

/* absolute-form: scheme://user@host:port/path. False if raw is something else. */
static bool target_absolute(struct str raw, bool whole, struct msg *msg)
{
	struct str rest = raw, scheme = str_cut(&rest, ':'), authority;

	if (scheme.n == 0 || !str_has_prefix(rest, STR("//")))
		return false;
	rest = str_from(rest, 2);
	authority = (struct str){rest.p, authority_length(rest)};
	if (authority.n == rest.n && !whole)
		return true;
	msg->target = without_query(str_from(rest, authority.n));
	if (msg->target.n == 0)
		msg->target = STR("/");
	msg->host = http1_host_of(authority);
	return true;
}

/*
 * A cut target that begins without a slash may be the start of a scheme, or of a user and password:
 * then it is not taken.
 */
static void target_set(struct str raw, bool whole, struct msg *msg)
{
	bool connect = str_eq(msg->op, STR("CONNECT"));

	if (raw.n && (*raw.p == '/' || *raw.p == '*')) {
		msg->target = without_query(raw);
	} else if (raw.n && (connect || !target_absolute(raw, whole, msg)) && whole) {
		msg->target = without_user(without_query(raw));
		if (connect)
			msg->host = http1_host_of(msg->target);
	}
}

/* The version is what follows the last space, so that the target may contain some. */
static int target_and_version(struct str both, struct msg *msg)
{
	size_t n = both.n;

	while (n && both.p[n - 1] != ' ')
		n--;
	if (n == 0 || !is_version(str_from(both, n)))
		return HTTP1_NOT_OURS;
	target_set(str_trim((struct str){both.p, n}), true, msg);
	return 0;
}

int http1_request_line(struct str line, bool whole, struct msg *msg)
{
	size_t n = token_length(line);
	struct str rest = str_trim(str_from(line, n + 1));

	if (n == line.n)
		return whole ? HTTP1_NOT_OURS : 0;
	if (n == 0 || line.p[n] != ' ' || has_control(str_from(line, n)))
		return HTTP1_NOT_OURS;
	msg->op = (struct str){line.p, n};
	if (whole)
		return target_and_version(rest, msg);
	target_set(str_cut(&rest, ' '), false, msg);
	return 0;
}

int http1_status_line(struct str line, bool whole, struct msg *msg)
{
	struct str rest = str_trim(str_from(line, 8)), number = str_cut(&rest, ' ');
	uint64_t status = 0;

	if (line.n < 8)
		return !whole && str_has_prefix(STR("HTTP/1."), line) ? 0 : HTTP1_NOT_OURS;
	if (!is_version((struct str){line.p, 8}) || (line.n > 8 && line.p[8] != ' '))
		return HTTP1_NOT_OURS;
	if (number.n == 0 && !whole)
		return 0;
	if (!str_to_u64(number, &status) || number.n > 3 || (number.n < 3 && whole))
		return HTTP1_NOT_OURS;
	if (number.n < 3)
		return 0;
	msg->status = (uint16_t)status;
	return status < 100 ? HTTP1_NOT_OURS : 0;
}
