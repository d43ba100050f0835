/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Records into the ring. Nothing wakes the reader but a quarter of the ring filled, and that at
 * most once a millisecond: a wake-up costs the traced program a hundred times what the record
 * costs, and the agent looks by itself every 50 ms. A record that finds no room is counted and
 * forgotten here.
 */
#ifndef SONDE_EMIT_BPF_H
#define SONDE_EMIT_BPF_H

#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>

#define WAKE_PERIOD_NS 1000000
#define LOOK_PERIOD_NS 20000

extern __u64 woken_at;
extern __u32 emit_lost_count;
extern __u64 emit_looked_at;
extern __u32 emit_looked_used;

static __always_inline void emit_head_by(struct event_head *h, enum event_kind kind, __u64 now,
					 __u32 tgid, __u32 tid)
{
	h->conn = 0;
	h->time = now;
	h->tgid = tgid;
	h->tid = tid;
	h->kind = kind;
	h->role = ROLE_NONE;
	h->lost = emit_lost_count;
}

static __always_inline void emit_head(struct event_head *h, enum event_kind kind, __u64 now)
{
	__u64 id = bpf_get_current_pid_tgid();

	emit_head_by(h, kind, now, id >> 32, (__u32)id);
}

/* The records that follow say that something is missing before them. With less detail that is so
 * all the time. */
static __always_inline void emit_missed(void)
{
	if (detail == DETAIL_FULL)
		__sync_fetch_and_add(&emit_lost_count, 1);
}

static __always_inline void emit_head_of(struct event_head *h, enum event_kind kind, __u64 now,
					 const struct conn *c)
{
	emit_head(h, kind, now);
	h->conn = c->id;
	h->role = c->role;
}

static __always_inline void *emit_lost(void *record)
{
	if (!record)
		count(COUNT_RING_FULL);
	return record;
}

/* A record of a size known to the verifier; NULL and counted when the ring is full. */
#define emit_reserve(size) emit_lost(bpf_ringbuf_reserve(&ring, (size), 0))

static __always_inline __u32 emit_used(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
}

/* The same, as it was some microseconds ago: where there are many hits, each would ask. */
static __always_inline __u32 emit_used_about(__u64 now)
{
	if (now - emit_looked_at >= LOOK_PERIOD_NS) {
		emit_looked_used = emit_used();
		emit_looked_at = now;
	}
	return emit_looked_used;
}

/* How to commit a record: used is what was in the ring before it. */
static __always_inline __u64 emit_flags(__u64 now, __u32 used)
{
	if (used <= ring_bytes / 4 || now - woken_at <= WAKE_PERIOD_NS)
		return BPF_RB_NO_WAKEUP;
	woken_at = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void emit_submit(void *record, __u64 now, __u32 used)
{
	bpf_ringbuf_submit(record, emit_flags(now, used));
}

#endif
