/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io FAMILY PREFIX CONNECTIONS EXCHANGES WRITE READ WRITE READ: both ends of HTTP exchanges, a
 * process each, over TCP or a pair of unix sockets (FAMILY tcp or unix). The forms are those by
 * which the client writes requests, the server reads them, writes responses, and the client reads
 * those; their names stand in io_read.h and io_write.h, two with a comma between take turns.
 * Methods, statuses and sizes change with every exchange; both ends know what has to come and
 * compare it.
 *
 * Prints a line for each exchange and end, with the end's own count of bytes and its own clock:
 *   ROLE METHOD PATH STATUS REQUEST_BODY RESPONSE_BODY LEAST MOST
 * From the first byte to the last it took at least LEAST ns (between the calls that moved them) and
 * at most MOST (around these calls).
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/wait.h>

#include "io_read.h"
#include "io_write.h"

#define CONNECTIONS_MAX 16
#define THINK_MS	1

static const char *const methods[] = {"GET", "POST", "PUT"};
static const struct {
	int status;
	const char *reason;
} answers[] = {{200, "OK"}, {404, "Not Found"}, {503, "Service Unavailable"}, {201, "Created"}};
static const size_t sizes[] = {700, 0, 2, 90000, 3000};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct plan {
	const char *prefix;
	int connections, exchanges;
	const struct writer *write[2][2]; /* requests, responses; of even and of odd numbers */
	const struct reader *read[2][2];
};

struct exchange {
	int number;
	char path[128];
	struct message request, response;
};

static size_t body_size(const struct plan *p, int which, int number)
{
	size_t size = sizes[(size_t)number % LENGTH(sizes)];
	size_t written = p->write[which][number % 2]->body_max;
	size_t read = p->read[which][number % 2]->body_max;

	if (written && size > written)
		size = written;
	return read && size > read ? read : size;
}

static void add_body(struct message *m, int number, size_t size)
{
	memset(m->bytes + m->head, 'a' + number % 26, size);
	m->size = m->head + size;
}

static void exchange_make(const struct plan *p, struct exchange *x, int number)
{
	size_t which = (size_t)number, body = which % 3 ? body_size(p, 0, number) : 0;
	size_t answer = body_size(p, 1, number);

	x->number = number;
	snprintf(x->path, sizeof(x->path), "%s/n%d", p->prefix, number);
	x->request.head =
		(size_t)sprintf(x->request.bytes,
				"%s %s HTTP/1.1\r\nHost: x.example\r\nContent-Length: %zu\r\n\r\n",
				methods[which % LENGTH(methods)], x->path, body);
	add_body(&x->request, number, body);
	x->response.head = (size_t)sprintf(
		x->response.bytes, "HTTP/1.1 %d %s\r\nServer: io\r\nContent-Length: %zu\r\n\r\n",
		answers[which % LENGTH(answers)].status, answers[which % LENGTH(answers)].reason,
		answer);
	add_body(&x->response, number, answer);
}

static void receive(struct io *io, const struct reader *form, const struct message *m)
{
	static char bytes[MESSAGE_MAX + SPARE];
	size_t got = 0;

	io->begun = false;
	while (got < m->size) {
		ssize_t n;

		wait_for(io, POLLIN);
		io->before = now();
		n = form->read(io, bytes + got, m->size - got);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			fail(form->name);
		got += (size_t)n;
	}
	if (got != m->size || (!form->blind && memcmp(bytes, m->bytes, got)))
		fail("other bytes than expected");
	if (form->after)
		form->after(io);
}

static void transmit(struct io *io, const struct writer *form, const struct message *m)
{
	io->begun = false;
	form->write(io, m, form);
}

static void say(const char *role, const struct exchange *x, const struct call *first,
		const struct call *last)
{
	printf("%s %s %s %d %zu %zu %lld %lld\n", role,
	       methods[(size_t)x->number % LENGTH(methods)], x->path,
	       answers[(size_t)x->number % LENGTH(answers)].status,
	       x->request.size - x->request.head, x->response.size - x->response.head,
	       (long long)(last->before - first->after), (long long)(last->after - first->before));
}

static void client(struct io *io, const struct plan *p, const struct exchange *x)
{
	struct call first;

	transmit(io, p->write[0][x->number % 2], &x->request);
	first = io->first;
	receive(io, p->read[1][x->number % 2], &x->response);
	say("client", x, &first, &io->last);
}

