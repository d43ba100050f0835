/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the target for tokens takes: a byte of flags, and a token, or the payload of one. What
 * jwt_claim() finds must be what jansson finds in a payload that was decoded bit by bit.
 */
#ifndef SONDE_JWT_INPUT_H
#define SONDE_JWT_INPUT_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jwt.h"

enum {
	JWT_INPUT_PAYLOAD = 1, /* the bytes are a payload, to be encoded */
	JWT_INPUT_OTHER = 2,   /* another claim is asked for */
};

#define JWT_INPUT_MAX	4096
#define JWT_INPUT_DEPTH 64

static const char jwt_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static inline size_t jwt_encode(const uint8_t *bytes, size_t n, char *to)
{
	uint32_t bits = 0;
	unsigned count = 0;
	size_t length = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | bytes[i];
		for (count += 8; count >= 6; count -= 6)
			to[length++] = jwt_alphabet[bits >> (count - 6) & 63];
	}
	if (count)
		to[length++] = jwt_alphabet[bits << (6 - count) & 63];
	return length;
}

/* False if it is no base64url. */
static inline bool jwt_decode(struct str text, uint8_t *to, size_t *n)
{
	uint32_t bits = 0;
	unsigned count = 0;

	*n = 0;
	for (size_t i = 0; i < text.n; i++) {
		const char *at = text.p[i] ? strchr(jwt_alphabet, text.p[i]) : NULL;

		if (!at)
			return false;
		bits = bits << 6 | (uint32_t)(at - jwt_alphabet);
		count += 6;
		if (count >= 8)
			to[(*n)++] = (uint8_t)(bits >> (count -= 8));
	}
	return count < 6 && !(bits & ((1u << count) - 1));
}

