/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names by text alone: of programs by their command lines, of units by cgroup texts. Each case once
 * whole, and each command line cut at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "who/name.h"
#include "who/proc.h"
#include "who/who.h"

struct program_case {
	struct str args;
	const char *name;
};

/* clang-format off: a case a line */
#define LINE(literal)                    \
	{                                \
		literal, sizeof(literal) \
	}

static const struct program_case programs[] = {
	/* plain programs */
	{LINE("nginx"), "nginx"},
	{LINE("/usr/sbin/nginx\0-g\0daemon off;"), "nginx"},
	{LINE("/opt/very/long/path/that/goes/on/and/on/bin/api-server\0--port\0"
	      "80"),
	 "api-server"},
	{LINE("./server.sh"), "server.sh"},
	{LINE("php-fpm8.2\0-F"), "php-fpm8.2"},
	{LINE("uwsgi\0--ini\0app.ini"), "uwsgi"},
	{LINE("/usr/bin/curl\0http://127.0.0.1/"), "curl"},
	{LINE("/usr/bin/app (deleted)"), "app"},
	{LINE("/opt/my app/bin/server"), "server"},
	{LINE("app\0\0\0\0\0"), "app"},
	{LINE(""), ""},
	{LINE("\0\0\0"), ""},
	{LINE("/"), ""},
	/* process titles */
	{LINE("nginx: worker process"), "nginx"},
	{LINE("nginx: master process /usr/sbin/nginx -g daemon off;\0\0\0\0"), "nginx"},
	{LINE("gunicorn: worker [app]"), "gunicorn"},
	{LINE("postgres: writer"), "postgres"},
	{LINE("postgres: 15/main: walwriter "), "postgres"},
	{LINE("php-fpm: pool www"), "php-fpm"},
	{LINE("puma 5.6.5 (tcp://0.0.0.0:3000) [app]"), "puma"},
	{LINE("npm run start"), "npm"},
	{LINE("/opt/google/chrome/chrome --type=renderer --path=/a/b"), "chrome"},
	{LINE("-bash"), "bash"},
	{LINE("(sd-pam)"), "(sd-pam)"},
	/* Python */
	{LINE("python3\0-m\0uvicorn\0main:app"), "uvicorn"},
	{LINE("/usr/bin/python3.11\0-mhttp.server\0"
	      "8000"),
	 "http.server"},
	{LINE("python3\0-u\0-W\0ignore\0-X\0dev\0/srv/app.py\0-m\0x"), "app"},
	{LINE("python3\0-Im\0pytest"), "pytest"},
	{LINE("python\0-Wignore\0main.py"), "main"},
	{LINE("python3\0-c\0import x"), "python3"},
	{LINE("/usr/bin/python3\0/usr/bin/gunicorn\0app:app"), "gunicorn"},
	{LINE("pypy3\0tool.pyc"), "tool"},
	{LINE("python3\0/srv/pkg/__main__.py"), "__main__"},
	{LINE("python3\0/srv/service/"), "service"},
	{LINE("python3"), "python3"},
	{LINE("python3\0-"), "python3"},
	{LINE("python3\0-m"), "python3"},
	{LINE("python3\0--\0manage.py\0runserver"), "manage"},
	{LINE("python3\0--check-hash-based-pycs\0never\0x.py"), "x"},
	{LINE("python3-config\0--libs"), "python3-config"},
	/* Node, Bun, Deno */
	{LINE("node\0server.js"), "server"},
	{LINE("/usr/bin/nodejs\0--require\0./tracing.js\0--import=x.mjs\0/srv/index.mjs"), "index"},
	{LINE("node\0-r\0ts-node/register\0src/main.ts"), "main"},
	{LINE("node\0--max-old-space-size=4096\0/app/dist/worker.cjs\0--port=1"), "worker"},
	{LINE("node\0-pe\0process.version"), "node"},
	{LINE("node\0--eval=1"), "node"},
	{LINE("node\0."), "node"},
	{LINE("node\0/usr/bin/npm\0start"), "npm"},
	{LINE("bun\0run\0--hot\0src/server.ts"), "server"},
	{LINE("bun\0test"), "bun"},
	{LINE("deno\0run\0--allow-net\0-c\0deno.json\0/srv/api.ts"), "api"},
	{LINE("deno\0task\0start"), "deno"},
	/* Java, .NET */
	{LINE("java\0-Xmx1g\0-jar\0/opt/app-1.2.jar\0--server"), "app-1.2"},
	{LINE("java\0-cp\0/a.jar:/b.jar\0-Dx=y\0org.example.shop.Main\0arg"), "Main"},
	{LINE("/usr/lib/jvm/17/bin/java\0--module-path=mods\0-m\0com.greet/com.greet.Hello"),
	 "Hello"},
	{LINE("java\0--add-opens\0java.base/"
	      "java.lang=ALL-UNNAMED\0@args\0kafka.Kafka\0x.properties"),
	 "Kafka"},
	{LINE("java\0Main.java"), "Main"},
	{LINE("java\0-version"), "java"},
	{LINE("dotnet\0/srv/Shop.Api.dll"), "Shop.Api"},
	{LINE("dotnet\0exec\0--depsfile\0a.json\0Web.dll"), "Web"},
	{LINE("dotnet\0run"), "dotnet"},
	/* Ruby, Perl, PHP and others */
	{LINE("ruby\0-I\0lib\0-rbundler/setup\0bin/rails\0server"), "rails"},
	{LINE("ruby3.1\0-S\0puma"), "puma"},
	{LINE("perl\0-I\0lib\0-MJSON\0/srv/app.pl"), "app"},
	{LINE("perl\0-lane\0print"), "perl"},
	{LINE("php\0-d\0memory_limit=1G\0-f\0/srv/worker.php"), "worker"},
	{LINE("php8.2\0artisan\0serve"), "artisan"},
	{LINE("php\0-S\0"
	      "0.0.0.0:80\0-t\0public\0router.php"),
	 "router"},
	{LINE("lua5.4\0-l\0socket\0srv.lua"), "srv"},
	{LINE("/usr/lib/R/bin/exec/R\0--no-echo\0--file=plumber.R\0--args\0x"), "plumber"},
	{LINE("Rscript\0-e\0"
	      "1+1"),
	 "Rscript"},
	{LINE("tclsh8.6\0web.tcl"), "web"},
	/* shells */
	{LINE("/bin/sh\0/usr/local/bin/entrypoint.sh\0run"), "entrypoint"},
	{LINE("bash\0-euo\0pipefail\0deploy.sh"), "deploy"},
	{LINE("sh\0-ec\0exec x"), "sh"},
	{LINE("busybox\0sh\0/etc/init.sh"), "init"},
	{LINE("busybox\0httpd\0-f"), "httpd"},
	/* hostile bytes */
	{LINE("ev\nil\x1b[0m"), "ev_il_[0m"},
	{LINE("caf\xc3\xa9"), "caf\xc3\xa9"},
	{LINE("\xff\xfe\xc3"), "___"},
	{LINE("a\xc2\x85z"), "a_z"},
};
/* clang-format on */

