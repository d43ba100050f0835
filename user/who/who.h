/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process identity: from a pid to the names that people use. Answers come from a bounded cache; a
 * process is looked at once, in /proc, or, if it is gone already, in what its exec record said.
 */
#ifndef SONDE_WHO_H
#define SONDE_WHO_H

#include <stdint.h>

#include "flow/request.h"

struct who;
struct table;
struct api_options;
struct follow_stats;

struct who_service_rule { /* --service PORT=NAME */
	uint16_t port;
	struct str name;
};

struct who_options {
	const struct who_service_rule *services; /* borrowed, for the life of struct who */
	unsigned service_count;
	uint32_t process_max; /* processes remembered */
	const char *procfs;   /* "/proc" */
	const char *logs;     /* folder of the kubelet's pods/ and containers/; NULL: none */
	const char *node;     /* this node's name in Kubernetes, or NULL */
	const struct api_options *api; /* NULL: the Kubernetes API is not asked */
};

struct who *who_new(const struct who_options *options); /* NULL: no memory */
void who_free(struct who *w);

/*
 * From exec and exit records. comm and args are copied; args are NUL-separated. cgroup: number of
 * the process's cgroup, 0: not known.
 */
void who_exec(struct who *w, uint32_t pid, struct str comm, struct str args, uint64_t cgroup);
void who_exit(struct who *w, uint32_t pid, uint64_t now);

/* A connection's comm, remembered for processes that are gone before they are looked at. */
void who_hint(struct who *w, uint32_t pid, struct str comm, uint64_t cgroup);

/* Which path that number stands for. Processes are asked about after their cgroup is gone. */
void who_cgroup(struct who *w, uint64_t cgroup, struct str path);
void who_cgroup_gone(struct who *w, uint64_t cgroup);

/*
 * Never NULL: the worst answer is the service "unknown". server_port: the local port if the process
 * is the server of this request, else 0. A process that ever served a port with a --service rule
 * keeps that name for what it sends.
 */
const struct owner *who_is(struct who *w, uint32_t pid, uint16_t server_port);

/* A name is missing that may be known later: who_is() may then have another answer. */
bool who_is_provisional(const struct owner *owner);

/* Names of pods may have come, and waits for them run off. To be called about once a second. */
void who_refresh(struct who *w);

/*
 * An open request holds its owner: until it releases it, the pointer is good and who_forget()
 * leaves the identity alone. Any other pointer to an owner is good until the next who_forget().
 */
void who_hold(const struct owner *owner);
void who_release(const struct owner *owner);

/*
 * Names each identity whose processes have all been gone for longer than ttl_ns, once; with 0 none.
 * To be called about once a second. An identity that comes back is given out anew.
 */
typedef void who_forget_fn(void *ctx, const struct owner *owner);
void who_forget(struct who *w, uint64_t now, uint64_t ttl_ns, who_forget_fn *fn, void *ctx);

#define WHO_TABLES 7
void who_tables(const struct who *w, const struct table *tables[WHO_TABLES]);

/* How the Kubernetes API answers; NULL: it was not to be asked. */
const struct follow_stats *who_api(const struct who *w);

/*
 * The name of a program by its command line (NUL-separated), pure. Interpreters give way to their
 * script or module: python3 -m uvicorn main:app -> uvicorn, node /srv/server.js -> server.
 * Writes at most size - 1 bytes and a NUL; returns the length, 0 if the line is empty.
 */
size_t who_program(struct str args, char *name, size_t size);

#endif
