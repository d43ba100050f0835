/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a request is: rows of what --user-id says, what a head says, and what comes of it; heads
 * that are cut; the hash; and the way through flow/ to requests and WebSocket connections.
 */
#include <stdio.h>

#include "flow_websocket.h"
#include "option.h"

/* {"sub":"ann"} {"sub":"eve","oid":"42a"} */
#define BEARER_ANN "Authorization: Bearer e30.eyJzdWIiOiJhbm4ifQ.c2ln\r\n"
#define BEARER_EVE "Authorization: Bearer e30.eyJzdWIiOiJldmUiLCJvaWQiOiI0MmEifQ.c2ln\r\n"
#define BOB	   "X-User-ID: bob\r\n"
#define TEN	   "0123456789"
#define SIXTY	   TEN TEN TEN TEN TEN TEN

static const struct row {
	const char *mode, *fields, *user; /* NULL: nobody */
} rows[] = {
	{"header,jwt", "", NULL},
	{"header,jwt", BOB, "bob"},
	{"header,jwt", BEARER_ANN, "ann"},
	{"header,jwt", BEARER_ANN BOB, "bob"},
	{"jwt,header", BEARER_ANN BOB, "ann"},
	{"jwt,header", BOB, "bob"},
	{"header", BEARER_ANN, NULL},
	{"jwt", BOB, NULL},
	{"off", BEARER_ANN BOB, NULL},
	/* other headers and claims */
	{"header:X-Auth-Request-User", BEARER_ANN BOB "x-auth-request-user: carl\r\n", "carl"},
	{"header:X-Auth-Request-User", BEARER_ANN BOB, NULL},
	{"header:X-Tenant,header,jwt", BEARER_ANN BOB, "bob"},
	{"header:X-Tenant,header,jwt", BEARER_ANN "X-Tenant: t\r\n" BOB, "t"},
	{"jwt:oid", BEARER_EVE, "42a"},
	{"jwt:oid", BEARER_ANN, NULL},
	{"jwt:oid,jwt", BEARER_ANN, "ann"},
	/* no bearer token, or none that says something */
	{"header,jwt", "Authorization: Basic e30.eyJzdWIiOiJhbm4ifQ.c2ln\r\n", NULL},
	{"header,jwt", "Authorization: Bearer\r\n", NULL},
	{"header,jwt", "Authorization: Bearer opaque\r\n", NULL},
	{"header,jwt", "Authorization: Bearere30.eyJzdWIiOiJhbm4ifQ.c2ln\r\n", NULL},
	{"header,jwt", "Authorization: e30.eyJzdWIiOiJhbm4ifQ.c2ln\r\n", NULL},
	{"header,jwt", "Authorization: bEARER   e30.eyJzdWIiOiJhbm4ifQ.c2ln \r\n", "ann"},
	{"header,jwt", "Authorization: Bearer e30.eyJzdWIiOiJhbm4ifQ\r\n .c2ln\r\n", NULL},
	{"header,jwt", "Proxy-Authorization: Bearer e30.eyJzdWIiOiJhbm4ifQ.c2ln\r\n", NULL},
	/* as long as it may be; longer ones would be somebody else's */
	{"header", "X-User-ID: " SIXTY "abcd\r\n", SIXTY "abcd"},
	{"header", "X-User-ID: " SIXTY "abcde\r\n", NULL},
	{"header,jwt", "X-User-ID: " SIXTY "abcde\r\n" BEARER_ANN, "ann"},
	/* python3: hmac.new(b"0123456789012345", id, "sha256").hexdigest()[:16] */
	{"hash", BOB, "4c75295c43f5d5d0"},
	{"hash", BEARER_ANN, "b6a8399c9c794c5c"},
	{"header:X-Name,hash", "X-Name: ann\r\n", "b6a8399c9c794c5c"},
	{"hash", "X-User-ID: " SIXTY "abcde\r\n", "adfe6648aec95b84"},
	{"hash", "", NULL},
	{"hash,jwt", BOB, NULL},
};

static struct user_options options_of(const char *mode)
{
	struct options o = {0};

	assert_int_equal(set_user_id(&o, NULL, mode), 0);
	o.user.key = STR("0123456789012345");
	return o.user;
}

static struct str head_of(const char *fields, char *memory, size_t size)
{
	int n = snprintf(memory, size, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);

	return (struct str){memory, (size_t)n};
}

/* The bytes stand alone in memory; whole: no further ones belong to the head. */
static void fill(struct users *u, struct request *r, struct str head, bool whole)
{
	struct msg msg = {.cut = !whole};
	char *bytes = malloc(head.n + !head.n);

	memcpy(bytes, head.p, head.n);
	head.p = bytes;
	memset(r, 0, sizeof(*r));
	r->proto = &proto_http1;
	if (proto_http1.parse(MSG_REQUEST, head, &msg) > 0)
		users_fill(u, r, &msg);
	free(bytes);
}

static void test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct user_options options = options_of(rows[i].mode);
		struct users *u = users_new(&options);
		struct str head, user;
		char memory[1024];
		struct request r;

		head = head_of(rows[i].fields, memory, sizeof(memory));
		for (int again = 0; again < 2; again++) {
			fill(u, &r, head, true);
			user = request_str(&r, user_id);
			if (!str_eq(user, str_of(rows[i].user)))
				fail_msg("%s: %s: '%.*s'", rows[i].mode, rows[i].fields,
					 (int)user.n, user.p);
		}
		users_free(u);
	}
}

