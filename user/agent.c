/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wiring: records from kern/ to flow/ and who/, requests from flow/ to the sinks of out/, a
 * scrape to everything that has numbers. One thread: a tick reads the ring every 50 ms (or as soon
 * as a quarter of it is filled), looks after long responses, and flushes the log. Nothing here
 * decides; a rule that turns up in this file belongs into a room.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "base/clock.h"
#include "base/loop.h"
#include "flow/flow.h"
#include "kern/intake.h"
#include "kern/kern.h"
#include "late.h"
#include "options.h"
#include "out/jsonlog.h"
#include "out/metrics.h"
#include "out/page.h"
#include "out/web.h"
#include "pipeline.h"
#include "scrape.h"
#include "who/api.h"
#include "who/who.h"

#define TICK_NS		 (50 * NS_PER_MS)
#define HOUSEKEEPING_NS	 NS_PER_SECOND
#define ROLL_NS		 (10 * NS_PER_SECOND)
#define ROLL_MARGIN_NS	 NS_PER_SECOND /* a record is made before it stands in the ring */
#define SWEEP_SHARE	 256	       /* one part of the time, at most, goes into sweeps */
#define SWEEP_LATE_NS	 (10 * NS_PER_SECOND)
#define LOG_BUFFER_BYTES (1 << 20)
#define TOGETHER_TURNS	 3 /* of read_together() */
#define READ_TURNS	 8 /* of kern_read(); then the endpoint and signals have theirs */
#define EXCHANGES_MAX	 32768
#define PROCESSES_MAX	 8192
#define DRAIN_MS	 500
#define STDOUT		 1

struct agent {
	struct scrape scrape; /* first: what a scrape reads */
	struct loop *loop;
	struct web *web;
	struct intake intake;
	struct clock clock;
	uint64_t series_ttl_ns;
	uint64_t drained; /* when the ring began to be read until it was empty, last */
	uint64_t rolled;  /* time of the last roll call */
	uint64_t sweep;	  /* when WebSocket connections are looked at next */
	bool rolling;	  /* those that did not answer are not forgotten yet */
	int error;	  /* that ended the loop */
};

static void stop(struct agent *a, int error)
{
	a->error = error;
	loop_stop(a->loop);
}

static void on_tick(void *ctx)
{
	struct agent *a = ctx;
	uint64_t now = clock_monotonic();
	int err = -EAGAIN;

	for (int turn = 0; turn < READ_TURNS && err == -EAGAIN; turn++)
		err = kern_read(a->scrape.kern, &a->intake);
	if (err < 0 && err != -EINTR && err != -EAGAIN) {
		log_error("sonde.kern", "cannot read the ring buffer: %s", strerror(-err));
		stop(a, err);
		return;
	}
	if (err != -EAGAIN)
		a->drained = now;
	flow_tick(a->scrape.flow);
	late_look(a->scrape.late, now);
	err = jsonlog_flush(a->scrape.jsonlog);
	if (err && err != -EAGAIN) {
		log_error("sonde.out",
			  "stdout is closed (%s), so log lines have nowhere to go: keep its reader "
			  "running, or send it to /dev/null",
			  strerror(-err));
		stop(a, err);
	}
}

static void owner_forgotten(void *ctx, const struct owner *owner)
{
	metrics_forget(((struct agent *)ctx)->scrape.metrics, owner->id);
}

/* What the kernel half keeps beside the ring. The ring goes first: it names the processes, and what
 * closed last stands behind what it still holds. */
static void read_aside(struct agent *a)
{
	kern_sums_read(a->scrape.kern);
	on_tick(a);
	kern_orphans(a->scrape.kern, &a->intake, a->drained);
}

/* All of them are looked at, also idle ones: the more there are, the less often. */
static void sweep_websockets(struct agent *a)
{
	uint64_t start = clock_monotonic(), pause;

	kern_websockets(a->scrape.kern, &a->intake);
	pause = SWEEP_SHARE * (clock_monotonic() - start);
	a->sweep = start + (pause < SWEEP_LATE_NS ? pause : SWEEP_LATE_NS);
}

static void connection_present(void *ctx, uint64_t conn)
{
	flow_present(((struct agent *)ctx)->scrape.flow, conn);
}

/* Forgets connections that ended unseen. They are asked for now, and looked at again when every
 * record from before the question has been read. */
