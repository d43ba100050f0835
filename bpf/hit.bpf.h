/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What every hit does, from the hook to the message that it begins, in one piece: a call costs more
 * than most of these steps where returns are guarded against speculation. What few hits need is out
 * of line, in conn.bpf.c, line.bpf.c and beyond.
 */
#ifndef SONDE_HIT_BPF_H
#define SONDE_HIT_BPF_H

#include "conn.bpf.h"
#include "first.bpf.h"
#include "frames.bpf.h"
#include "life.bpf.h"
#include "emit.bpf.h"

#define PIPELINED_MAX 64 /* further records of requests that came in one read */

/* line.bpf.c: further buffers of the call, further requests of the read. */
int line_part(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int line_pipelined(struct hit *hit, struct conn *c, struct part *p);

/* Whose connection it is, at its first hit: accepted ones have been nobody's until now. */
static __always_inline void conn_claim(struct conn *c, __u32 tgid)
{
	if (c->tgid)
		return;
	c->tgid = tgid;
	if (c->accepted)
		life_add(c->tgid, LIFE_OPENED_SERVER);
}

/* Also where something was sent: a client that has read since is past the head of its request. */
static __always_inline void conn_reached(struct hit *hit, struct conn *c, __u32 in)
{
	if (hit->dir == DIR_IN) {
		hit->hole = conn_hole(c, in - hit->moved) > 0;
		c->position[DIR_IN] = in;
	} else if (c->role == ROLE_CLIENT && conn_hole(c, in)) {
		c->half[MESSAGE_REQUEST].capturing = 0;
	}
}

/* A cast costs nothing; kernels before 6.2 have only the helper, which wants a socket it can trust.
 */
static __always_inline struct tcp_sock *conn_tcp(struct sock *sk)
{
	if (state_casts() || state_hashed)
		return state_cast(sk, struct tcp_sock);
	return bpf_skc_to_tcp_sock(sk);
}

/* Has the read taken the end of the stream with it, which has a position of its own? */
static __always_inline bool conn_ended(const struct sock *sk, const struct tcp_sock *tcp, __u32 in)
{
	return sock_get(sk, __sk_common.skc_flags) & 1UL << SOCK_DONE &&
	       sock_get(tcp, rcv_nxt) == in;
}

/* The positions that this hit began at and that the other direction has reached. */
static __always_inline void conn_position(struct hit *hit, struct conn *c, struct sock *sk)
{
	struct tcp_sock *tcp;
	__u32 out, in;

	if (sock_family(sk) == AF_UNIX) {
		c->position[hit->dir & 1] += hit->moved;
		out = c->position[DIR_OUT];
		in = c->position[DIR_IN];
		/* keeps clang from sharing one load between two kinds of pointer */
		asm volatile("" : "+r"(out), "+r"(in));
	} else {
		tcp = conn_tcp(sk);
		if (!tcp)
			return;
		out = sock_get(tcp, write_seq);
		in = sock_get(tcp, copied_seq);
		if (hit->dir == DIR_IN)
			in -= conn_ended(sk, tcp, in);
		conn_reached(hit, c, in);
		queue_settle(c, tcp);
	}
	hit->seq = (hit->dir == DIR_OUT ? out : in) - hit->moved;
	hit->ack = hit->dir == DIR_OUT ? in : out;
}

/* TCP gives no bytes to a reader with MSG_TRUNC; other streams do. */
static __always_inline bool conn_discards(const struct sock *sk, __u32 dir, int flags)
{
	return dir == DIR_IN && flags & MSG_TRUNC && sock_family(sk) != AF_UNIX;
}

/* Would the read have waited for bytes? The workers of io_uring wait for others. */
static __always_inline bool conn_waits(const struct io_call *of, const struct sock *sk, __u32 dir,
				       int flags)
{
	if (dir != DIR_IN || flags & MSG_DONTWAIT)
		return false;
	if (of->regs)
		return !(sock_file_flags(sk) & O_NONBLOCK);
	/* a socket that does not block has the other flag as well */
	return !(task_get(of->task, flags) & PF_IO_WORKER);
}

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

static __always_inline int line_moved(struct hit *hit, struct conn *c, bool readable)
{
	struct part own = {.fate = PART_KEPT}, *p = place_part(&own);
	__u32 kind;

	if (!p)
		return 0;
	kind = line_kind(c, hit->dir);
	p->addr = hit->near[0].base;
	p->len = hit->near[0].len < hit->moved ? hit->near[0].len : hit->moved;
	p->time = hit->now;
	if (!readable && line_unread(hit, c, kind))
		return 0;
	if (readable && line_buffer(hit, c, p, kind))
		for (int i = 1; i < IO_FAR; i++)
			if (!line_part(hit, c, p, kind))
				break;
	for (int i = 0; p->next && i < PIPELINED_MAX; i++)
		if (!line_pipelined(hit, c, p))
			break;
	if (!readable || p->fate == PART_OTHER)
		line_body(hit, c, kind);
	return 0;
}

/* After the head of a 101 the hit may go on with frames. */
static __always_inline void conn_upgrade(struct hit *hit, struct conn *c, struct sock *sk,
					 bool readable)
{
	struct frames *w = frames_upgrading(hit, c, sk);

	if (!w)
		return;
	frames_walk(hit, w, readable);
	frames_upgraded(hit, c, sk, w);
}

/* flags: the call's MSG_* flags. */
static __always_inline bool conn_wanted(const struct sock *sk, __u32 dir, int flags)
{
	return sock_is_stream(sk) &&
	       !(dir == DIR_IN && flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB));
}

