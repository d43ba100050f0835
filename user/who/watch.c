/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders through inotify. The kernel queues an event before the call returns that made the name,
 * and who starts a container makes its folder first: reading the queue when a name is asked for is
 * enough to know it, and nothing has to wait for events.
 *
 * The invariant: a folder is watched before it is listed, so a name is told at least once and what
 * is told last is true. A queue that overflowed, a folder that was replaced: all is listed anew.
 * Nothing blocks: reads and listings are bounded. Without an inotify instance (their number is
 * limited for each user) the folders are listed at each refresh.
 */
#include "who/watch.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"

#define READ_BYTES 4096
#define READ_TURNS 256 /* more waits for the next call */
#define LIST_MAX   16384
#define EVENTS	   (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)

static void folder_list(const struct watch *w, const struct watch_folder *f)
{
	DIR *dir = opendir(f->path);
	struct dirent *entry;

	f->fn(w->ctx, (struct str){NULL, 0}, true);
	if (!dir)
		return;
	for (unsigned n = 0; n < LIST_MAX && (entry = readdir(dir)); n++)
		f->fn(w->ctx, str_of(entry->d_name), false);
	closedir(dir);
}

static void folder_watch(struct watch *w, struct watch_folder *f)
{
	f->id = inotify_add_watch(w->fd, f->path, EVENTS | IN_ONLYDIR);
	if (f->id >= 0)
		folder_list(w, f);
}

static void folders_list(struct watch *w)
{
	for (unsigned i = 0; i < WATCH_FOLDERS; i++)
		folder_list(w, &w->folders[i]);
}

static void event_tell(struct watch *w, const struct inotify_event *e)
{
	for (unsigned i = 0; i < WATCH_FOLDERS; i++) {
		struct watch_folder *f = &w->folders[i];

		if (f->id != e->wd)
			continue;
		if (e->mask & IN_IGNORED)
			f->id = -1;
		else if (e->mask & (IN_MOVE_SELF | IN_DELETE_SELF))
			inotify_rm_watch(w->fd, f->id);
		else if (e->len)
			f->fn(w->ctx, str_of(e->name), e->mask & (IN_DELETE | IN_MOVED_FROM));
	}
}

/* False: some were lost. */
static bool events_tell(struct watch *w, const char *bytes, size_t n)
{
	bool whole = true;

	for (size_t at = 0; at + sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(bytes + at);

		whole &= !(e->mask & IN_Q_OVERFLOW);
		event_tell(w, e);
		at += sizeof(*e) + e->len;
	}
	return whole;
}

void watch_read(struct watch *w)
{
	char bytes[READ_BYTES] __attribute__((aligned(8)));
	bool whole = true;

	for (unsigned turn = 0; w->fd >= 0 && turn < READ_TURNS; turn++) {
		ssize_t n = read(w->fd, bytes, sizeof(bytes));

		if (n <= 0)
			break;
		whole &= events_tell(w, bytes, (size_t)n);
	}
	if (!whole)
		folders_list(w);
}

static void instance_open(struct watch *w)
{
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd >= 0 || w->warned)
		return;
	w->warned = true;
	log_warn("sonde.who",
		 "no inotify instance (%s), so names of pods may be a second late: raise the "
		 "sysctl fs.inotify.max_user_instances",
		 strerror(errno));
}

void watch_refresh(struct watch *w)
{
	if (w->fd < 0)
		instance_open(w);
	if (w->fd < 0) {
		folders_list(w);
		return;
	}
	watch_read(w);
	for (unsigned i = 0; i < WATCH_FOLDERS; i++)
		if (w->folders[i].id < 0)
			folder_watch(w, &w->folders[i]);
}

void watch_start(struct watch *w)
{
	w->fd = -1;
	for (unsigned i = 0; i < WATCH_FOLDERS; i++)
		w->folders[i].id = -1;
	watch_refresh(w);
}

void watch_stop(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
}
