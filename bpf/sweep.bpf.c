// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Looks at all sockets that have state, asked for by user space: an iterator over the storage, one
 * call a socket. The roll call names the connections that user space was told of. One that it knows
 * and that does not answer is gone without a close record: unix sockets have no sign of an end, and
 * some kernels skip hooks. The sweep of WebSocket connections gives the figures of those that
 * moved.
 */
#include "frames.bpf.h"
#include <bpf/bpf_tracing.h>

SEC("iter/bpf_sk_storage_map")
int sweep_conns(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct conn *c = ctx->value;
	__u64 id;

	if (!c || !(c->told || c->framing == CONN_FRAMES))
		return 0;
	id = c->id;
	bpf_seq_write(ctx->meta->seq, &id, sizeof(id));
	return 0;
}

/* A WebSocket connection that has moved since the last sweep. */
SEC("iter/bpf_sk_storage_map")
int sweep_frames(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct frames *w = ctx->value;
	struct event_websocket e;
	__u32 now;

	if (!w || w->tentative || w->over)
		return 0;
	now = w->progress[DIR_IN] + w->progress[DIR_OUT];
	if (w->told && w->swept == now)
		return 0;
	frames_fill(&e, w);
	e.head.time = bpf_ktime_get_ns();
	e.closer = CLOSER_UNKNOWN;
	if (bpf_seq_write(ctx->meta->seq, &e, sizeof(e)))
		return 0; /* there was no room: this one is asked for again */
	w->told = 1;
	w->swept = now;
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