/* A head that ends at the capture limit, at any byte: the id is whole, or not there. */
static void test_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct user_options options = options_of(rows[i].mode);
		struct users *u = users_new(&options);
		char memory[1024];
		struct request r;
		struct str head = head_of(rows[i].fields, memory, sizeof(memory));
		bool known = false;

		/* of two that say it, the one that is preferred may be cut off */
		if (strstr(rows[i].fields, "\r\nX-"))
			head.n = 0;
		for (size_t n = 0; n < head.n; n++) {
			fill(u, &r, (struct str){memory, n}, false);
			assert_true(!known || r.length.user_id);
			known = r.length.user_id;
			if (known)
				assert_str(request_str(&r, user_id), rows[i].user);
		}
		users_free(u);
	}
}

static void test_keys(void **state)
{
	struct user_options options = options_of("hash");
	struct request first, second;
	char memory[1024];
	struct str head = head_of(BOB, memory, sizeof(memory));
	struct users *u = users_new(&options);

	(void)state;
	fill(u, &first, head, true);
	users_free(u);
	options.key = STR("0123456789012346");
	u = users_new(&options);
	fill(u, &second, head, true);
	users_free(u);
	assert_int_equal(first.length.user_id, 16);
	assert_memory_not_equal(first.user_id, second.user_id, 16);
}

static void feed_users(struct watch *watch, const char *mode)
{
	watch_start_with(watch, &(struct flow_options){.connections_max = 16,
						       .exchanges_max = 16,
						       .reconnect_window_ns = 30 * NS_PER_SECOND,
						       .user = options_of(mode)});
}

#define GET  "GET /a HTTP/1.1\r\nHost: h\r\n"
#define DONE "HTTP/1.1 204 x\r\n\r\n"

/* Each request of a connection has its own user, or none. */
static void test_requests(void **state)
{
	static const char *const users[] = {"bob", "", "ann", "eve", "", "ann"};
	struct watch watch;
	struct link l;

	(void)state;
	feed_users(&watch, "header,jwt");
	for (uint8_t role = ROLE_SERVER; role <= ROLE_CLIENT; role++) {
		l = link_open(&watch.feed, role, role);
		link_request(&watch.feed, &l, GET BOB "\r\n", 0);
		link_response(&watch.feed, &l, DONE);
		link_request(&watch.feed, &l, GET "\r\n", 0);
		link_response(&watch.feed, &l, "HTTP/1.1 204 x\r\n" BOB "\r\n");
		link_request(&watch.feed, &l, GET BEARER_ANN "\r\n", 0);
		link_response(&watch.feed, &l, DONE);
		/* in one read */
		link_request(&watch.feed, &l,
			     GET BEARER_EVE "\r\n" GET "\r\n" GET BEARER_ANN "\r\n", 0);
		link_response(&watch.feed, &l, DONE DONE DONE);
		link_close(&watch.feed, &l);
	}
	assert_int_equal(watch.feed.done, 12);
	for (unsigned i = 0; i < 12; i++)
		assert_str(request_str(seen(&watch.feed, i), user_id), users[i % 6]);
	watch_end(&watch);
}

static void shake_as(struct watch *watch, uint64_t id, const char *user, bool comes_back)
{
	struct link l = link_open(&watch->feed, id, ROLE_SERVER);
	struct event_websocket e;
	char ask[512];

	snprintf(ask, sizeof(ask), ASKING "%sSec-WebSocket-Key: " KEY "\r\n\r\n", user);
	link_request(&watch->feed, &l, ask, 0);
	link_response(&watch->feed, &l, AGREE);
	e = socket_of(watch, id, ROLE_SERVER);
	socket_sweep(watch, &e);
	assert_int_equal(told_last(watch)->what, WEBSOCKET_OPENED);
	if (told_last(watch)->w.reconnect != comes_back)
		fail_msg("connection %u of %s", (unsigned)id, user);
	socket_over(watch, &e, CLOSER_PEER);
}

/* All of them come from one address, as behind a proxy: who comes back is told by the user. */
static void test_reconnects(void **state)
{
	struct watch watch;

	(void)state;
	feed_users(&watch, "header,jwt");
	shake_as(&watch, 1, BOB, false);
	shake_as(&watch, 2, BEARER_ANN, false);
	shake_as(&watch, 3, "", false);
	shake_as(&watch, 4, BEARER_EVE, false);
	shake_as(&watch, 5, BEARER_ANN, true);
	assert_str(request_str(&told_last(&watch)->w, user_id), "ann");
	shake_as(&watch, 6, "X-User-ID: ann\r\n", true);
	shake_as(&watch, 7, "", true);
	assert_str(request_str(&told_last(&watch)->w, user_id), "");
	watch_end(&watch);
	feed_users(&watch, "hash");
	shake_as(&watch, 1, BOB, false);
	shake_as(&watch, 2, BEARER_ANN, false);
	shake_as(&watch, 3, BOB, true);
	assert_int_equal(told_last(&watch)->w.length.user_id, 16);
	watch_end(&watch);
	feed_users(&watch, "off");
	shake_as(&watch, 1, BOB, false);
	shake_as(&watch, 2, BEARER_ANN, true); /* by address */
	watch_end(&watch);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	   cmocka_unit_test(test_cut),
		cmocka_unit_test(test_keys),	   cmocka_unit_test(test_requests),
		cmocka_unit_test(test_reconnects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
