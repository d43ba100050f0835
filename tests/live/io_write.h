/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of writing. Each writes a whole message in its own way, however many calls that takes. */
#ifndef LIVE_IO_WRITE_H
#define LIVE_IO_WRITE_H

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io.h"

#define VECTORS 1024
#define HEAD	(-1) /* widths: what is left of the head */
#define REST	(-2) /* what is left of the message */
#define EMPTY	(-3)

static void write_slice(struct io *io, const char *bytes, size_t n, int flags)
{
	while (n) {
		ssize_t sent;

		io->before = now();
		sent = did(io, flags ? send(io->fd, bytes, n, flags) : write(io->fd, bytes, n));
		if (sent < 0 && errno != EAGAIN)
			fail("write");
		if (sent < 0) {
			wait_for(io, POLLOUT);
			continue;
		}
		bytes += sent;
		n -= (size_t)sent;
	}
}

static void write_write(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->size, 0);
}

static void write_send(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->size, MSG_NOSIGNAL);
}

static void write_sendto(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	for (size_t at = 0; at < m->size;) {
		ssize_t n;

		io->before = now();
		n = did(io, sendto(io->fd, m->bytes + at, m->size - at, 0, NULL, 0));
		if (n <= 0)
			fail("sendto");
		at += (size_t)n;
	}
}

static void write_1(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	for (size_t i = 0; i < m->size; i++)
		write_slice(io, m->bytes + i, 1, 0);
}

static void write_slow(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->head - 9, 0);
	pause_ms(3);
	write_slice(io, m->bytes + m->head - 9, m->size - m->head + 9, 0);
}

static ssize_t call_sendmsg(int fd, struct iovec *iov, size_t n)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};

	return sendmsg(fd, &msg, 0);
}

static ssize_t call_sendmmsg(int fd, struct iovec *iov, size_t n)
{
	struct mmsghdr msg = {.msg_hdr = {.msg_iov = iov, .msg_iovlen = n}};

	return sendmmsg(fd, &msg, 1, 0) == 1 ? (ssize_t)msg.msg_len : -1;
}

/* Several messages in one call, one a buffer. */
static ssize_t call_sendmmsg_many(int fd, struct iovec *iov, size_t n)
{
	struct mmsghdr msgs[VECTORS] = {0};
	ssize_t sum = 0;
	int sent;

	for (size_t i = 0; i < n; i++)
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	sent = sendmmsg(fd, msgs, (unsigned int)n, 0);
	for (int i = 0; i < sent; i++)
		sum += msgs[i].msg_len;
	return sum;
}

static ssize_t call_writev(int fd, struct iovec *iov, size_t n)
{
	return writev(fd, iov, (int)n);
}

static ssize_t call_pwritev2(int fd, struct iovec *iov, size_t n)
{
	return pwritev2(fd, iov, (int)n, -1, 0);
}

/* The message from `at` on, cut into buffers by widths; returns how many. */
static size_t cut(const struct message *m, size_t at, const int *widths, struct iovec *iov)
{
	size_t n = 0;

	for (int i = 0; at < m->size && n < VECTORS; i = widths[i + 1] ? i + 1 : 0) {
		size_t left = m->size - at;
		size_t width = left;

		if (widths[i] == HEAD)
			width = at < m->head ? m->head - at : 0;
		else if (widths[i] == EMPTY)
			width = 0;
		else if (widths[i] > 0 && (size_t)widths[i] < left)
			width = (size_t)widths[i];
		iov[n++] = (struct iovec){width ? m->bytes + at : NULL, width};
		at += width;
	}
	return n;
}

static void write_from(struct io *io, const struct message *m, const struct writer *self, size_t at)
{
	struct iovec iov[VECTORS];

	while (at < m->size) {
		size_t n = cut(m, at, self->widths, iov);
		ssize_t sent;

		io->before = now();
		sent = did(io, self->call(io->fd, iov, n));
		if (sent <= 0)
			fail("vector");
		at += (size_t)sent;
	}
}

static void write_vector(struct io *io, const struct message *m, const struct writer *self)
{
	write_from(io, m, self, 0);
}

