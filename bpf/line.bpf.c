// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Framing `line`: messages that begin with a first line that gives them away, HTTP/1. A hit either
 * begins a message (its first 16 bytes match a signature row), goes on with a head that is not
 * captured whole yet, or moves a body, which only moves counters.
 *
 * Requests and responses are numbered apart, each by the thread that moves them; response n answers
 * request n. A response begins only while one is owed, except for what the kernel cannot see:
 * requests pipelined in one read, which user space finds in the captured bytes. Those go out as
 * unpaired.
 *
 * Where a message is expected, the bytes are read straight into a reserved record, which is
 * discarded if they are something else. Elsewhere 16 bytes are looked at first.
 */
#include "line.bpf.h"
#include "emit.bpf.h"

#define HEAD_VECTORS 4 /* buffers of one call that a head may be spread over */

static __always_inline void line_progress(const struct conn *c, const struct half *h)
{
	__u32 slot = event_progress_slot(c->id);
	struct event_progress *p = bpf_map_lookup_elem(&progress, &slot);

	if (!p)
		return;
	p->conn = c->id;
	p->txn = h->count;
	p->time = h->last;
	p->response_bytes = h->bytes;
	p->tail = h->tail;
	p->check = c->id ^ h->count ^ h->last ^ h->bytes ^ h->tail;
}

static __always_inline bool line_send(struct hit *hit, struct conn *c, struct part *p, __u32 kind,
				      bool start)
{
	__u32 n = p->len < capture_bytes ? p->len : capture_bytes;

	if (n <= 128)
		return message_emit_128(hit, c, p, kind, start);
	if (n <= 512)
		return message_emit_512(hit, c, p, kind, start);
	if (n <= 1024)
		return message_emit_1024(hit, c, p, kind, start);
	return message_emit_4096(hit, c, p, kind, start);
}

/* Bytes that begin nothing: only counters move. */
static __always_inline void line_body(struct hit *hit, struct conn *c, __u32 kind)
{
	struct half *h = &c->half[MESSAGE_RESPONSE];

	c->early_filled[hit->dir & 1] = 0;
	if (kind == MESSAGE_REQUEST) {
		c->half[MESSAGE_REQUEST].bytes += hit->moved;
		return;
	}
	if (c->tentative && line_owed(c)) {
		c->muted = 1;
		count(COUNT_UNKNOWN); /* the answer was not HTTP: neither was the question */
		return;
	}
	h->bytes += hit->moved;
	h->hits++;
	h->last = hit->now;
	h->tail = tail_read(hit);
	line_progress(c, h);
}

/* Does this hit begin a message where none is due? Then it is worth a second read. */
static __always_inline bool line_begins(const struct part *p, struct conn *c, __u32 dir, __u32 kind)
{
	struct window w;
	int row;

	if (!window_read(&w, p, c, dir))
		return false;
	row = window_match(w.word[0], w.word[1]);
	return row != ROW_NONE && signature(row)->message == kind;
}

static __always_inline bool line_first_part(struct hit *hit, struct conn *c, struct part *p,
					    __u32 kind)
{
	struct half *h = &c->half[kind & 1];
	bool due = (kind == MESSAGE_RESPONSE) == line_owed(c);
	/* a request's head may hold anything at its border, a response's may be followed by another
	 */
	bool looked_at = kind == MESSAGE_RESPONSE || !h->capturing;
	bool begins = due || (looked_at && line_begins(p, c, hit->dir, kind));
	int early = EARLY_NONE;

	if (!begins && h->capturing) {
		h->bytes += hit->moved;
		h->last = hit->now;
		h->hits++;
		return line_send(hit, c, p, kind, false);
	}
	if (!begins)
		return false;
	if (c->early_filled[hit->dir & 1] || p->len < SIGNATURE_BYTES)
		early = message_early(hit, c, p, kind);
	if (early == EARLY_TAKEN)
		return true;
	if (early != EARLY_NONE)
		message_early_begin(hit, c, p, kind, early);
	return line_send(hit, c, p, kind, early == EARLY_NONE);
}

/* A head may be spread over the buffers of one vectored call. */
static __always_inline void line_more_parts(struct hit *hit, struct conn *c, struct part *p,
					    __u32 kind)
{
	const struct half *h = &c->half[kind & 1];
	__u32 left = hit->moved - p->len;

	p->moved = 0;
	for (int i = 1; i < HEAD_VECTORS; i++) {
		if (!left || !h->capturing)
			break;
		p->seq += p->len;
		p->addr = hit->iov[i].base;
		p->len = hit->iov[i].len < left ? hit->iov[i].len : left;
		left -= p->len;
		if (p->len)
			message_emit_1024(hit, c, p, kind, false);
	}
}

int line_moved(struct hit *hit, struct conn *c, int readable)
{
	struct part p = {};
	__u32 kind;

	if (!hit || !c)
		return 0;
	kind = line_kind(c, hit->dir);
	p.addr = hit->iov[0].base;
	p.len = hit->iov[0].len < hit->moved ? hit->iov[0].len : hit->moved;
	p.seq = hit->seq;
	p.time = hit->now;
	p.moved = hit->moved;
	if (readable && p.len && line_first_part(hit, c, &p, kind))
		line_more_parts(hit, c, &p, kind);
	else
		line_body(hit, c, kind);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
