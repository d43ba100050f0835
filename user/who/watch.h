/* SPDX-License-Identifier: Apache-2.0 */
/* The names in a few folders, as they come and go. */
#ifndef SONDE_WATCH_H
#define SONDE_WATCH_H

#include <stdbool.h>

#include "base/str.h"

#define WATCH_FOLDERS	2
#define WATCH_PATH_SIZE 512

/* Absent name: all that was told of this folder is void; what there is follows. */
typedef void watch_fn(void *ctx, struct str name, bool gone);

struct watch_folder {
	char path[WATCH_PATH_SIZE];
	watch_fn *fn;
	int id; /* inotify's, or -1: not watched, since it is not there */
};

struct watch {
	int fd; /* -1: the system has no inotify instance left */
	bool warned;
	void *ctx;
	struct watch_folder folders[WATCH_FOLDERS];
};

/* The caller fills ctx and each folder's path and fn first. */
void watch_start(struct watch *w);
void watch_stop(struct watch *w);

/* Tells what has happened until now: a name made before this call is told before it returns. */
void watch_read(struct watch *w);
/* Also looks for folders that were not there. To be called about once a second. */
void watch_refresh(struct watch *w);

#endif
