/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one segment of a path is, by itself: a number, a UUID, hex, a token, a date, an e-mail
 * address, text that people typed, or a word; and whether a path names a static file. Words that
 * only contain digits (v2, oauth2) stay words. Pure: one pass over the bytes, no state. It refuses
 * to guess: what might be a word is one, and the tree finds out whether such words vary.
 */
#include "flow/route_tree.h"

enum { DIGIT = 1, HEX = 2, LOWER = 4, UPPER = 8, MARK = 16, OTHER = 32, FOREIGN = 64 };

#define HEX_MIN	   8  /* shorter hex could be a word: "face", "feed" */
#define TOKEN_MIN  10 /* letters and digits, mixed */
#define LONG_MIN   16
#define RANDOM_MIN 6

static const uint8_t classes[256] = {
	['0' ... '9'] = DIGIT | HEX,
	['a' ... 'f'] = LOWER | HEX,
	['g' ... 'z'] = LOWER,
	['A' ... 'F'] = UPPER | HEX,
	['G' ... 'Z'] = UPPER,
	['-'] = MARK,
	['_'] = MARK,
	['.'] = MARK,
	['~'] = MARK,
	['='] = MARK,
	['!'] = OTHER,
	['$'] = OTHER,
	['&'] = OTHER,
	['\''] = OTHER,
	['('] = OTHER,
	[')'] = OTHER,
	['*'] = OTHER,
	['+'] = OTHER,
	[','] = OTHER,
	[';'] = OTHER,
	[':'] = OTHER,
	['@'] = OTHER,
};

/* What is in a segment. */
struct census {
	uint8_t any;   /* classes that some byte has */
	bool hex;      /* all are hex digits */
	size_t digits; /* how many */
	size_t runs;   /* of digits that follow each other */
	size_t turns;  /* from one class to another */
};

/* Without branches, since ids are what no processor can foresee. */
static struct census census_of(struct str s)
{
	struct census c = {.hex = true};
	unsigned all = HEX, last = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned class = classes[(unsigned char)s.p[i]], main = class & ~HEX;

		main |= FOREIGN * !class;
		c.any |= (uint8_t)main;
		all &= class;
		c.digits += main & DIGIT;
		c.runs += main & DIGIT & ~last;
		c.turns += main != last;
		last = main;
	}
	c.hex = all;
	c.turns -= s.n > 0;
	return c;
}

static bool is_class(struct str s, size_t at, unsigned wanted)
{
	return at < s.n && classes[(unsigned char)s.p[at]] & wanted;
}

static bool is_uuid(struct str s)
{
	unsigned all = HEX;

	if (s.n != 36 || s.p[8] != '-' || s.p[13] != '-' || s.p[18] != '-' || s.p[23] != '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		all &= classes[(unsigned char)s.p[i]] |
		       (i == 8 || i == 13 || i == 18 || i == 23) * HEX;
	return all;
}

static bool are_digits(struct str s, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		if (!is_class(s, i, DIGIT))
			return false;
	return true;
}

/* 2026-11, 2026-11-22, 2026.11.22, with a time behind it or not; 20261122T101500Z */
static bool is_date(struct str s)
{
	size_t at = 8;

	if (are_digits(s, 0, 8))
		return is_class(s, 9, DIGIT) && s.p[8] == 'T';
	if (!are_digits(s, 0, 4) || !are_digits(s, 5, 2) || !is_class(s, 4, MARK))
		return false;
	if (s.n == 7)
		return true;
	if (s.p[7] != s.p[4] || !are_digits(s, 8, 2))
		return false;
	for (at = 10; at < s.n; at++)
		if (!is_class(s, at, DIGIT) && !strchr("T:+-.Z_", s.p[at]))
			return false;
	return s.n == 10 || s.p[10] == 'T' || s.p[10] == '_';
}

/* Where an "@" ends, also one that is encoded; 0: nowhere. */
static size_t behind_at(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '@')
			return i + 1;
		if (s.p[i] == '%' && i + 2 < s.n && s.p[i + 1] == '4' && s.p[i + 2] == '0')
			return i + 3;
	}
	return 0;
}

static bool is_email(struct str s)
{
	size_t at = behind_at(s);
	struct str host = str_from(s, at);

	return at && s.p[0] != '@' && s.p[0] != '%' && host.n > 3 &&
	       memchr(host.p + 1, '.', host.n - 2);
}

