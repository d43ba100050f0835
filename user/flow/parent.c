/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents without headers: a request that is made while another is served may be its child. A
 * server request is open here from its first byte until its answer begins; what its thread does
 * later is not for it. A call has a parent only if it was answered while that was still open, and
 *
 * - its thread has that one request open, which it read with a call that waits: no event loop does
 *   that, so the thread has nothing else in hand; or
 * - its thread has that one open, and in this process requests were answered by the thread that
 *   read them, each thread with one at a time, while other threads had theirs: TRIALS of them; or
 * - it is the only one open in the process, TRIALS calls before it were answered while one was
 *   open, and the process has been seen without a request for long, doing nothing by itself.
 *
 * The last two are beliefs. For the life of the process a call that its thread made with no request
 * open, or that outlived the one it had, ends the second; one that was made while none was open in
 * the process, or that outlived the only one, the third. Refused: what began before a record was
 * lost.
 */
#include <stdlib.h>

#include "base/table.h"
#include "flow/conn.h"

#define THREADS_MAX   16384
#define PROCESSES_MAX 4096
#define TRIALS	      32
#define IDLE_MIN_NS   (10ULL * 1000000000)
/* A process that did nothing by itself for so many times as long as the request has been open. */
#define IDLE_TIMES 1000
/* Requests that a thread has to serve one by one after it was seen with two. */
#define DOUBT 64

/* How many are open, and the sum of their numbers in the pool: that of one is its number. */
struct open {
	uint32_t count;
	uint64_t sum;
};

struct server_thread {
	uint32_t tgid, tid; /* the key */
	struct open open;
	uint32_t doubt; /* it had two at once, or another thread gave the answer */
	uint64_t conn;	/* of the last one */
	uint64_t time;
};

struct server_process {
	uint32_t tgid;	 /* the key */
	uint32_t nested; /* calls that were answered while the only request was open */
	uint32_t apart;	 /* requests that a thread served alone, beside another thread's */
	struct open open;
	uint64_t idle; /* ns without an open request */
	uint64_t idle_since;
	uint64_t since; /* of what is known of it */
	bool strays;	/* it has made calls for no request */
	bool shares; /* its threads do not serve one request after the other, from begin to end */
};

enum certainty {
	CERTAIN_NOT = 0,
	CERTAIN_BY_WAITING = 1,
	CERTAIN_BY_THREADS = 2,
	CERTAIN_BY_PROCESS = 3,
};

struct parents {
	struct table *threads, *processes;
	uint32_t last;	/* number given to a server request */
	uint32_t lost;	/* as in the last record */
	uint64_t now;	/* time of the last record */
	uint64_t since; /* when a record was lost for the last time */
};

struct parents *parents_new(void)
{
	struct parents *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->threads = table_new(&(struct table_options){.name = "server_threads",
						       .capacity = THREADS_MAX,
						       .key_size = 2 * sizeof(uint32_t),
						       .entry_size = sizeof(struct server_thread)});
	p->processes =
		table_new(&(struct table_options){.name = "server_processes",
						  .capacity = PROCESSES_MAX,
						  .key_size = sizeof(uint32_t),
						  .entry_size = sizeof(struct server_process)});
	if (p->threads && p->processes)
		return p;
	parents_free(p);
	return NULL;
}

void parents_free(struct parents *p)
{
	if (!p)
		return;
	table_free(p->threads);
	table_free(p->processes);
	free(p);
}

void parents_tables(const struct parents *p, const struct table **tables)
{
	tables[0] = p->threads;
	tables[1] = p->processes;
}

void parents_miss(struct parents *p)
{
	p->since = p->now;
}

void parents_hear(struct parents *p, const struct event_head *head)
{
	if (head->time > p->now)
		p->now = head->time;
	if (head->lost == p->lost)
		return;
	p->lost = head->lost;
	parents_miss(p);
}

/* Full: the one that was quiet for longest goes, unless it has something open. */
static void *row_add(struct table *t, const void *key, bool (*is_open)(const void *row))
{
	void *row = table_add(t, key), *oldest;

	if (row)
		return row;
	oldest = table_oldest(t);
	if (is_open(oldest))
		return NULL;
	table_remove(t, oldest);
	return table_add(t, key);
}

