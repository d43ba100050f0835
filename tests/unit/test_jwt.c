/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read out of a token: rows of payloads and tokens, each whole and cut at every byte; then
 * random and mutated ones, against jansson (tests/fuzz/jwt_input.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fuzz/jwt_input.h"

#define RANDOM 100000

static struct jwt_memory memory;

static const struct {
	const char *payload, *sub; /* NULL: none */
} payloads[] = {
	{"{\"sub\":\"ann\"}", "ann"},
	{"{\"sub\":\"auth0|5f7c8ec7c33c6c004bbafe82\",\"iat\":1516239022}",
	 "auth0|5f7c8ec7c33c6c004bbafe82"},
	{" {\n\t\"iss\" : \"x\" ,\r\n \"sub\" : \"ann\" } ", "ann"},
	{"{\"sub\":\"\"}", NULL},
	{"{}", NULL},
	{"", NULL},
	{"{\"name\":\"ann\"}", NULL},
	{"{\"Sub\":\"ann\",\"subject\":\"b\",\"su\":\"c\",\" sub\":\"d\"}", NULL},
	/* of other types */
	{"{\"sub\":42}", NULL},
	{"{\"sub\":null}", NULL},
	{"{\"sub\":[\"ann\"]}", NULL},
	{"{\"sub\":{\"sub\":\"ann\"}}", NULL},
	/* not at the top */
	{"{\"act\":{\"sub\":\"eve\"}}", NULL},
	{"{\"act\":{\"sub\":\"eve\"},\"sub\":\"ann\"}", "ann"},
	{"{\"sub\":\"ann\",\"act\":{\"sub\":\"eve\",\"act\":{\"sub\":\"bob\"}}}", "ann"},
	{"{\"a\":[{\"sub\":\"eve\"},\"sub\",\":\",\"eve\"]}", NULL},
	{"{\"a\":\"\\\"sub\\\":\\\"eve\\\"\"}", NULL},
	{"[\"sub\",\"ann\"]", NULL},
	{"[{\"sub\":\"ann\"}]", NULL},
	{"\"sub\"", NULL},
	/* several: the last one counts */
	{"{\"sub\":\"a\",\"sub\":\"b\"}", "b"},
	{"{\"sub\":\"a\",\"s\\u0075b\":\"b\"}", "b"},
	{"{\"sub\":\"a\",\"sub\":1}", NULL},
	{"{\"sub\":1,\"sub\":\"b\"}", "b"},
	/* escapes */
	{"{\"\\u0073\\u0075\\u0062\":\"\\u0061\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "a\"\\/\b\f\n\r\t"},
	{"{\"sub\":\"J\\u00fcrgen \\u4f60 \\uD83D\\uDE00!\"}",
	 "J\xc3\xbcrgen \xe4\xbd\xa0 \xf0\x9f\x98\x80!"},
	{"{\"sub\":\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff\"}",
	 "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
	{"{\"sub\":\"a\\u0000b\"}", NULL},
	{"{\"sub\":\"\\ud83d\"}", NULL},
	{"{\"sub\":\"\\ud83dx\"}", NULL},
	{"{\"sub\":\"\\ud83d\\u0061\"}", NULL},
	{"{\"sub\":\"\\ude00\"}", NULL},
	{"{\"sub\":\"\\u12\"}", NULL},
	{"{\"sub\":\"\\u12g4\"}", NULL},
	{"{\"sub\":\"\\a\"}", NULL},
	{"{\"sub\":\"\\", NULL},
	/* bytes */
	{"{\"sub\":\"\xc3\xbc\"}", "\xc3\xbc"},
	{"{\"sub\":\"\xfc\"}", NULL},
	{"{\"sub\":\"\xc0\xaf\"}", NULL},
	{"{\"sub\":\"\xed\xa0\x80\"}", NULL},
	{"{\"sub\":\"a\nb\"}", NULL},
	{"{\"sub\":\"ann\",\"a\":\"\xff\"}", NULL},
	{"\xef\xbb\xbf{\"sub\":\"ann\"}", NULL},
	/* no JSON */
	{"{\"sub\":\"ann\"", NULL},
	{"{\"sub\":\"ann\"}}", NULL},
	{"{\"sub\":\"ann\"}x", NULL},
	{"{\"sub\":\"ann\",}", NULL},
	{"{,\"sub\":\"ann\"}", NULL},
	{"{\"sub\" \"ann\"}", NULL},
	{"{\"sub\":\"ann\" \"b\":1}", NULL},
	{"{\"sub\":\"ann\",\"a\":01}", NULL},
	{"{\"sub\":\"ann\",\"a\":1.}", NULL},
	{"{\"sub\":\"ann\",\"a\":-}", NULL},
	{"{\"sub\":\"ann\",\"a\":+1}", NULL},
	{"{\"sub\":\"ann\",\"a\":1e}", NULL},
	{"{\"sub\":\"ann\",\"a\":nul}", NULL},
	{"{\"sub\":\"ann\",\"a\":True}", NULL},
	{"{\"sub\":\"ann\",\"a\":[1,]}", NULL},
	{"{\"sub\":\"ann\",\"a\":[,1]}", NULL},
	{"{\"sub\":\"ann\",\"a\":[1}", NULL},
	{"{\"sub\":\"ann\",\"a\":{\"b\"}}", NULL},
	{"{\"sub\":\"ann\",\"a\":[1 2]}", NULL},
	{"{\"sub\":\"ann\",a:1}", NULL},
	{"{'sub':'ann'}", NULL},
	{"{\"sub\":\"ann\",\"a\":[-0,1.5e+9,1E-3,[],{},[[{\"a\":[]}]],true,false,null]}", "ann"},
};

static struct str token_of(const char *payload, char *to)
{
	size_t n = 3;

	memcpy(to, "e30.", 4);
	n = 4 + jwt_encode((const uint8_t *)payload, strlen(payload), to + 4);
	memcpy(to + n, ".c2ln", 5);
	return (struct str){to, n + 5};
}

static void test_payloads(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		char text[1024];
		struct str sub =
			jwt_claim(token_of(payloads[i].payload, text), STR("sub"), &memory);

		if (!str_eq(sub, str_of(payloads[i].sub)))
			fail_msg("%s: '%.*s'", payloads[i].payload, (int)sub.n, sub.n ? sub.p : "");
	}
}

/* What stood in the memory before makes no difference, and is not read past. */
static void test_memory(void **state)
{
	struct jwt_memory *used = malloc(sizeof(*used));
	char text[1024];

	(void)state;
	for (const char *before = " {[\"a0\\\xc3"; *before; before++)
		for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
			struct str token = token_of(payloads[i].payload, text);

			memset(used, *before, sizeof(*used));
			assert_true(str_eq(jwt_claim(token, STR("sub"), used),
					   str_of(payloads[i].sub)));
		}
	free(used);
}

