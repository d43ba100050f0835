/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairing when every record arrives: heads whole and in pieces, pipelining, the ways a response
 * ends, what is counted and with which times and sizes. Losses are in test_flow_loss.c.
 */
#include "flow_records.h"

#define GET   "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK_10 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

static void test_whole(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);
	const struct request *r;

	link_request(f, &l, GET, 0);
	assert_int_equal(f->begun, 1);
	assert_int_equal(feed_stats(f)->open[PROTO_http1], 1);
	link_response(f, &l, OK);
	assert_request(f, 0, "GET", "/a", 200);
	r = seen(f, 0);
	assert_int_equal(r->conn, 1);
	assert_int_equal(r->role, ROLE_SERVER);
	assert_int_equal(r->error, REQUEST_OK);
	assert_ptr_equal(r->proto, &proto_http1);
	assert_str(request_str(r, host), "h");
	assert_str(request_str(r, route), "/a");
	assert_int_equal(r->pid, 100);
	assert_int_equal(r->tid, 101);
	assert_int_equal(r->local.port, 8080);
	assert_int_equal(r->peer.port, 40000);
	assert_int_equal(r->peer.ip[3], 2);
	assert_int_equal(r->start, l.request_time);
	assert_int_equal(r->first_byte, l.response_time);
	assert_int_equal(r->end, l.response_time);
	assert_int_equal(r->request_bytes, 0);
	assert_int_equal(r->response_bytes, 2);
}

static void test_client(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_CLIENT);

	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	link_request(f, &l, GET_B, 0);
	link_response(f, &l, OK);
	assert_int_equal(f->done, 2);
	assert_request(f, 1, "GET", "/b", 200);
	assert_int_equal(seen(f, 1)->role, ROLE_CLIENT);
	assert_int_equal(seen(f, 1)->txn, 2);
}

static void test_head_in_two(void **state)
{
	static const char request[] = "PUT /long HTTP/1.1\r\nX-Request-ID: r1\r\n\r\n";
	struct feed *f = *state;

	for (size_t cut = 5; cut < sizeof(request) - 1; cut++) {
		struct link l = link_open(f, cut, ROLE_SERVER);

		f->done = f->begun = f->counted = 0;
		send_pieces(f, &l, MESSAGE_REQUEST, request, cut, sizeof(request));
		assert_int_equal(f->begun, 1);
		send_pieces(f, &l, MESSAGE_RESPONSE, OK, cut < 9 ? 9 : cut % 30 + 9, sizeof(OK));
		assert_request(f, 0, "PUT", "/long", 200);
		assert_str(request_str(seen(f, 0), request_id), "r1");
		assert_int_equal(seen(f, 0)->request_bytes, 0);
		assert_int_equal(seen(f, 0)->response_bytes, 2);
		link_close(f, &l);
		assert_int_equal(f->done, 1);
	}
	f->counted = (unsigned)feed_stats(f)->counted[PROTO_http1];
}

static void test_head_byte_by_byte(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	for (unsigned i = 0; i < 3; i++) {
		send_pieces(f, &l, MESSAGE_REQUEST, "POST /p HTTP/1.1\r\nContent-Length: 4\r\n\r\n",
			    1, 1);
		link_more(f, &l, MESSAGE_REQUEST, STR("body"));
		send_pieces(f, &l, MESSAGE_RESPONSE, OK, 1, 1);
		assert_int_equal(f->done, i + 1);
		assert_request(f, i, "POST", "/p", 200);
		assert_int_equal(seen(f, i)->request_bytes, 4);
		assert_int_equal(seen(f, i)->response_bytes, 2);
		assert_int_equal(seen(f, i)->end, l.response_time);
		assert_int_equal(seen(f, i)->first_byte, l.response_time - (sizeof(OK) - 2) * STEP);
	}
	link_request(f, &l, GET, 0);
	send_pieces(f, &l, MESSAGE_RESPONSE, "HTTP/1.1 204 N\r\n\r\n", 1, 1);
	assert_int_equal(seen(f, 3)->end, l.response_time);
}

static void test_head_over_limit(void **state)
{
	char head[CAPTURE_BYTES + 100] = "GET /big HTTP/1.1\r\nX: ";
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER), other = link_open(f, 2, ROLE_SERVER);

	memset(head + strlen(head), 'x', sizeof(head) - strlen(head) - 1);
	link_request(f, &l, head, 0);
	link_response(f, &l, OK);
	assert_request(f, 0, "GET", "/big", 200);
	assert_int_equal(seen(f, 0)->request_bytes, REQUEST_SIZE_UNKNOWN);

	send_pieces(f, &l, MESSAGE_REQUEST, "GET /big HTTP/1.1\r\nX: ", 10, 10);
	link_request(f, &other, "GET /oth", 0); /* whose piece is the next one in memory */
	for (unsigned i = 0; i < 6; i++)
		link_more(f, &l, MESSAGE_REQUEST, (struct str){head + 100, 50});
	memcpy(head, "HTTP/1.1 404 Not\r\nX: ", 21);
	send_pieces(f, &l, MESSAGE_RESPONSE, head, 30, 50);
	assert_int_equal(f->done, 1);
	link_end(f, &l);
	assert_request(f, 1, "GET", "/big", 404);
	assert_int_equal(seen(f, 1)->response_bytes, REQUEST_SIZE_UNKNOWN);
	link_more(f, &other, MESSAGE_REQUEST, STR("er HTTP/1.1\r\n\r\n"));
	link_response(f, &other, OK);
	assert_request(f, 2, "GET", "/other", 200);
	assert_int_equal(feed_stats(f)->parse_errors[PROTO_http1], 0);
}