static bool is_token(struct str s, const struct census *c)
{
	bool lower = c->any & LOWER, upper = c->any & UPPER;

	if (s.n < TOKEN_MIN || c->any & (OTHER | FOREIGN) || !c->digits || !(lower || upper))
		return false;
	if (lower && upper)
		return c->turns * 3 > s.n && (c->runs > 1 || s.n >= LONG_MIN);
	return c->any & MARK ? s.n >= LONG_MIN && c->runs * 4 >= s.n : c->runs > 2;
}

enum route_kind segment_kind(struct str s)
{
	struct census c;

	if (!s.n)
		return KIND_WORD;
	if (is_uuid(s))
		return KIND_ID;
	c = census_of(s);
	if (c.any == DIGIT || (c.hex && c.digits && s.n >= HEX_MIN))
		return KIND_ID;
	if (c.any & (OTHER | FOREIGN) && is_email(s))
		return KIND_EMAIL;
	if (c.any & FOREIGN)
		return KIND_TEXT;
	if (c.digits >= 6 && is_date(s))
		return KIND_DATE;
	if (is_token(s, &c))
		return KIND_ID;
	return s.n > ROUTE_WORD_MAX ? KIND_TEXT : KIND_WORD;
}

bool segment_has_digit(struct str s)
{
	return census_of(s).digits > 0;
}

bool segment_looks_random(struct str s)
{
	struct census c = census_of(s);

	if (s.n < RANDOM_MIN || c.any & (OTHER | FOREIGN))
		return false;
	if (c.hex || (c.digits > 1 && c.any & (LOWER | UPPER)))
		return true;
	return s.n >= TOKEN_MIN && c.any & LOWER && c.any & UPPER &&
	       (c.digits || c.turns * 3 > s.n);
}

static const struct str texts[KINDS] = {
	[KIND_ID] = {"{id}", 4},     [KIND_DATE] = {"{date}", 6}, [KIND_EMAIL] = {"{email}", 7},
	[KIND_TEXT] = {"{text}", 6}, [KIND_ANY] = {"{*}", 3},	  [KIND_REST] = {"{rest}", 6},
	[KIND_BARE] = {"", 0},
};

struct str kind_text(enum route_kind kind)
{
	return texts[kind];
}

enum route_kind kind_of_text(struct str text)
{
	for (unsigned kind = KIND_ID; text.n && kind < KINDS; kind++)
		if (str_eq(text, texts[kind]))
			return kind;
	return KIND_WORD;
}

static bool is_one_of(struct str s, const char *const *words)
{
	for (; *words; words++)
		if (str_eq_nocase(s, str_of(*words)))
			return true;
	return false;
}

static bool has_file_ending(struct str name)
{
	static const char *const endings[] = {
		"js",	"mjs",	"css", "map",	"png", "jpg", "jpeg", "gif", "svg",  "ico", "webp",
		"avif", "woff", "ttf", "woff2", "otf", "eot", "wasm", "mp4", "webm", "mp3", NULL};
	const char *dot = name.n ? memrchr(name.p, '.', name.n) : NULL;

	return dot && is_one_of(str_from(name, (size_t)(dot - name.p) + 1), endings);
}

/* Does the name of a file carry a part that changes with its content? */
static bool has_fingerprint(struct str name)
{
	size_t from = 0;

	for (size_t i = 0; i <= name.n; i++) {
		struct str part = {name.p + from, i - from};

		if (i < name.n && !is_class(name, i, MARK))
			continue;
		if (part.n >= RANDOM_MIN &&
		    (segment_kind(part) == KIND_ID ||
		     (segment_has_digit(part) && segment_looks_random(part))))
			return true;
		from = i + 1;
	}
	return false;
}

bool path_is_file(struct str path, struct str *before)
{
	static const char *const trees[] = {
		"static",  "assets", "public", "dist",	  "build",   "media",  "images",
		"image",   "img",    "js",     "css",	  "fonts",   "icons",  "_next",
		"scripts", "styles", "_nuxt",  "webjars", "bundles", "vendor", NULL};
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;
	struct str rest = path, head,
		   name = str_from(path, slash ? (size_t)(slash - path.p) + 1 : 0);

	if (!slash || !memchr(name.p, '.', name.n) || !has_file_ending(name))
		return false;
	head = (struct str){path.p, (size_t)(slash - path.p)};
	str_cut(&rest, '/');
	while (rest.p && rest.p < name.p) {
		struct str segment = str_cut(&rest, '/');

		if (!is_one_of(segment, trees))
			continue;
		*before = (struct str){path.p, (size_t)(segment.p - path.p) + segment.n};
		return true;
	}
	if (!has_fingerprint(name))
		return false;
	*before = head;
	return true;
}