/* {"sub":"ann"}, {"sub":"anna"} and {"sub":"annab"} */
#define ANN   "eyJzdWIiOiJhbm4ifQ"
#define ANNA  "eyJzdWIiOiJhbm5hIn0"
#define ANNAB "eyJzdWIiOiJhbm5hYiJ9"

static const struct {
	const char *token, *sub;
} tokens[] = {
	{"e30." ANN ".c2ln", "ann"},
	{"e30." ANNA ".c2ln", "anna"},
	{"e30." ANNAB ".c2ln", "annab"},
	{"e30." ANN ".", "ann"}, /* "alg": "none" */
	{"-_." ANN ".-_", "ann"},
	/* parts */
	{"", NULL},
	{".", NULL},
	{"..", NULL},
	{"e30..c2ln", NULL},
	{"." ANN ".c2ln", NULL},
	{ANN, NULL},
	{"e30." ANN, NULL},
	{"e30." ANN ".c2ln.", NULL},
	{"e30." ANN ".iv.cipher.tag", NULL}, /* an encrypted one */
	{"e30.", NULL},
	/* the alphabet */
	{"e30." ANN "==.c2ln", NULL},
	{"e30." ANNA "=.c2ln", NULL},
	{"e30." ANNAB "=.c2ln", NULL},
	{"e30." ANNAB "====.c2ln", NULL},
	{"e30." ANN " .c2ln", NULL},
	{"e30." ANN "A.c2ln", NULL},	       /* a NUL behind it */
	{"e30." ANNAB "A.c2ln", NULL},	       /* six bits alone */
	{"e30.eyJzdWIiOiJhbm4ifR.c2ln", NULL}, /* bits that belong to nothing */
	{"e30.eyJzdWIiOiJhbm5hIn1.c2ln", NULL},
	{"e30.eyJzdWIiOi+hbm4ifQ.c2ln", NULL},
	{"e30.eyJzdWIiOi/hbm4ifQ.c2ln", NULL},
	{"e30.eyJzdWIiOiJhbm4i\x80Q.c2ln", NULL},
};

