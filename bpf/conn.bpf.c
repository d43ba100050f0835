// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The core that all backends call: whose socket is this, is it ours, and what did this hit do to
 * it.
 *
 * A socket's state is made at its first hit. The first bytes decide: a signature gives protocol and
 * role (a request that came in makes this end the server), enough misses in both directions mute
 * the socket for good. Sockets that were open before the agent began work the same way, from their
 * next message on; a miss in one direction alone never mutes, because that may be the middle of a
 * body.
 */
#include "conn.bpf.h"
#include "life.bpf.h"
#include "line.bpf.h"
#include "shed.bpf.h"
#include "emit.bpf.h"
#include <bpf/bpf_tracing.h>

const volatile __u32 agent_tgid = 0;
const volatile __u32 capture_bytes = 1024;
const volatile __u64 ring_bytes = 4 << 20;
const volatile __u32 detail = DETAIL_FULL;
const volatile __u64 slow_ns = ~0ULL;
const volatile __u8 io_forms[IO_CALLS] = {};
const volatile struct event_signature signatures[SIGNATURE_MAX] = {};
const volatile __u8 signature_of_byte[256] = {};
const volatile __u8 token_bytes[256] = {};
__u64 woken_at = 0;

#define AF_UNIX	    1
#define AF_INET	    2
#define AF_INET6    10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6

#define MISSES_TO_MUTE 2 /* in each direction */

static __always_inline bool sock_is_tcp(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP &&
	       (sk->__sk_common.skc_family == AF_INET || sk->__sk_common.skc_family == AF_INET6);
}

static __always_inline bool sock_is_stream(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM &&
	       (sk->__sk_common.skc_family == AF_UNIX || sock_is_tcp(sk));
}

/* No two hits on one processor share a nanosecond. */
static __always_inline __u64 conn_id(void)
{
	return bpf_ktime_get_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
}

struct conn *conn_make(struct sock *sk)
{
	struct conn *c = bpf_sk_storage_get(&conns, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!c)
		count(COUNT_NO_STATE);
	else if (!c->id)
		c->id = conn_id();
	return c;
}

/* Whose connection it is, at its first hit: accepted ones have been nobody's until now. */
static __always_inline void conn_claim(struct conn *c, const struct task_struct *task)
{
	if (c->tgid)
		return;
	c->tgid = task->tgid;
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

/* The positions that this hit began at and that the other direction has reached. */
static __always_inline void conn_position(struct hit *hit, struct conn *c, struct sock *sk)
{
	struct tcp_sock *tcp;
	__u32 out, in;

	if (sk->__sk_common.skc_family == AF_UNIX) {
		c->position[hit->dir & 1] += hit->moved;
		out = c->position[DIR_OUT];
		in = c->position[DIR_IN];
		/* keeps clang from sharing one load between two kinds of pointer */
		asm volatile("" : "+r"(out), "+r"(in));
	} else {
		tcp = bpf_skc_to_tcp_sock(sk);
		if (!tcp)
			return;
		out = tcp->write_seq;
		in = tcp->copied_seq;
		conn_reached(hit, c, in);
	}
	hit->seq = (hit->dir == DIR_OUT ? out : in) - hit->moved;
	hit->ack = hit->dir == DIR_OUT ? in : out;
}

static __always_inline void address(__u8 *to, const struct in6_addr *from)
{
	bpf_probe_read_kernel(to, 16, from);
}

static __always_inline bool is_mapped(const __u8 *ip)
{
	const __u64 *high = (const __u64 *)ip;

	return !high[0] && *(const __u32 *)(ip + 8) == 0xffff0000;
}

static __always_inline void address_unmap(__u8 *ip)
{
	*(__u32 *)ip = *(__u32 *)(ip + 12);
	*(__u32 *)(ip + 4) = 0;
	*(__u64 *)(ip + 8) = 0;
}

static __always_inline void open_addresses(struct event_open *e, const struct sock *sk)
{
	const struct sock_common *s = &sk->__sk_common;

	__builtin_memset(e->local, 0, 32);
	e->family = s->skc_family;
	e->local_port = e->remote_port = 0;
	if (e->family == AF_UNIX)
		return;
	e->local_port = s->skc_num;
	e->remote_port = __builtin_bswap16(s->skc_dport);
	if (e->family == AF_INET) {
		*(__u32 *)e->local = s->skc_rcv_saddr;
		*(__u32 *)e->remote = s->skc_daddr;
		return;
	}
	address(e->local, &s->skc_v6_rcv_saddr);
	address(e->remote, &s->skc_v6_daddr);
	if (is_mapped(e->local) && is_mapped(e->remote)) {
		e->family = AF_INET;
		address_unmap(e->local);
		address_unmap(e->remote);
	}
}

/* Once a connection and half an hour; tried again with its next hit if the ring was full. */
static __noinline void conn_open(struct hit *hit, struct conn *c, struct sock *sk,
				 struct task_struct *task)
{
	struct event_open *e = emit_reserve(sizeof(*e));

	if (!e)
		return;
	c->opened = hit->now;
	emit_head_of(&e->head, EVENT_OPEN, hit->now, c);
	open_addresses(e, sk);
	e->protocol = c->protocol;
	e->born = c->born;
	e->connect_time = c->connect_time;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), task->group_leader->comm);
	c->is_open = 1;
	c->told = 1;
	emit_submit(e, hit->now, hit->ring_used);
}

static __always_inline void conn_mute(struct conn *c, __u32 why)
{
	c->muted = 1;
	count(why);
}