/* How deep valid JSON is nested. */
static inline unsigned jwt_depth(const uint8_t *p, size_t n)
{
	unsigned depth = 0, deepest = 0;
	bool string = false;

	for (size_t i = 0; i < n; i++) {
		string ^= p[i] == '"';
		i += string && p[i] == '\\';
		if (string)
			continue;
		depth += p[i] == '{' || p[i] == '[';
		depth -= p[i] == '}' || p[i] == ']';
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest;
}

/* What the claim's text should be; absent if there is none. *unknown: jansson refuses the number.
 */
static inline struct str jwt_expected(const uint8_t *payload, size_t n, const char *claim,
				      char *text, bool *unknown)
{
	json_error_t error = {0};
	json_t *root = json_loadb((const char *)payload, n, JSON_DECODE_INT_AS_REAL, &error);
	const json_t *value = json_object_get(root, claim);
	size_t length = 0;

	*unknown = !root && json_error_code(&error) == json_error_numeric_overflow;
	if (json_is_string(value) && jwt_depth(payload, n) <= JWT_INPUT_DEPTH + 1) {
		length = json_string_length(value);
		memcpy(text, json_string_value(value), length);
	}
	json_decref(root);
	return (struct str){length ? text : NULL, length};
}

static inline struct str jwt_reference(struct str token, const char *claim, char *text,
				       bool *unknown)
{
	uint8_t payload[2 * JWT_INPUT_MAX];
	struct str rest = token, header = str_cut(&rest, '.'), part = str_cut(&rest, '.');
	size_t n;

	*unknown = false;
	if (!header.n || !rest.p || (rest.n && memchr(rest.p, '.', rest.n)) ||
	    !jwt_decode(part, payload, &n) || part.n / 4 * 3 + 2 > JWT_PAYLOAD_MAX ||
	    memchr(payload, 0, n)) /* jansson passes over a NUL behind a word */
		return (struct str){NULL, 0};
	return jwt_expected(payload, n, claim, text, unknown);
}

/* The token of an input. */
static inline struct str jwt_input_token(const uint8_t *input, size_t n, char *to)
{
	size_t length = n - 1;

	if (!(input[0] & JWT_INPUT_PAYLOAD)) {
		memcpy(to, input + 1, length);
		return (struct str){to, length};
	}
	memcpy(to, "e30.", 4);
	length = 4 + jwt_encode(input + 1, length, to + 4);
	to[length++] = '.';
	return (struct str){to, length};
}

/* What is wrong with what is found in this input; NULL: nothing. */
static inline const char *jwt_input_check(const uint8_t *input, size_t n)
{
	static char text[2 * JWT_INPUT_MAX], bytes[2 * JWT_INPUT_MAX];
	const char *claim = n && input[0] & JWT_INPUT_OTHER ? "a" : "sub", *wrong = NULL;
	struct jwt_memory *memory;
	struct str token, expected, found;
	bool unknown;
	char *exact;

	if (n == 0 || n > JWT_INPUT_MAX)
		return NULL;
	token = jwt_input_token(input, n, bytes);
	exact = malloc(token.n + !token.n); /* no byte more */
	memory = malloc(sizeof(*memory));
	memcpy(exact, token.p, token.n);
	memset(memory, input[n - 1], sizeof(*memory));
	token.p = exact;
	expected = jwt_reference(token, claim, text, &unknown);
	found = jwt_claim(token, str_of(claim), memory);
	if (!unknown && !str_eq(found, expected))
		wrong = found.n ? "another claim than jansson's" : "a claim that is not found";
	free(memory);
	free(exact);
	return wrong;
}

struct jwt_writer {
	uint8_t *bytes;
	size_t n, max;
	uint64_t seed;
};

static inline uint32_t jwt_draw(struct jwt_writer *w, uint32_t below)
{
	w->seed = w->seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(w->seed >> 32) % below;
}

static inline void jwt_write(struct jwt_writer *w, const char *text)
{
	for (; *text && w->n < w->max; text++)
		w->bytes[w->n++] = (uint8_t)*text;
}

static inline void jwt_write_string(struct jwt_writer *w)
{
	static const char *const parts[] = {
		"a",
		"ann",
		"1234567890",
		"\xc3\xa9",
		"\xe4\xbd\xa0",
		"\xf0\x9f\x98\x80",
		"\\n",
		"\\\"",
		"\\\\",
		"\\/",
		"\\u0061",
		"\\u00e9",
		"\\u4F60",
		"\\ud83d\\ude00",
		"|",
		"\\u0073\\u0075b",
		"sub",
		"\x7f",
	};
	static const char *const bad[] = {"\\ud83d", "\\ude00", "\\u00",    "\\x",	   "\n",
					  "\xff",    "\\u0000", "\xc0\x80", "\xed\xa0\x80"};

	jwt_write(w, "\"");
	for (uint32_t i = jwt_draw(w, 6); i; i--)
		jwt_write(w, parts[jwt_draw(w, sizeof(parts) / sizeof(parts[0]))]);
	if (!jwt_draw(w, 100))
		jwt_write(w, bad[jwt_draw(w, sizeof(bad) / sizeof(bad[0]))]);
	jwt_write(w, "\"");
}

static inline void jwt_write_blanks(struct jwt_writer *w)
{
	static const char *const blanks[] = {"", "", "", "", " ", "\n", "\r\n\t", "  "};

	jwt_write(w, blanks[jwt_draw(w, sizeof(blanks) / sizeof(blanks[0]))]);
}

static inline void jwt_write_value(struct jwt_writer *w, unsigned depth)
{
	static const char *const scalars[] = {
		"true", "false", "null", "0",  "-0",  "17",  "-1.5e+9", "1E-3",
		"0.25", "1e2",	 "\"\"", "[]", "{ }", "[ ]", "{}",	"1732233445",
	};
	bool object = jwt_draw(w, 2);

	jwt_write_blanks(w);
	if (!depth || jwt_draw(w, 3)) {
		if (jwt_draw(w, 2))
			jwt_write_string(w);
		else
			jwt_write(w, scalars[jwt_draw(w, sizeof(scalars) / sizeof(scalars[0]))]);
		jwt_write_blanks(w);
		return;
	}
	jwt_write(w, object ? "{" : "[");
	for (uint32_t i = 1 + jwt_draw(w, 3); i; i--) {
		if (object) {
			jwt_write_string(w);
			jwt_write(w, ":");
		}
		jwt_write_value(w, depth - 1);
		jwt_write(w, i > 1 ? "," : "");
	}
	jwt_write(w, object ? "}" : "]");
	jwt_write_blanks(w);
}

static inline void jwt_write_payload(struct jwt_writer *w)
{
	static const char *const names[] = {"\"sub\"",	"\"sub\"",	 "\"a\"",   "\"iat\"",
					    "\"sub\" ", "\"s\\u0075b\"", "\"Sub\"", "\"\""};

	jwt_write_blanks(w);
	jwt_write(w, "{");
	jwt_write_blanks(w);
	for (uint32_t i = jwt_draw(w, 6); i; i--) {
		jwt_write(w, names[jwt_draw(w, sizeof(names) / sizeof(names[0]))]);
		jwt_write(w, ":");
		jwt_write_value(w, jwt_draw(w, 8) ? 3 : 9);
		jwt_write(w, i > 1 ? "," : "");
		jwt_write_blanks(w);
	}
	jwt_write(w, "}");
	jwt_write_blanks(w);
}

/* An input for each seed, always the same: half of them payloads, the others whole tokens; a third
 * of all has a byte that is wrong. */
static inline size_t jwt_input_make(uint64_t seed, uint8_t input[JWT_INPUT_MAX])
{
	uint8_t payload[JWT_INPUT_MAX / 2];
	struct jwt_writer w = {payload, 0, sizeof(payload), seed};
	bool whole = jwt_draw(&w, 2);
	size_t n = 1;

	jwt_write_payload(&w);
	input[0] = (uint8_t)((whole ? 0 : JWT_INPUT_PAYLOAD) |
			     (jwt_draw(&w, 8) ? 0 : JWT_INPUT_OTHER));
	if (whole) {
		memcpy(input + n, "eyJhbGciOiJub25lIn0.", 20);
		n += 20;
		n += jwt_encode(payload, w.n, (char *)input + n);
		input[n++] = '.';
		for (uint32_t i = jwt_draw(&w, 40); i; i--)
			input[n++] = (uint8_t)jwt_alphabet[jwt_draw(&w, 64)];
	} else {
		memcpy(input + n, payload, w.n);
		n += w.n;
	}
	if (!jwt_draw(&w, 3))
		input[1 + jwt_draw(&w, (uint32_t)n - 1)] = (uint8_t)jwt_draw(&w, 256);
	return n;
}

#endif
