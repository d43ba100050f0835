/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What procfs says about a process. Each question opens, reads and closes; a process that vanishes
 * in between is an empty answer, never an error.
 */
#ifndef SONDE_PROC_H
#define SONDE_PROC_H

#include <stdint.h>

#include "base/str.h"

struct proc {
	const char *procfs;
	uint32_t pid;
	uint32_t parent;
	uint64_t start; /* clock ticks after boot: tells two bearers of a pid apart */
	bool zombie;
};

int proc_find(struct proc *p, const char *procfs, uint32_t pid); /* -ENOENT: there is none */

/* The file's beginning; absent, with errno set, if it cannot be opened or p is NULL. */
struct str proc_text(const struct proc *p, const char *file, char *to, size_t size);

/* Names by source. They write at most size - 1 bytes and a NUL and return the length, 0 if none. */
size_t proc_otel_service(const struct proc *p, char *name, size_t size);
size_t proc_program(const struct proc *p, char *name, size_t size);

/* A command line that filled its room may end inside an argument: without that one. */
struct str args_whole(struct str args, size_t room);

#endif
