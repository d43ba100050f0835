/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Framing `line`, the part that every buffer of a hit goes through; see line.bpf.c. */
#ifndef SONDE_FIRST_BPF_H
#define SONDE_FIRST_BPF_H

#include "line.bpf.h"

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
	if (queue_time && kind == MESSAGE_REQUEST)
		queue_read(c, p);
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

#endif