static void roll_call(struct agent *a)
{
	uint64_t now = clock_monotonic();

	if (a->rolling && a->drained > a->rolled) {
		flow_absent(a->scrape.flow, a->rolled - ROLL_MARGIN_NS);
		a->rolling = false;
	}
	if (now - a->rolled < ROLL_NS || a->rolling || now - a->drained > ROLL_MARGIN_NS / 2)
		return;
	flow_roll(a->scrape.flow);
	a->rolled = now;
	a->rolling = !kern_roll(a->scrape.kern, connection_present, a);
}

static void on_housekeeping(void *ctx)
{
	struct agent *a = ctx;

	clock_sync(&a->clock);
	read_aside(a);
	if (clock_monotonic() >= a->sweep)
		sweep_websockets(a);
	scrape_sums(&a->scrape);
	roll_call(a);
	flow_websockets(a->scrape.flow, clock_monotonic());
	flow_age(a->scrape.flow, clock_monotonic());
	who_refresh(a->scrape.who);
	who_forget(a->scrape.who, clock_monotonic(), a->series_ttl_ns, owner_forgotten, a);
	web_run(a->web);
}

static void on_web(void *ctx)
{
	web_run(((struct agent *)ctx)->web);
}

static void on_signal(void *ctx, int signal)
{
	if (signal == SIGHUP)
		log_warn("sonde",
			 "SIGHUP: options are read at the start only: restart to change them");
	else
		stop(ctx, 0);
}

/* The ring and the counters of one moment: a request may come between the two, if only the one that
 * asks for them, whose sender lost the processor before its hook. Under load one always does. */
static void read_together(struct agent *a)
{
	uint64_t before[COUNT_MAX];

	for (int turn = 0; turn < TOGETHER_TURNS && !a->error; turn++) {
		memcpy(before, a->scrape.counters, sizeof(before));
		on_tick(a);
		kern_counters(a->scrape.kern, a->scrape.counters);
		if (!memcmp(before, a->scrape.counters, sizeof(before)))
			return;
	}
}

static void write_metrics(void *ctx, struct prom *p)
{
	struct agent *a = ctx;

	read_aside(a);
	sweep_websockets(a);
	read_together(a);
	scrape_write(&a->scrape, p);
}

static bool is_ready(void *ctx)
{
	return ((struct agent *)ctx)->scrape.kern;
}

static void write_page(void *ctx, struct buf *html)
{
	struct agent *a = ctx;

	page_write(&(struct page){.version = SONDE_VERSION,
				  .backend = kern_backend(a->scrape.kern),
				  .ready = true,
				  .metrics = a->scrape.metrics},
		   html);
}

/* Before anything else is opened, so that a closed stdout is not taken for another file. */
static int make_log(struct agent *a, const struct options *o)
{
	a->scrape.jsonlog =
		jsonlog_new(&(struct jsonlog_options){.fd = STDOUT,
						      .buffer_bytes = LOG_BUFFER_BYTES,
						      .form = {.node = o->node,
							       .clock = &a->clock,
							       .fields = o->log_fields,
							       .headers = o->log_headers,
							       .header_count = o->log_header_count},
						      .sample = o->log_sample,
						      .slow_ns = o->log_slow_ns,
						      .rate = o->log_rate});
	if (a->scrape.jsonlog)
		return 0;
	log_error("sonde.out", "stdout cannot be written (%s): open it, or send it to /dev/null",
		  strerror(errno));
	return -EBADF;
}