static bool thread_is_open(const void *row)
{
	return ((const struct server_thread *)row)->open.count;
}

static bool process_is_open(const void *row)
{
	return ((const struct server_process *)row)->open.count;
}

static struct server_thread *thread_find(struct parents *p, uint32_t tgid, uint32_t tid)
{
	return table_find(p->threads, (uint32_t[]){tgid, tid});
}

/* Where a record was lost all is to be seen again. */
static void process_renew(const struct parents *p, struct server_process *s)
{
	if (s->since > p->since)
		return;
	s->since = p->since + 1;
	s->nested = s->apart = 0;
	s->idle = s->idle_since = 0;
}

static struct server_process *process_find(struct parents *p, uint32_t tgid)
{
	struct server_process *s = table_find(p->processes, &tgid);

	if (s)
		process_renew(p, s);
	return s;
}

static void open_add(struct open *o, const struct flow *f, const struct exchange *x)
{
	o->count++;
	o->sum += (uint64_t)(x - f->exchanges);
}

static void open_remove(struct open *o, const struct flow *f, const struct exchange *x)
{
	o->count--;
	o->sum -= (uint64_t)(x - f->exchanges);
}

static void thread_doubt(struct server_thread *t, struct server_process *s)
{
	t->doubt = DOUBT;
	s->shares = true;
}

/* Another connection's request while one waits for its answer: an event loop, or one that reads for
 * others. */
static void thread_take(struct parents *p, struct server_thread *t, struct server_process *s,
			const struct exchange *x)
{
	if (t->open.count && t->conn != x->request.conn && t->time > p->since)
		thread_doubt(t, s);
	t->conn = x->request.conn;
	t->time = x->request.start;
}

static void serve(struct flow *f, struct exchange *x, const struct event_data *e)
{
	struct parents *p = f->parents;
	uint32_t tgid = e->head.tgid, tid = e->head.tid;
	struct server_thread *t = thread_find(p, tgid, tid);
	struct server_process *s = process_find(p, tgid);

	if (!s)
		s = row_add(p->processes, &tgid, process_is_open);
	if (!t)
		t = row_add(p->threads, (uint32_t[]){tgid, tid}, thread_is_open);
	if (!s || !t) {
		parents_miss(p);
		return;
	}
	process_renew(p, s);
	table_touch(p->processes, s);
	table_touch(p->threads, t);
	if (!s->open.count && s->idle_since && x->request.start > s->idle_since)
		s->idle += x->request.start - s->idle_since;
	thread_take(p, t, s, x);
	x->served = (struct served){.thread = t,
				    .process = s,
				    .number = ++p->last,
				    .waiting = e->flags & DATA_WAITING,
				    .beside = s->open.count > t->open.count,
				    .shared = t->open.count};
	open_add(&t->open, f, x);
	open_add(&s->open, f, x);
}

static struct exchange *only(const struct flow *f, const struct open *o)
{
	return o->count == 1 ? &f->exchanges[o->sum] : NULL;
}

/* How the parent of a call may be known, by what has been seen so far. */
static enum certainty believed(const struct server_process *s, const struct cause *cause,
			       uint64_t time)
{
	uint64_t start = cause->server->request.start, waited = time > start ? time - start : 0;

	if (cause->own && s->apart >= TRIALS)
		return CERTAIN_BY_THREADS;
	if (cause->alone && s->nested >= TRIALS && s->idle >= IDLE_MIN_NS &&
	    s->idle / IDLE_TIMES >= waited)
		return CERTAIN_BY_PROCESS;
	return CERTAIN_NOT;
}

/* Whose child a call may be. */
static struct exchange *server_of(const struct flow *f, const struct server_thread *t,
				  struct server_process *s)
{
	if (t && t->open.count)
		return only(f, &t->open);
	s->shares |= !!t;
	s->strays |= t || !s->open.count;
	return only(f, &s->open);
}

