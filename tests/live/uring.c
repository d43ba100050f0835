/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uring END FORM MODE PATH COUNT BODY: a server and a client, two processes with one connection of
 * COUNT keep-alive exchanges, each answer with BODY bytes. END (server, client or both) says which
 * of them moves its bytes by io_uring; the other one reads and writes. FORM is the kind of request,
 * MODE how it is completed. Each end prints what it counted itself, `END GET PATH 200 COUNT`, and
 * stays until its standard input ends.
 *
 * The ring is set up by hand, so that nothing stands between the test and the kernel. What a
 * request may free once it is submitted (iovecs, msghdr) is overwritten then. In mode `beside` the
 * process reads a pipe while its receive waits, so the bytes come as task work at the end of
 * another system call, whose buffer holds a request that never was: GET PATH/forged.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "uring_ring.h"

#define VECTORS	      3
#define VECTOR_FIRST  9 /* bytes: a first line that is torn */
#define VECTOR_SECOND 7
#define HEAD_MAX      512
#define PAUSE_US      500

enum shape { BUFFER, VECTOR, MESSAGE, SELECT, MULTISHOT, FIXED };

static const struct form {
	const char *name;
	__u8 in, out;
	enum shape shape_in, shape_out;
} forms[] = {
	{"recv", IORING_OP_RECV, IORING_OP_SEND, BUFFER, BUFFER},
	{"read", IORING_OP_READ, IORING_OP_WRITE, BUFFER, BUFFER},
	{"readv", IORING_OP_READV, IORING_OP_WRITEV, VECTOR, VECTOR},
	{"recvmsg", IORING_OP_RECVMSG, IORING_OP_SENDMSG, MESSAGE, MESSAGE},
	{"select", IORING_OP_RECV, IORING_OP_SEND, SELECT, BUFFER},
	{"multishot", IORING_OP_RECV, IORING_OP_SEND, MULTISHOT, BUFFER},
	{"zerocopy", IORING_OP_RECV, IORING_OP_SEND_ZC, BUFFER, BUFFER},
	{"fixed", IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED, FIXED, FIXED},
	{"half", IORING_OP_RECV, IORING_OP_WRITE_FIXED, BUFFER, FIXED},
};

static const struct mode {
	const char *name;
	__u32 setup;
	__u8 sqe_flags;
	bool ready;  /* a receive is submitted when its bytes are there */
	bool beside; /* other system calls are made while it waits */
	bool rival;  /* while it waits, so does another one, in vain */
} modes[] = {
	{"inline", 0, 0, true, false, false},
	{"armed", 0, 0, false, false, false},
	{"beside", 0, 0, false, true, false},
	{"async", 0, IOSQE_ASYNC, false, false, false},
	{"sqpoll", IORING_SETUP_SQPOLL, 0, false, false, false},
	{"deferred", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0, false, false,
	 false},
	{"registered", 0, IOSQE_FIXED_FILE, false, false, false},
	{"rival", 0, 0, false, false, true},
};

struct end {
	const char *name;
	const struct form *form; /* NULL: read and write */
	const struct mode *mode;
	int socket, pipe;
	bool armed; /* a receive waits */
	struct ring ring;
	struct iovec iov[VECTORS];
	struct msghdr msg;
	char *text; /* what is sent and received */
	size_t text_size;
	char forged[HEAD_MAX];
};

static char *path;
static int count, body;

/* The same bytes torn: two short pieces and the rest. */
static unsigned vectors(struct end *e, char *at, size_t n)
{
	size_t sizes[VECTORS] = {VECTOR_FIRST, VECTOR_SECOND, n};
	unsigned used = 0;

	for (; used < VECTORS && n; used++) {
		size_t size = sizes[used] < n ? sizes[used] : n;

		e->iov[used] = (struct iovec){at, size};
		at += size;
		n -= size;
	}
	return used;
}

static void sqe_address(struct io_uring_sqe *s, void *at, size_t n)
{
	s->addr = (__u64)(uintptr_t)at;
	s->len = (__u32)n;
}

