// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Framing `frames`: WebSocket connections. What a hit moves is walked buffer by buffer
 * (frame.bpf.h); figures stand with the socket, where a sweep finds them, and no message makes a
 * record. A connection begins behind the head of its 101, or tentatively with a hit that may be a
 * frame, if it is older than the agent: frames that end with their hits, in both directions, prove
 * it.
 *
 * A ping that this end sends waits for the pong that comes in with the same first bytes; the time
 * between goes into the shed table, under a protocol number of its own.
 */
#include "frames.bpf.h"
#include "ends.bpf.h"
#include "emit.bpf.h"

#define FRAMES_MAX    8192 /* of a hit; what lies behind is not seen */
#define STEPS_NEAR    3	   /* that a hit takes without a loop */
#define STEPS_OLD     2048 /* with one, where there is no bpf_loop() */
#define PROOF	      2	   /* frames in each direction */
#define SHUTDOWN_BOTH 3

const volatile __u8 frames_protocol = 0;

static __always_inline void ping_sent(struct frames *w, __u64 payload, __u64 now)
{
	struct ping *p = &w->pings[w->ping_next++ & (PINGS - 1)];

	p->payload = payload;
	p->time = now;
	p->answered = 0;
}

static __always_inline void ping_answered(struct frames *w, __u64 payload, __u64 now)
{
	for (int i = 0; i < PINGS; i++) {
		struct ping *p = &w->pings[i];

		if (!p->time || p->answered || p->payload != payload)
			continue;
		p->answered = now;
		w->pongs = 1;
		return;
	}
}

/* After the walk and apart, because all calls together have 512 bytes of stack. */
static __noinline void pings_count(struct frames *w)
{
	struct event_shed_key key = {.tgid = w->tgid,
				     .port = w->role == ROLE_SERVER ? w->local_port : 0,
				     .role = w->role,
				     .protocol = frames_protocol};

	w->pongs = 0;
	for (int i = 0; i < PINGS; i++) {
		struct ping *p = &w->pings[i];

		if (!p->answered)
			continue;
		shed_add(&key, p->time, 0, p->answered, 1);
		p->time = p->answered = 0;
	}
}

static __always_inline void frame_ended(const struct hit *hit, struct frames *w, int step)
{
	__u32 dir = hit->dir & 1;
	const struct frame_half *h = &w->half[dir];

	if (step != FRAME_END || h->trust < FRAME_TRUSTED)
		return;
	if (dir == DIR_OUT && h->first == FRAME_PING)
		ping_sent(w, h->payload, bpf_ktime_get_ns());
	if (dir == DIR_IN && h->first == FRAME_PONG && !w->tentative)
		ping_answered(w, h->payload, bpf_ktime_get_ns());
}

/* The next buffer of the hit; false if there is none that can be looked at. */
static __always_inline bool frames_buffer(struct hit *hit, struct frame_half *h)
{
	const struct user_iovec *near = &hit->near[h->buffer & (IO_NEAR - 1)];

	if (!h->rest)
		return false;
	if (h->buffer < IO_NEAR) {
		h->addr = near->base;
		h->avail = near->len < h->rest ? near->len : h->rest;
	} else if (!vector_frames(hit, h)) {
		return false;
	}
	h->buffer++;
	if (h->avail > h->rest)
		h->avail = h->rest;
	h->rest -= h->avail;
	return true;
}

/* A frame, or what this buffer has of it. Returns whether the hit is done with. */
__noinline int frames_step(struct hit *hit, struct frames *w)
{
	PLACED_FRAMES(hit, w);
	struct frame_half *h;

	if (!hit || !w)
		return 1;
	h = &w->half[hit->dir & 1];
	if (!h->budget || h->state > FRAME_HANDSHAKE || (!h->avail && !frames_buffer(hit, h)))
		return 1;
	h->budget--;
	frame_ended(hit, w, frame_step(h));
	return !h->avail && !h->rest;
}

#ifdef OLD_VERIFIER

static __always_inline void frames_go_on(struct hit *hit, struct frames *w)
{
	for (int step = 0; step < STEPS_OLD; step++)
		if (frames_step(hit, w))
			break;
}

#else

struct frame_walk {
	struct frames *w;
	struct hit *hit;
};

