/* SPDX-License-Identifier: Apache-2.0 */
/* The help text, on a terminal and as the README's table, and the names of the environment's twins.
 */
#include "option_input.h"

static void print_help(bool markdown)
{
	struct catch c;

	fflush(stdout);
	c = catch_begin(STDOUT_FILENO);
	options_help(markdown);
	catch_end(&c);
}

static void test_help_has_every_row(void **state)
{
	char text[64];

	(void)state;
	for (int markdown = 0; markdown < 2; markdown++) {
		print_help(markdown);
		for (size_t i = 0; i < OPTION_COUNT; i++) {
			snprintf(text, sizeof(text), "--%s", option_rows[i].name);
			assert_non_null(strstr(said, text));
			if (option_rows[i].fallback)
				assert_non_null(strstr(said, option_rows[i].fallback));
		}
		assert_non_null(strstr(said, "SONDE_RING_SIZE"));
		assert_non_null(strstr(said, "NODE_NAME"));
		assert_null(strstr(said, "SONDE_HELP"));
	}
}

/* A name that is cut would be a variable that nobody can set. */
static void test_twins_are_whole(void **state)
{
	char twin[TWIN_SIZE];

	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		option_twin(&option_rows[i], twin, sizeof(twin));
		assert_int_equal(strlen(twin), strlen("SONDE_") + strlen(option_rows[i].name));
	}
}

static void test_help_is_80_columns_wide(void **state)
{
	struct str rest, line;

	(void)state;
	print_help(false);
	for (rest = str_of(said); rest.n;) {
		line = str_cut(&rest, '\n');
		assert_true(line.n <= 80);
		assert_false(str_has_suffix(line, STR(" ")));
	}
}

/* Run from the project's folder, as `make unit` does. */
static void test_readme_has_the_table(void **state)
{
	static char readme[256 << 10];
	FILE *f = fopen("README.md", "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(readme, 1, sizeof(readme) - 1, f);
	fclose(f);
	assert_true(n < sizeof(readme) - 1);
	print_help(true);
	if (!strstr(readme, said))
		print_error("README.md: renew the table of options: sonde --help=markdown\n");
	assert_non_null(strstr(readme, said));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help_has_every_row),
		cmocka_unit_test(test_twins_are_whole),
		cmocka_unit_test(test_help_is_80_columns_wide),
		cmocka_unit_test(test_readme_has_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