static void sqe_fill(struct end *e, struct io_uring_sqe *s, bool out, char *at, size_t n)
{
	unsigned used;

	*s = (struct io_uring_sqe){.opcode = out ? e->form->out : e->form->in,
				   .flags = e->mode->sqe_flags,
				   .fd = e->mode->sqe_flags & IOSQE_FIXED_FILE ? 0 : e->socket};
	switch (out ? e->form->shape_out : e->form->shape_in) {
	case FIXED:
	case BUFFER:
		sqe_address(s, at, n);
		break;
	case VECTOR:
		used = vectors(e, at, n);
		sqe_address(s, e->iov, used);
		break;
	case MESSAGE:
		used = vectors(e, at, n);
		e->msg = (struct msghdr){.msg_iov = e->iov, .msg_iovlen = used};
		sqe_address(s, &e->msg, 1);
		break;
	case MULTISHOT:
		s->ioprio = IORING_RECV_MULTISHOT;
		s->flags |= IOSQE_BUFFER_SELECT;
		break;
	case SELECT:
		s->flags |= IOSQE_BUFFER_SELECT;
		s->len = BUFFER_SIZE;
		break;
	}
}

static void submit(struct end *e, bool out, char *at, size_t n)
{
	sqe_fill(e, ring_next(&e->ring), out, at, n);
	ring_submit(&e->ring);
	if (!e->ring.polled) {
		memset(e->iov, 0xff, sizeof(e->iov));
		memset(&e->msg, 0xff, sizeof(e->msg));
	}
}

static size_t forged_text(char *to)
{
	return (size_t)sprintf(to, "GET %s/forged HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
}

/* Another system call, which a completion interrupts; the kernel then begins it again. */
static void read_beside(struct end *e)
{
	static char forged[256];

	if (read(e->pipe, forged, sizeof(forged)) <= 0)
		fail("pipe");
}

static const struct io_uring_cqe *completion(struct end *e)
{
	const struct io_uring_cqe *cqe;

	while (!(cqe = ring_completion(&e->ring))) {
		if (e->mode->beside)
			read_beside(e);
		else
			ring_enter(&e->ring, 0, 1, IORING_ENTER_GETEVENTS);
	}
	return cqe;
}

static ssize_t move_out(struct end *e, char *at, size_t n)
{
	const struct io_uring_cqe *cqe;
	bool notified;
	int moved;

	submit(e, true, at, n);
	cqe = completion(e);
	moved = cqe->res;
	notified = cqe->flags & IORING_CQE_F_MORE;
	ring_done(&e->ring);
	if (notified) { /* zero copy: its buffer is free again */
		completion(e);
		ring_done(&e->ring);
	}
	return moved;
}

/* Another receive, for errors alone: into a buffer with a request that never was. */
static void rival_submit(struct end *e)
{
	struct io_uring_sqe *s = ring_next(&e->ring);
	struct iovec iov = {e->forged, forged_text(e->forged)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	*s = (struct io_uring_sqe){
		.opcode = IORING_OP_RECVMSG, .fd = e->socket, .msg_flags = MSG_ERRQUEUE};
	sqe_address(s, &msg, 1);
	ring_submit(&e->ring);
}

static ssize_t move_in(struct end *e, char *at, size_t n)
{
	struct pollfd ready = {e->socket, POLLIN, 0};
	const struct io_uring_cqe *cqe;
	int moved;

	if (!e->armed) {
		if (e->mode->ready)
			poll(&ready, 1, -1);
		submit(e, false, at, n);
	}
	if (e->mode->rival)
		rival_submit(e);
	cqe = completion(e);
	moved = cqe->res;
	e->armed = cqe->flags & IORING_CQE_F_MORE;
	buffer_take(&e->ring, cqe, at);
	ring_done(&e->ring);
	return moved;
}

static void transfer(struct end *e, bool out, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t some;

		if (e->form)
			some = out ? move_out(e, e->text + done, n - done)
				   : move_in(e, e->text + done, n - done);
		else
			some = out ? write(e->socket, e->text + done, n - done)
				   : read(e->socket, e->text + done, n - done);
		if (some <= 0)
			fail(e->name);
		done += (size_t)some;
	}
}

static void end_open(struct end *e, int socket_fd)
{
	int one = 1;
	struct iovec all;

	e->socket = socket_fd;
	e->text_size = HEAD_MAX + (size_t)body;
	e->text = aligned_alloc(4096, (e->text_size + 4095) & ~4095UL);
	setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!e->form)
		return;
	ring_open(&e->ring, e->mode->setup);
	if (e->form->shape_in == SELECT || e->form->shape_in == MULTISHOT)
		buffers_open(&e->ring);
	all = (struct iovec){e->text, e->text_size};
	if (e->form->shape_out == FIXED)
		ring_register(&e->ring, IORING_REGISTER_BUFFERS, &all, 1);
	if (e->mode->sqe_flags & IOSQE_FIXED_FILE)
		ring_register(&e->ring, IORING_REGISTER_FILES, &socket_fd, 1);
}