static long frames_again(__u64 i, struct frame_walk *walk)
{
	(void)i;
	return frames_step(walk->hit, walk->w) != 0;
}

static __always_inline void frames_go_on(struct hit *hit, struct frames *w)
{
	struct frame_walk walk = {.w = w, .hit = hit};

	bpf_loop(FRAMES_MAX + IO_MOST, frames_again, &walk, 0);
}

#endif

/* Apart, because all calls together have 512 bytes of stack. */
static __noinline void frames_place(const struct hit *hit, struct frame_half *h)
{
	frame_place(h, hit->seq, hit->moved);
	h->budget = FRAMES_MAX;
	h->buffer = 0;
	h->rest = hit->moved;
}

/* Walks the bytes of a hit. Most are done with in a few steps, and a loop costs more than those. */
__noinline int frames_walk(struct hit *hit, struct frames *w, int readable)
{
	PLACED_FRAMES(hit, w);
	bool done = !readable;
	struct frame_half *h;
	__u32 left;

	if (!hit || !w)
		return 0;
	h = &w->half[hit->dir & 1];
	frames_place(hit, h);
	for (int step = 0; step < STEPS_NEAR && !done; step++)
		done = frames_step(hit, w);
	if (!done)
		frames_go_on(hit, w);
	left = h->avail + h->rest;
	h->avail = h->rest = 0;
	if (left)
		frame_ended(hit, w, frame_skip(h, left));
	if (w->pongs)
		pings_count(w);
	w->progress[hit->dir & 1] = frame_progress(h);
	return 0;
}

static __always_inline struct frames *frames_new(const struct conn *c, struct sock *sk, __u8 role)
{
	struct frames *w = frames_make(sk);

	if (!w) {
		count(COUNT_NO_STATE);
		return NULL;
	}
	w->conn = c->id;
	w->tgid = c->tgid;
	w->role = role;
	w->tentative = 1;
	w->family = ends_of(sk, w->local, w->remote);
	ports_of(sk, &w->local_port, &w->remote_port);
	w->half[DIR_IN].masked = role == ROLE_SERVER ? FRAME_MASKED : 0;
	w->half[DIR_OUT].masked = role == ROLE_CLIENT ? FRAME_MASKED : 0;
	return w;
}

/* It goes on as framing: without one, as if nothing were known. */
static __always_inline void frames_leave(struct conn *c, struct sock *sk, enum conn_framing framing)
{
	c->framing = framing;
	frames_drop(sk);
}

struct frames *frames_upgrading(struct hit *hit, struct conn *c, struct sock *sk)
{
	struct frames *w;

	if (line_kind(c, hit->dir) != MESSAGE_RESPONSE)
		return NULL;
	w = frames_of(sk);
	if (w)
		return w;
	w = frames_new(c, sk, c->role);
	if (!w) {
		c->framing = CONN_MUTED;
		return NULL;
	}
	w->half[hit->dir & 1].state = FRAME_HANDSHAKE;
	w->half[!hit->dir].trust = FRAME_TRUSTED;
	return w;
}

void frames_upgraded(struct hit *hit, struct conn *c, struct sock *sk, struct frames *w)
{
	const struct frame_half *h = &w->half[hit->dir & 1];

	if (h->state == FRAME_HANDSHAKE)
		return;
	shed_settle(c);
	if (!h->trust) {
		frames_leave(c, sk, CONN_MUTED);
		return;
	}
	w->opened = hit->now;
	w->tentative = 0;
	frame_rest(h, &c->next[hit->dir & 1]);
	c->framing = CONN_FRAMES;
}

/* The role of this end if two bytes may begin a frame that ends within `moved` bytes, or is long.
 */
static __always_inline __u8 frames_role(const __u8 *head, __u32 moved, __u32 dir)
{
	bool masked = head[1] & FRAME_MASKED, control = head[0] & FRAME_CONTROL;
	__u8 opcode = head[0] & 0x0f, length = head[1] & 0x7f;

	if (head[0] & FRAME_RESERVED || !opcode || !(FRAME_OPCODES >> opcode & 1))
		return ROLE_NONE;
	if (control && (!(head[0] & FRAME_FIN) || head[0] & FRAME_RSV1 || length > 125))
		return ROLE_NONE;
	if (length < 126 && 2 + (masked ? 4 : 0) + length > moved)
		return ROLE_NONE;
	return masked == (dir == DIR_IN) ? ROLE_SERVER : ROLE_CLIENT;
}

