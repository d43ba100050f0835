/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of requests that no header names. Two links are the two ends of one connection: they have the
 * same positions, so the same bytes have to give the same ids. What only one end knows gives one
 * that says so.
 */
#include <stdio.h>

#include "flow_records.h"

#define GET	"GET /a HTTP/1.1\r\n\r\n"
#define POST	"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
#define OK	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
#define GOON	"HTTP/1.1 100 Continue\r\n\r\n"

/* The last one that is over. */
static const struct request *last(const struct feed *f)
{
	return seen(f, f->done - 1);
}

static void assert_source(const struct feed *f, enum request_id_source source)
{
	assert_int_equal(last(f)->length.request_id, 16);
	assert_int_equal(last(f)->id_source, source);
}

static void assert_same_ids(const struct request *a, const struct request *b)
{
	assert_int_equal(a->id_source, ID_FROM_TCP);
	assert_int_equal(b->id_source, ID_FROM_TCP);
	assert_true(str_eq(request_str(a, request_id), request_str(b, request_id)));
}

static void assert_all_differ(const struct feed *f, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		for (unsigned j = from; j < i; j++)
			assert_false(str_eq(request_str(seen(f, i), request_id),
					    request_str(seen(f, j), request_id)));
}

/* The connection is said once more: what it is (AF_UNIX), and whether it is older than the agent.
 */
static void reopen(struct feed *f, struct link *l, uint16_t family, uint64_t born)
{
	struct event_open e = {.head = link_head(f, l, EVENT_OPEN),
			       .family = family,
			       .protocol = PROTO_http1,
			       .born = born};

	flow_open(f->flow, &e);
}

static void test_both_ends(void **state)
{
	static const char *const answers[] = {OK, CHUNKED, GOON OK, "HTTP/1.1 204 No\r\n\r\n"};
	struct feed *f = *state;
	struct link ends[] = {link_open(f, 1, ROLE_CLIENT), link_open(f, 2, ROLE_SERVER)};

	for (unsigned i = 0; i < 2; i++)
		for (unsigned n = 0; n < 12; n++) {
			link_request(f, &ends[i], n % 3 ? GET : POST, 0);
			link_response(f, &ends[i], answers[n % 4]);
		}
	for (unsigned n = 0; n < 12; n++)
		assert_same_ids(seen(f, n), seen(f, 12 + n));
	assert_all_differ(f, 0, 12);
}

/* At one end in one write and one read, at the other in writes and reads of their own. */
static void test_pipelined(void **state)
{
	struct feed *f = *state;
	struct link client = link_open(f, 1, ROLE_CLIENT), server = link_open(f, 2, ROLE_SERVER);

	for (unsigned round = 0; round < 2; round++) {
		link_request(f, &client, POST GET GET, 0);
		link_response(f, &client, OK OK OK);
		link_request(f, &server, POST, 0);
		link_request(f, &server, GET GET, 0);
		link_response(f, &server, OK);
		link_response(f, &server, OK);
		link_response(f, &server, OK);
		for (unsigned i = 0; i < 3; i++)
			assert_same_ids(seen(f, 6 * round + i), seen(f, 6 * round + 3 + i));
	}
	assert_all_differ(f, 0, 3);
}

/* Interim responses by themselves have no record; the one in a record is read with the answer. */
static void test_interim(void **state)
{
	struct feed *f = *state;
	struct link client = link_open(f, 1, ROLE_CLIENT), server = link_open(f, 2, ROLE_SERVER);

	for (unsigned i = 0; i < 3; i++) {
		link_request(f, &server, GET, 0);
		server.position[MESSAGE_RESPONSE] += sizeof(GOON) - 1;
		link_response(f, &server, OK);
		link_request(f, &client, GET, 0);
		link_response(f, &client, GOON OK);
		assert_same_ids(seen(f, 2 * i), seen(f, 2 * i + 1));
	}
	link_request(f, &server, GET, 0);
	link_close(f, &server); /* the other end has read something, but no answer */
	link_request(f, &client, GET, 0);
	client.position[MESSAGE_RESPONSE] += sizeof(GOON) - 1;
	link_close(f, &client);
	assert_same_ids(seen(f, 6), seen(f, 7));
}

/* Nobody knows what stood before the first request: it may have been another answer. */
static void test_older_than_the_agent(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	reopen(f, &l, AF_INET, 0);
	link_request(f, &l, GET, 0);
	l.position[MESSAGE_RESPONSE] += sizeof(GOON) - 1;
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_HERE);
	link_request(f, &l, GET, 0);
	l.position[MESSAGE_RESPONSE] += sizeof(GOON) - 1;
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_TCP);
	link_close(f, &l);
	l = link_open(f, 2, ROLE_SERVER);
	reopen(f, &l, AF_INET, 0);
	link_request(f, &l, GET, 0);
	link_response(f, &l, GOON OK);
	assert_source(f, ID_FROM_TCP);
	link_request(f, &l, GET, 0);
	link_close(f, &l);
	assert_source(f, ID_FROM_TCP);
	l = link_open(f, 3, ROLE_SERVER);
	reopen(f, &l, AF_INET, 0);
	link_request(f, &l, GET, 0);
	link_close(f, &l); /* was there an answer under way? */
	assert_source(f, ID_FROM_HERE);
}

