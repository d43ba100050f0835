// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Life of a TCP connection, the same in every backend: who opened it and how long that took, who
 * closed it first, and its end. A connection that carried nothing we know only moves counters.
 *
 * The kernel skips a program that runs already on this processor, as when a softirq interrupts it
 * and opens or ends another socket. So there are two of each: where one is skipped the other runs,
 * and where both run the second finds nothing left to do.
 *
 * State changes of accepted sockets and of finished handshakes run in softirq on somebody else's
 * back, so the process is never taken from there: a client's is noted when connect() begins, a
 * server's when it first moves bytes.
 */
#include "conn.bpf.h"
#include "emit.bpf.h"
#include "frames.bpf.h"
#include "life.bpf.h"
#include "queue.bpf.h"
#include <bpf/bpf_tracing.h>

/* Is this the first of the two programs that see the change? */
static __always_inline bool life_is_new(struct conn *c, __u8 state)
{
	bool is_new = c->state != state;

	c->state = state;
	return is_new;
}

static __always_inline void life_connecting(struct sock *sk)
{
	struct conn *c = conn_get(sk, STATE_MAKE);

	if (!c || !life_is_new(c, TCP_SYN_SENT))
		return;
	conn_own(c, bpf_get_current_pid_tgid() >> 32);
	c->born = bpf_ktime_get_ns();
}

static __always_inline void life_established(struct sock *sk, int old_state)
{
	struct conn *c = conn_get(sk, old_state == TCP_SYN_RECV ? STATE_NEW : STATE_MAKE);
	__u64 now = bpf_ktime_get_ns();
	struct tcp_sock *tcp;

	if (!c || !life_is_new(c, TCP_ESTABLISHED))
		return;
	if (old_state == TCP_SYN_SENT && c->born) {
		c->connect_time = now - c->born;
		life_add(c->tgid, LIFE_OPENED_CLIENT);
	} else {
		c->accepted = 1;
	}
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp) {
		c->position[DIR_IN] = tcp->copied_seq;
		queue_settle(c, tcp);
	}
	c->born = now;
}

static __always_inline struct conn *life_closer(struct sock *sk, __u8 closer)
{
	struct conn *c = conn_of(sk);

	if (c && !c->closer)
		c->closer = closer;
	return c;
}

/*
 * The process has closed its side. A WebSocket's figures go out with that already: the end may come
 * in softirq, and go unseen where a kernel skips hooks.
 */
static __always_inline void life_finished(struct sock *sk, __u8 closer)
{
	struct conn *c = life_closer(sk, closer);

	if (c && c->framing == CONN_FRAMES)
		frames_tell(sk, c, c->closer, 0);
}

static __always_inline void life_closed(struct sock *sk, int old_state)
{
	struct conn *c = conn_of(sk);

	if (!c || !life_is_new(c, TCP_CLOSE))
		return;
	if (old_state == TCP_SYN_SENT)
		life_add(c->tgid, LIFE_CONNECT_FAILED);
	if (old_state == TCP_ESTABLISHED && !c->closer)
		c->closer = CLOSER_RESET;
	if (c->framing == CONN_FRAMES)
		frames_closed(sk, old_state);
}

static __always_inline int life_changed(struct sock *sk, int old_state, int new_state)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	switch (new_state) {
	case TCP_SYN_SENT:
		life_connecting(sk);
		break;
	case TCP_ESTABLISHED:
		life_established(sk, old_state);
		break;
	case TCP_FIN_WAIT1:
		life_finished(sk, CLOSER_LOCAL);
		break;
	case TCP_CLOSE_WAIT:
		life_closer(sk, CLOSER_PEER);
		break;
	case TCP_LAST_ACK:
		life_finished(sk, CLOSER_PEER);
		break;
	case TCP_CLOSE:
		life_closed(sk, old_state);
		break;
	}
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sock_state, struct sock *sk, int old_state, int new_state)
{
	return life_changed(sk, old_state, new_state);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sock_state_again, struct sock *sk, int old_state, int new_state)
{
	return life_changed(sk, old_state, new_state);
}

/* Where the change to TCP_CLOSE was not seen, what was not acknowledged by then still is not. */
static __always_inline void life_frames_end(struct sock *sk, struct conn *c)
{
	if (life_is_new(c, TCP_CLOSE))
		frames_closed(sk, c->closer ? TCP_LAST_ACK : TCP_ESTABLISHED);
	frames_tell(sk, c, c->closer, WEBSOCKET_OVER);
}

/*
 * Not at TCP_CLOSE: a reset can come back while a send is still under way, and the process may read
 * what had arrived before it. Here the last process has let go.
 */
static __always_inline int life_destroyed(struct sock *sk)
{
	struct conn *c = conn_of(sk);

	if (c) {
		if (c->framing == CONN_FRAMES)
			life_frames_end(sk, c);
		conn_settle(c, sk);
		conn_close(c);
	}
	if (state_hashed)
		state_drop((__u64)sk);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(sock_destroyed, struct sock *sk)
{
	return life_destroyed(sk);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(sock_destroyed_again, struct sock *sk)
{
	return life_destroyed(sk);
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(sock_retransmitted, struct sock *sk)
{
	struct conn *c = conn_of(sk);

	if (c && c->tgid)
		life_add(c->tgid, c->role == ROLE_SERVER   ? LIFE_RETRANSMIT_SERVER
				  : c->role == ROLE_CLIENT ? LIFE_RETRANSMIT_CLIENT
							   : LIFE_RETRANSMIT);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
