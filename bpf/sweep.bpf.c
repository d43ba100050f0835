// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Looks at all sockets that have state, asked for by user space: an iterator over the storage, one
 * call a socket. The roll call names the connections that user space was told of. One that it knows
 * and that does not answer is gone without a close record: unix sockets have no sign of an end, and
 * some kernels skip hooks. The sweep of WebSocket connections gives the figures of those that
 * moved.
 */
#include "conn.bpf.h"
#include "frames.bpf.h"
#include <bpf/bpf_tracing.h>

static __always_inline void sweep_conn(struct seq_file *to, const struct conn *c)
{
	__u64 id = c->id;

	if (c->told || c->framing == CONN_FRAMES)
		bpf_seq_write(to, &id, sizeof(id));
}

SEC("iter/bpf_sk_storage_map")
int sweep_conns(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct conn *c = ctx->value;

	if (c)
		sweep_conn(ctx->meta->seq, c);
	return 0;
}

/*
 * Has the socket gone without a word? Nothing else tells that of a unix socket, and TCP's hooks may
 * be skipped. What stands at its address then is what it left, or another one.
 */
static __always_inline bool sweep_is_stale(const struct conn *c, __u64 sk)
{
	__u32 inode = sock_inode(sk);

	if (inode || c->is_unix)
		return c->inode && c->inode != inode;
	return state_load(state_cast(sk, struct sock), __sk_common.skc_state) == TCP_CLOSE;
}

SEC("iter/bpf_map_elem")
int sweep_hashed_conns(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct conn *here = ctx->value;
	const __u64 *key = ctx->key;
	struct conn *c;
	__u64 sk;

	if (!key || !here)
		return 0;
	sweep_conn(ctx->meta->seq, here);
	sk = *key;
	c = bpf_map_lookup_elem(&hashed_conns, &sk);
	if (c && sweep_is_stale(c, sk))
		state_gone(sk, c);
	return 0;
}

static __always_inline int sweep_websocket(struct seq_file *to, struct frames *w,
					   const struct conn *c)
{
	struct event_websocket e;
	__u32 now;

	if (!c || w->tentative || w->over)
		return 0;
	now = frames_progress(w, c);
	if (w->told && w->swept == now)
		return 0;
	frames_fill(&e, w, c);
	e.head.time = bpf_ktime_get_ns();
	e.closer = CLOSER_UNKNOWN;
	if (bpf_seq_write(to, &e, sizeof(e)))
		return 0; /* there was no room: this one is asked for again */
	w->told = 1;
	w->swept = now;
	return 0;
}

/* A WebSocket connection that has moved since the last sweep. */
SEC("iter/bpf_sk_storage_map")
int sweep_frames(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct frames *w = ctx->value;
	struct sock *sk = ctx->sk;

	if (!w || !sk)
		return 0;
	return sweep_websocket(ctx->meta->seq, w, conn_state(sk, STATE_FIND, false));
}

SEC("iter/bpf_map_elem")
int sweep_hashed_frames(struct bpf_iter__bpf_map_elem *ctx)
{
	struct frames *w = ctx->value;
	const __u64 *key = ctx->key;
	__u64 sk;

	if (!w || !key)
		return 0;
	sk = *key;
	return sweep_websocket(ctx->meta->seq, w, bpf_map_lookup_elem(&hashed_conns, &sk));
}

char _license[] SEC("license") = "Dual BSD/GPL";
