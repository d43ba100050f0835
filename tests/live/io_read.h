/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms of reading. Each is called when there is something to read, moves some of it in its own
 * way, and returns how much. What a form does beside consuming bytes (to peek) stands outside
 * did().
 */
#ifndef LIVE_IO_READ_H
#define LIVE_IO_READ_H

#include <signal.h>
#include <sys/time.h>

#include "io.h"

#define MESSAGES 100 /* of one call */

static ssize_t read_read(struct io *io, char *to, size_t left)
{
	return did(io, read(io->fd, to, left + SPARE));
}

static ssize_t read_recv(struct io *io, char *to, size_t left)
{
	return did(io, recv(io->fd, to, left + SPARE, 0));
}

static ssize_t read_recvfrom(struct io *io, char *to, size_t left)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);

	return did(io, recvfrom(io->fd, to, left + SPARE, 0, (struct sockaddr *)&from, &size));
}

static ssize_t read_1(struct io *io, char *to, size_t left)
{
	(void)left;
	return did(io, read(io->fd, to, 1));
}

static ssize_t read_7(struct io *io, char *to, size_t left)
{
	(void)left;
	return did(io, recv(io->fd, to, 7, 0));
}

/* Five buffers that touch, so that the bytes stand as they came: 3, none, 20, 6 and the rest. */
static int into_vector(struct iovec iov[5], char *to, size_t left)
{
	iov[0] = (struct iovec){to, 3};
	iov[1] = (struct iovec){NULL, 0};
	iov[2] = (struct iovec){to + 3, 20};
	iov[3] = (struct iovec){to + 23, 6};
	iov[4] = (struct iovec){to + 29, left + SPARE - 29};
	return 5;
}

static ssize_t read_readv(struct io *io, char *to, size_t left)
{
	struct iovec iov[5];

	return did(io, readv(io->fd, iov, into_vector(iov, to, left)));
}

static ssize_t read_preadv2(struct io *io, char *to, size_t left)
{
	struct iovec iov[5];

	return did(io, preadv2(io->fd, iov, into_vector(iov, to, left), -1, 0));
}

static ssize_t read_recvmsg(struct io *io, char *to, size_t left)
{
	struct iovec iov[5];
	struct msghdr msg = {.msg_iov = iov};

	msg.msg_iovlen = into_vector(iov, to, left);
	return did(io, recvmsg(io->fd, &msg, 0));
}

static ssize_t read_recvmmsg_1(struct io *io, char *to, size_t left)
{
	struct iovec iov[5];
	struct mmsghdr msg = {.msg_hdr.msg_iov = iov};

	msg.msg_hdr.msg_iovlen = into_vector(iov, to, left);
	return did(io, recvmmsg(io->fd, &msg, 1, 0, NULL)) == 1 ? (ssize_t)msg.msg_len : -1;
}

/* Several messages of a few bytes each, as far as there is something. */
static ssize_t read_recvmmsg(struct io *io, char *to, size_t left)
{
	struct iovec iov[4];
	struct mmsghdr msgs[4] = {0};
	ssize_t sum = 0;
	int n;

	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){to + 30 * i, i < 3 ? 30 : left + SPARE - 90};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = (int)did(io, recvmmsg(io->fd, msgs, 4, MSG_WAITFORONE, NULL));
	for (int i = 0; i < n; i++)
		sum += msgs[i].msg_len;
	return sum;
}

