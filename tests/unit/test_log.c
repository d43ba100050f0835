/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics as they arrive on stderr, which is a pipe here: keys, levels, escaping, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

static char line[8192];
static int stderr_copy, pipe_read;

static int capture_begin(void **state)
{
	int ends[2];

	(void)state;
	if (pipe2(ends, O_NONBLOCK) < 0)
		return -1;
	stderr_copy = dup(STDERR_FILENO);
	pipe_read = ends[0];
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_set_level(LOG_INFO);
	return 0;
}

static int capture_end(void **state)
{
	(void)state;
	dup2(stderr_copy, STDERR_FILENO);
	close(stderr_copy);
	close(pipe_read);
	return 0;
}

/* What was written since the last call; a test's own failures go there too, so check after. */
static struct str captured(void)
{
	ssize_t n = read(pipe_read, line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = '\0';
	return str_of(line);
}

/* The line from its level on; the time before it is only looked at for its form. */
static void assert_line(const char *expected)
{
	static const char form[] = "{\"timestamp\":\"dddd-dd-ddTdd:dd:dd.ddddddZ\",";
	struct str s = captured();

	assert_true(s.n > sizeof(form));
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd')
			assert_in_range(s.p[i], '0', '9');
		else if (form[i] != 't' || s.p[i] != 't')
			assert_int_equal(s.p[i], form[i]);
	assert_string_equal(line + sizeof(form) - 1, expected);
}

static void test_line(void **state)
{
	(void)state;
	log_info("sonde.kern", "attached %d programs", 7);
	assert_line("\"level\":\"INFO\",\"logger\":\"sonde.kern\",\"message\":\"attached 7 "
		    "programs\"}\n");
}

static void test_levels(void **state)
{
	(void)state;
	log_debug("sonde", "no");
	assert_int_equal(captured().n, 0);
	log_warn("sonde", "w");
	assert_line("\"level\":\"WARN\",\"logger\":\"sonde\",\"message\":\"w\"}\n");
	log_set_level(LOG_ERROR);
	log_warn("sonde", "no");
	assert_int_equal(captured().n, 0);
	log_error("sonde", "e");
	assert_line("\"level\":\"ERROR\",\"logger\":\"sonde\",\"message\":\"e\"}\n");
	log_set_level(LOG_DEBUG);
	log_debug("sonde", "d");
	assert_line("\"level\":\"DEBUG\",\"logger\":\"sonde\",\"message\":\"d\"}\n");
}

static void test_escapes(void **state)
{
	(void)state;
	log_info("sonde", "open \"%s\"\n", "a\tb\xff");
	assert_line("\"level\":\"INFO\",\"logger\":\"sonde\","
		    "\"message\":\"open \\\"a\\tb\xef\xbf\xbd\\\"\\n\"}\n");
}

static void test_long(void **state)
{
	char text[6000];
	struct str s;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("sonde", "%s", text);
	s = captured();
	assert_in_range(s.n, 900, 2048);
	assert_true(str_has_suffix(s, STR("xxx\"}\n")));
	memset(text, '\1', sizeof(text) - 1);
	log_info("sonde", "%s", text);
	s = captured();
	assert_in_range(s.n, 900, 2048);
	assert_true(str_has_suffix(s, STR("\\u0001\"}\n")));
}

static void test_parse(void **state)
{
	enum log_level level = LOG_INFO;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("ERROR", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(log_level_parse("Warn", &level), 0);
	assert_int_equal(level, LOG_WARN);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(log_level_parse(NULL, &level), -EINVAL);
	assert_int_equal(level, LOG_WARN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, capture_begin, capture_end),
		cmocka_unit_test_setup_teardown(test_levels, capture_begin, capture_end),
		cmocka_unit_test_setup_teardown(test_escapes, capture_begin, capture_end),
		cmocka_unit_test_setup_teardown(test_long, capture_begin, capture_end),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
