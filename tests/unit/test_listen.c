/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint's socket: which texts are addresses, and what a failure says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "out/listen.h"

static char error[256];

static void test_bad_addresses(void **state)
{
	static const char *const bad[] = {"",	     "9435",	      ":",	     ":65536",
					  ":-1",     "::1:80",	      "[::1]",	     "[::1:80",
					  "host:80", "127.0.0.1:80x", "1.2.3.4.5:1", "[1.2.3.4]:x",
					  ":80 "};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(listen_open(bad[i], error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, "ADDR:PORT"));
	}
	assert_int_equal(listen_open("192.0.2.1:0", error, sizeof(error)), -EADDRNOTAVAIL);
	assert_string_equal(error,
			    "cannot listen on 192.0.2.1:0: this machine has no such address; "
			    "choose one that it has with --listen=ADDR:PORT");
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static void test_good_addresses(void **state)
{
	static const char *const good[] = {":0", "127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int fd = listen_open(good[i], error, sizeof(error));

		if (good[i][0] == '[' && fd < 0) /* this machine has no IPv6 */
			continue;
		assert_true(fd >= 0);
		assert_true(port_of(fd) > 0);
		close(fd);
	}
}

static void test_port_in_use(void **state)
{
	int fd = listen_open("127.0.0.1:0", error, sizeof(error));
	char where[64], expected[256];

	(void)state;
	assert_true(fd >= 0);
	snprintf(where, sizeof(where), "127.0.0.1:%u", port_of(fd));
	assert_int_equal(listen_open(where, error, sizeof(error)), -EADDRINUSE);
	snprintf(expected, sizeof(expected),
		 "cannot listen on %s: address already in use; stop the other program or choose "
		 "another with --listen=ADDR:PORT",
		 where);
	assert_string_equal(error, expected);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_good_addresses),
		cmocka_unit_test(test_port_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
