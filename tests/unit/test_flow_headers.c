/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that an option names, through flow/: whose they are, how much is kept, and for how long.
 */
#include <stdio.h>

#include "flow_records.h"

#define REQUEST "GET /a HTTP/1.1\r\nHost: x\r\n"
#define OK	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"

static const struct str names[] = {{"x-tenant", 8}, {"Server", 6}};

/* What the requests had, in the order of their ends; "" for none. */
static char tenants[8][300], servers[8][300];
static unsigned ended;

static void keep(const struct request *r, bool counted)
{
	assert_true(counted);
	assert_non_null(r->headers);
	str_copy(tenants[ended], sizeof(tenants[0]),
		 (struct str){r->headers->value[0], r->headers->length[0]});
	str_copy(servers[ended++], sizeof(servers[0]),
		 (struct str){r->headers->value[1], r->headers->length[1]});
}

static struct link start(struct feed *f, uint8_t role)
{
	feed_start_with(f, &(struct flow_options){.connections_max = 16,
						  .exchanges_max = 2,
						  .headers = names,
						  .header_count = 2});
	f->check = keep;
	ended = 0;
	return link_open(f, 1, role);
}

static void assert_had(unsigned i, const char *tenant, const char *server)
{
	assert_true(i < ended);
	assert_string_equal(tenants[i], tenant);
	assert_string_equal(servers[i], server);
}

/* The request's, else the response's; nothing of the one before in the same place. */
static void test_of_both(void **state)
{
	static struct feed f;
	struct link l = start(&f, ROLE_SERVER);

	(void)state;
	link_request(&f, &l, REQUEST "X-Tenant: acme\r\n\r\n", 0);
	link_response(&f, &l, OK "X-TENANT: other\r\nSERVER: nginx\r\n\r\n");
	link_request(&f, &l, REQUEST "\r\n", 0);
	link_response(&f, &l, OK "x-tenant: late\r\n\r\n");
	link_request(&f, &l, REQUEST "X-Tenants: no\r\nServe: no\r\n\r\n", 0);
	link_response(&f, &l, OK "\r\n");
	link_close(&f, &l);
	feed_end(&f);
	assert_had(0, "acme", "nginx");
	assert_had(1, "late", "");
	assert_had(2, "", "");
	assert_int_equal(ended, 3);
}

static void test_in_pieces(void **state)
{
	static struct feed f;
	struct link l = start(&f, ROLE_SERVER);

	(void)state;
	send_pieces(&f, &l, MESSAGE_REQUEST, REQUEST "X-Tenant: acme\r\n\r\n", 20, 3);
	send_pieces(&f, &l, MESSAGE_RESPONSE, OK "Server: nginx\r\n\r\n", 20, 3);
	link_close(&f, &l);
	feed_end(&f);
	assert_had(0, "acme", "nginx");
}

static void test_pipelined(void **state)
{
	static struct feed f;
	struct link l = start(&f, ROLE_SERVER);

	(void)state;
	link_request(&f, &l, REQUEST "X-Tenant: a\r\n\r\n" REQUEST "X-Tenant: b\r\n\r\n", 0);
	link_response(&f, &l, OK "Server: one\r\n\r\n" OK "Server: two\r\n\r\n");
	link_close(&f, &l);
	f.inexact = true;
	feed_end(&f);
	assert_had(0, "a", "one");
	assert_had(1, "b", "two");
}

static void test_response_comes_first(void **state)
{
	static const char request[] = REQUEST "X-Tenant: acme\r\n\r\n";
	static struct feed f;
	struct link l = start(&f, ROLE_CLIENT);

	(void)state;
	link_early(&f, &l, OK "X-Tenant: other\r\nServer: nginx\r\n\r\n", sizeof(request) - 1);
	link_request(&f, &l, request, 0);
	link_close(&f, &l);
	feed_end(&f);
	assert_had(0, "acme", "nginx");
}

/* Interim answers are not the response. */
static void test_interim(void **state)
{
	static struct feed f;
	struct link l = start(&f, ROLE_SERVER);

	(void)state;
	link_request(&f, &l, REQUEST "\r\n", 0);
	link_response(&f, &l,
		      "HTTP/1.1 103 Early Hints\r\nServer: hint\r\n\r\n" OK
		      "Server: nginx\r\n\r\n");
	link_close(&f, &l);
	feed_end(&f);
	assert_had(0, "", "nginx");
}

static void test_long_value(void **state)
{
	static struct feed f;
	char head[2 * CAPTURE_BYTES], value[CAPTURE_BYTES];
	struct link l = start(&f, ROLE_SERVER);

	(void)state;
	memset(value, 'v', sizeof(value));
	value[200] = '\0';
	snprintf(head, sizeof(head), REQUEST "X-Tenant: %s\r\n\r\n", value);
	link_request(&f, &l, head, 0);
	link_response(&f, &l, OK "\r\n");
	link_close(&f, &l);
	feed_end(&f);
	assert_had(0, value, "");
}

static void test_off(void **state)
{
	static struct feed f;
	struct link l;

	(void)state;
	feed_start(&f, 16, 16);
	l = link_open(&f, 1, ROLE_SERVER);
	link_request(&f, &l, REQUEST "X-Tenant: acme\r\n\r\n", 0);
	link_response(&f, &l, OK "\r\n");
	link_close(&f, &l);
	assert_null(seen(&f, 0)->headers);
	feed_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_both),	  cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_pipelined), cmocka_unit_test(test_response_comes_first),
		cmocka_unit_test(test_interim),	  cmocka_unit_test(test_long_value),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