static size_t request_text(char *to)
{
	return (size_t)sprintf(to, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
}

static size_t answer_head(char *to, size_t size)
{
	return (size_t)snprintf(to, size, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", body);
}

/* The other end waits before it sends, so that a receive is submitted before its bytes come. */
static bool serve(struct end *e)
{
	char expected[HEAD_MAX];
	size_t n = request_text(expected), head;

	transfer(e, false, n);
	if (memcmp(e->text, expected, n) != 0)
		return false;
	usleep(PAUSE_US);
	head = answer_head(e->text, HEAD_MAX);
	memset(e->text + head, 'b', (size_t)body);
	transfer(e, true, head + (size_t)body);
	return true;
}

static bool ask(struct end *e)
{
	char expected[HEAD_MAX];
	size_t n = answer_head(expected, sizeof(expected));

	usleep(PAUSE_US);
	transfer(e, true, request_text(e->text));
	transfer(e, false, n + (size_t)body);
	return !memcmp(e->text, expected, n);
}

static void converse(struct end *e, bool server)
{
	int seen = 0;

	for (int i = 0; i < count; i++)
		seen += server ? serve(e) : ask(e);
	printf("%s GET %s 200 %d\n", e->name, path, seen);
	fflush(stdout);
}

/* Writes requests that nobody sends, as long as somebody reads them. */
static int ticker_open(pid_t *pid)
{
	char text[HEAD_MAX];
	size_t n = forged_text(text);
	int ends[2];

	if (pipe(ends))
		fail("pipe");
	*pid = fork();
	if (*pid)
		return close(ends[1]), ends[0];
	close(ends[0]);
	signal(SIGPIPE, SIG_DFL);
	while (write(ends[1], text, n) > 0)
		usleep(PAUSE_US);
	exit(0);
}

static void run_end(struct end *e, int socket_fd, bool server)
{
	pid_t ticker = 0;
	char last;

	if (e->form && e->mode->beside)
		e->pipe = ticker_open(&ticker);
	end_open(e, socket_fd);
	converse(e, server);
	close(e->pipe);
	close(socket_fd);
	if (ticker)
		waitpid(ticker, NULL, 0);
	while (read(STDIN_FILENO, &last, 1) > 0)
		;
}

static int run(struct end *server, struct end *client)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd, status = 1;
	socklen_t size = sizeof(at);
	pid_t pid;

	if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&at, &size))
		fail("listen");
	pid = fork();
	if (!pid) {
		run_end(server, accept(listener, NULL, NULL), true);
		exit(0);
	}
	close(listener);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&at, size))
		fail("connect");
	run_end(client, fd, false);
	waitpid(pid, &status, 0);
	return status ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct end ends[] = {{.name = "server", .pipe = -1}, {.name = "client", .pipe = -1}};
	const struct form *form = NULL;
	const struct mode *mode = NULL;

	if (argc != 7)
		return 2;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		form = strcmp(argv[2], forms[i].name) ? form : &forms[i];
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		mode = strcmp(argv[3], modes[i].name) ? mode : &modes[i];
	path = argv[4];
	count = atoi(argv[5]);
	body = atoi(argv[6]);
	if (!form || !mode || strlen(path) > HEAD_MAX / 4 || body < 0)
		return 2;
	for (int i = 0; i < 2; i++) {
		if (!strcmp(argv[1], "both") || !strcmp(argv[1], ends[i].name))
			ends[i].form = form;
		ends[i].mode = mode;
	}
	return run(&ends[0], &ends[1]);
}
