/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Framing `frames`, as the core calls it; see frames.bpf.c. */
#ifndef SONDE_FRAMES_BPF_H
#define SONDE_FRAMES_BPF_H

#include "line.bpf.h"
#include "state.bpf.h"

/* Walks the bytes of a hit. */
int frames_walk(struct hit *hit, struct frames *w, int readable);

/* A tentative one is still taken for frames; if not, nothing is known of the connection. */
bool frames_stay(struct frames *w, struct conn *c, struct sock *sk)
	__attribute__((visibility("hidden")));

/* Walks a hit; false if it turns out that these are no frames. Not a function of its own: all calls
 * together have 512 bytes of stack. */
static __always_inline bool frames_follow(struct hit *hit, struct frames *w, struct conn *c,
					  struct sock *sk, bool readable)
{
	frame_resume(&w->half[hit->dir & 1], &c->next[hit->dir & 1]);
	frames_walk(hit, w, readable);
	if (w->tentative)
		return frames_stay(w, c, sk);
	frame_rest(&w->half[hit->dir & 1], &c->next[hit->dir & 1]);
	return true;
}

/* The first bytes of a hit, and zeros behind them. Returns how many there are, 2 to FRAME_BRIEF, or
 * 0. */
static __always_inline __u32 frames_head(__u8 head[FRAME_BRIEF], const struct io_call *of)
{
	__u64 n, base = io_begin(of, &n);
	__u32 word = 0;

	if (n < 2)
		return 0;
	n = n < FRAME_BRIEF ? n : FRAME_BRIEF;
	/* clang 14 loses the bound otherwise */
	asm volatile("" : "+r"(n));
	if (n > FRAME_BRIEF || bpf_probe_read_user(&word, n, (void *)base))
		return 0;
	__builtin_memcpy(head, &word, FRAME_BRIEF);
	return n;
}

/* A hit that is no such frame; false as of frames_follow(). */
static __always_inline bool frames_hit(struct hit *hit, struct conn *c, const struct io_call *of,
				       bool readable)
{
	struct frames *w = frames_state(of->sk, of->hashed);

	if (unlikely(!w)) {
		c->framing = CONN_MUTED;
		return true;
	}
	return frames_follow(hit, w, c, of->sk, readable);
}

/*
 * May this hit, of a connection older than the agent, begin with a frame? Then the connection is
 * one of frames from here on, tentatively. Else NULL.
 */
struct frames *frames_first(struct hit *hit, struct conn *c, struct sock *sk)
	__attribute__((visibility("hidden")));

/* A 101 begins with this hit, or goes on: what is to be walked, or NULL. */
struct frames *frames_upgrading(struct hit *hit, struct conn *c, struct sock *sk)
	__attribute__((visibility("hidden")));

/* After that walk: is the head of the 101 over, and did it name websocket? */
void frames_upgraded(struct hit *hit, struct conn *c, struct sock *sk, struct frames *w)
	__attribute__((visibility("hidden")));

/* TCP has closed the connection, from this state: what was never acknowledged? */
void frames_closed(struct sock *sk, int old_state) __attribute__((visibility("hidden")));

/* The same of its figures. */
int frames_record(struct frames *w, const struct conn *c, __u32 closer, __u32 over) OLD_STATIC;

/* Says how far the connection has got, unless its end was told; over: WEBSOCKET_OVER, or 0. */
void frames_tell(struct sock *sk, const struct conn *c, __u32 closer, __u32 over)
	__attribute__((visibility("hidden")));

/* 1 + the direction of the first close frame; 0: there was none. */
static __always_inline __u8 frames_close_first(const struct frames *w)
{
	const struct frame_figures *in = &w->half[DIR_IN].figures, *out = &w->half[DIR_OUT].figures;

	if (!in->close_code && !out->close_code)
		return 0;
	if (in->close_code && out->close_code)
		return 1 + (out->close_time < in->close_time ? DIR_OUT : DIR_IN);
	return 1 + (out->close_code ? DIR_OUT : DIR_IN);
}

static __always_inline void frames_figures(struct event_websocket *e, const struct frames *w,
					   const struct conn *c, __u32 dir)
{
	const struct frame_wholes *o = &c->wholes[dir];
	const struct frame_half *h = &w->half[dir];

	__builtin_memcpy(e->messages[dir], h->figures.messages, sizeof(e->messages[0]));
	__builtin_memcpy(e->bytes[dir], h->figures.bytes, sizeof(e->bytes[0]));
	for (int type = WEBSOCKET_TEXT; type <= WEBSOCKET_BINARY; type++) {
		e->messages[dir][type] += o->messages[type];
		e->bytes[dir][type] += o->bytes[type];
	}
	e->unseen[dir] = h->unseen;
	e->close_code[dir] = h->figures.close_code;
}

/* Changes with everything that a sweep would tell. */
static __always_inline __u32 frames_progress(const struct frames *w, const struct conn *c)
{
	const struct frame_wholes *in = &c->wholes[DIR_IN], *out = &c->wholes[DIR_OUT];

	return w->progress[DIR_IN] + w->progress[DIR_OUT] + in->messages[0] + in->messages[1] +
	       out->messages[0] + out->messages[1];
}

/* All but its time and closer. */
static __always_inline void frames_fill(struct event_websocket *e, const struct frames *w,
					const struct conn *c)
{
	e->head.conn = w->conn;
	e->head.tgid = w->tgid;
	e->head.tid = 0;
	e->head.kind = EVENT_WEBSOCKET;
	e->head.role = w->role;
	__builtin_memcpy(e->remote, w->remote, sizeof(e->remote));
	e->local_port = w->local_port;
	e->remote_port = w->remote_port;
	e->family = w->family;
	e->flags = w->flags | (w->half[DIR_IN].state == FRAME_STOPPED ? WEBSOCKET_INVALID_IN : 0) |
		   (w->half[DIR_OUT].state == FRAME_STOPPED ? WEBSOCKET_INVALID_OUT : 0);
	e->opened = w->opened;
	frames_figures(e, w, c, DIR_IN);
	frames_figures(e, w, c, DIR_OUT);
	e->undelivered = w->undelivered;
	e->close_first = frames_close_first(w);
}

#endif
