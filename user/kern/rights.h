/* SPDX-License-Identifier: Apache-2.0 */
/* What this process may do: capabilities by name, and what keeps them from counting. */
#ifndef SONDE_RIGHTS_H
#define SONDE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report;

struct rights {
	uint64_t held;	  /* a bit a capability, the effective set */
	bool first_users; /* user namespace: in another one they do not count for the kernel */
	bool first_pids;
	bool filtered; /* by seccomp */
};

void rights_read(struct rights *r);
/* Those without which no program loads: "CAP_BPF and CAP_PERFMON"; "" if all are held. */
void rights_missing(const struct rights *r, char *names, size_t size);
bool rights_held(const struct rights *r, unsigned capability); /* or one that stands in for it */

struct rights_needs {
	bool programs; /* do not load with what is held */
	bool call;     /* bpf() is refused, whatever is held */
	bool memory;   /* locked memory has a limit that is in the way */
	bool environs; /* of other processes cannot be read */
};

/* A row for each capability, with what it is for. */
void rights_report(const struct rights *r, const struct rights_needs *needs, struct report *report);

#endif
