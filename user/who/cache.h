/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the cache, for its own files: who.c, identify.c (naming), rule.c, forget.c
 * (letting go). */
#ifndef SONDE_WHO_CACHE_H
#define SONDE_WHO_CACHE_H

#include <stddef.h>

#include "base/table.h"
#include "who/groups.h"
#include "who/kube.h"
#include "who/name.h"
#include "who/who.h"

#define IDENTITY_MAX 4096
#define AWAIT_ROUNDS 5 /* of who_refresh(), until a missing name is given up */

/* What tells identities apart; padded with zeros. */
struct names {
	char service[NAME_SIZE];
	char namespace[NAMESPACE_SIZE];
	char pod[POD_SIZE];
	char container[CONTAINER_SIZE];
	bool provisional;
};

struct identity {
	struct names names; /* the key */
	struct owner owner;
	uint64_t idle_since; /* when it was found without a live process; 0: it has one */
	uint32_t holds;	     /* by open requests */
	bool pinned;	     /* struct who itself points to it */
	bool given;	     /* others may keep figures under its id */
	bool unwatched;	     /* a live process of it was evicted: its end will not be seen */
	bool asked;	     /* since the last who_forget() */
	bool live, known;    /* who_forget(): some process of it lives; is in the cache */
};

struct process {
	uint32_t pid;
	uint32_t parent;	   /* 0: none, or looked at since this one exited */
	uint32_t rule;		   /* the first rule whose port it served, counted from 1 */
	uint64_t served;	   /* all such rules: a bit for each, modulo 64 */
	uint64_t start;		   /* of the process that `owner` speaks about */
	uint64_t gone;		   /* when it exited, or 0 */
	uint64_t check;		   /* the round in which it was last checked to be alive */
	uint64_t round;		   /* struct who's, of the first look */
	uint64_t looked;	   /* the same, of the last look */
	uint64_t news;		   /* kube_news() at the last look */
	uint64_t told;		   /* kube_told(), likewise, plus 1; 0: nothing more to come */
	uint64_t cgroup;	   /* by its last record, or 0 */
	const struct owner *owner; /* NULL: not looked at yet */
	const struct owner *ruled; /* of `rule`, or NULL: not made yet */
	char name[PROGRAM_SIZE];   /* from kernel records, for when procfs has nothing */
};

struct rule {
	uint16_t port;
	const struct owner *owner;
};

struct who {
	struct kube *kube;
	struct groups *groups;
	struct table *processes;
	struct table *identities;
	const char *procfs;
	struct rule *rules;
	unsigned rule_count;
	uint32_t process_max;
	uint32_t last_id;
	uint64_t check;	  /* the round of checks, from 1 */
	uint64_t round;	  /* of who_refresh() */
	uint32_t *exited; /* pids in the order of their exits, a ring of process_max */
	uint32_t exited_first, exited_count;
	const struct owner *unknown, *other;
};

static inline struct identity *identity_of(const struct owner *owner)
{
	return (struct identity *)((char *)owner - offsetof(struct identity, owner));
}

static inline uint64_t rule_bit(unsigned rule)
{
	return 1ULL << rule % 64;
}

/* The owner of these names; "other" if there is no room for one more. */
const struct owner *names_intern(struct who *w, const struct names *names);

/* By all that is known now; proc: NULL if it is gone. */
const struct owner *process_identify(struct who *w, struct process *p, const struct proc *proc);

/* What a --service rule makes of a process (NULL: not known), or NULL if none is for it. */
const struct owner *process_rule(struct who *w, struct process *p, uint16_t server_port);
/* The owner of a rule for this process, in its place; NULL if nobody was given it. */
const struct owner *rule_owner(const struct who *w, const struct process *p, unsigned rule);
bool process_vanished(const struct who *w, const struct process *p);
void process_evicted(void *ctx, void *entry);

#endif
