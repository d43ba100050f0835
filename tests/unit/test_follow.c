/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List and watch, as bytes that come from a server that need not be honest: cut at every byte, no
 * JSON, no end, too large, too old. What the pipeline is told is written down as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "who/follow.h"

#define UID1 "57e67067-89e4-4001-bdd4-8632d39ea02b"
#define UID2 "2c48913c-b29f-11e7-9350-020968147796"
#define POD(UID, NAME, VERSION)                                                      \
	"{\"metadata\":{\"name\":\"" NAME "\",\"namespace\":\"shop\",\"uid\":\"" UID \
	"\",\"resourceVersion\":\"" VERSION "\",\"annotations\":{\"x\":\"]}, [{ \\\" \\\\\"}}}"
#define LIST(META, ITEMS)   "{\"kind\":\"PodList\",\"metadata\":{" META "},\"items\":[" ITEMS "]}\n"
#define EVENT(TYPE, OBJECT) "{\"type\":\"" TYPE "\",\"object\":" OBJECT "}\n"
#define MARK(VERSION)	    "{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"" VERSION "\"}}"
#define TWO		    LIST("\"resourceVersion\":\"7\"", POD(UID1, "web-1", "3") ", " POD(UID2, "web-2", "5"))
#define LONG_NS		    (20 * NS_PER_SECOND)

struct server {
	struct follow follow;
	char told[4096];
	char path[FOLLOW_PATH_SIZE];
};

static void write_down(void *ctx, const struct pod_facts *f)
{
	struct server *s = ctx;
	size_t n = strlen(s->told);

	switch (f->news) {
	case POD_LIST_BEGIN:
		snprintf(s->told + n, sizeof(s->told) - n, "[");
		break;
	case POD_LIST_END:
		snprintf(s->told + n, sizeof(s->told) - n, "]");
		break;
	default:
		snprintf(s->told + n, sizeof(s->told) - n, "%c%s", "+-"[f->news == POD_GONE],
			 f -> name);
	}
}

static struct server *server_new(void)
{
	struct server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->follow.node = "node-a";
	s->follow.tell = write_down;
	s->follow.ctx = s;
	follow_begin(&s->follow);
	return s;
}

static void server_free(struct server *s)
{
	follow_end(&s->follow);
	free(s);
}

/* One request, answered in pieces of `piece` bytes; returns the wait. */
static uint64_t answer_in(struct server *s, long status, struct str body, const char *broke,
			  size_t piece, uint64_t lasted)
{
	bool go_on = true;

	follow_path(&s->follow, s->path);
	while (body.n && go_on) {
		size_t n = body.n < piece ? body.n : piece;
		char *copy = malloc(n); /* so that a read past its end is seen */

		memcpy(copy, body.p, n);
		go_on = follow_bytes(&s->follow, status, (struct str){copy, n});
		body = str_from(body, n);
		free(copy);
	}
	return follow_answered(&s->follow, status, go_on ? broke : "stopped", lasted, 0);
}

static uint64_t answer(struct server *s, long status, const char *body, const char *broke)
{
	return answer_in(s, status, str_of(body), broke, 1 << 20, LONG_NS);
}

#define assert_asks(s, text)                                                                   \
	do {                                                                                   \
		follow_path(&(s)->follow, (s)->path);                                          \
		assert_string_equal((s)->path,                                                 \
				    "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-a" text); \
	} while (0)
#define WATCH_OF "&watch=true&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion="
#define LIST_ANY "&limit=100&resourceVersion=0"
#define LIST_NEW "&limit=100"

static void test_list_then_watch(void **state)
{
	const char events[] = EVENT("ADDED", POD(UID1, "web-3", "8"))
		EVENT("DELETED", POD(UID2, "web-2", "9")) "\n" EVENT("BOOKMARK", MARK("12"));

	(void)state;
	for (size_t piece = 1; piece < 200; piece++) {
		struct server *s = server_new();

		assert_asks(s, LIST_ANY);
		assert_int_equal(answer_in(s, 200, STR(TWO), NULL, piece, 1), 0);
		assert_string_equal(s->told, "[+web-1+web-2]");
		assert_false(s->follow.stats.up);
		assert_asks(s, WATCH_OF "7");
		s->told[0] = '\0';
		assert_int_equal(answer_in(s, 200, STR(events), NULL, piece, LONG_NS), 0);
		assert_true(s->follow.stats.up);
		assert_string_equal(s->told, "+web-3-web-2");
		assert_asks(s, WATCH_OF "12");
		server_free(s);
	}
}