static int make_rooms(struct agent *a, const struct options *o)
{
	struct flow_options flow = {.connections_max = o->connections_max,
				    .exchanges_max = EXCHANGES_MAX,
				    .capture_bytes = o->capture_bytes,
				    .user = o->user,
				    .headers = o->log_headers,
				    .header_count = o->log_header_count,
				    .no_parents = o->detail != DETAIL_FULL,
				    .routes_max = o->routes_max,
				    .route_rules = o->routes,
				    .route_rule_count = o->route_count,
				    .reconnect_window_ns = o->websocket_reconnect_ns,
				    .progress_ns = o->websocket_progress_ns};
	struct metrics_options metrics = {.series_max = o->series_max,
					  .routes_max = o->routes_max,
					  .no_active = o->detail != DETAIL_FULL,
					  .clock = &a->clock};
	struct api_options api = {
		.account = o->kube_account, .node = o->node, .label = o->service_label};
	struct scrape *s = &a->scrape;

	clock_sync(&a->clock);
	s->start_time = (double)clock_wall(&a->clock, clock_monotonic()) / NS_PER_SECOND;
	s->ring_bytes = o->ring_size;
	a->series_ttl_ns = o->series_ttl_ns;
	s->probe_times = o->bpf_stats;
	pipeline_metrics(s, &metrics);
	s->metrics = metrics_new(&metrics);
	s->who = who_new(&(struct who_options){.services = o->services,
					       .service_count = o->service_count,
					       .process_max = PROCESSES_MAX,
					       .procfs = "/proc",
					       .logs = o->kube == KUBE_OFF ? NULL : o->kube_logs,
					       .node = o->node,
					       .api = o->kube == KUBE_API ? &api : NULL});
	if (o->user.hash && !o->user_key_file)
		log_info("sonde", "user ids are hashed with a key of this start: give "
				  "--user-id-key-file to have the same ones after a restart and on "
				  "other nodes");
	s->late = pipeline_late(s);
	pipeline_flow(s, &flow);
	s->flow = flow_new(&flow);
	a->loop = loop_new();
	if (!s->metrics || !s->who || !s->flow || !s->late || !a->loop)
		return log_error("sonde", "out of memory: give the agent at least 64 MiB"), -ENOMEM;
	return 0;
}

static int make_ends(struct agent *a, const struct options *o)
{
	struct kern_options kern = pipeline_kern(o);
	const char *refused;
	char why[512];

	a->intake.handlers = pipeline_intake(&a->scrape);
	a->web = web_new(&(struct web_options){.listen = o->listen,
					       .metrics = write_metrics,
					       .ready = is_ready,
					       .page = write_page,
					       .ctx = a},
			 why, sizeof(why));
	if (a->web)
		a->scrape.kern = kern_new(&kern, why, sizeof(why));
	if (!a->scrape.kern) {
		log_error("sonde", "%s", why);
		return -EIO;
	}
	kern_cgroups(a->scrape.kern, &a->intake);
	refused = kern_refused(a->scrape.kern);
	log_info("sonde", "backend %s%s%s", kern_backend(a->scrape.kern), *refused ? "; " : "",
		 refused);
	return 0;
}

static int make_loop(struct agent *a)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
	int err = loop_add_signals(a->loop, signals, on_signal, a);

	if (!err)
		err = loop_add_timer(a->loop, TICK_NS, on_tick, a);
	if (!err)
		err = loop_add_timer(a->loop, HOUSEKEEPING_NS, on_housekeeping, a);
	if (!err)
		err = loop_add_fd(a->loop, kern_ring_fd(a->scrape.kern), on_tick, a);
	if (!err)
		err = loop_add_fd(a->loop, web_fd(a->web), on_web, a);
	if (err)
		log_error("sonde", "cannot wait for events: %s", strerror(-err));
	return err;
}

/* Where to look, in a form that a browser on this machine takes. */
static void announce(const struct agent *a, const char *listen)
{
	size_t n = (size_t)(strrchr(listen, ':') - listen);
	struct str host = {listen, n};

	if (!n || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("[::]")))
		host = STR("127.0.0.1");
	log_info("sonde", "metrics on http://%.*s:%u/metrics, page on http://%.*s:%u/", (int)host.n,
		 host.p, web_port(a->web), (int)host.n, host.p, web_port(a->web));
}

struct agent *agent_new(const struct options *o)
{
	struct agent *a = calloc(1, sizeof(*a));
	int err = a ? make_log(a, o) : -ENOMEM;

	if (!err)
		err = make_rooms(a, o);
	if (!err)
		err = make_ends(a, o);
	if (!err)
		err = make_loop(a);
	if (err) {
		agent_free(a);
		return NULL;
	}
	announce(a, o->listen);
	return a;
}

int agent_run(struct agent *a)
{
	int err = loop_run(a->loop);

	return err ? err : a->error;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	if (a->scrape.kern && !a->error) {
		kern_detach(a->scrape.kern);
		while (kern_read(a->scrape.kern, &a->intake) == -EAGAIN)
			;
		flow_tick(a->scrape.flow);
		late_look(a->scrape.late, ~0ULL);
		jsonlog_drain(a->scrape.jsonlog, DRAIN_MS);
	}
	kern_free(a->scrape.kern);
	web_free(a->web);
	loop_free(a->loop);
	late_free(a->scrape.late);
	flow_free(a->scrape.flow);
	jsonlog_free(a->scrape.jsonlog);
	who_free(a->scrape.who);
	metrics_free(a->scrape.metrics);
	free(a);
}
