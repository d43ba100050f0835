/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arrows between the rooms: records from kern/ go to flow/ and who/, what flow/ has found goes
 * to the sinks of out/ with its owner. Each function hands on and decides nothing. The invariant:
 * an owner that something open points to is held until that is over.
 */
#include "base/clock.h"
#include "late.h"
#include "options.h"
#include "out/jsonlog.h"
#include "out/metrics.h"
#include "pipeline.h"
#include "who/who.h"

static void on_open(void *ctx, const struct event_open *e)
{
	struct scrape *s = ctx;

	who_hint(s->who, e->head.tgid, (struct str){e->comm, strnlen(e->comm, sizeof(e->comm))},
		 e->cgroup);
	flow_open(s->flow, e);
}

static void on_data(void *ctx, const struct event_data *e, struct str bytes)
{
	flow_data(((struct scrape *)ctx)->flow, e, bytes);
}

static void on_end(void *ctx, const struct event_end *e)
{
	flow_end(((struct scrape *)ctx)->flow, e);
}

static void on_close(void *ctx, const struct event_close *e)
{
	flow_close(((struct scrape *)ctx)->flow, e);
}

static void on_websocket(void *ctx, const struct event_websocket *e)
{
	flow_websocket(((struct scrape *)ctx)->flow, e);
}

static void on_process_exec(void *ctx, const struct event_exec *e, struct str args)
{
	flow_process_new(((struct scrape *)ctx)->flow, e->head.tgid);
	who_exec(((struct scrape *)ctx)->who, e->head.tgid,
		 (struct str){e->comm, strnlen(e->comm, sizeof(e->comm))}, args, e->cgroup);
}

static void on_process_exit(void *ctx, const struct event_exit *e)
{
	flow_process_new(((struct scrape *)ctx)->flow, e->head.tgid);
	who_exit(((struct scrape *)ctx)->who, e->head.tgid, e->head.time);
}

static void on_cgroup(void *ctx, const struct event_cgroup *e, struct str path)
{
	if (e->gone)
		who_cgroup_gone(((struct scrape *)ctx)->who, e->cgroup);
	else
		who_cgroup(((struct scrape *)ctx)->who, e->cgroup, path);
}

static const struct owner *request_begun(void *ctx, const struct request *r)
{
	struct scrape *s = ctx;
	bool server = r->role == ROLE_SERVER;
	const struct owner *owner = who_is(s->who, r->pid, server ? r->local.port : 0);

	who_hold(owner);
	if (server && !who_is_provisional(owner))
		metrics_active(s->metrics, owner, 1);
	return owner;
}

/* A stream is counted when it begins, and measured until it is over. */
static void request_measure(struct scrape *s, const struct request *r, const struct owner *begun,
			    bool counted)
{
	bool answered = r->stream == STREAM_NONE || r->stream == STREAM_BEGUN;

	if (answered && r->role == ROLE_SERVER && !who_is_provisional(begun))
		metrics_active(s->metrics, begun, -1);
	if (answered && counted)
		metrics_count(s->metrics, r);
	metrics_stream(s->metrics, r);
}

/* Nothing was counted yet for an owner that lacked a name: it is asked for again. */
static const struct owner *owner_again(const struct scrape *s, const struct owner *before,
				       uint32_t pid, uint16_t port)
{
	const struct owner *owner;

	if (!who_is_provisional(before))
		return before;
	owner = who_is(s->who, pid, port);
	/* the pid may have another bearer by now */
	return before->pod.n && !str_eq(before->pod, owner->pod) ? before : owner;
}

static const struct request *request_named(const struct scrape *s, const struct request *r,
					   struct request *copy)
{
	const struct owner *owner =
		owner_again(s, r->owner, r->pid, r->role == ROLE_SERVER ? r->local.port : 0);

	if (owner == r->owner)
		return r;
	*copy = *r;
	copy->owner = owner;
	return copy;
}

static void request_stream(void *ctx, const struct request *r)
{
	struct request copy;

	request_measure(ctx, request_named(ctx, r, &copy), r->owner, true);
}

/* False: a name is still missing. */
static bool request_over(void *ctx, const struct request *r, bool counted, bool last)
{
	struct scrape *s = ctx;
	struct request copy;
	const struct request *named = request_named(s, r, &copy);

	if (!last && who_is_provisional(named->owner))
		return false;
	request_measure(s, named, r->owner, counted);
	if (counted)
		jsonlog_write(s->jsonlog, named);
	who_release(r->owner);
	return true;
}

