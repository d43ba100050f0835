// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * When bytes come that a server has not read: with --queue-time only, since the hook costs every
 * arrival on every stream socket. It fires when the socket becomes readable, in softirq or in the
 * sender.
 *
 * Noted is the arrival of a socket's first unread byte, and only if it is sure: all that came
 * before has been read, and what came now came at once. A hook that was skipped shows in TCP's
 * count of segments; then nothing is noted. What a hit finds read is a fresh start.
 */
#include "conn.bpf.h"
#include "queue.bpf.h"
#include <bpf/bpf_tracing.h>

/*
 * Did the last `bytes` come at once? Segments that were merged on their way are full, but the last.
 * So are some that were not merged and whose first one was missed; those follow closely.
 */
static __always_inline bool queue_came_at_once(const struct tcp_sock *tcp, __u32 segments,
					       __u32 bytes)
{
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)tcp;

	return segments <= 1 || (segments < 256 && (segments - 1) * icsk->icsk_ack.rcv_mss < bytes);
}

static __always_inline void queue_tcp(struct sock *sk)
{
	struct conn *c = conn_of(sk);
	__u32 come, segments, read;
	struct tcp_sock *tcp;

	if (!c || c->role == ROLE_CLIENT || c->framing != CONN_LINE)
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	come = tcp->rcv_nxt;
	segments = tcp->data_segs_in;
	read = tcp->copied_seq;
	if (read == c->arrived && come != read && !queue_noted(c, read) &&
	    queue_came_at_once(tcp, segments - c->segments, come - read))
		c->arrival = queue_arrival(bpf_ktime_get_ns(), read);
	c->arrived = come;
	c->segments = segments;
}

/*
 * What was read is known by hits, which may come late: then the position is that of a byte whose
 * arrival is noted already.
 */
static __always_inline void queue_unix(struct sock *sk)
{
	struct conn *c;
	__u32 read;

	if (sk->sk_receive_queue.qlen != 1)
		return;
	c = conn_get(sk, STATE_MAKE);
	if (!c || c->role == ROLE_CLIENT || c->framing != CONN_LINE)
		return;
	read = c->position[DIR_IN];
	if (!queue_noted(c, read))
		c->arrival = queue_arrival(bpf_ktime_get_ns(), read);
}

int queue_read(struct conn *c, struct part *p)
{
	if (c)
		c->queued = p ? queue_waited(c, p->seq, p->time) : 0;
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(sock_readable, struct sock *sk)
{
	/* with SO_RCVLOWAT it comes late */
	if (!sock_is_stream(sk, state_hashed) || sk->sk_rcvlowat > 1)
		return 0;
	if (sk->__sk_common.skc_family == AF_UNIX)
		queue_unix(sk);
	else
		queue_tcp(sk);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