static void test_request_body(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, "POST /same HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", 0);
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 0)->request_bytes, 4);
	link_request(f, &l, "POST /later HTTP/1.1\r\nContent-Length: 4000\r\n\r\n", 0);
	l.request_bytes += 4000;
	l.position[MESSAGE_REQUEST] += 4000;
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 1)->request_bytes, 4000);
	link_request(f, &l, "POST /chunks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 0);
	l.request_bytes += 25;
	l.position[MESSAGE_REQUEST] += 25;
	link_response(f, &l, OK);
	assert_int_equal(seen(f, 2)->request_bytes, 25);
	link_request(f, &l, "POST /refused HTTP/1.1\r\nContent-Length: 4000\r\n\r\n", 0);
	link_response(f, &l, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	assert_request(f, 3, "POST", "/refused", 413);
	assert_true(seen(f, 3)->request_bytes == REQUEST_SIZE_UNKNOWN);
}

static void test_body_like_a_request(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l,
		     "POST /up HTTP/1.1\r\nContent-Length: 200\r\nExpect: 100-continue\r\n\r\n", 0);
	link_request(f, &l, GET, 0);
	link_response(f, &l, OK);
	link_request(f, &l, GET, 0); /* the client has left the rest of its body out */
	link_response(f, &l, OK);
	assert_int_equal(f->begun, 2);
	assert_int_equal(f->counted, 2);
	assert_request(f, 0, "POST", "/up", 200);
	assert_request(f, 1, "GET", "/a", 200);
	assert_int_equal(feed_stats(f)->found[PROTO_http1], -1);
}

static void test_pipelined(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET "POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" GET_B, 0);
	assert_int_equal(f->begun, 3);
	link_response(f, &l, OK "HTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n" OK);
	assert_int_equal(f->done, 3);
	assert_request(f, 0, "GET", "/a", 200);
	assert_request(f, 1, "POST", "/p", 201);
	assert_request(f, 2, "GET", "/b", 200);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(seen(f, i)->response_bytes, i == 1 ? 0 : 2);
	assert_int_equal(seen(f, 0)->request_bytes, 0);
	assert_int_equal(seen(f, 1)->request_bytes, 3);
}

/* The kernel half knows of one request: the other answers come unpaired. */
static void test_pipelined_answers_apart(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	for (int turn = 0; turn < 2; turn++) {
		link_request(f, &l, GET GET_B GET GET_B GET, 0);
		link_response(f, &l, OK);
		link_response(f, &l, OK_10);
		link_body(f, &l, STR("0123456789"));
		flow_tick(f->flow);
		assert_int_equal(f->done, 5 * turn + 2);
		link_response(f, &l, OK_10 "01234");
		flow_tick(f->flow); /* the slot still tells of the response before */
		assert_int_equal(f->done, 5 * turn + 2);
		link_body(f, &l, STR("56789"));
		link_response(f, &l, OK OK);
		assert_int_equal(f->done, 5 * turn + 5);
		assert_int_equal(seen(f, 5 * turn + 1)->response_bytes, 10);
	}
	assert_request(f, 8, "GET", "/b", 200);
	assert_int_equal(feed_stats(f)->unpaired[PROTO_http1], 0);
}

/* Then the kernel half believes that an answer is still owed; its numbers are off for good. */
static void test_answers_in_one_write(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET, 0);
	link_request(f, &l, GET_B, 0);
	link_response(f, &l, OK OK);
	assert_int_equal(f->done, 2);
	for (unsigned i = 2; i < 5; i++) {
		link_request(f, &l, "PUT /c HTTP/1.1\r\n\r\n", 0);
		link_response(f, &l, OK);
		assert_int_equal(f->done, i + 1);
		assert_request(f, i, "PUT", "/c", 200);
	}
	link_close(f, &l);
	assert_int_equal(f->done, 5);
}

static void test_pipelined_head_cut(void **state)
{
	struct feed *f = *state;
	struct link l = link_open(f, 1, ROLE_SERVER);

	link_request(f, &l, GET "PUT /sec", 0);
	assert_int_equal(f->begun, 2);
	link_more(f, &l, MESSAGE_REQUEST, STR("ond HTTP/1.1\r\n\r\n" GET_B));
	link_response(f, &l, OK "HTTP/1.1 20");
	link_more(f, &l, MESSAGE_RESPONSE, STR("2 A\r\nContent-Length: 0\r\n\r\n" OK));
	assert_int_equal(f->done, 3);
	assert_request(f, 1, "PUT", "/second", 202);
	assert_request(f, 2, "GET", "/b", 200);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	TEST(whole),
	TEST(client),
	TEST(head_in_two),
	TEST(head_byte_by_byte),
	TEST(head_over_limit),
	TEST(request_body),
	TEST(body_like_a_request),
	TEST(pipelined),
	TEST(pipelined_answers_apart),
	TEST(answers_in_one_write),
	TEST(pipelined_head_cut),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
