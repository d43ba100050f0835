/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint. libmicrohttpd speaks HTTP; here are the paths, as a table, and what is answered.
 *
 * Invariants: every answer has a Content-Type and may not be cached. An exposition is written whole
 * or not at all: one that outgrew its bound becomes a 500 that says so. Bounded are connections
 * (all and by address), header bytes, the time that a head takes to come and an answer to leave,
 * and the expositions that wait for slow readers, since those are the only large memory. One that
 * is just rendered answers all who ask, so that a loop of scrapes cannot take the thread. Refuses
 * bodies, other methods and unknown paths.
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "out/accept.h"
#include "out/listen.h"
#include "out/web.h"

#define CONNECTIONS_MAX	   64
#define CONNECTIONS_PER_IP 32 /* probes and a scraper can come through one node's address */
#define CONNECTION_BYTES   8192
#define REQUEST_NS	   (10 * NS_PER_SECOND)
#define FRESH_NS	   (100 * NS_PER_MS)
#define EXPOSITIONS	   4 /* two formats, each plain and with gzip */
#define SCRAPES_MAX	   4
#define BODY_MAX	   (64 << 20)
#define RUNS_MAX	   16		    /* a turn; the loop has others to serve */
#define GZIP_WINDOW	   (MAX_WBITS + 16) /* zlib's way to say gzip */
#define GZIP_LEVEL	   1
#define GZIP_MEMORY	   8

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_HTML "text/html; charset=utf-8"

struct visitor {
	int fd;
	uint64_t since; /* connected, or last went on to a next head or answer; 0: a free place */
};

struct exposition {
	struct MHD_Response *response; /* or NULL */
	uint64_t rendered;
};

struct web {
	struct web_options options;
	struct MHD_Daemon *daemon;
	unsigned scrapes; /* expositions not yet sent */
	struct visitor visitors[CONNECTIONS_MAX];
	struct exposition expositions[EXPOSITIONS];
};

struct answer {
	unsigned status;
	const char *type;
	const char *encoding;	       /* or NULL */
	struct exposition *exposition; /* or NULL; where it is kept, or was found */
	struct buf body;	       /* growing; handed on */
};

static void answer_text(struct answer *a, unsigned status, const char *text)
{
	a->status = status;
	a->type = TYPE_TEXT;
	a->encoding = NULL;
	buf_close(&a->body);
	buf_init_growing(&a->body, BODY_MAX);
	buf_text(&a->body, text);
}

static struct str header(struct MHD_Connection *c, const char *name)
{
	return str_of(MHD_lookup_connection_value(c, MHD_HEADER_KIND, name));
}

/* False leaves the body as it was. */
static bool compress_body(struct buf *body)
{
	z_stream z = {0};
	struct buf packed = {0};
	bool done;

	if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	packed.size = packed.max = deflateBound(&z, body->n);
	packed.p = malloc(packed.size);
	z.next_in = (Bytef *)body->p;
	z.avail_in = (uInt)body->n;
	z.next_out = (Bytef *)packed.p;
	z.avail_out = (uInt)packed.size;
	done = packed.p && deflate(&z, Z_FINISH) == Z_STREAM_END;
	packed.n = z.total_out;
	deflateEnd(&z);
	buf_close(done ? body : &packed);
	if (done)
		*body = packed;
	return done;
}

static void expositions_expire(struct web *w, uint64_t now)
{
	for (struct exposition *e = w->expositions; e < w->expositions + EXPOSITIONS; e++) {
		if (!e->response || now - e->rendered < w->options.fresh_ns)
			continue;
		MHD_destroy_response(e->response); /* its readers have their own hold on it */
		e->response = NULL;
	}
}

static void get_metrics(struct web *w, struct MHD_Connection *c, struct answer *a)
{
	struct prom p = {&a->body, accept_format(header(c, MHD_HTTP_HEADER_ACCEPT))};
	bool gzip = accept_gzip(header(c, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	struct exposition *e = &w->expositions[2 * p.format + gzip];

	if (w->scrapes >= SCRAPES_MAX) {
		answer_text(a, MHD_HTTP_SERVICE_UNAVAILABLE, "too many scrapes at once\n");
		return;
	}
	expositions_expire(w, clock_monotonic());
	if (!e->response) {
		a->type = prom_content_type(p.format);
		w->options.metrics(w->options.ctx, &p);
		if (a->body.full) {
			answer_text(a, MHD_HTTP_INTERNAL_SERVER_ERROR,
				    "the metrics are longer than 64 MiB: lower --series-max\n");
			return;
		}
		if (gzip && compress_body(&a->body))
			a->encoding = "gzip";
		e->rendered = clock_monotonic();
	}
	a->exposition = e;
}

static void get_alive(struct web *w, struct MHD_Connection *c, struct answer *a)
{
	(void)w;
	(void)c;
	answer_text(a, MHD_HTTP_OK, "ok\n");
}

static void get_ready(struct web *w, struct MHD_Connection *c, struct answer *a)
{
	(void)c;
	if (w->options.ready(w->options.ctx))
		answer_text(a, MHD_HTTP_OK, "ok\n");
	else
		answer_text(a, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready\n");
}

static void get_page(struct web *w, struct MHD_Connection *c, struct answer *a)
{
	(void)c;
	a->type = TYPE_HTML;
	w->options.page(w->options.ctx, &a->body);
}

static const struct path {
	const char *path;
	void (*get)(struct web *w, struct MHD_Connection *c, struct answer *a);
} paths[] = {
	{"/metrics", get_metrics}, {"/healthz", get_alive},   {"/livez", get_alive},
	{"/health", get_alive},	   {"/-/healthy", get_alive}, {"/readyz", get_ready},
	{"/-/ready", get_ready},   {"/", get_page},
};

static void answer_path(struct web *w, struct MHD_Connection *c, const char *path, struct answer *a)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (strcmp(path, paths[i].path) == 0) {
			paths[i].get(w, c, a);
			return;
		}
	}
	answer_text(a, MHD_HTTP_NOT_FOUND, "not found\n");
}

static void add_headers(struct MHD_Response *response, const struct answer *a)
{
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; style-src 'unsafe-inline'");
	if (a->exposition)
		MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	if (a->encoding)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, a->encoding);
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
}

