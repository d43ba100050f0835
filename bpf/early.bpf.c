// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * First hits, or buffers of a vectored call, that are shorter than a signature: they are kept with
 * the socket until there is enough to decide. A row that matches then begins its message with the
 * time and the position of the first kept byte.
 *
 * Such a response always counts as told of or not by --detail alone: whether it is an error is not
 * looked at.
 */
#include "message.bpf.h"

/* The kept bytes begin a message: its first record is made of them, the rest of the head follows.
 */
static __always_inline void early_emit(struct hit *hit, struct conn *c, __u32 kind, int row)
{
	struct early *early = &c->early[hit->dir & 1];
	__u32 n = c->early_filled[hit->dir & 1];
	struct half *h = &c->half[kind & 1];
	struct part p = {.time = early->time, .len = n, .seq = early->seq, .moved = n};
	__u32 answered = c->half[MESSAGE_RESPONSE].count;
	bool wanted = hit->detail != DETAIL_METRICS;
	struct event_data *e = NULL;
	struct window w;
	__u8 flags;

	if (wanted)
		e = bpf_ringbuf_reserve(&ring, sizeof(*e) + SIGNATURE_BYTES, 0);
	w.word[0] = early->word[0];
	w.word[1] = early->word[1];
	if (!e) {
		message_begin(hit, c, &p, kind, &w, row, false);
		message_untold(h, wanted);
		return;
	}
	flags = message_begin(hit, c, &p, kind, &w, row, true);
	c->told = 1;
	message_fill(e, hit, c, &p, kind, flags, answered);
	*(__u64 *)e->bytes = early->word[0];
	*(__u64 *)(e->bytes + 8) = early->word[1];
	e->captured = h->captured = n;
	e->tail = 0;
	emit_submit(e, hit->now, hit->ring_used);
}

int early_look(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);
	struct window w;
	__u32 n;
	int row;

	if (!hit || !c || !p)
		return EARLY_NONE;
	n = window_read(&w, p, c, hit->dir);
	row = message_match(&w, &c->half[kind & 1], kind);
	if (n < SIGNATURE_BYTES &&
	    (row == ROW_NONE ? window_may_match(w.word[0], w.word[1], n)
			     : kind == MESSAGE_RESPONSE && n < STATUS_BYTES)) {
		early_keep(c, hit->dir, &w, n, p);
		return EARLY_KEPT;
	}
	if (row == ROW_NONE || !c->early_filled[hit->dir & 1]) {
		c->early_filled[hit->dir & 1] = 0;
		return EARLY_NONE;
	}
	if (kind == MESSAGE_RESPONSE && message_is_interim(&w)) {
		c->early_filled[hit->dir & 1] = 0;
		return EARLY_INTERIM;
	}
	if (kind == MESSAGE_REQUEST)
		c->queued = c->early[hit->dir & 1].queued;
	return row;
}

int early_begin(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int row)
{
	PLACED_MESSAGE(hit, c, p);
	struct half *h;
	struct window w;

	if (!hit || !c || !p)
		return 0;
	early_emit(hit, c, kind, row);
	w.word[0] = c->early[hit->dir & 1].word[0];
	w.word[1] = c->early[hit->dir & 1].word[1];
	message_tunnel(c, &w, kind);
	h = &c->half[kind & 1];
	h->bytes += p->moved;
	h->hits++;
	h->last = p->time;
	c->early_filled[hit->dir & 1] = 0;
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