static __always_inline void conn_missed(struct hit *hit, struct conn *c)
{
	__u8 *misses = &c->misses[hit->dir & 1];

	if (*misses < MISSES_TO_MUTE)
		(*misses)++;
	if (c->misses[DIR_IN] == MISSES_TO_MUTE && c->misses[DIR_OUT] == MISSES_TO_MUTE)
		conn_mute(c, COUNT_UNKNOWN);
}

/*
 * A socket that nothing is known of: its role comes from what it begins with. Not inlined, so that
 * its window is not on the stack below line_moved().
 */
static __noinline bool conn_first(struct hit *hit, struct conn *c, __u16 port)
{
	const volatile struct event_signature *s;
	struct part p = {
		.addr = hit->near[0].base, .time = hit->now, .len = hit->moved, .seq = hit->seq};
	struct window w;
	__u32 n;
	int row;

	if (hit->near[0].len < p.len)
		p.len = hit->near[0].len;
	if (p.len < SIGNATURE_BYTES && hit->vectors > 1)
		n = window_of(&w, &c->early[hit->dir & 1], window_gather(hit, c));
	else
		n = window_read(&w, &p, c, hit->dir);
	if (!n) {
		count(COUNT_UNREADABLE);
		return false;
	}
	row = window_match(w.word[0], w.word[1]);
	if (row == ROW_NONE) {
		if (n < SIGNATURE_BYTES && window_may_match(w.word[0], w.word[1], n)) {
			early_keep(c, hit->dir, &w, n, &p);
			return false;
		}
		/* "Hello world" in the middle of a body is no request: only a connection's start is
		 */
		if (!c->born || !window_is_token_line(w.word[0], w.word[1])) {
			c->early_filled[hit->dir & 1] = 0;
			conn_missed(hit, c);
			return false;
		}
		row = ROW_TOKEN;
		c->tentative = 1;
	}
	s = signature(row);
	if (s->framing != FRAMING_LINE) {
		conn_mute(c, s->unseen);
		return false;
	}
	c->protocol = s->protocol;
	c->role =
		(s->message == MESSAGE_REQUEST) == (hit->dir == DIR_IN) ? ROLE_SERVER : ROLE_CLIENT;
	c->shed_key.port = c->role == ROLE_SERVER ? port : 0;
	return true;
}

/*
 * What these bytes were is not known, so nothing is known of what comes next: as if the connection
 * had been open before the agent began, which a new id makes it.
 */
static __noinline void conn_unseen(struct conn *c)
{
	c->closer = CLOSER_UNSEEN;
	conn_close(c);
	c->closer = CLOSER_UNKNOWN;
	c->id = conn_id();
	c->role = ROLE_NONE;
	c->tentative = c->is_open = c->told = 0;
	c->early_filled[DIR_IN] = c->early_filled[DIR_OUT] = 0;
	c->unpaired_ack = c->dropped = c->unknown = c->begun = c->counted = 0;
	__builtin_memset(c->half, 0, sizeof(c->half));
	c->born = 0;
}

int conn_end_read(struct sock *sk, int flags)
{
	struct conn *c;

	if (sk->__sk_common.skc_family != AF_UNIX || flags & MSG_PEEK)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, NULL, 0);
	/* a client may have shut its side down and still wait for the answer */
	if (c && c->half[MESSAGE_REQUEST].count == c->half[MESSAGE_RESPONSE].count) {
		c->closer = CLOSER_PEER;
		conn_close(c);
	}
	return 0;
}

/* TCP gives no bytes to a reader with MSG_TRUNC; other streams do. */
static __always_inline bool conn_discards(const struct sock *sk, __u32 dir, int flags)
{
	return dir == DIR_IN && flags & MSG_TRUNC && sk->__sk_common.skc_family != AF_UNIX;
}

/* Not inlined, so that what it needs is not on the stack below line_moved(). */
static __noinline bool conn_find(struct hit *hit, struct task_struct *task, struct sock *sk)
{
	return io_find(hit, task, sk);
}

int conn_moved(struct sock *sk, int moved, __u32 dir, int flags)
{
	struct hit hit = {.moved = moved, .dir = dir};
	struct task_struct *task;
	struct conn *c;
	bool readable;

	if (!sock_is_stream(sk) || (dir == DIR_IN && flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)))
		return 0;
	task = bpf_get_current_task_btf();
	if (task->flags & PF_KTHREAD || (__u32)task->tgid == agent_tgid)
		return 0;
	c = conn_make(sk);
	if (!c || c->muted)
		return 0;
	conn_claim(c, task);
	hit.now = bpf_ktime_get_ns();
	conn_position(&hit, c, sk);
	readable = !conn_discards(sk, dir, flags) && conn_find(&hit, task, sk);
	if (hit.unseen) {
		if (c->role)
			conn_unseen(c);
		return 0;
	}
	if (!c->role && !readable)
		return io_unseen(&hit, COUNT_UNREADABLE);
	if (!c->role && !conn_first(&hit, c, sk->__sk_common.skc_num))
		return 0;
	hit.ring_used = emit_used();
	hit.detail = hit.ring_used > ring_bytes / 4 * 3 ? DETAIL_METRICS : detail;
	if (hit.detail != DETAIL_METRICS && (!c->is_open || hit.now - c->opened >= EVENT_REOPEN_NS))
		conn_open(&hit, c, sk, task);
	line_moved(&hit, c, readable);
	if (hit.again) {
		conn_open(&hit, c, sk, task);
		line_moved(&hit, c, readable);
	}
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