static void test_late_send(void **state)
{
	struct feed *f = *state;
	struct link client = link_open(f, 1, ROLE_CLIENT), server = link_open(f, 2, ROLE_SERVER);

	for (unsigned i = 0; i < 2; i++) {
		link_early(f, &client, OK, sizeof(GET) - 1);
		link_request(f, &client, GET, 0);
		link_request(f, &server, GET, 0);
		link_response(f, &server, OK);
		assert_same_ids(seen(f, 2 * i), seen(f, 2 * i + 1));
	}
	link_early(f, &client, OK, sizeof(GET) - 1);
	link_request(f, &client, "PUT /a HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", 0);
	assert_source(f, ID_FROM_TCP); /* the answer before it ended right there */
}

/* What was sent with the SYN went before anything was received: there is no position yet. */
static void test_sent_with_the_syn(void **state)
{
	struct feed *f = *state;
	struct link client = link_open(f, 1, ROLE_CLIENT), server = link_open(f, 2, ROLE_SERVER);

	client.position[MESSAGE_RESPONSE] = 0;
	link_request(f, &client, GET, 0);
	client.position[MESSAGE_RESPONSE] = server.position[MESSAGE_RESPONSE];
	link_response(f, &client, OK);
	link_request(f, &server, GET, 0);
	link_response(f, &server, OK);
	assert_same_ids(seen(f, 0), seen(f, 1));
	client = link_open(f, 3, ROLE_CLIENT);
	client.position[MESSAGE_RESPONSE] = 0;
	link_request(f, &client, GET, 0);
	link_close(f, &client);
	assert_source(f, ID_FROM_HERE);
}

static void test_only_known_here(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	reopen(f, &l, AF_UNIX, 1);
	for (unsigned i = 0; i < 3; i++) {
		link_request(f, &l, GET, 0);
		link_response(f, &l, OK);
		assert_source(f, ID_FROM_HERE);
	}
	link_close(f, &l);
	l = link_open(f, 2, ROLE_SERVER);
	f->lose = true;
	link_request(f, &l, GET, 0);
	f->lose = false;
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_HERE);
	link_close(f, &l);
	f->lose = true; /* what connection it is */
	l = link_open(f, 3, ROLE_SERVER);
	f->lose = false;
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_HERE);
	assert_all_differ(f, 0, 5);
}

/* There may be a header in the rest, which the other end sees. But all are cut at the limit. */
static void test_cut_heads(void **state)
{
	static const char *const long_head = "GET /a HTTP/1.1\r\nX: %0*d\r\n\r\n";
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);
	char text[2 * CAPTURE_BYTES];

	link_request(f, &l, "GET /a HTTP/1.1\r\nX: ", 0);
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_HERE);
	link_close(f, &l);
	l = link_open(f, 2, ROLE_SERVER);
	link_request(f, &l, GET, 0);
	link_response(f, &l, "HTTP/1.1 200 OK\r\nX: ");
	link_close(f, &l);
	assert_source(f, ID_FROM_HERE);
	l = link_open(f, 3, ROLE_SERVER);
	snprintf(text, sizeof(text), long_head, CAPTURE_BYTES, 0);
	link_request(f, &l, text, 0);
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_TCP);
}

/* Nobody asked for the second answer, so there are requests that were not seen. */
static void test_unknown_requests(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n", 0);
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_TCP);
	link_response(f, &l, OK);
	l.position[MESSAGE_REQUEST] += 100;
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_HERE);
}

/* A head of which a part is missing is not put together from the others. */
static void test_gap_in_a_head(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "GET /a HTTP/1.1\r\nX-A: ", 0);
	l.position[MESSAGE_REQUEST] += 1;
	link_more(f, &l, MESSAGE_REQUEST, STR("1\r\nX-Request-ID: r\r\n\r\n"));
	link_response(f, &l, "HTTP/1.1 200 OK\r\nX-B: ");
	l.position[MESSAGE_RESPONSE] += 1;
	link_more(f, &l, MESSAGE_RESPONSE, STR("1\r\nX-Request-ID: s\r\n\r\n"));
	link_close(f, &l);
	assert_request(f, 0, "GET", "/a", 200);
	assert_source(f, ID_FROM_HERE);
}

static void test_header_wins(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "GET /a HTTP/1.1\r\nX-Request-ID: r\r\n\r\n" GET, 0);
	link_response(f, &l, OK);
	assert_str(request_str(last(f), request_id), "r");
	assert_int_equal(last(f)->id_source, ID_FROM_HEADER);
	link_response(f, &l, OK);
	assert_source(f, ID_FROM_TCP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(both_ends),	TEST(pipelined),
		TEST(interim),		TEST(older_than_the_agent),
		TEST(late_send),	TEST(sent_with_the_syn),
		TEST(only_known_here),	TEST(cut_heads),
		TEST(unknown_requests), TEST(gap_in_a_head),
		TEST(header_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