static void server(struct io *io, const struct plan *p, const struct exchange *x)
{
	struct call first;

	receive(io, p->read[0][x->number % 2], &x->request);
	first = io->first;
	pause_ms(THINK_MS);
	transmit(io, p->write[1][x->number % 2], &x->response);
	say("server", x, &first, &io->last);
}

static void io_open(struct io *io, int fd, const struct reader *const read[2],
		    const struct writer *const write[2])
{
	*io = (struct io){.fd = fd, .file = memfd_create("io", 0)};
	if (fd < 0 || io->file < 0 || pipe(io->pipe) || pipe(io->copy))
		fail("open");
	for (int i = 0; i < 2; i++) {
		if (read[i]->setup)
			read[i]->setup(io);
		if (write[i]->setup)
			write[i]->setup(io);
	}
}

static void io_close(struct io *io)
{
	close(io->fd);
	close(io->file);
	for (int i = 0; i < 2; i++) {
		close(io->pipe[i]);
		close(io->copy[i]);
	}
}

static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/*
 * All exchanges of a connection at one end. A server waits for the client to close. The bytes of
 * one exchange stay until the other end has begun the next: spliced pages are read late.
 */
static void converse(const struct plan *p, struct exchange x[2], int fd, int connection,
		     bool serves)
{
	struct io io;
	char byte;

	no_delay(fd);
	io_open(&io, fd, p->read[!serves], p->write[serves]);
	for (int i = 0; i < p->exchanges; i++) {
		exchange_make(p, &x[i % 2], connection * p->exchanges + i);
		(serves ? server : client)(&io, p, &x[i % 2]);
	}
	if (serves)
		while (read(fd, &byte, 1) < 0 && errno == EAGAIN)
			wait_for(&io, POLLIN);
	io_close(&io);
}

static int tcp_connect(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		fail("connect");
	return fd;
}

static int tcp_listen(struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)at, size) || listen(fd, CONNECTIONS_MAX) ||
	    getsockname(fd, (struct sockaddr *)at, &size))
		fail("listen");
	return fd;
}

static void run(const struct plan *p, bool tcp, struct exchange x[2])
{
	int pairs[CONNECTIONS_MAX][2], listener = -1;
	struct sockaddr_in at;
	pid_t child;

	if (tcp)
		listener = tcp_listen(&at);
	for (int i = 0; !tcp && i < p->connections; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]))
			fail("pair");
	child = fork();
	for (int i = 0; i < p->connections; i++) {
		int fd;

		if (!tcp)
			close(pairs[i][child != 0]);
		fd = !tcp    ? pairs[i][child == 0]
		     : child ? tcp_connect(&at)
			     : accept(listener, NULL, NULL);
		converse(p, x, fd, i, !child);
	}
	fflush(stdout);
	if (child) {
		int status;

		if (waitpid(child, &status, 0) != child || status)
			exit(1);
	}
}

static const struct writer *find_writer(const char *name)
{
	for (size_t i = 0; i < LENGTH(writers); i++)
		if (!strcmp(writers[i].name, name))
			return &writers[i];
	fprintf(stderr, "no form of writing is called %s\n", name);
	exit(2);
}

static const struct reader *find_reader(const char *name)
{
	for (size_t i = 0; i < LENGTH(readers); i++)
		if (!strcmp(readers[i].name, name))
			return &readers[i];
	fprintf(stderr, "no form of reading is called %s\n", name);
	exit(2);
}

/* One name for all exchanges, or two for even and odd ones. */
static void split(char *names, const char *name[2])
{
	char *comma = strchr(names, ',');

	name[0] = name[1] = names;
	if (!comma)
		return;
	*comma = '\0';
	name[1] = comma + 1;
}

int main(int argc, char **argv)
{
	struct plan p = {0};
	static char bytes[4][MESSAGE_MAX];
	struct exchange x[2] = {{.request.bytes = bytes[0], .response.bytes = bytes[1]},
				{.request.bytes = bytes[2], .response.bytes = bytes[3]}};

	if (argc != 9)
		return 2;
	p.prefix = argv[2];
	p.connections = atoi(argv[3]);
	p.exchanges = atoi(argv[4]);
	if (p.connections < 1 || p.connections > CONNECTIONS_MAX || strlen(p.prefix) > 64)
		return 2;
	for (int i = 0; i < 2; i++) {
		const char *write[2], *read[2];

		split(argv[5 + 2 * i], write);
		split(argv[6 + 2 * i], read);
		for (int k = 0; k < 2; k++) {
			p.write[i][k] = find_writer(write[k]);
			p.read[i][k] = find_reader(read[k]);
		}
	}
	run(&p, !strcmp(argv[1], "tcp"), x);
	return 0;
}