/* The first read as usual, the head is in it; then as many messages as there can be. */
static ssize_t read_recvmmsg_body(struct io *io, char *to, size_t left)
{
	struct mmsghdr msgs[MESSAGES] = {0};
	struct iovec iov[MESSAGES];
	ssize_t sum = 0;
	int n;

	if (!io->begun)
		return did(io, read(io->fd, to, 300));
	for (int i = 0; i < MESSAGES; i++) {
		iov[i] = (struct iovec){to + 20 * i, i < MESSAGES - 1 ? 20 : left};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = (int)did(io, recvmmsg(io->fd, msgs, MESSAGES, MSG_WAITFORONE, NULL));
	for (int i = 0; i < n; i++)
		sum += msgs[i].msg_len;
	return sum;
}

static void peek(const struct io *io, size_t n)
{
	char bytes[SPARE];

	if (recv(io->fd, bytes, n < SPARE ? n : SPARE, MSG_PEEK) <= 0)
		fail("peek");
}

static ssize_t read_peek(struct io *io, char *to, size_t left)
{
	peek(io, left);
	io->before = now();
	return read_recv(io, to, left);
}

static ssize_t read_peek_part(struct io *io, char *to, size_t left)
{
	peek(io, 5);
	io->before = now();
	return read_recv(io, to, left);
}

/* Looks again and again, and takes few bytes at a time. */
static ssize_t read_peek_many(struct io *io, char *to, size_t left)
{
	for (int i = 1; i < 40; i++)
		peek(io, (size_t)i);
	peek(io, left);
	io->before = now();
	return did(io, recv(io->fd, to, 9, 0));
}

static ssize_t read_waitall(struct io *io, char *to, size_t left)
{
	return did(io, recv(io->fd, to, left, MSG_WAITALL));
}

static void on_alarm(int number)
{
	(void)number;
}

static void setup_alarm(struct io *io)
{
	struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */

	(void)io;
	sigaction(SIGALRM, &action, NULL);
}

/* Waits for all, and a signal ends the wait when a part has come. */
static ssize_t read_waitall_signal(struct io *io, char *to, size_t left)
{
	struct itimerval off = {0}, timer = {{0, 500}, {0, 500}};
	ssize_t n;

	setitimer(ITIMER_REAL, &timer, NULL);
	n = did(io, recv(io->fd, to, left, MSG_WAITALL));
	setitimer(ITIMER_REAL, &off, NULL);
	return n;
}

static ssize_t read_trunc(struct io *io, char *to, size_t left)
{
	return did(io, recv(io->fd, to, left, MSG_TRUNC));
}

/* The first read as usual, the head is in it; what comes later is discarded. */
static ssize_t read_trunc_body(struct io *io, char *to, size_t left)
{
	return io->begun ? read_trunc(io, to, left) : did(io, read(io->fd, to, 300));
}

static ssize_t take(const struct io *io, int from, char *to, ssize_t n)
{
	ssize_t got = 0;

	(void)io;
	while (got < n) {
		ssize_t part = read(from, to + got, (size_t)(n - got));

		if (part <= 0)
			fail("pipe");
		got += part;
	}
	return n;
}

static ssize_t read_splice(struct io *io, char *to, size_t left)
{
	ssize_t n = did(io, splice(io->fd, NULL, io->pipe[1], NULL, left, SPLICE_F_MOVE));

	return n > 0 ? take(io, io->pipe[0], to, n) : n;
}

static ssize_t read_splice_body(struct io *io, char *to, size_t left)
{
	return io->begun ? read_splice(io, to, left) : did(io, read(io->fd, to, 300));
}

/* What came through one pipe is read twice. */
static ssize_t read_tee(struct io *io, char *to, size_t left)
{
	ssize_t n = did(io, splice(io->fd, NULL, io->pipe[1], NULL, left, 0));

	if (n <= 0)
		return n;
	n = tee(io->pipe[0], io->copy[1], (size_t)n, 0);
	if (n <= 0)
		fail("tee");
	take(io, io->copy[0], to, n);
	return take(io, io->pipe[0], to, n);
}

/* What stands in the buffer before it was not read. */
static void after_nonblock(struct io *io)
{
	char bytes[] = "GET /never-asked HTTP/1.1\r\nHost: x\r\n\r\n";

	if (read(io->fd, bytes, sizeof(bytes)) >= 0 || errno != EAGAIN)
		fail("read of nothing");
}

static void setup_inline(struct io *io)
{
	set_option(io, SOL_SOCKET, SO_OOBINLINE, 1);
}

/* The urgent byte comes behind the message, and is read before it. */
static ssize_t read_oob(struct io *io, char *to, size_t left)
{
	char byte;

	if (!io->begun) {
		wait_for(io, POLLPRI);
		if (recv(io->fd, &byte, 1, MSG_OOB) != 1 || byte != '!')
			fail("urgent byte");
		io->before = now();
	}
	return read_recv(io, to, left);
}

static const struct reader readers[] = {
	{.name = "read", .read = read_read},
	{.name = "readv", .read = read_readv},
	{.name = "preadv2", .read = read_preadv2},
	{.name = "recv", .read = read_recv},
	{.name = "recvfrom", .read = read_recvfrom},
	{.name = "recvmsg", .read = read_recvmsg},
	{.name = "recvmmsg_1", .read = read_recvmmsg_1},
	{.name = "recvmmsg", .read = read_recvmmsg},
	{.name = "recvmmsg_body", .read = read_recvmmsg_body},
	{.name = "read_1", .read = read_1, .body_max = 3000},
	{.name = "read_7", .read = read_7, .body_max = 3000},
	{.name = "peek", .read = read_peek},
	{.name = "peek_part", .read = read_peek_part},
	{.name = "peek_many", .read = read_peek_many, .body_max = 1000},
	{.name = "waitall", .read = read_waitall},
	{.name = "waitall_signal", .read = read_waitall_signal, .setup = setup_alarm},
	{.name = "trunc", .read = read_trunc, .blind = true},
	{.name = "trunc_body", .read = read_trunc_body, .blind = true},
	{.name = "nonblock", .read = read_read, .setup = set_nonblocking, .after = after_nonblock},
	{.name = "splice", .read = read_splice},
	{.name = "splice_body", .read = read_splice_body},
	{.name = "tee", .read = read_tee},
	{.name = "oob_inline", .read = read_recv, .setup = setup_inline},
	{.name = "oob", .read = read_oob, .body_max = 3000},
};

#endif
