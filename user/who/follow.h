/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following the pods of a node: what to ask the API server next, what its answers mean, how long to
 * wait after one that failed. Knows no sockets, no clock and no threads: the caller asks, hands
 * over what comes, and says how it ended.
 */
#ifndef SONDE_FOLLOW_H
#define SONDE_FOLLOW_H

#include <stdatomic.h>

#include "who/pod.h"
#include "who/split.h"

#define FOLLOW_WATCH_SECONDS 300 /* then the server ends a watch and another one begins */
#define FOLLOW_PATH_SIZE     8192
#define FOLLOW_TOKEN_SIZE    2048 /* of a page's `continue` */
#define FOLLOW_VERSION_SIZE  128
#define FOLLOW_WHY_SIZE	     256

enum follow_ask { FOLLOW_LIST, FOLLOW_WATCH, FOLLOW_ASKS };

enum follow_trouble {
	FOLLOW_CONNECTION, /* no answer, or it broke off */
	FOLLOW_DENIED,	   /* 401, 403 */
	FOLLOW_EXPIRED,	   /* 410: too old to resume */
	FOLLOW_STATUS,	   /* any other */
	FOLLOW_INVALID,	   /* not what the API says */
	FOLLOW_TOO_LARGE,  /* a pod that was left out */
	FOLLOW_TROUBLES
};

/* Written by the thread that follows, read by another one. */
struct follow_stats {
	atomic_bool up; /* all pods are known, and a watch tells of changes */
	_Atomic uint64_t asked[FOLLOW_ASKS];
	_Atomic uint64_t troubles[FOLLOW_TROUBLES];
};

struct follow {
	const char *node; /* the caller fills these five; node: as name_is_dns() has it */
	const char *label;
	bool quiet; /* nothing is logged */
	void (*tell)(void *ctx, const struct pod_facts *facts);
	void *ctx;

	struct follow_stats stats;
	enum follow_ask ask;
	bool latest;   /* a list from memory of the server's was too old */
	bool troubled; /* this answer */
	bool told;     /* of a watch: it said something */
	long status;
	unsigned pages;	 /* of this list */
	unsigned failed; /* in a row */
	char version[FOLLOW_VERSION_SIZE];
	char more[FOLLOW_TOKEN_SIZE]; /* the next page, or "" */
	char why[FOLLOW_WHY_SIZE];    /* of the last trouble */
	struct split split;
	struct pod_facts facts; /* room for the one that is told */
};

void follow_begin(struct follow *f); /* after a fill: everything anew */
void follow_end(struct follow *f);

/* The next request's path, ended with NUL. */
void follow_path(struct follow *f, char path[static FOLLOW_PATH_SIZE]);
/* A part of the answer's body. False: no need for the rest. */
bool follow_bytes(struct follow *f, long status, struct str bytes);
/*
 * The answer is over: whole if broke is NULL, else that is why. Returns the nanoseconds to wait
 * until the next request. lasted_ns: since it was asked; random: any number.
 */
uint64_t follow_answered(struct follow *f, long status, const char *broke, uint64_t lasted_ns,
			 uint32_t random);

#endif
