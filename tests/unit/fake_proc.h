/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A procfs of plain files in a folder of its own, and a struct who that reads it.
 */
#ifndef SONDE_TEST_FAKE_PROC_H
#define SONDE_TEST_FAKE_PROC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/table.h"
#include "who/name.h"
#include "who/proc.h"
#include "who/who.h"

struct world {
	char folder[64];
	char logs[64]; /* "": names of pods are not looked for */
	struct who *who;
};

static const struct who_service_rule rules[] = {
	{8000, {"backend", 7}},
	{9000, {"admin", 5}},
};

static inline const struct table *who_table(const struct who *who)
{
	const struct table *tables[WHO_TABLES];

	who_tables(who, tables);
	return tables[0];
}

static inline const struct table *who_identities(const struct who *who)
{
	const struct table *tables[WHO_TABLES];

	who_tables(who, tables);
	return tables[1];
}

static inline void world_make(struct world *w, uint32_t process_max)
{
	strcpy(w->folder, "/tmp/sonde-who-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	w->who = who_new(&(struct who_options){.services = rules,
					       .service_count = 2,
					       .process_max = process_max,
					       .procfs = w->folder,
					       .logs = w->logs[0] ? w->logs : NULL,
					       .node = "node-1"});
	assert_non_null(w->who);
}

static inline void world_open(struct world *w, uint32_t process_max)
{
	w->logs[0] = '\0';
	world_make(w, process_max);
}

static inline void world_close(struct world *w)
{
	char command[96];

	who_free(w->who);
	snprintf(command, sizeof(command), "rm -r '%s'", w->folder);
	assert_int_equal(system(command), 0);
}

static inline void put(const struct world *w, uint32_t pid, const char *file, struct str bytes)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u", w->folder, pid);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%u/%s", w->folder, pid, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
	fclose(f);
}

static inline void put_stat(const struct world *w, uint32_t pid, char state, unsigned parent,
			    unsigned start)
{
	char text[256];
	int n = snprintf(
		text, sizeof(text),
		"%u (a) b (c)) %c %u 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 %u 23\n", pid,
		state, parent, start);

	put(w, pid, "stat", (struct str){text, (size_t)n});
}

#define put_process(w, pid, start, cmdline)           \
	do {                                          \
		put_stat(w, pid, 'S', 1, start);      \
		put(w, pid, "cmdline", STR(cmdline)); \
	} while (0)

static inline void vanish(const struct world *w, uint32_t pid)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -r '%s/%u'", w->folder, pid);
	assert_int_equal(system(command), 0);
}

static inline void assert_service(struct str service, const char *expected)
{
	char text[NAME_SIZE];

	str_copy(text, sizeof(text), service);
	assert_string_equal(text, expected);
}

#define assert_who(w, pid, port, expected) \
	assert_service(who_is((w)->who, pid, port)->service, expected)

#endif
