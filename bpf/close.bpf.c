// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The end of a connection: what is still to be counted here is counted, and a record says the rest,
 * once. Should the ring have no room for it, what had no response is counted here as well, and the
 * record waits in a table beside the ring if user space knows of the connection.
 */
#include "conn.bpf.h"
#include "line.bpf.h"
#include "shed.bpf.h"
#include "emit.bpf.h"

static __always_inline void close_fill(struct event_close *e, const struct conn *c, __u64 now)
{
	const struct half *request = &c->half[MESSAGE_REQUEST];
	const struct half *response = &c->half[MESSAGE_RESPONSE];

	emit_head_of(&e->head, EVENT_CLOSE, now, c);
	e->head.tgid = c->tgid; /* this may run in softirq, on anybody's back */
	e->requests = request->count;
	e->responses = response->count;
	e->dropped = c->dropped;
	e->unknown = c->unknown;
	e->begun = c->begun;
	e->counted = c->counted;
	e->closer = c->closer;
	e->row = request->row;
	e->protocol = c->protocol;
	e->flags = c->tentative ? CLOSE_TENTATIVE : 0;
	e->held = __builtin_popcount(c->held);
	e->request_time = request->time;
	e->request_bytes = request->bytes;
	e->response_time = response->last;
	e->response_bytes = response->bytes;
	e->tail = response->tail;
}

/* Requests that were only taken for ones, and of which nobody knows. */
static __always_inline void close_held(struct conn *c)
{
	__u32 held = __builtin_popcount(c->held);

	c->held = 0;
	if (!held)
		return;
	count_by(COUNT_SETTLED, held);
	if (c->tentative)
		count_by(COUNT_REFUTED, held);
}

/* Counts what had no response; returns how many that were. */
static __always_inline __u32 close_owed(struct conn *c, __u64 now)
{
	__u32 owed = c->half[MESSAGE_REQUEST].count - c->half[MESSAGE_RESPONSE].count;

	if (c->closer == CLOSER_UNSEEN)
		count_by(COUNT_UNREAD, owed);
	else
		shed_abort(c, now);
	return owed;
}

/*
 * What had no response is told as aborted by this record. Should the ring have no room, it is
 * counted here, and the record waits in a table if user space knows of the connection.
 */
void conn_close(struct conn *c)
{
	struct event_close e = {};
	__u32 used;
	__u64 now;

	shed_settle(c);
	if (!c->told && (c->tentative || !line_owed(c))) {
		close_held(c);
		return;
	}
	now = bpf_ktime_get_ns();
	used = emit_used();
	close_fill(&e, c, now);
	if (bpf_ringbuf_output(&ring, &e, sizeof(e), emit_flags(now, used))) {
		count(COUNT_RING_FULL);
		emit_missed();
		e.flags |= CLOSE_SHED;
		if (!c->tentative && line_owed(c))
			e.counted += close_owed(c, now);
		if (c->told && bpf_map_update_elem(&orphans, &c->id, &e, BPF_ANY))
			count(COUNT_CLOSES_LOST);
	}
	close_held(c);
	c->told = c->is_open = 0;
	/* said once, whoever comes again */
	c->half[MESSAGE_REQUEST].count = c->half[MESSAGE_RESPONSE].count;
	c->begun = c->counted = 0;
}

void conn_settle(struct conn *c, struct sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	__s32 hole = tcp && c->role ? conn_hole(c, tcp->copied_seq) : 0;

	if (!hole || c->framing != CONN_LINE || c->tentative)
		return;
	if (c->role == ROLE_CLIENT && line_owed(c))
		response_skip(c, 0);
	else
		c->half[line_kind(c, DIR_IN)].bytes += hole;
}

char _license[] SEC("license") = "Dual BSD/GPL";
