/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Framing `line`, the part that every buffer of a hit goes through; see line.bpf.c. */
#ifndef SONDE_FIRST_BPF_H
#define SONDE_FIRST_BPF_H

#include "line.bpf.h"

static __always_inline int line_start(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	__u32 n = p->len < capture_bytes ? p->len : capture_bytes;

	if (n <= 128)
		return message_start_128(hit, c, p, kind);
	if (n <= 512)
		return message_start_512(hit, c, p, kind);
	if (n <= 1024)
		return message_start_1024(hit, c, p, kind);
	return message_start_4096(hit, c, p, kind);
}

static __always_inline int line_more(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	if (p->len <= 128)
		return message_more_128(hit, c, p, kind);
	if (capture_bytes <= 1024 || p->len <= 1024)
		return message_more_1024(hit, c, p, kind);
	return message_more_4096(hit, c, p, kind);
}

/* line.bpf.c: does this part begin a message where none is due? Worth a second read. */
int line_begins(struct hit *hit, struct conn *c, const struct part *p, __u32 kind);

static __always_inline int line_first_part(struct hit *hit, struct conn *c, struct part *p,
					   __u32 dir, __u32 kind)
{
	struct half *h = &c->half[kind & 1];
	bool due = (kind == MESSAGE_RESPONSE) == line_owed(c);
	int early;

	/* a request's head may hold anything at its border, a response's may be followed by another
	 */
	if (unlikely(!due) &&
	    !((kind == MESSAGE_RESPONSE || !h->capturing) && line_begins(hit, c, p, kind))) {
		if (!h->capturing)
			return PART_OTHER;
		h->bytes += p->moved;
		h->last = hit->now;
		h->hits++;
		return line_more(hit, c, p, kind);
	}
	if (queue_time && kind == MESSAGE_REQUEST)
		queue_read(c, p);
	if (likely(!c->early_filled[dir & 1] && p->len >= SIGNATURE_BYTES))
		return line_start(hit, c, p, kind);
	early = early_look(hit, c, p, kind);
	if (early == EARLY_NONE)
		return line_start(hit, c, p, kind);
	if (early < 0)
		return early == EARLY_KEPT ? PART_KEPT : PART_TAKEN;
	early_begin(hit, c, p, kind, early);
	return line_more(hit, c, p, kind);
}

/* line.bpf.c: the other buffers, and what few hits need. */
int line_rest(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
/* line.bpf.c: line_first(), after the connection was told of. */
int line_again(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
/* line.bpf.c: a hit without readable bytes. */
int line_unreadable(struct hit *hit, struct conn *c);

/* The first buffer of a hit. */
static __always_inline void line_first(struct hit *hit, struct conn *c, struct part *p, __u32 dir,
				       __u32 kind)
{
	p->addr = hit->near[0].base;
	p->len = hit->near[0].len < hit->moved ? hit->near[0].len : hit->moved;
	p->time = hit->now;
	p->seq = hit->seq;
	p->moved = hit->moved;
	p->done = p->len;
	p->fate = PART_KEPT;
	if (likely(p->len))
		p->fate = line_first_part(hit, c, p, dir, kind);
}

#endif