static void test_program_names(void **state)
{
	char name[PROGRAM_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		/* a copy of the exact size, so that a read past its end shows */
		char *args = malloc(programs[i].args.n);
		size_t n;

		memcpy(args, programs[i].args.p, programs[i].args.n);
		n = who_program((struct str){args, programs[i].args.n}, name, sizeof(name));
		assert_string_equal(name, programs[i].name);
		assert_int_equal(n, strlen(programs[i].name));
		free(args);
	}
}

static void test_program_every_cut(void **state)
{
	char name[PROGRAM_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		for (size_t n = 0; n <= programs[i].args.n; n++) {
			char *args = malloc(n + 1);

			memcpy(args, programs[i].args.p, n);
			assert_true(who_program((struct str){args, n}, name, sizeof(name)) < 64);
			free(args);
		}
	assert_int_equal(who_program((struct str){NULL, 0}, name, sizeof(name)), 0);
}

static void test_program_long_name(void **state)
{
	char args[300], name[PROGRAM_SIZE];

	(void)state;
	memset(args, 'a', sizeof(args));
	memcpy(args + 62, "\xc3\xa9", 2);
	assert_int_equal(who_program((struct str){args, 300}, name, sizeof(name)), 62);
	assert_int_equal(who_program((struct str){args + 1, 299}, name, sizeof(name)), 63);
	assert_int_equal(who_program((struct str){args, 300}, name, 1), 0);
}

static void test_args_whole(void **state)
{
	(void)state;
	assert_int_equal(args_whole(STR("sh\0/srv/ser"), 11).n, 3);
	assert_int_equal(args_whole(STR("sh\0/srv/ser"), 12).n, 11);
	assert_int_equal(args_whole(STR("abc"), 3).n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program_names),
		cmocka_unit_test(test_program_every_cut),
		cmocka_unit_test(test_program_long_name),
		cmocka_unit_test(test_args_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
