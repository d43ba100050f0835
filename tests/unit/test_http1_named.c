/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A header of a head by its name: rows of heads and what is found in them. That it finds what the
 * parser finds is checked on every prefix of every case of tests/proto/http1, in test_http1.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/protos.h"

#define GET  "GET /a?x-tenant:%20no HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define END  "\r\n"

static const struct row {
	const char *head, *name, *value; /* NULL: not found */
} rows[] = {
	{GET "X-Tenant: acme\r\n" HOST END, "X-Tenant", "acme"},
	{GET HOST "x-tenant:acme\r\n" END, "X-TENANT", "acme"},
	{GET HOST "X-TENANT: \t two words \t\r\n" END, "x-tenant", "two words"},
	{GET HOST "X-Tenant: a:b, c\n\n", "x-tenant", "a:b, c"},
	{"\r\n\n" GET "X-Tenant: acme\r\n" END, "x-tenant", "acme"},
	{"HTTP/1.1 200 OK\r\nX-Tenant : acme\r\n" END, "x-tenant", "acme"},
	{GET "B: 1\r\nb: 2\r\n" END, "b", "1"},
	/* other names */
	{GET HOST END, "x-tenant", NULL},
	{GET "X-Tenant-Id: acme\r\n" END, "x-tenant", NULL},
	{GET "X-Tenan: acme\r\n" END, "x-tenant", NULL},
	{GET "My-X-Tenant: acme\r\n" END, "x-tenant", NULL},
	{GET "X-Tenant\r\n" HOST END, "x-tenant", NULL},
	{GET "X-Tenant" END, "x-tenant", NULL},
	{"X-Tenant: a start line HTTP/1.1\r\n" HOST END, "x-tenant", NULL},
	/* a value that says nothing */
	{GET "X-Tenant:\r\n" HOST END, "x-tenant", NULL},
	{GET "X-Tenant: \t \r\nX-Tenant: second\r\n" END, "x-tenant", "second"},
	/* lines that go on */
	{GET "X-Tenant: a\r\n b\r\n" HOST END, "x-tenant", NULL},
	{GET "X-Tenant: a\r\n \t\r\n" HOST END, "x-tenant", "a"},
	{GET "X-Tenant:\r\n\ta \r\n" HOST END, "x-tenant", "a"},
	{GET "X-Tenant:\r\n a\r\n b\r\n" HOST END, "x-tenant", NULL},
	{GET "X-Tenant: a\r\n b\r\nX-Tenant: c\r\n" END, "x-tenant", "c"},
	{GET "Other: a\r\n X-Tenant: forged\r\n" HOST END, "x-tenant", NULL},
	{GET "Other: a\r\n\tX-Tenant: forged\r\nX-Tenant: b\r\n" END, "x-tenant", "b"},
	/* not in the head */
	{GET HOST END "X-Tenant: body\r\n\r\n", "x-tenant", NULL},
	{GET HOST "\nX-Tenant: body\r\n\r\n", "x-tenant", NULL},
	/* cut: it may go on */
	{GET "X-Tenant: acme\r\nH", "x-tenant", "acme"},
	{GET "X-Tenant: acme\r\n\r", "x-tenant", "acme"},
	{GET "X-Tenant: acme\r\n", "x-tenant", NULL},
	{GET "X-Tenant: acme\r\n ", "x-tenant", NULL},
	{GET "X-Tenant: acme\r\n  \r\n", "x-tenant", NULL},
	{GET "X-Tenant: acme\r", "x-tenant", NULL},
	{GET "X-Tenant: acm", "x-tenant", NULL},
	{GET "X-Tenant:", "x-tenant", NULL},
	{GET, "x-tenant", NULL},
	{"GET /a", "x-tenant", NULL},
	{"\r\n", "x-tenant", NULL},
	{"", "x-tenant", NULL},
};

static void test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str value = proto_http1.field(str_of(rows[i].head), str_of(rows[i].name));

		if (!str_eq(value, str_of(rows[i].value)))
			fail_msg("row %u: '%.*s'", i, (int)value.n, value.n ? value.p : "");
		if (value.n) /* a view into the head */
			assert_in_range(value.p - rows[i].head, 1, strlen(rows[i].head));
	}
}

static void test_absent(void **state)
{
	(void)state;
	assert_null(proto_http1.field((struct str){NULL, 0}, STR("host")).p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
