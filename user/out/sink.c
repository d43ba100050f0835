/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Non-blocking writes to a shared descriptor. O_NONBLOCK belongs to the open file description,
 * which a shell, a container runtime or a sibling process may hold too; setting it there would
 * break them.
 *
 * So a pipe or terminal is opened once more through /proc, which gives a description of our own.
 * A socket (systemd's journal) cannot be opened that way but takes MSG_DONTWAIT a call. Where
 * opening fails (a pipe that another user made), poll() is asked before each write, and no more is
 * written than a reader that poll() promised can take. Regular files do not block and are written
 * plainly.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out/sink.h"

static ssize_t send_now(int fd, const void *bytes, size_t n)
{
	return send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t write_polled(int fd, const void *bytes, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (poll(&p, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
}

static int reopen(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void sink_open(struct sink *s, int fd)
{
	struct stat st;

	*s = (struct sink){.fd = fd, .owned = -1, .write = write};
	if (fstat(fd, &st) < 0)
		return;
	if (S_ISSOCK(st.st_mode)) {
		s->write = send_now;
	} else if (S_ISFIFO(st.st_mode) || isatty(fd)) {
		s->owned = reopen(fd);
		if (s->owned >= 0)
			s->fd = s->owned;
		else
			s->write = write_polled;
	}
}

void sink_close(struct sink *s)
{
	if (s->owned >= 0)
		close(s->owned);
	s->owned = -1;
}

ssize_t sink_write(const struct sink *s, const void *bytes, size_t n)
{
	ssize_t taken;

	do
		taken = s->write(s->fd, bytes, n);
	while (taken < 0 && errno == EINTR);
	if (taken >= 0)
		return taken;
	return errno == ENOSPC || errno == EDQUOT ? -EAGAIN : -errno;
}