/* Bytes that went through a connection that may be ours. */
static __always_inline int conn_talks(struct sock *sk, struct conn *c, const struct io_call *of,
				      __u32 moved, __u32 dir, int flags)
{
	struct hit own = {.moved = moved, .dir = dir}, *hit = place_hit(&own, (__u64)sk);
	bool readable;

	if (!hit)
		return 0;
	conn_claim(c, task_get(of->task, tgid));
	conn_position(hit, c, sk);
	readable = !conn_discards(sk, dir, flags) && io_find(hit, of, sk);
	if (c->framing == CONN_FRAMES && frames_hit(hit, c, sk, readable))
		return 0;
	if (detail != DETAIL_METRICS)
		hit->waiting = conn_waits(of, sk, dir, flags);
	hit->now = bpf_ktime_get_ns();
	if (hit->unseen) {
		if (c->role)
			conn_unseen(c);
		return 0;
	}
	if (!c->role && !readable)
		return io_unseen(hit, COUNT_UNREADABLE);
	if (!c->role && !c->born && frames_first(hit, c, sk) && frames_hit(hit, c, sk, readable))
		return 0;
	if (!c->role && !conn_first(hit, c, sock_get(sk, __sk_common.skc_num)))
		return 0;
	if (detail != DETAIL_METRICS)
		hit->ring_used = emit_used();
	hit->detail = hit->ring_used > ring_bytes / 4 * 3 ? DETAIL_METRICS : detail;
	if (hit->detail != DETAIL_METRICS &&
	    (!c->is_open || hit->now - c->opened >= EVENT_REOPEN_NS))
		conn_open(hit, c, sk);
	for (int turn = 0; turn < 2; turn++) {
		line_moved(hit, c, readable);
		if (!hit->again)
			break;
		conn_open(hit, c, sk);
	}
	if (c->framing == CONN_UPGRADING)
		conn_upgrade(hit, c, sk, readable);
	return 0;
}

/* `moved` bytes went through a wanted socket in direction `dir`. Always 0. */
static __always_inline int conn_hit(struct sock *sk, const struct io_call *of, __u32 moved,
				    __u32 dir, int flags)
{
	struct conn *c = conn_get(sk, STATE_MAKE);

	return c && c->framing != CONN_MUTED ? conn_talks(sk, c, of, moved, dir, flags) : 0;
}

/*
 * For hooks that run where the bytes are moved: by the current task, in the system call that is
 * just ending (or unreadably, if there is none). Always 0.
 */
static __always_inline int conn_moved(struct sock *sk, int moved, __u32 dir, int flags)
{
	struct io_call of = {};

	if (SYSCALL_ALONE || !conn_wanted(sk, dir, flags))
		return 0;
	of.task = task_current();
	if (task_get(of.task, flags) & PF_KTHREAD || (__u32)task_get(of.task, tgid) == agent_tgid)
		return 0;
	return conn_hit(sk, &of, moved, dir, flags);
}

#endif