/* The head by itself. */
static void write_vector_body(struct io *io, const struct message *m, const struct writer *self)
{
	write_slice(io, m->bytes, m->head, 0);
	write_from(io, m, self, m->head);
}

/* As many buffers as a call may have; what is left stands in the last one. */
static void write_1024(struct io *io, const struct message *m, const struct writer *self)
{
	struct iovec iov[VECTORS];
	size_t n = cut(m, 0, self->widths, iov);

	if (n == VECTORS)
		iov[n - 1].iov_len = (size_t)(m->bytes + m->size - (char *)iov[n - 1].iov_base);
	io->before = now();
	if (did(io, self->call(io->fd, iov, n)) != (ssize_t)m->size)
		fail("1024");
}

/* From a file to the socket, directly or through a pipe, from byte `at` of the message on. */
static void write_file(struct io *io, const struct message *m, size_t at, bool through)
{
	off_t offset = (off_t)at;

	if (ftruncate(io->file, 0) || pwrite(io->file, m->bytes, m->size, 0) != (ssize_t)m->size)
		fail("file");
	while ((size_t)offset < m->size) {
		size_t left = m->size - (size_t)offset;
		ssize_t n;

		if (through)
			left = (size_t)splice(io->file, &offset, io->pipe[1], NULL, left, 0);
		io->before = now();
		n = through ? splice(io->pipe[0], NULL, io->fd, NULL, left, 0)
			    : sendfile(io->fd, io->file, &offset, left);
		if (did(io, n) <= 0 || (through && (size_t)n != left))
			fail("file to socket");
	}
}

static void write_sendfile(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->head, m->size > m->head ? MSG_MORE : 0);
	write_file(io, m, m->head, false);
}

static void write_sendfile_all(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_file(io, m, 0, false);
}

static void write_splice(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->head, m->size > m->head ? MSG_MORE : 0);
	write_file(io, m, m->head, true);
}

static void write_splice_all(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_file(io, m, 0, true);
}

/* From memory through a pipe; with `twice` through a copy of it. */
static void write_pipe(struct io *io, const struct message *m, size_t at, bool twice)
{
	while (at < m->size) {
		struct iovec iov = {m->bytes + at, m->size - at < 32768 ? m->size - at : 32768};
		ssize_t n = vmsplice(io->pipe[1], &iov, 1, 0);
		char gone[32768];

		if (n <= 0 || (twice && tee(io->pipe[0], io->copy[1], (size_t)n, 0) != n))
			fail("pipe");
		io->before = now();
		if (did(io, splice(twice ? io->copy[0] : io->pipe[0], NULL, io->fd, NULL, (size_t)n,
				   0)) != n)
			fail("pipe to socket");
		if (twice && read(io->pipe[0], gone, (size_t)n) != n)
			fail("pipe");
		at += (size_t)n;
	}
}

static void write_vmsplice(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->head, 0);
	write_pipe(io, m, m->head, false);
}

static void write_vmsplice_all(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_pipe(io, m, 0, false);
}

static void write_tee(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->head, 0);
	write_pipe(io, m, m->head, true);
}

static void setup_zerocopy(struct io *io)
{
	set_option(io, SOL_SOCKET, SO_ZEROCOPY, 1);
}

/* Reads one entry of the error queue; returns how many sends it says are done. */
static unsigned int completions(const struct io *io)
{
	char control[256];
	struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof(control)};
	struct sock_extended_err said;

	wait_for(io, 0);
	if (recvmsg(io->fd, &msg, MSG_ERRQUEUE) < 0 || !CMSG_FIRSTHDR(&msg))
		fail("error queue");
	memcpy(&said, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(said));
	if (said.ee_origin != SO_EE_ORIGIN_ZEROCOPY)
		fail("origin");
	return said.ee_data - said.ee_info + 1;
}

static void write_zerocopy(struct io *io, const struct message *m, const struct writer *self)
{
	unsigned int calls = 0;

	(void)self;
	for (size_t at = 0; at < m->size; calls++) {
		ssize_t n;

		io->before = now();
		n = did(io, send(io->fd, m->bytes + at, m->size - at, MSG_ZEROCOPY));
		if (n <= 0)
			fail("zerocopy");
		at += (size_t)n;
	}
	for (unsigned int done = 0; done < calls;)
		done += completions(io);
}

