/* SPDX-License-Identifier: Apache-2.0 */
/* The options about log lines: what they take, add up to, and refuse, word for word. */
#include "option_input.h"
#include "out/jsonlog.h"

#define RATE   "must be a number from 0 to 1000000, such as 500/s"
#define FIELDS "must be names of log fields, such as path,status,duration_ms"
#define HEADERS                                                                 \
	"must be names of at most 8 headers, such as X-Tenant; Authorization, " \
	"Proxy-Authorization, Cookie and Set-Cookie are never logged"
#define BITS(a, b) (JSONLOG_FIELDS_NONE | JSONLOG_BIT(a) | JSONLOG_BIT(b))

static void assert_parsed(struct options *o, struct input *in, const char *line)
{
	if (parse(o, in, line, ""))
		fail_msg("%s: %s", line, said);
	assert_string_equal(said, "");
}

static void assert_refused(const char *line, const char *message)
{
	char expected[512];
	struct options o;
	struct input in;

	assert_int_equal(parse(&o, &in, line, ""), -EINVAL);
	snprintf(expected, sizeof(expected), "sonde: %s: %s\n", line, message);
	assert_string_equal(said, expected);
}

static void test_rate(void **state)
{
	static const struct {
		const char *line;
		uint32_t rate;
	} cases[] = {{"", 0},
		     {"--log-rate=0", 0},
		     {"--log-rate=0/s", 0},
		     {"--log-rate=7", 7},
		     {"--log-rate=500/s", 500},
		     {"--log-rate=1000000/s", 1000000}};
	struct options o;
	struct input in;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_parsed(&o, &in, cases[i].line);
		assert_int_equal(o.log_rate, cases[i].rate);
		options_free(&o);
	}
	assert_refused("--log-rate=1000001", RATE);
	assert_refused("--log-rate=5/m", RATE);
	assert_refused("--log-rate=/s", RATE);
	assert_refused("--log-rate=-1/s", RATE);
	assert_refused("--log-rate=5/s/s", RATE);
}

static void test_fields(void **state)
{
	static const struct {
		const char *line;
		uint64_t fields;
	} cases[] = {{"", 0},
		     {"--log-fields=path,status", BITS(path, status)},
		     {"--log-fields=path --log-fields=status", BITS(path, status)},
		     {"--log-fields=status,timestamp,path,path", BITS(path, status)},
		     {"--log-fields=level,logger,message", JSONLOG_FIELDS_NONE}};
	struct options o;
	struct input in;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_parsed(&o, &in, cases[i].line);
		assert_true(o.log_fields == cases[i].fields);
		options_free(&o);
	}
	assert_refused("--log-fields=paht", FIELDS "; did you mean path?");
	assert_refused("--log-fields=path,statsu,x", FIELDS "; did you mean status?");
	assert_refused("--log-fields=duration", FIELDS "; did you mean duration_ms?");
	assert_refused("--log-fields=colour", FIELDS);
	assert_refused("--log-fields=path,", FIELDS);
	assert_refused("--log-fields=,path", FIELDS);
	assert_refused("--log-fields=Path", FIELDS "; did you mean path?");
}

static void assert_headers(const struct options *o, const char *const *names)
{
	unsigned count = 0;

	for (; names[count]; count++) {
		assert_true(count < o->log_header_count);
		assert_true(str_eq(o->log_headers[count], str_of(names[count])));
	}
	assert_int_equal(o->log_header_count, count);
}

static void test_headers(void **state)
{
	static const struct {
		const char *line;
		const char *names[REQUEST_HEADERS_MAX + 1];
	} cases[] = {
		{"", {NULL}},
		{"--log-headers=X-Tenant", {"X-Tenant"}},
		{"--log-headers=X-Tenant,x-tenant,Server", {"X-Tenant", "Server"}},
		{"--log-headers=a,b --log-headers=c", {"a", "b", "c"}},
		{"--log-headers=a,b,c,d,e,f,g,h,a", {"a", "b", "c", "d", "e", "f", "g", "h"}},
		{"--log-headers=!#$%&'*+-.^_`|~9", {"!#$%&'*+-.^_`|~9"}},
	};
	struct options o;
	struct input in;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_parsed(&o, &in, cases[i].line);
		assert_headers(&o, cases[i].names);
		options_free(&o);
	}
}

static void test_headers_refused(void **state)
{
	static const char *const lines[] = {
		"--log-headers=Authorization",	   "--log-headers=X-Tenant,cookie",
		"--log-headers=SET-COOKIE",	   "--log-headers=Proxy-authorization",
		"--log-headers=X-Tenant:",	   "--log-headers=X-Tenant,",
		"--log-headers=a,b,c,d,e,f,g,h,i", "--log-headers=X-A-B,X-A_B",
		"--log-headers=\xc3\xa4",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines) - 1; i++)
		assert_refused(lines[i], HEADERS);
	assert_refused("--log-headers=123456789-123456789-123456789-123456789-123456789-"
		       "123456789-123456789-",
		       HEADERS);
}

static void test_in_file(void **state)
{
	static const char *const names[] = {"X-Tenant", "Server", NULL};
	static const char *const texts[] = {
		"{\"log-rate\": 500, \"log-fields\": [\"path\", \"status\"], "
		"\"log-headers\": [\"X-Tenant\", \"Server\"]}",
		"{\"log-rate\": \"500/s\", \"log-fields\": \"path,status\", "
		"\"log-headers\": \"X-Tenant, Server\"}",
	};
	char line[128];
	struct options o;
	struct input in;

	(void)state;
	snprintf(line, sizeof(line), "--config %s", file_path);
	for (size_t i = 0; i < 2; i++) {
		write_file(texts[i]);
		assert_parsed(&o, &in, line);
		assert_int_equal(o.log_rate, 500);
		assert_true(o.log_fields == BITS(path, status));
		assert_headers(&o, names);
		options_free(&o);
	}
	write_file("{\"log-fields\": [\"path\",\n \"routes\"]}");
	assert_int_equal(parse(&o, &in, line, ""), -EINVAL);
	assert_non_null(strstr(said, ":1:2: log-fields=routes: " FIELDS "; did you mean route?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),	cmocka_unit_test(test_fields),
		cmocka_unit_test(test_headers), cmocka_unit_test(test_headers_refused),
		cmocka_unit_test(test_in_file),
	};

	return cmocka_run_group_tests(tests, file_setup, file_teardown);
}