static struct MHD_Response *make_response(struct answer *a)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(a->body.n, a->body.p, MHD_RESPMEM_MUST_FREE);

	if (response)
		add_headers(response, a);
	else
		buf_close(&a->body);
	return response;
}

static enum MHD_Result send_answer(struct MHD_Connection *c, struct answer *a)
{
	struct exposition *e = a->exposition;
	struct MHD_Response *response = e && e->response ? e->response : make_response(a);
	enum MHD_Result queued;

	if (!response)
		return MHD_NO;
	queued = MHD_queue_response(c, a->status, response);
	if (e)
		e->response = response;
	else
		MHD_destroy_response(response);
	return queued;
}

/* The connection went on: it has the full time for what comes next. */
static void visitor_touch(struct MHD_Connection *c)
{
	struct visitor *v =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	if (v)
		v->since = clock_monotonic();
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **visitor,
			  enum MHD_ConnectionNotificationCode what)
{
	struct web *w = ctx;
	struct visitor *v = *visitor;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (v)
			v->since = 0;
		return;
	}
	for (v = w->visitors; v < w->visitors + CONNECTIONS_MAX && v->since; v++)
		;
	if (v == w->visitors + CONNECTIONS_MAX)
		return; /* the library keeps to its limit */
	v->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	v->since = clock_monotonic();
	*visitor = v;
}

static void visitors_expire(struct web *w, uint64_t now)
{
	for (struct visitor *v = w->visitors; v < w->visitors + CONNECTIONS_MAX; v++)
		if (v->since && now - v->since >= w->options.request_ns)
			shutdown(v->fd, SHUT_RDWR);
}

/*
 * Called when the head is read, and again for the body or its absence. *progress: NULL at first,
 * then w, then &w->scrapes while an exposition waits. Answered at the first call the connection
 * would close, which is right for what may have a body, and wrong for a scraper that comes back.
 */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path,
				  const char *method, const char *version, const char *body,
				  size_t *body_size, void **progress)
{
	bool get = !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD);
	struct answer a = {.status = MHD_HTTP_OK, .type = TYPE_TEXT};
	struct web *w = ctx;

	(void)version;
	(void)body;
	if (!*progress)
		visitor_touch(c);
	if (get && !*progress) {
		*progress = w;
		return MHD_YES;
	}
	if (*body_size)
		return MHD_NO;
	buf_init_growing(&a.body, BODY_MAX);
	if (get)
		answer_path(w, c, path, &a);
	else
		answer_text(&a, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (send_answer(c, &a) != MHD_YES)
		return MHD_NO;
	w->scrapes += a.exposition != NULL;
	*progress = a.exposition ? (void *)&w->scrapes : w;
	return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **progress,
			 enum MHD_RequestTerminationCode how)
{
	struct web *w = ctx;

	(void)how;
	visitor_touch(c);
	if (*progress == &w->scrapes)
		w->scrapes--;
	*progress = NULL;
}

static struct MHD_Daemon *start_daemon(struct web *w, int fd)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, w, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, w, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, w, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_PER_IP,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
}

struct web *web_new(const struct web_options *options, char *error, size_t error_size)
{
	int fd = listen_open(options->listen, error, error_size);
	struct web *w;

	if (fd < 0)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (w) {
		w->options = *options;
		w->options.request_ns = options->request_ns ? options->request_ns : REQUEST_NS;
		w->options.fresh_ns = options->fresh_ns ? options->fresh_ns : FRESH_NS;
		w->daemon = start_daemon(w, fd);
	}
	if (w && w->daemon)
		return w;
	snprintf(error, error_size, "cannot serve %s: out of memory or descriptors",
		 options->listen);
	close(fd);
	free(w);
	return NULL;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	MHD_stop_daemon(w->daemon);
	w->options.fresh_ns = 0;
	expositions_expire(w, UINT64_MAX);
	free(w);
}

int web_fd(const struct web *w)
{
	return MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* The library does one step a connection and call; it says by a time-out of 0 that more is due. */
static void run_steps(struct MHD_Daemon *daemon)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	for (int i = 0; i < RUNS_MAX; i++) {
		MHD_run(daemon);
		if (MHD_get_timeout(daemon, &timeout) != MHD_YES || timeout > 0)
			return;
	}
}

void web_run(struct web *w)
{
	uint64_t now;

	run_steps(w->daemon);
	now = clock_monotonic();
	visitors_expire(w, now);
	expositions_expire(w, now);
}

unsigned web_port(const struct web *w)
{
	int fd = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd;
	struct sockaddr_in address = {0}; /* of IPv6 too: the port stands in the same place */
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return 0;
	return ntohs(address.sin_port);
}