/* Pieces that the kernel sends together: in the first one the status line is torn. */
static void write_pieces(struct io *io, const struct message *m, int flags)
{
	size_t half = m->head + (m->size - m->head) / 2;

	write_slice(io, m->bytes, 10, flags);
	write_slice(io, m->bytes + 10, m->head - 10, m->size > m->head ? flags : 0);
	write_slice(io, m->bytes + m->head, half - m->head, flags);
	write_slice(io, m->bytes + half, m->size - half, 0);
}

static void write_more(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_pieces(io, m, MSG_MORE);
}

static void write_cork(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	set_option(io, IPPROTO_TCP, TCP_CORK, 1);
	write_pieces(io, m, 0);
	set_option(io, IPPROTO_TCP, TCP_CORK, 0);
}

/* The last byte of the message is urgent. */
static void write_oob_inline(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->size - 1, 0);
	write_slice(io, m->bytes + m->size - 1, 1, MSG_OOB);
}

/* An urgent byte behind the message, which is none of it. */
static void write_oob(struct io *io, const struct message *m, const struct writer *self)
{
	(void)self;
	write_slice(io, m->bytes, m->size, 0);
	if (send(io->fd, "!", 1, MSG_OOB) != 1)
		fail("urgent byte");
}

/* So little room that most writes are cut short. */
static void setup_nonblock(struct io *io)
{
	set_nonblocking(io);
	set_option(io, SOL_SOCKET, SO_SNDBUF, 4096);
}

#define VECTOR(NAME, CALL, ...)                                                              \
	{                                                                                    \
		.name = NAME, .write = write_vector, .call = CALL, .widths = { __VA_ARGS__ } \
	}

static const struct writer writers[] = {
	{.name = "write", .write = write_write},
	{.name = "send", .write = write_send},
	{.name = "sendto", .write = write_sendto},
	VECTOR("writev", call_writev, REST),
	VECTOR("writev_2", call_writev, HEAD, REST),
	VECTOR("writev_status", call_writev, 4, 5, 2, 3, REST),
	VECTOR("writev_head", call_writev, 13, 11, 5, 9, 17, 2, 8, HEAD, REST),
	VECTOR("writev_empty", call_writev, EMPTY, 3, EMPTY, EMPTY, 7, EMPTY, 14, EMPTY, HEAD,
	       EMPTY, REST),
	VECTOR("writev_3", call_writev, 3, 3),
	{.name = "writev_1",
	 .write = write_vector,
	 .call = call_writev,
	 .widths = {1},
	 .body_max = 3000},
	{.name = "writev_1024", .write = write_1024, .call = call_writev, .widths = {1}},
	VECTOR("pwritev2", call_pwritev2, 6, 30, HEAD, REST),
	VECTOR("sendmsg", call_sendmsg, 6, 30, HEAD, REST),
	VECTOR("sendmmsg_1", call_sendmmsg, 6, 30, HEAD, REST),
	VECTOR("sendmmsg", call_sendmmsg_many, 20, HEAD, REST),
	{.name = "sendmmsg_body",
	 .write = write_vector_body,
	 .call = call_sendmmsg_many,
	 .widths = {31}},
	{.name = "write_1", .write = write_1, .body_max = 3000},
	{.name = "slow", .write = write_slow},
	{.name = "sendfile", .write = write_sendfile},
	{.name = "sendfile_all", .write = write_sendfile_all},
	{.name = "splice", .write = write_splice},
	{.name = "splice_all", .write = write_splice_all},
	{.name = "vmsplice", .write = write_vmsplice},
	{.name = "vmsplice_all", .write = write_vmsplice_all},
	{.name = "tee", .write = write_tee},
	{.name = "zerocopy", .write = write_zerocopy, .setup = setup_zerocopy},
	{.name = "more", .write = write_more},
	{.name = "cork", .write = write_cork},
	{.name = "oob_inline", .write = write_oob_inline},
	{.name = "oob", .write = write_oob},
	{.name = "nonblock", .write = write_write, .setup = setup_nonblock},
};

#endif
