// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What a connection needs once, or hardly ever: whose it is and what it speaks, its opening, its
 * starting anew. And the knobs of all files.
 *
 * A socket's state is made at its first hit. The first bytes decide: a signature gives protocol and
 * role (a request that came in makes this end the server), enough misses in both directions mute
 * the socket for good. Sockets that were open before the agent began work the same way, from their
 * next message on; a miss in one direction alone never mutes, because that may be the middle of a
 * body.
 */
#include "cgroup.bpf.h"
#include "conn.bpf.h"
#include "ends.bpf.h"
#include "frames.bpf.h"
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
const volatile __u8 queue_time = 0;
const volatile __u8 state_hashed = 0;
const volatile struct event_signature signatures[SIGNATURE_MAX] = {};
const volatile __u8 signature_of_byte[256] = {};
const volatile __u8 token_bytes[256] = {};
__u64 woken_at = 0;
__u32 emit_lost_count = 0;
__u64 emit_looked_at = 0;
__u32 emit_looked_used = 0;
struct io_table io_table SEC(".data") = {}; /* as clang 14 has it in BTF anyway */

#define MISSES_TO_MUTE	   2  /* in each direction */
#define MISSES_TO_MUTE_OLD 32 /* of a connection that may be in the middle of anything */

/* Once a connection and half an hour; tried again with its next hit if the ring was full. */
void conn_open(struct hit *hit, struct conn *c, struct sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct event_open *e = emit_reserve(sizeof(*e));

	if (!e)
		return;
	c->opened = hit->now;
	emit_head_of(&e->head, EVENT_OPEN, hit->now, c);
	e->family = ends_of(sk, e->local, e->remote);
	ports_of(sk, &e->local_port, &e->remote_port);
	e->protocol = c->protocol;
	e->born = c->born;
	e->connect_time = c->connect_time;
	e->cgroup = cgroup_current();
	BPF_CORE_READ_INTO(&e->comm, task, group_leader, comm);
	c->is_open = 1;
	c->told = 1;
	emit_submit(e, hit->now, hit->ring_used);
}

static __always_inline void conn_mute(struct conn *c, __u32 why)
{
	c->framing = CONN_MUTED;
	count(why);
}

static __always_inline void conn_missed(struct hit *hit, struct conn *c)
{
	__u8 *misses = &c->misses[hit->dir & 1];
	__u8 most = c->born ? MISSES_TO_MUTE : MISSES_TO_MUTE_OLD;

	if (*misses < most)
		(*misses)++;
	if (c->misses[DIR_IN] >= most && c->misses[DIR_OUT] >= most)
		conn_mute(c, COUNT_UNKNOWN);
}

/* A socket that nothing is known of: its role comes from what it begins with. */
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
			if (queue_time)
				queue_read(c, hit->dir == DIR_IN ? &p : NULL);
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
static __always_inline void conn_unseen(struct conn *c)
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

bool conn_unclear(struct hit *hit, struct conn *c, struct sock *sk, bool readable)
{
	if (hit->unseen) {
		if (c->role)
			conn_unseen(c);
		return false;
	}
	if (c->role)
		return true;
	if (!readable)
		return io_unseen(hit, COUNT_UNREADABLE);
	return conn_first(hit, c, sock_get(sk, __sk_common.skc_num));
}

void conn_claim(struct conn *c, __u32 tgid)
{
	if (!c->id)
		c->id = conn_id();
	conn_own(c, tgid);
	if (c->accepted && c->framing != CONN_MUTED)
		life_add(c->tgid, LIFE_OPENED_SERVER);
}

int conn_end_read(struct sock *sk, int flags)
{
	struct conn *c;

	if (sock_family(sk) != AF_UNIX || flags & MSG_PEEK)
		return 0;
	c = conn_of(sk);
	if (c && c->framing == CONN_FRAMES)
		frames_tell(sk, c, CLOSER_PEER, WEBSOCKET_OVER);
	/* a client may have shut its side down and still wait for the answer */
	if (c && c->half[MESSAGE_REQUEST].count == c->half[MESSAGE_RESPONSE].count) {
		c->closer = CLOSER_PEER;
		conn_close(c);
	}
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
