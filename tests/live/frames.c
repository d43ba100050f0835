/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket ends that count for themselves what they have said and heard. Each worker is a process
 * with an epoll and many connections.
 *
 *   frames server SEED WORKERS                prints its ports, separated by commas
 *   frames client SEED WORKERS PREFIX PORTS   prints `ready`; each worker has an address of its own
 *
 * Both take commands on stdin. A line with what the workers have counted says that all of them are
 * done and have nothing under way; an empty line only waits for that.
 *
 *   open N [torn]     the client: N more connections to each worker; torn: heads in small pieces
 *   talk N [torn|whole]   N more messages on each connection, and so many to come; told to both
 *                     ends; whole: small ones, each frame is one write
 *   ping N            N pings on each connection, one after the other
 *   drop              ends those that this end is to drop, without a close frame: see frames.h
 *   close             closes those that this end is to close
 *   leave             closes all of them
 *   kill              ends the last worker by SIGKILL
 *
 * What is told to one end has its answer when all of it has come back; so if both are told and both
 * have answered, nothing is on its way. A frame that RFC 6455 forbids ends the worker.
 */
#include <sys/wait.h>

#include "frames_peer.h"

#define EVENTS_MAX    256
#define OPENS_AT_ONCE 64

static void connection_open(struct worker_end *w)
{
	unsigned number = w->number * 100000 + w->count;
	int fd = connection_from(w->number, w->ports[(w->number + w->count) % w->port_count]);
	struct peer *p = peer_new(w, fd);
	char text[HTTP_MAX];
	int n = snprintf(text, sizeof(text), ASK, w->prefix, number,
			 w->manner == &manners[TORN] ? TORN_HEADER : "");

	peer_name(p, number, w->manner);
	w->shaking++;
	http_put(p, text, (size_t)n);
	peer_settle(p);
}

static void accept_some(struct worker_end *w)
{
	for (int i = 0; i < OPENS_AT_ONCE; i++) {
		int fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
			return;
		if (fd < 0)
			fail("accept");
		peer_new(w, fd);
	}
}

static void peer_talk(struct peer *p, unsigned messages, const struct manner *manner)
{
	p->manner = manner;
	p->in.wanted += messages;
	p->close_wanted |= is_hasty(p->number) && closer_of(p->number) == p->w->end;
	p->out.messages += p->close_received ? 0 : messages;
}

static void peer_drop(struct peer *p)
{
	if (closer_of(p->number) != NETWORK || dropper_of(p->number) != p->w->end)
		return;
	allow(p, !peer_has_work(p), "dropped while something is under way");
	close_note(p, code_index(NO_CLOSE), p->w->end);
	if (drops_by_reset(p->number))
		socket_resets(p->fd);
	peer_end(p);
}

static void peer_obey(struct peer *p, const char *word, unsigned n, const struct manner *manner)
{
	if (p->state == GONE)
		return;
	if (!strcmp(word, "talk"))
		peer_talk(p, n, manner);
	else if (!strcmp(word, "ping"))
		p->out.pings += p->close_received ? 0 : n;
	else if (!strcmp(word, "drop"))
		peer_drop(p);
	else if (!strcmp(word, "close"))
		p->close_wanted |= closer_of(p->number) == p->w->end;
	else if (!strcmp(word, "leave"))
		p->close_wanted = true;
	peer_settle(p);
}

/* A line of the parent. */
static void obey(struct worker_end *w)
{
	char line[COMMAND_MAX], word[8] = "", manner[8] = "";
	ssize_t got = read(w->parent, line, sizeof(line) - 1);
	unsigned n = 0;

	if (got <= 0)
		exit(0);
	line[got] = '\0';
	sscanf(line, "%7s %u %7s", word, &n, manner);
	w->asked = true;
	if (!strcmp(word, "open")) {
		w->to_open += n;
		w->manner = manner_of(manner);
		return;
	}
	for (unsigned i = 0; i < w->count; i++)
		peer_obey(w->peers[i], word, n, manner_of(manner));
}

static void work_once(struct worker_end *w)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(w->epoll, events, EVENTS_MAX, -1);

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr == &w->listener)
			accept_some(w);
		else if (events[i].data.ptr == &w->parent)
			obey(w);
		else if (((struct peer *)events[i].data.ptr)->state != GONE)
			serve(events[i].data.ptr);
}

static void work(struct worker_end *w)
{
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->peers = calloc(PEERS_MAX, sizeof(struct peer *));
	if (w->epoll < 0 || !w->peers)
		fail("a worker");
	watch(w, EPOLL_CTL_ADD, w->parent, false, &w->parent);
	if (w->end == SERVER)
		watch(w, EPOLL_CTL_ADD, w->listener, false, &w->listener);
	while (1) {
		work_once(w);
		for (; w->to_open && w->shaking < OPENS_AT_ONCE; w->to_open--)
			connection_open(w);
		if (w->asked && !w->to_open && !w->busy) {
			w->asked = false;
			if (write(w->parent, "", 1) != 1)
				fail("parent");
		}
	}
}

