/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was found, a row each, for people or for programs. Both forms are printed from the same
 * struct finding as soon as it is known. Section and name tell rows apart; they stay as they are
 * from one version to the next, what the other members say may change.
 */
#ifndef SONDE_REPORT_H
#define SONDE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

enum finding_state {
	FINDING_OK,	 /* it is there, or nothing here needs it */
	FINDING_LOST,	 /* it is not; the main job does without */
	FINDING_FAIL,	 /* it is not; the main job needs it */
	FINDING_UNKNOWN, /* nobody would say */
};

struct finding {
	const char *section, *name;
	enum finding_state state;
	const char *found;  /* what is there, or why it is not; NULL: nothing to say */
	const char *gives;  /* what it is for, what is lost without it; NULL: nothing */
	const char *remedy; /* what to do; said of what is not there; NULL: nothing */
};

struct report {
	FILE *to;
	bool json;
	unsigned rows;
};

struct conclusion {
	bool works;
	const char *backend; /* NULL: none */
	const char *why;     /* it does not work */
};

void report_begin(struct report *r, const char *version);
void report_add(struct report *r, const struct finding *f);
void report_end(struct report *r, const struct conclusion *c);

#endif
