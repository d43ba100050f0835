/* SPDX-License-Identifier: Apache-2.0 */
/* Whose request it is, as its own head says. Nothing of it is verified. */
#ifndef SONDE_FLOW_USER_H
#define SONDE_FLOW_USER_H

#include "flow/request.h"
#include "proto/proto.h"

#define USER_SOURCES_MAX 8

enum user_kind { USER_HEADER, USER_JWT };

struct user_source {
	enum user_kind kind;
	struct str name; /* of a header, absent: X-User-ID; or of a claim */
};

struct user_options {
	struct user_source sources[USER_SOURCES_MAX]; /* the first one that says it counts */
	unsigned source_count;			      /* 0: nobody wants to know */
	bool hash;				      /* a keyed hash in place of the id */
	struct str key;
};

struct users;

struct users *users_new(const struct user_options *options); /* NULL: no memory */
void users_free(struct users *u);			     /* NULL-safe */

/* Fills r->user_id from a request's message. */
void users_fill(struct users *u, struct request *r, const struct msg *msg);

#endif
