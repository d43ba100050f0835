/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that asks the API server. It runs one request at a time, gives what comes to follow.c,
 * and leaves what that finds in an inbox: a list without a lock, which the pipeline takes as a
 * whole when it likes.
 *
 * Invariants. Waiting is done in curl_multi_poll(), which api_free() can end at any moment. The
 * inbox is bounded: while it is full, no more is read from the server. The token is read anew for
 * each request, since the kubelet renews the file, and goes to nobody but a server that the
 * cluster's own CA vouches for: no other CA, no proxy, no redirection, no plain HTTP.
 */
#include "who/api.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

#define INBOX_MAX	 4096
#define TOKEN_MAX	 16384
#define SERVER_SIZE	 320
#define ACCOUNT_SIZE	 512
#define CONNECT_SECONDS	 10L
#define LIST_SECONDS	 60L
#define WATCH_SECONDS	 (FOLLOW_WATCH_SECONDS + 30L)
#define KEEPALIVE	 30L /* seconds */
#define RETRY_AFTER_MOST 60
#define FULL_WAIT_US	 20000
#define LONG_WAIT_MS	 60000

struct api {
	struct follow follow;
	pthread_t thread;
	bool runs;
	atomic_bool quit;
	_Atomic(struct api_news *) inbox; /* the newest first */
	atomic_uint waiting;		  /* in it */
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	char server[SERVER_SIZE]; /* https://HOST:PORT */
	char account[ACCOUNT_SIZE];
	char why[CURL_ERROR_SIZE];
};

/* False: to be ended. */
static bool wait_ms(struct api *a, int ms)
{
	curl_multi_poll(a->multi, NULL, 0, ms, NULL);
	return !a->quit;
}

static bool wait_ns(struct api *a, uint64_t ns)
{
	uint64_t end = clock_monotonic() + ns, now;

	while ((now = clock_monotonic()) < end && !a->quit) {
		uint64_t ms = (end - now) / NS_PER_MS + 1;

		wait_ms(a, ms < LONG_WAIT_MS ? (int)ms : LONG_WAIT_MS);
	}
	return !a->quit;
}

static void inbox_put(void *ctx, const struct pod_facts *facts)
{
	struct api *a = ctx;
	size_t size = pod_facts_size(facts);
	struct api_news *news;

	while (a->waiting >= INBOX_MAX && !a->quit)
		usleep(FULL_WAIT_US); /* libcurl's own wait refuses to be called from here */
	if (a->quit)
		return;
	news = malloc(offsetof(struct api_news, facts) + size);
	if (!news)
		return;
	memcpy(&news->facts, facts, size);
	a->waiting++;
	news->next = a->inbox;
	while (!atomic_compare_exchange_weak(&a->inbox, &news->next, news))
		;
}

struct api_news *api_take(struct api *a)
{
	struct api_news *newest, *oldest = NULL;

	if (!atomic_load_explicit(&a->inbox, memory_order_relaxed))
		return NULL;
	newest = atomic_exchange(&a->inbox, NULL);
	while (newest) {
		struct api_news *older = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = older;
		a->waiting--;
	}
	return oldest;
}

static long status_of(const struct api *a)
{
	long status = 0;

	curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct api *a = ctx;
	struct str body = {bytes, size * count};

	return follow_bytes(&a->follow, status_of(a), body) && !a->quit ? body.n : 0;
}

/* The empty line at their end: a watch has begun, though nothing may happen for minutes. */
static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct str line = {bytes, size * count};
	struct api *a = ctx;
	long status = status_of(a);

	if (status >= 200 && line.n <= 2)
		follow_bytes(&a->follow, status, STR(""));
	return line.n;
}

/* What a header may hold; absent, with errno set, if there is none. */
static struct str token_read(const struct api *a, char *to, size_t size)
{
	char path[ACCOUNT_SIZE + 16];
	struct str token = {NULL, 0};
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/token", a->account);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return token;
	n = read(fd, to, size);
	close(fd);
	errno = n < 0 ? errno : EINVAL;
	while (n > 0 && (to[n - 1] == '\n' || to[n - 1] == '\r' || to[n - 1] == ' '))
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (to[i] <= ' ' || to[i] == 0x7f)
			return token;
	return n > 0 && (size_t)n < size ? (struct str){to, (size_t)n} : token;
}

static bool headers_make(struct api *a)
{
	char token[TOKEN_MAX], line[TOKEN_MAX + 32];
	struct str found = token_read(a, token, sizeof(token));

	curl_slist_free_all(a->headers);
	a->headers = NULL;
	if (!found.n) {
		snprintf(a->why, sizeof(a->why), "no token in %.128s/token (%.64s)", a->account,
			 strerror(errno));
		return false;
	}
	snprintf(line, sizeof(line), "Authorization: Bearer %.*s", (int)found.n, found.p);
	a->headers = curl_slist_append(NULL, line);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(line, sizeof(line));
	return a->headers;
}