static void test_tokens(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct str sub = jwt_claim(str_of(tokens[i].token), STR("sub"), &memory);

		if (!str_eq(sub, str_of(tokens[i].sub)))
			fail_msg("%s: '%.*s'", tokens[i].token, (int)sub.n, sub.n ? sub.p : "");
	}
	assert_null(jwt_claim((struct str){NULL, 0}, STR("sub"), &memory).p);
}

/* A token that is not whole says nothing, until only its signature is cut. */
static void test_cut(void **state)
{
	const struct str token = STR("e30." ANN ".c2ln");

	(void)state;
	for (size_t n = 0; n <= token.n; n++) {
		char *copy = malloc(n + !n);
		struct str sub;

		memcpy(copy, token.p, n);
		sub = jwt_claim((struct str){copy, n}, STR("sub"), &memory);
		assert_true(str_eq(sub, n > token.n - 5 ? STR("ann") : (struct str){NULL, 0}));
		free(copy);
	}
}

static void test_other_claims(void **state)
{
	char text[1024];
	struct str token = token_of("{\"sub\":\"a\",\"https://x.y/z\":\"b\",\"\":\"c\"}", text);

	(void)state;
	assert_true(str_eq(jwt_claim(token, STR("https://x.y/z"), &memory), STR("b")));
	assert_true(str_eq(jwt_claim(token, (struct str){NULL, 0}, &memory), STR("c")));
	assert_null(jwt_claim(token, STR("email"), &memory).p);
}

static struct str long_token(const char *open, const char *part, unsigned count, const char *close)
{
	static char payload[32768], token[65536];
	size_t n = (size_t)snprintf(payload, sizeof(payload), "%s", open);

	for (unsigned i = 0; i < count; i++)
		n += (size_t)snprintf(payload + n, sizeof(payload) - n, "%s", part);
	snprintf(payload + n, sizeof(payload) - n, "%s", close);
	return token_of(payload, token);
}

static void test_longest(void **state)
{
	unsigned most = JWT_PAYLOAD_MAX - 3 - 10; /* less {"sub":""} */
	struct str sub;

	(void)state;
	sub = jwt_claim(long_token("{\"sub\":\"", "x", most, "\"}"), STR("sub"), &memory);
	assert_int_equal(sub.n, most);
	for (size_t i = 0; i < sub.n; i++)
		assert_int_equal(sub.p[i], 'x');
	for (unsigned more = 4; more < 20000; more += more)
		assert_null(jwt_claim(long_token("{\"sub\":\"", "x", most + more, "\"}"),
				      STR("sub"), &memory)
				    .p);
}

static void test_deep(void **state)
{
	static char close[8][JWT_INPUT_DEPTH + 16];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned depth = JWT_INPUT_DEPTH + i;
		struct str sub;

		memset(close[i], ']', depth);
		strcpy(close[i] + depth, "}");
		sub = jwt_claim(long_token("{\"sub\":\"ann\",\"a\":", "[", depth, close[i]),
				STR("sub"), &memory);
		assert_true(str_eq(sub, i ? (struct str){NULL, 0} : STR("ann")));
	}
	assert_null(jwt_claim(long_token("{\"a\":", "[", 2000, ""), STR("sub"), &memory).p);
	assert_null(jwt_claim(long_token("{\"a\":", "{\"a\":", 500, ""), STR("sub"), &memory).p);
}

static void test_random(void **state)
{
	static uint8_t input[JWT_INPUT_MAX];
	unsigned found = 0;

	(void)state;
	for (unsigned seed = 0; seed < RANDOM; seed++) {
		size_t n = jwt_input_make(seed, input);
		const char *wrong = jwt_input_check(input, n);

		if (wrong)
			fail_msg("seed %u: %s: %.*s", seed, wrong, (int)n - 1, input + 1);
		if (!(input[0] & JWT_INPUT_PAYLOAD))
			found += jwt_claim((struct str){(char *)input + 1, n - 1}, STR("sub"),
					   &memory)
					 .n > 0;
	}
	assert_in_range(found, RANDOM / 20, RANDOM / 2); /* the test is about something */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),	     cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_tokens),	     cmocka_unit_test(test_cut),
		cmocka_unit_test(test_other_claims), cmocka_unit_test(test_longest),
		cmocka_unit_test(test_deep),	     cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