static void test_pages(void **state)
{
	struct server *s = server_new();

	(void)state;
	assert_int_equal(answer(s, 200,
				LIST("\"resourceVersion\":\"7\",\"continue\":\"a/b= \"",
				     POD(UID1, "web-1", "3")),
				NULL),
			 0);
	assert_asks(s, "&limit=100&continue=a%2Fb%3D%20");
	assert_int_equal(
		answer(s, 200, LIST("\"resourceVersion\":\"7\"", POD(UID2, "web-2", "3")), NULL),
		0);
	assert_string_equal(s->told, "[+web-1+web-2]");
	assert_asks(s, WATCH_OF "7");
	server_free(s);
}

static void test_pages_without_end(void **state)
{
	struct server *s = server_new();
	unsigned pages = 0;

	(void)state;
	while (!answer(s, 200, LIST("\"resourceVersion\":\"7\",\"continue\":\"x\"", ""), NULL))
		assert_true(++pages < 1000);
	assert_asks(s, LIST_ANY);
	assert_int_equal(s->follow.stats.troubles[FOLLOW_INVALID], 1);
	server_free(s);
}

/* Whatever is missing from a list's end, it is no list, and nothing is forgotten by it. */
static void test_list_cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(TWO) - 2; n++) {
		struct server *s = server_new();

		assert_true(answer_in(s, 200, (struct str){TWO, n}, NULL, 7, 1) > 0);
		assert_null(strchr(s->told, ']'));
		assert_asks(s, LIST_ANY);
		server_free(s);
	}
}

/* Wherever a watch breaks off, it goes on behind the last event that came whole. */
static void test_watch_cut_at_every_byte(void **state)
{
	const char first[] = EVENT("ADDED", POD(UID1, "web-3", "8"));
	const char both[] =
		EVENT("ADDED", POD(UID1, "web-3", "8")) EVENT("DELETED", POD(UID2, "web-2", "9"));

	(void)state;
	for (size_t n = 0; n < sizeof(both) - 1; n++) {
		struct server *s = server_new();

		answer(s, 200, TWO, NULL);
		s->told[0] = '\0';
		assert_true(answer_in(s, 200, (struct str){both, n}, "reset", 9, 1) > 0);
		assert_false(s->follow.stats.up);
		assert_string_equal(s->told, n < sizeof(first) - 1 ? "" : "+web-3");
		follow_path(&s->follow, s->path);
		assert_true(str_has_suffix(str_of(s->path), n < sizeof(first) - 1
								    ? STR("Version=7")
								    : STR("Version=8")));
		server_free(s);
	}
}

static void test_too_old(void **state)
{
	struct server *s = server_new();

	(void)state;
	answer(s, 200, TWO, NULL);
	assert_true(answer(s, 410, "{\"message\":\"gone\"}", NULL) > 0);
	assert_asks(s, LIST_NEW);
	answer(s, 200, TWO, NULL);
	assert_asks(s, WATCH_OF "7");
	assert_true(answer(s, 200, EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410}"), NULL) > 0);
	assert_asks(s, LIST_NEW);
	assert_int_equal(s->follow.stats.troubles[FOLLOW_EXPIRED], 2);
	assert_int_equal(
		answer(s, 200, LIST("\"resourceVersion\":\"9\",\"continue\":\"x\"", ""), NULL), 0);
	assert_true(answer(s, 410, "", NULL) > 0);
	assert_asks(s, LIST_NEW);
	server_free(s);
}

/* Each: an answer to a watch, the trouble that it is, and whether all is listed anew. */
static const struct {
	long status;
	const char *body;
	enum follow_trouble trouble;
	bool anew;
} bad_watches[] = {
	{200, "x\n", FOLLOW_INVALID, true},
	{200, "[]\n", FOLLOW_INVALID, true},
	{200, "null\n", FOLLOW_INVALID, true},
	{200, "{\"type\":\"ADDED\"}\n", FOLLOW_INVALID, true},
	{200, "{\"type\":7,\"object\":7}\n", FOLLOW_INVALID, true},
	{200, EVENT("ADDED", "{\"metadata\":{\"resourceVersion\":9}}"), FOLLOW_INVALID, true},
	{200, EVENT("ADDED", "{\"metadata\":{\"resourceVersion\":\"\"}}"), FOLLOW_INVALID, true},
	{200, EVENT("SPLIT", MARK("9")), FOLLOW_INVALID, true},
	{200, "{\"type\":\"ADDED\",\"object\":{\"metadata\":", FOLLOW_CONNECTION, false},
	{200, EVENT("ERROR", "{\"code\":500,\"message\":\"etcd\"}"), FOLLOW_STATUS, false},
	{200, EVENT("ERROR", "[]"), FOLLOW_STATUS, false},
	{500, "oh", FOLLOW_STATUS, false},
	{503, "", FOLLOW_STATUS, false},
	{302, "", FOLLOW_STATUS, false},
	{401, "{\"message\":\"Unauthorized\"}", FOLLOW_DENIED, false},
	{403, "[1]", FOLLOW_DENIED, false},
	{410, "", FOLLOW_EXPIRED, true},
	{0, "", FOLLOW_CONNECTION, false},
};

static void test_bad_watches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_watches) / sizeof(*bad_watches); i++) {
		struct server *s = server_new();

		answer(s, 200, TWO, NULL);
		assert_true(answer(s, bad_watches[i].status, bad_watches[i].body, NULL) > 0);
		assert_false(s->follow.stats.up);
		assert_int_equal(s->follow.stats.troubles[bad_watches[i].trouble], 1);
		assert_int_equal(s->follow.ask, bad_watches[i].anew ? FOLLOW_LIST : FOLLOW_WATCH);
		assert_string_equal(s->told, "[+web-1+web-2]");
		server_free(s);
	}
}