/* The parent is what knows of connections whose worker died: all of its end's own doing. */
static void worker_kill(struct worker *w, uint64_t *counts, enum end end)
{
	if (kill(w->pid, SIGKILL) || waitpid(w->pid, NULL, 0) != w->pid)
		fail("kill");
	close(w->fd);
	w->fd = -1;
	counts[CLOSES + code_index(NO_CLOSE) * ENDS + end] += counts[OPENED] - counts[CLOSED];
	counts[CLOSED] = counts[OPENED];
}

static int samples_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of the samples of all workers. */
static uint64_t samples_median(const struct samples *all, unsigned workers)
{
	size_t n = 0, most = 0;
	uint64_t *of, median;

	for (unsigned i = 0; i < workers; i++)
		most += all[i].count < SAMPLES_MAX ? all[i].count : SAMPLES_MAX;
	of = calloc(most + 1, sizeof(*of));
	if (!of)
		fail("calloc");
	for (unsigned i = 0; i < workers; i++)
		for (size_t k = 0; k < all[i].count && k < SAMPLES_MAX; k++)
			of[n++] = all[i].of[k];
	qsort(of, n, sizeof(*of), samples_compare);
	median = of[n / 2];
	free(of);
	return median;
}

static void names_make(char text[COUNTERS][32], const char *names[COUNTERS])
{
	static const char *const directions[] = {"received", "sent"};

	for (unsigned i = 0; i < COUNTERS; i++)
		names[i] = text[i];
	strcpy(text[OPENED], "opened");
	strcpy(text[CLOSED], "closed");
	strcpy(text[ROUND_TRIPS], "round_trips");
	strcpy(text[ROUND_TRIPS_NS], "round_trips_ns");
	for (unsigned i = 0; i < CODES * ENDS; i++)
		sprintf(text[CLOSES + i], "close %u %s", codes[i / ENDS], end_names[i % ENDS]);
	for (unsigned i = 0; i < 2 * TYPES * 2; i++)
		sprintf(text[TRAFFIC + i], "%s %s %s", i % 2 ? "bytes" : "messages",
			directions[i / 2 / TYPES], type_names[i / 2 % TYPES]);
}

/* Between them stand HTTP heads, which a walk that lost its way would take for such. */
static unsigned char *noise_make(uint64_t seed)
{
	static const char *const heads[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ANSWER,
					    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"};
	unsigned char *noise = malloc(NOISE_SIZE + IO_MAX);

	if (!noise)
		fail("malloc");
	for (size_t i = 0; i < NOISE_SIZE + IO_MAX; i++)
		noise[i] = (unsigned char)random_next(&seed);
	for (size_t i = 0; i < NOISE_SIZE; i += 8192)
		memcpy(noise + i, heads[i / 8192 % 3], strlen(heads[i / 8192 % 3]));
	return noise;
}

static void workers_start(struct worker_end *w, struct worker *workers, unsigned count,
			  struct samples *samples)
{
	uint64_t *all = w->counts;
	int port = 0;

	for (unsigned i = 0; i < count; i++) {
		if (w->end == SERVER)
			w->listener = listener_open(&port);
		w->number = i;
		w->counts = all + i * COUNTERS;
		w->samples = &samples[i];
		w->parent = worker_listens(&workers[i]);
		if (w->parent >= 0)
			work(w);
		if (w->end == SERVER) {
			close(w->listener);
			printf("%s%d", i ? "," : "", port);
		}
	}
	puts(w->end == SERVER ? "" : "ready");
	fflush(stdout);
	w->counts = all;
}

static void command_loop(struct worker_end *w, struct worker *workers, unsigned count,
			 const struct samples *samples)
{
	char line[COMMAND_MAX], text[COUNTERS][32];
	const char *names[COUNTERS];
	unsigned alive = count;

	names_make(text, names);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "kill\n") && alive) {
			alive--;
			worker_kill(&workers[alive], w->counts + alive * COUNTERS, w->end);
		}
		workers_tell(workers, count, line);
		counts_print(w->counts, names, COUNTERS, count);
		printf(",round_trip_median_ns=%llu\n",
		       (unsigned long long)samples_median(samples, count));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static struct worker_end w;
	struct worker workers[WORKERS_MAX];
	struct samples *samples = shared_new(WORKERS_MAX * sizeof(*samples));
	unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 0;

	if (!count || count > WORKERS_MAX || argc != (strcmp(argv[1], "server") ? 6 : 4))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	files_raise();
	w.end = argc == 4 ? SERVER : CLIENT;
	w.seed = strtoull(argv[2], NULL, 10);
	w.noise = noise_make(w.seed);
	w.counts = counts_new(COUNTERS);
	if (w.end == CLIENT) {
		w.prefix = argv[4];
		for (char *port = strtok(argv[5], ","); port; port = strtok(NULL, ","))
			w.ports[w.port_count++ % WORKERS_MAX] = (unsigned)atoi(port);
	}
	workers_start(&w, workers, count, samples);
	command_loop(&w, workers, count, samples);
	return 0;
}
