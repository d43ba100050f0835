/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What every hit does, from the hook to the message that it begins. A hook itself looks up the
 * socket's state and is done with what needs no more: sockets that are muted, and the usual frame.
 * The rest is one piece, since a call costs more than most of its steps where returns are guarded
 * against speculation. What few hits need is out of line, in conn.bpf.c, line.bpf.c and beyond, or
 * marked as unlikely: between two hits the kernel has used up the instruction cache, so each line
 * of it counts.
 *
 * The hooks keep to 48 bytes of stack. From 64 on, kernels since 6.13 give a program a stack of its
 * own, and reading user memory onto that costs more: they look first what kind of memory it is.
 */
#ifndef SONDE_HIT_BPF_H
#define SONDE_HIT_BPF_H

#include "conn.bpf.h"
#include "first.bpf.h"
#include "frames.bpf.h"
#include "life.bpf.h"
#include "emit.bpf.h"

/* Also where something was sent: a client that has read since is past the head of its request. */
static __always_inline void conn_reached(struct hit *hit, struct conn *c, const struct io_call *of,
					 __u32 in)
{
	if (of->dir == DIR_IN) {
		hit->hole = conn_hole(c, in - hit->moved) > 0;
		c->position[DIR_IN] = in;
	} else if (c->role == ROLE_CLIENT && unlikely(conn_hole(c, in))) {
		c->half[MESSAGE_REQUEST].capturing = 0;
	}
}

/* NULL of a unix socket. A cast costs nothing; kernels before 6.2 have only the helper, which wants
 * a socket it can trust. */
static __always_inline struct tcp_sock *conn_tcp(const struct io_call *of)
{
	if (unlikely(sock_load(of->hashed, of->sk, __sk_common.skc_family) == AF_UNIX))
		return NULL;
	if (state_casts() || of->hashed)
		return state_cast(of->sk, struct tcp_sock);
	return bpf_skc_to_tcp_sock(of->sk);
}

/* Has the read taken the end of the stream with it, which has a position of its own? */
static __always_inline bool conn_ended(const struct io_call *of, const struct tcp_sock *tcp,
				       __u32 in)
{
	return sock_load(of->hashed, of->sk, __sk_common.skc_flags) & 1UL << SOCK_DONE &&
	       sock_load(of->hashed, tcp, rcv_nxt) == in;
}

/* How far the stream has got in a direction. */
static __always_inline __u32 conn_reaches(const struct conn *c, const struct io_call *of,
					  const struct tcp_sock *tcp, __u32 dir)
{
	__u32 in;

	if (unlikely(!tcp))
		return c->position[dir];
	if (dir == DIR_OUT)
		return sock_load(of->hashed, tcp, write_seq);
	in = sock_load(of->hashed, tcp, copied_seq);
	return likely(!conn_ended(of, tcp, in)) ? in : in - 1;
}

/* TCP gives no bytes to a reader with MSG_TRUNC; other streams do. */
static __always_inline bool conn_discards(const struct io_call *of, const struct tcp_sock *tcp)
{
	return of->dir == DIR_IN && of->flags & MSG_TRUNC && tcp;
}

/* Would the read have waited for bytes? The workers of io_uring wait for others. */
static __always_inline bool conn_waits(const struct io_call *of)
{
	if (of->dir != DIR_IN || of->flags & MSG_DONTWAIT)
		return false;
	if (of->hashed)
		return !(sock_file_flags(of->sk) & O_NONBLOCK);
	/* a socket that does not block has the other flag as well */
	return !(task_get(of->task, flags) & PF_IO_WORKER);
}

/* A hit with bytes to be read. Most begin a message in their first buffer, and that is all. */
static __always_inline void line_moved(struct hit *hit, struct conn *c, const struct io_call *of)
{
	struct part own = {}, *p = place_part(&own);
	__u32 kind = line_kind(c, of->dir);

	if (!p)
		return;
	line_first(hit, c, p, of->dir, kind);
	if (unlikely(hit->again)) {
		conn_open(hit, c, of->sk);
		line_again(hit, c, p, kind);
	}
	if (unlikely(p->fate != PART_TAKEN || p->next ||
		     (c->half[kind & 1].capturing && p->done < hit->moved)))
		line_rest(hit, c, p, kind);
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

/* The first hit of a connection that is older than the agent: are these frames? */
static __always_inline bool frames_begin(struct hit *hit, struct conn *c, struct sock *sk)
{
	struct frames *w = frames_first(hit, c, sk);

	return w && frames_follow(hit, w, c, sk, true);
}

/* May these bytes begin or end a message? */
static __always_inline bool conn_wanted(const struct io_call *of)
{
	return sock_is_stream(of->sk, of->hashed) &&
	       !(of->dir == DIR_IN && of->flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB));
}