static void request_done(void *ctx, const struct request *r, bool counted)
{
	struct scrape *s = ctx;

	if (!request_over(s, r, counted, false) && !late_request(s->late, r, counted))
		request_over(s, r, counted, true);
}

static void routes_renamed(void *ctx, const struct route_change *change)
{
	metrics_rename(((struct scrape *)ctx)->metrics, change);
}

static bool response_progress(void *ctx, uint64_t conn, struct event_progress *p)
{
	return kern_progress(((struct scrape *)ctx)->kern, conn, p);
}

static const struct owner *websocket_owner(const struct scrape *s, const struct websocket *w)
{
	return owner_again(s, w->owner, w->pid, w->role == ROLE_SERVER ? w->local.port : 0);
}

static void websocket_tell(struct scrape *s, enum websocket_event what, const struct websocket *w)
{
	metrics_websocket(s->metrics, what, w);
	jsonlog_websocket(s->jsonlog, what, w);
}

/* False: a name is still missing. */
static bool websocket_told(void *ctx, enum websocket_event what, const struct websocket *w,
			   bool last)
{
	const struct owner *owner = websocket_owner(ctx, w);
	struct websocket named;

	if (!last && who_is_provisional(owner))
		return false;
	if (owner == w->owner) {
		websocket_tell(ctx, what, w);
	} else {
		named = *w;
		named.owner = owner;
		websocket_tell(ctx, what, &named);
	}
	if (what == WEBSOCKET_CLOSED)
		who_release(w->owner);
	return true;
}

/* The owner that its next news shall have. */
static const struct owner *websocket_news(struct scrape *s, enum websocket_event what,
					  const struct websocket *w)
{
	const struct owner *owner = w->owner;

	if (who_is_provisional(owner))
		late_look(s->late, clock_monotonic()); /* what came before is told before */
	if (!websocket_told(s, what, w, false)) {
		if (!late_websocket(s->late, what, w))
			websocket_told(s, what, w, true);
		return owner;
	}
	owner = what == WEBSOCKET_CLOSED ? owner : websocket_owner(s, w);
	if (owner != w->owner) {
		who_hold(owner);
		who_release(w->owner);
	}
	return owner;
}

static const struct owner *websocket_event(void *ctx, enum websocket_event what,
					   const struct websocket *w)
{
	struct scrape *s = ctx;
	struct websocket opened;

	if (what != WEBSOCKET_OPENED)
		return websocket_news(s, what, w);
	opened = *w;
	opened.owner = who_is(s->who, w->pid, w->role == ROLE_SERVER ? w->local.port : 0);
	who_hold(opened.owner);
	return websocket_news(s, what, &opened);
}

struct late *pipeline_late(struct scrape *s)
{
	return late_new(&(struct late_sinks){
		.request = request_over, .websocket = websocket_told, .ctx = s});
}

struct intake_handlers pipeline_intake(struct scrape *s)
{
	return (struct intake_handlers){.open = on_open,
					.data = on_data,
					.end = on_end,
					.close = on_close,
					.websocket = on_websocket,
					.exec = on_process_exec,
					.exit = on_process_exit,
					.cgroup = on_cgroup,
					.ctx = s};
}

static bool line_is_kept(void *ctx, const struct request *r)
{
	return jsonlog_keeps(((struct scrape *)ctx)->jsonlog, r);
}

void pipeline_metrics(struct scrape *s, struct metrics_options *o)
{
	o->is_kept = line_is_kept;
	o->ctx = s;
}

void pipeline_flow(struct scrape *s, struct flow_options *o)
{
	o->begun = request_begun;
	o->stream = request_stream;
	o->done = request_done;
	o->progress = response_progress;
	o->renamed = routes_renamed;
	o->websocket = websocket_event;
	o->ctx = s;
}

struct kern_options pipeline_kern(const struct options *o)
{
	struct kern_options kern = {.backend = o->backend,
				    .ring_size = o->ring_size,
				    .capture_bytes = o->capture_bytes,
				    .detail = o->detail,
				    .slow_ns = o->log_slow_ns,
				    .connections_max = o->connections_max,
				    .btf = o->btf,
				    .queue_time = o->queue_time,
				    .stats = o->bpf_stats};

	kern.bound_count = metrics_duration_bounds(&kern.bounds);
	return kern;
}