static const char *const bad_lists[] = {
	"",
	"{}",
	"[]",
	"null",
	"{\"metadata\":{}}",
	"{\"metadata\":{\"resourceVersion\":7}}",
	"{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{]}",
	"]]]]}}}}",
	"{{{{[[[[",
	"{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":}]}",
	"\"{\"",
	"\\\"{}",
	"{\"metadata\":{\"resourceVersion\":\"7\"}}{}",
	"\xff\xfe{}",
};

static void test_bad_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_lists) / sizeof(*bad_lists); i++) {
		struct server *s = server_new();

		assert_true(answer(s, 200, bad_lists[i], NULL) > 0);
		assert_string_equal(s->told, "[");
		assert_asks(s, LIST_ANY);
		server_free(s);
	}
}

/* A value that is nested deeper than the reader goes, a pod that is larger than what is held. */
static void test_large(void **state)
{
	const size_t size = 3 << 20;
	char *text = malloc(size + 512);
	struct server *s = server_new();
	int n;

	(void)state;
	n = sprintf(text, "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"x\":\"");
	memset(text + n, 'a', size);
	strcpy(text + n + size, "\"}," POD(UID1, "web-1", "3") "]}");
	assert_int_equal(answer_in(s, 200, str_of(text), NULL, 4096, 1), 0);
	assert_string_equal(s->told, "[+web-1]");
	assert_int_equal(s->follow.stats.troubles[FOLLOW_TOO_LARGE], 1);
	memset(text, 'a', size);
	strcpy(text + size, "\n" EVENT("ADDED", POD(UID2, "web-2", "9")));
	assert_true(answer_in(s, 200, str_of(text), NULL, 4096, LONG_NS) > 0);
	assert_asks(s, LIST_ANY);
	memset(text, '[', size);
	text[size] = '\0';
	assert_true(answer_in(s, 200, str_of(text), NULL, 4096, 1) > 0);
	assert_true(answer_in(s, 500, str_of(text), NULL, 4096, 1) > 0);
	server_free(s);
	free(text);
}

/* Longer and longer, to a limit; one watch that told something begins anew. */
static void test_waits(void **state)
{
	struct server *s = server_new();
	uint64_t wait = 0, before = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		before = wait;
		wait = answer(s, 0, "", "refused");
		assert_true(wait > before || wait == 15 * NS_PER_SECOND);
		assert_true(wait >= 250 * NS_PER_MS && wait <= 15 * NS_PER_SECOND);
	}
	assert_true(follow_answered(&s->follow, 0, "refused", 0, 0xffffffff) < 30 * NS_PER_SECOND);
	assert_int_equal(answer(s, 200, TWO, NULL), 0);
	assert_int_equal(answer_in(s, 200, STR(""), NULL, 1, 1), 15 * NS_PER_SECOND);
	answer(s, 200, EVENT("BOOKMARK", MARK("9")), "reset");
	assert_int_equal(answer(s, 500, "", NULL), 500 * NS_PER_MS);
	server_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_then_watch),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_pages_without_end),
		cmocka_unit_test(test_list_cut_at_every_byte),
		cmocka_unit_test(test_watch_cut_at_every_byte),
		cmocka_unit_test(test_too_old),
		cmocka_unit_test(test_bad_watches),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_waits),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