/* How much may go out of this hit. The connection's own record goes before all others. */
static __always_inline void conn_detail(struct hit *hit, struct conn *c, const struct io_call *of)
{
	hit->detail = DETAIL_METRICS;
	if (detail == DETAIL_METRICS)
		return;
	hit->waiting = conn_waits(of);
	hit->ring_used = emit_used_about(hit->now);
	if (unlikely(hit->ring_used > ring_bytes / 4 * 3))
		return;
	hit->detail = detail;
	if (unlikely(!c->is_open || hit->now - c->opened >= EVENT_REOPEN_NS))
		conn_open(hit, c, of->sk);
}

/* Bytes that went through a connection that may be ours. */
static __always_inline int conn_talks(struct conn *c, const struct io_call *of)
{
	struct hit own = {.moved = of->moved, .dir = of->dir};
	struct hit *hit = place_hit(&own, (__u64)of->sk);
	struct tcp_sock *tcp;
	bool readable;

	if (!hit)
		return 0;
	tcp = conn_tcp(of);
	readable = !conn_discards(of, tcp) && io_find(hit, of);
	if (unlikely(!tcp))
		c->position[of->dir] += hit->moved;
	hit->seq = conn_reaches(c, of, tcp, of->dir) - hit->moved;
	if (c->framing == CONN_FRAMES) {
		if (likely(frames_hit(hit, c, of, readable)))
			return 0;
		if (tcp) /* it was not followed */
			c->position[DIR_IN] = 0;
	}
	hit->ack = conn_reaches(c, of, tcp, !of->dir);
	if (likely(tcp)) {
		conn_reached(hit, c, of, of->dir == DIR_IN ? hit->seq + hit->moved : hit->ack);
		queue_settle(c, tcp);
	}
	hit->tgid = task_get(of->task, tgid);
	hit->tid = task_get(of->task, pid);
	hit->now = bpf_ktime_get_ns();
	if (unlikely(!c->role && !c->born && readable) && frames_begin(hit, c, of->sk))
		return 0;
	if (unlikely(!c->role || !readable) && !conn_unclear(hit, c, of->sk, readable))
		return 0;
	conn_detail(hit, c, of);
	if (likely(readable))
		line_moved(hit, c, of);
	else
		line_unreadable(hit, c);
	if (unlikely(c->framing == CONN_UPGRADING))
		conn_upgrade(hit, c, of->sk, readable);
	return 0;
}

/* The same by themselves, for their stack. */
static __noinline int conn_reads(struct conn *c, struct sock *sk, struct task_struct *task,
				 __u32 moved, int flags)
{
	struct io_call of = {.sk = sk, .task = task, .moved = moved, .dir = DIR_IN, .flags = flags};

	return conn_talks(c, &of);
}

static __noinline int conn_writes(struct conn *c, struct sock *sk, struct task_struct *task,
				  __u32 moved, int flags)
{
	struct io_call of = {
		.sk = sk, .task = task, .moved = moved, .dir = DIR_OUT, .flags = flags};

	return conn_talks(c, &of);
}

/* Is it a message in one frame and one hit, as most frames are? Then it is counted. */
static __always_inline bool conn_brief(struct conn *c, const struct io_call *of)
{
	struct frame_next *next = &c->next[of->dir];
	struct tcp_sock *tcp;
	__u8 head[FRAME_BRIEF];
	__u32 n;

	if (c->framing != CONN_FRAMES)
		return false;
	tcp = conn_tcp(of);
	if (!tcp || conn_discards(of, tcp) ||
	    !frame_is_next(next, conn_reaches(c, of, tcp, of->dir) - of->moved))
		return false;
	n = frames_head(head, of);
	return n && frame_whole(next, &c->wholes[of->dir], head, n, of->moved);
}

/* Bytes went through a wanted socket. of->task: for hashed ones only. Always 0. */
static __always_inline int conn_hit(struct io_call *of)
{
	struct conn *c = conn_state(of->sk, STATE_MAKE, of->hashed);

	if (unlikely(!c)) {
		count(COUNT_NO_STATE);
		return 0;
	}
	if (c->framing == CONN_MUTED)
		return 0;
	if (!of->hashed) {
		of->task = task_current();
		if (unlikely(task_get(of->task, flags) & PF_KTHREAD))
			return 0;
	}
	if (unlikely(!c->tgid)) {
		conn_claim(c, task_get(of->task, tgid));
		if (c->framing == CONN_MUTED)
			return 0;
	}
	if (conn_brief(c, of))
		return 0;
	if (of->hashed)
		return conn_talks(c, of);
	if (of->dir == DIR_IN)
		return conn_reads(c, of->sk, of->task, of->moved, of->flags);
	return conn_writes(c, of->sk, of->task, of->moved, 0);
}

/*
 * For hooks that run where the bytes are moved: by the current task, in the system call that is
 * just ending (or unreadably, if there is none). flags: the call's MSG_* flags. Always 0.
 */
static __always_inline int conn_moved(struct sock *sk, int moved, __u32 dir, int flags)
{
	struct io_call of = {.sk = sk, .moved = moved, .dir = dir, .flags = flags};

	return SYSCALL_ALONE || !conn_wanted(&of) ? 0 : conn_hit(&of);
}

#endif