/*
 * As far as one can tell by now, is it any? Each hit has to end with a frame until some in both
 * directions have proved it.
 */
static __always_inline bool frames_hold(struct frames *w)
{
	struct frame_half *in = &w->half[DIR_IN], *out = &w->half[DIR_OUT];

	if (in->state || out->state || in->left || out->left || in->head_n || out->head_n)
		return false;
	if (in->frames < PROOF || out->frames < PROOF)
		return true;
	w->tentative = 0;
	return true;
}

struct frames *frames_first(struct hit *hit, struct conn *c, struct sock *sk)
{
	struct frames *w;
	__u8 head[2], role;

	if (hit->near[0].len < sizeof(head) || hit->moved < sizeof(head) ||
	    bpf_probe_read_user(head, sizeof(head), (void *)hit->near[0].base))
		return NULL;
	role = frames_role(head, hit->moved, hit->dir);
	w = role ? frames_new(c, sk, role) : NULL;
	if (!w)
		return NULL;
	w->opened = hit->now;
	w->flags = WEBSOCKET_RESUMED;
	w->half[DIR_IN].message = w->half[DIR_OUT].message = MESSAGE_UNKNOWN;
	/* nothing is told of it unless it is proved, so what is counted needs no shadow */
	w->half[DIR_IN].trust = w->half[DIR_OUT].trust = FRAME_TRUSTED;
	c->framing = CONN_FRAMES;
	return w;
}

bool frames_stay(struct frames *w, struct conn *c, struct sock *sk)
{
	if (frames_hold(w))
		return true;
	frames_leave(c, sk, CONN_LINE);
	return false;
}

void frames_closed(struct sock *sk, int old_state)
{
	struct frames *w = frames_of(sk);
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	bool finished =
		old_state == TCP_FIN_WAIT1 || old_state == TCP_CLOSING || old_state == TCP_LAST_ACK;
	__u32 unacknowledged;

	if (!w || !tcp)
		return;
	unacknowledged = tcp->write_seq - tcp->snd_una;
	/* the FIN has a position of its own */
	w->undelivered = unacknowledged && finished ? unacknowledged - 1 : unacknowledged;
	w->closed_here = old_state == TCP_ESTABLISHED && sk->sk_shutdown == SHUTDOWN_BOTH;
}

/* A place beside the ring. Its time is set when the rest is there: the reader looks at that first.
 */
static const volatile struct event_websocket frames_unwritten = {.head.time = ~0ULL};

static __always_inline struct event_websocket *frames_orphan(const struct frames *w)
{
	__u64 id = w->conn;

	count(COUNT_RING_FULL);
	if (!bpf_map_update_elem(&frame_orphans, &id, (const void *)&frames_unwritten, BPF_ANY))
		return bpf_map_lookup_elem(&frame_orphans, &id);
	count(COUNT_CLOSES_LOST);
	return NULL;
}

static __always_inline void frames_say(struct event_websocket *e, const struct frames *w,
				       const struct conn *c, __u32 closer, __u32 over)
{
	frames_fill(e, w, c);
	e->flags |= over;
	e->closer = w->closed_here ? CLOSER_LOCAL : closer;
	barrier();
	e->head.time = bpf_ktime_get_ns();
}

__noinline int frames_record(struct frames *w, const struct conn *c, __u32 closer, __u32 over)
{
	struct event_websocket *e;
	__u32 used = emit_used();

	if (!w || !c || w->tentative || w->over)
		return 0;
	w->over = over;
	if (over) {
		frame_over(&w->half[DIR_IN]);
		frame_over(&w->half[DIR_OUT]);
	}
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (e) {
		frames_say(e, w, c, closer, over);
		emit_submit(e, e->head.time, used);
		return 0;
	}
	e = frames_orphan(w);
	if (e)
		frames_say(e, w, c, closer, over);
	return 0;
}

void frames_tell(struct sock *sk, const struct conn *c, __u32 closer, __u32 over)
{
	struct frames *w = frames_of(sk);

	if (w)
		frames_record(w, c, closer, over);
}

char _license[] SEC("license") = "Dual BSD/GPL";