static void call(struct flow *f, struct exchange *x, const struct event_data *e)
{
	struct server_process *s = process_find(f->parents, e->head.tgid);
	struct cause *cause = &x->cause;
	struct exchange *server;
	struct server_thread *t;

	if (!s)
		return; /* it serves nobody */
	t = thread_find(f->parents, e->head.tgid, e->head.tid);
	server = server_of(f, t, s);
	if (!server || server->request.start <= f->parents->since)
		return;
	*cause = (struct cause){.server = server,
				.number = server->served.number,
				.alone = s->open.count == 1,
				.own = t && t->open.count};
	server->served.alone_calls += cause->alone;
	server->served.own_calls += cause->own;
	cause->certainty = cause->own && server->served.waiting && !t->doubt
				   ? CERTAIN_BY_WAITING
				   : believed(s, cause, e->head.time);
}

/* What the request's own head says goes before. */
static void link_parent(struct exchange *x, const struct request *parent)
{
	struct request *r = &x->request;

	if (r->parent != PARENT_NONE ||
	    (x->traced && !str_eq(request_str(r, trace_id), request_str(parent, trace_id))))
		return;
	r->parent = PARENT_THREAD;
	request_set(r, trace_id, request_str(parent, trace_id));
	request_set(r, parent_id, request_str(parent, span_id));
}

/* Is it still so, now that the call is answered? */
static bool is_certain(const struct server_process *s, const struct cause *cause)
{
	switch ((enum certainty)cause->certainty) {
	case CERTAIN_BY_WAITING:
		return !cause->server->served.thread->doubt;
	case CERTAIN_BY_THREADS:
		return !s->shares;
	case CERTAIN_BY_PROCESS:
		return !s->strays;
	case CERTAIN_NOT:
		break;
	}
	return false;
}

/* The call has its answer, or will have none. */
static void call_over(struct exchange *x)
{
	struct cause cause = x->cause;
	struct server_process *s;

	x->cause = (struct cause){0};
	if (!cause.server || cause.server->served.number != cause.number)
		return;
	s = cause.server->served.process;
	cause.server->served.alone_calls -= cause.alone;
	cause.server->served.own_calls -= cause.own;
	s->nested += cause.alone;
	if (is_certain(s, &cause))
		link_parent(x, &cause.server->request);
}

static void serve_over(struct flow *f, struct exchange *x, uint64_t time)
{
	struct served *served = &x->served;

	if (!served->process)
		return;
	open_remove(&served->thread->open, f, x);
	open_remove(&served->process->open, f, x);
	if (!served->process->open.count)
		served->process->idle_since = time;
	*served = (struct served){0};
}

/* What the way of its answer says about its thread. An error may come while a call still waits. */
static void thread_judge(const struct exchange *x, uint32_t tid)
{
	const struct served *served = &x->served;
	struct server_process *s = served->process;
	struct server_thread *t = served->thread;

	if (tid != t->tid) {
		thread_doubt(t, s);
	} else if (!served->shared && t->open.count == 1) {
		s->apart += served->beside;
		t->doubt -= t->doubt > 0;
	}
	if (x->request.status >= 500)
		return;
	s->strays |= served->alone_calls > 0;
	s->shares |= served->own_calls > 0;
}

void parent_begin(struct flow *f, struct exchange *x, const struct event_data *e)
{
	if (f->options.no_parents)
		return;
	if (x->request.role == ROLE_SERVER)
		serve(f, x, e);
	else
		call(f, x, e);
}

void parent_answer(struct flow *f, struct exchange *x, uint32_t tid)
{
	if (x->served.process) {
		thread_judge(x, tid);
		serve_over(f, x, x->request.first_byte);
	}
	call_over(x);
}

void parent_end(struct flow *f, struct exchange *x)
{
	serve_over(f, x, x->request.end);
	call_over(x);
}

void parents_forget(struct parents *p, uint32_t tgid)
{
	struct server_process *s = table_find(p->processes, &tgid);

	if (!s)
		return;
	if (s->open.count)
		*s = (struct server_process){.tgid = tgid, .open = s->open, .since = s->since};
	else
		table_remove(p->processes, s);
}
