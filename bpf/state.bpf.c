// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * State by a socket's address, for backends without socket storage. The entry of a TCP socket goes
 * when TCP destroys it. A unix socket has no such sign: its entry goes when its address is seen
 * with another inode, or with none at the next roll call. Where an entry is found stale, what it
 * had open is told or counted as at any other close.
 *
 * Elements are not preallocated, so that one that goes is whole until all that look at it are done.
 */
#include "conn.bpf.h"
#include "frames.bpf.h"

static const volatile struct conn conn_nothing = {};
static const volatile struct frames frames_nothing = {};

void state_drop(__u64 sk)
{
	bpf_map_delete_elem(&hashed_frames, &sk);
	bpf_map_delete_elem(&hashed_conns, &sk);
}

void state_gone(__u64 sk, struct conn *c)
{
	struct frames *w = bpf_map_lookup_elem(&hashed_frames, &sk);

	if (w)
		frames_record(w, c, c->closer, WEBSOCKET_OVER);
	conn_close(c);
	state_drop(sk);
}

/* Is it the state of a socket that stood at this address before? */
static __always_inline bool conn_is_stale(const struct conn *c, __u32 inode, int how)
{
	return c->inode && (inode ? c->inode != inode : how == STATE_NEW);
}

struct conn *conn_hashed(__u64 sk, __u32 inode, int how)
{
	struct conn *c = bpf_map_lookup_elem(&hashed_conns, &sk);

	if (c && conn_is_stale(c, inode, how)) {
		state_gone(sk, c);
		c = NULL;
	}
	if (!c && how) {
		bpf_map_update_elem(&hashed_conns, &sk, (const void *)&conn_nothing, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&hashed_conns, &sk);
		if (c) {
			OLD_ONLY(c->sk = sk);
			c->is_unix = sock_family(state_cast(sk, struct sock)) == AF_UNIX;
		}
	}
	if (c && !c->inode)
		c->inode = inode;
	return c;
}

struct frames *frames_hashed(__u64 sk, int how)
{
	struct frames *w = bpf_map_lookup_elem(&hashed_frames, &sk);

	if (w || !how)
		return w;
	bpf_map_update_elem(&hashed_frames, &sk, (const void *)&frames_nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&hashed_frames, &sk);
}

char _license[] SEC("license") = "Dual BSD/GPL";
