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
 * discarded if they are something else. Elsewhere 16 bytes are looked at first. Most hits begin a
 * message in their first buffer, and that is all: they never come here (first.bpf.h).
 */
#include "first.bpf.h"

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
		c->framing = CONN_MUTED;
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

int line_unreadable(struct hit *hit, struct conn *c)
{
	PLACED_CONN(hit, c);
	__u32 kind;

	if (!hit || !c)
		return 0;
	kind = line_kind(c, hit->dir);
	if (!line_unread(hit, c, kind))
		line_body(hit, c, kind);
	return 0;
}

int line_begins(struct hit *hit, struct conn *c, const struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);
	struct window w;
	int row;

	if (!hit || !c || !p || !window_read(&w, p, c, hit->dir))
		return false;
	row = window_match(w.word[0], w.word[1]);
	return row != ROW_NONE && signature(row)->message == kind;
}

/* Of the requests of this read that found no room in the record of the first one, the next ones. */
__noinline int line_pipelined(struct hit *hit, struct conn *c, struct part *p)
{
	PLACED_MESSAGE(hit, c, p);
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
	if (queue_time)
		queue_read(c, p);
	return line_begins(hit, c, p, MESSAGE_REQUEST) &&
	       line_start(hit, c, p, MESSAGE_REQUEST) == PART_TAKEN;
}

/* May the next buffer be part of the same head? */
static __always_inline bool line_goes_on(const struct hit *hit, const struct conn *c,
					 const struct part *p, __u32 kind)
{
	if (p->fate == PART_OTHER || (p->fate == PART_TAKEN && !c->half[kind & 1].capturing))
		return false;
	return p->done < hit->moved && !hit->again;
}

/* The next buffer of a vectored call: most heads stand in the first. */
int line_part(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	if (!hit || !c || !p || !line_goes_on(hit, c, p, kind) || !vector_part(hit, p, ++p->index))
		return false;
	if (p->len > hit->moved - p->done)
		p->len = hit->moved - p->done;
	p->seq = hit->seq + p->done;
	p->moved = p->fate == PART_TAKEN ? 0 : hit->moved - p->done;
	p->done += p->len;
	if (p->len)
		p->fate = p->fate == PART_TAKEN ? line_more(hit, c, p, kind)
						: line_first_part(hit, c, p, hit->dir, kind);
	return true;
}

int line_rest(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	if (!hit || !c || !p)
		return 0;
	for (int i = 1; i < IO_FAR; i++)
		if (!line_part(hit, c, p, kind))
			break;
	for (int i = 0; p->next && i < PIPELINED_MAX; i++)
		if (!line_pipelined(hit, c, p))
			break;
	if (p->fate == PART_OTHER)
		line_body(hit, c, kind);
	return 0;
}

int line_again(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	if (hit && c && p)
		line_first(hit, c, p, hit->dir, kind);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
