/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 100 serves, and calls; what a thread of it does is told by its number. Of the requests
 * that are over the last two are kept.
 */
#ifndef SONDE_TEST_FLOW_PARENT_H
#define SONDE_TEST_FLOW_PARENT_H

#include "flow_records.h"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct request last[2]; /* those that were over last, in order */

static inline void keep(const struct request *r, bool counted)
{
	(void)counted;
	last[0] = last[1];
	last[1] = *r;
}

static inline int setup_keeping(void **state)
{
	setup(state);
	((struct feed *)*state)->check = keep;
	return 0;
}

static inline struct link open_by(struct feed *f, uint64_t id, uint8_t role, uint32_t tid)
{
	f->tid = tid;
	return link_open(f, id, role);
}

static inline void ask_by(struct feed *f, struct link *l, uint32_t tid, uint8_t flags)
{
	f->tid = tid;
	link_request(f, l, GET, flags);
}

static inline void answer_by(struct feed *f, struct link *l, uint32_t tid)
{
	f->tid = tid;
	link_response(f, l, OK);
}

/* A call on a connection that is there; returns how its parent is known. */
static inline enum request_parent call_on(struct feed *f, struct link *l, uint32_t tid)
{
	ask_by(f, l, tid, 0);
	answer_by(f, l, tid);
	assert_int_equal(last[1].role, ROLE_CLIENT);
	return last[1].parent;
}

/* The child was over first. */
static inline void assert_child(void)
{
	const struct request *child = &last[0], *parent = &last[1];

	assert_int_equal(child->role, ROLE_CLIENT);
	assert_int_equal(parent->role, ROLE_SERVER);
	assert_int_equal(child->parent, PARENT_THREAD);
	assert_int_equal(child->length.parent_id, 16);
	assert_int_equal(child->length.trace_id, 32);
	assert_memory_equal(child->parent_id, parent->span_id, 16);
	assert_memory_equal(child->trace_id, parent->trace_id, 32);
	assert_int_equal(parent->parent, PARENT_NONE);
}

static inline void serve_one(struct feed *f, struct link *s, uint32_t tid, uint8_t flags)
{
	ask_by(f, s, tid, flags);
	answer_by(f, s, tid);
}

#endif
