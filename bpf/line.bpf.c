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

#define PIPELINED_MAX 64 /* further records of requests that came in one read */

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

static __always_inline int line_send(struct hit *hit, struct conn *c, struct part *p, __u32 kind,
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
	if (c->shed)
		return; /* nobody waits for its end */
	h->tail = tail_join(h->tail, tail_read(hit, ~0ULL), hit->moved);
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

static __always_inline int line_first_part(struct hit *hit, struct conn *c, struct part *p,
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
		h->bytes += p->moved;
		h->last = hit->now;
		h->hits++;
		return line_send(hit, c, p, kind, false);
	}
	if (!begins)
		return PART_OTHER;
	if (c->early_filled[hit->dir & 1] || p->len < SIGNATURE_BYTES)
		early = early_look(hit, c, p, kind);
	if (early == EARLY_KEPT)
		return PART_KEPT;
	if (early == EARLY_INTERIM)
		return PART_TAKEN;
	if (early != EARLY_NONE)
		early_begin(hit, c, p, kind, early);
	return line_send(hit, c, p, kind, early == EARLY_NONE);
}

/* Of the requests of this read that found no room in the record of the first one, the next ones. */
__noinline int line_pipelined(struct hit *hit, struct conn *c, struct part *p)
{
	__u32 n;

	if (!hit || !c || !p)
		return false;
	n = p->next;
	p->next = 0;
	if (!n || n >= p->len)
		return false;
	p->addr += n;
	p->seq += n;
	p->len -= n;
	p->moved -= n;
	return line_begins(p, c, hit->dir, MESSAGE_REQUEST) &&
	       line_send(hit, c, p, MESSAGE_REQUEST, true) == PART_TAKEN;
}

/* One buffer of a hit; returns whether the next one may be part of the same head. */
static __always_inline bool line_buffer(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	if (p->len > hit->moved - p->done)
		p->len = hit->moved - p->done;
	p->seq = hit->seq + p->done;
	p->moved = p->fate == PART_TAKEN ? 0 : hit->moved - p->done;
	p->done += p->len;
	if (p->len)
		p->fate = p->fate == PART_TAKEN ? message_emit_1024(hit, c, p, kind, false)
						: line_first_part(hit, c, p, kind);
	if (p->fate == PART_OTHER || (p->fate == PART_TAKEN && !c->half[kind & 1].capturing))
		return false;
	return p->done < hit->moved && !hit->again;
}

/* The next buffer of a vectored call, out of line: most heads stand in the first. */
int line_part(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	return hit && c && p && vector_part(hit, p, ++p->index) && line_buffer(hit, c, p, kind);
}

/* No byte of the hit can be read. Does it begin what is due, and is that all that can be done? */
static __always_inline bool line_unread(struct hit *hit, struct conn *c, __u32 kind)
{
	if ((kind == MESSAGE_RESPONSE) != line_owed(c))
		return false;
	io_unseen(hit, COUNT_UNREADABLE);
	if (kind == MESSAGE_REQUEST || c->tentative)
		return false;
	c->early_filled[hit->dir & 1] = 0;
	return message_unread(hit, c);
}

int line_moved(struct hit *hit, struct conn *c, int readable)
{
	struct part p = {.fate = PART_KEPT};
	__u32 kind;

	if (!hit || !c)
		return 0;
	kind = line_kind(c, hit->dir);
	p.addr = hit->near[0].base;
	p.len = hit->near[0].len < hit->moved ? hit->near[0].len : hit->moved;
	p.time = hit->now;
	if (!readable && line_unread(hit, c, kind))
		return 0;
	if (readable && line_buffer(hit, c, &p, kind))
		for (int i = 1; i < IO_FAR; i++)
			if (!line_part(hit, c, &p, kind))
				break;
	for (int i = 0; p.next && i < PIPELINED_MAX; i++)
		if (!line_pipelined(hit, c, &p))
			break;
	if (!readable || p.fate == PART_OTHER)
		line_body(hit, c, kind);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