static void request_prepare(struct api *a)
{
	char path[FOLLOW_PATH_SIZE], url[SERVER_SIZE + FOLLOW_PATH_SIZE];
	bool watch = a->follow.ask == FOLLOW_WATCH;

	follow_path(&a->follow, path);
	snprintf(url, sizeof(url), "%s%s", a->server, path);
	a->why[0] = '\0';
	curl_easy_setopt(a->easy, CURLOPT_URL, url);
	curl_easy_setopt(a->easy, CURLOPT_TIMEOUT, watch ? WATCH_SECONDS : LIST_SECONDS);
	curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, a->headers);
}

/* What went wrong, or NULL. */
static const char *request_run(struct api *a)
{
	CURLcode result = CURLE_OK;
	int running = 1, left;

	if (!headers_make(a)) {
		follow_path(&a->follow, (char[FOLLOW_PATH_SIZE]){""});
		return a->why;
	}
	request_prepare(a);
	curl_multi_add_handle(a->multi, a->easy);
	while (running && !a->quit) {
		if (curl_multi_perform(a->multi, &running) || !running)
			break;
		wait_ms(a, LONG_WAIT_MS);
	}
	for (CURLMsg *m; (m = curl_multi_info_read(a->multi, &left));)
		if (m->msg == CURLMSG_DONE)
			result = m->data.result;
	curl_multi_remove_handle(a->multi, a->easy);
	if (result)
		return a->why[0] ? a->why : curl_easy_strerror(result);
	return NULL;
}

static uint64_t retry_after_ns(const struct api *a)
{
	curl_off_t seconds = 0;

	curl_easy_getinfo(a->easy, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds > RETRY_AFTER_MOST)
		seconds = RETRY_AFTER_MOST;
	return seconds > 0 ? (uint64_t)seconds * NS_PER_SECOND : 0;
}

static void *run(void *ctx)
{
	struct api *a = ctx;
	uint64_t wait, asked;
	uint32_t random = 0;
	const char *broke;

	do {
		asked = clock_monotonic();
		broke = request_run(a);
		if (a->quit)
			break;
		if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
			random = (uint32_t)asked;
		wait = follow_answered(&a->follow, broke && !a->headers ? 0 : status_of(a), broke,
				       clock_monotonic() - asked, random);
		if (wait && retry_after_ns(a) > wait)
			wait = retry_after_ns(a);
	} while (wait_ns(a, wait));
	return NULL;
}

static void easy_set(struct api *a)
{
	char ca[ACCOUNT_SIZE + 16];

	snprintf(ca, sizeof(ca), "%s/ca.crt", a->account);
	curl_easy_setopt(a->easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(a->easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(a->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(a->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(a->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(a->easy, CURLOPT_USERAGENT, "sonde");
	curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(a->easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(a->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(a->easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE);
	curl_easy_setopt(a->easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE);
	curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, a->why);
	curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(a->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(a->easy, CURLOPT_HEADERDATA, a);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(a->easy, CURLOPT_PROTOCOLS_STR, "https");
#else
	curl_easy_setopt(a->easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(a->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may be renewed */
	curl_easy_setopt(a->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

/* Signals are for the loop: this thread must not be the one that they end the program by. */
static int thread_start(struct api *a)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&a->thread, NULL, run, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	a->runs = !err;
	return err;
}

static bool server_find(struct api *a)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool v6 = host && strchr(host, ':');
	int n = host && port ? snprintf(a->server, sizeof(a->server), "https://%s%s%s:%s",
					v6 ? "[" : "", host, v6 ? "]" : "", port)
			     : 0;

	return n > 0 && (size_t)n < sizeof(a->server);
}

/* What is missing, or NULL. */
static const char *api_start(struct api *a, const struct api_options *o)
{
	if (!o->node || !name_is_dns(str_of(o->node), POD_SIZE, true))
		return "the name of this node is not known: give NODE_NAME or --node";
	if (!server_find(a))
		return "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, as they "
		       "are in a pod";
	if (str_copy(a->account, sizeof(a->account), str_of(o->account)) != strlen(o->account))
		return "the path of the service account is too long";
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return "libcurl does not start";
	a->multi = curl_multi_init();
	a->easy = curl_easy_init();
	if (!a->multi || !a->easy)
		return "out of memory";
	easy_set(a);
	follow_begin(&a->follow);
	return thread_start(a) ? "a thread cannot be started" : NULL;
}

struct api *api_new(const struct api_options *options, char *why, size_t size)
{
	struct api *a = calloc(1, sizeof(*a));
	const char *missing = "out of memory";

	if (a) {
		a->follow.node = options->node;
		a->follow.label = options->label;
		a->follow.quiet = options->quiet;
		a->follow.tell = inbox_put;
		a->follow.ctx = a;
		missing = api_start(a, options);
	}
	if (!missing)
		return a;
	snprintf(why, size, "%s", missing);
	api_free(a);
	return NULL;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	a->quit = true;
	if (a->multi)
		curl_multi_wakeup(a->multi);
	if (a->runs)
		pthread_join(a->thread, NULL);
	curl_easy_cleanup(a->easy);
	curl_multi_cleanup(a->multi);
	curl_slist_free_all(a->headers);
	curl_global_cleanup();
	for (struct api_news *news = api_take(a), *next; news; news = next) {
		next = news->next;
		free(news);
	}
	follow_end(&a->follow);
	free(a);
}

const struct follow_stats *api_stats(const struct api *a)
{
	return &a->follow.stats;
}
