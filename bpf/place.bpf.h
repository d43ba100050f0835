/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where the functions of a hit find what it is about: on the stack of the hook and in their
 * arguments, or (OLD_VERIFIER) in a place of the processor. There no hit interrupts another one,
 * since such kernels run tracing programs with preemption off, and what softirq runs has no hits.
 * A connection is looked up anew each time; one that has gone meanwhile ends what is under way.
 *
 * A global function begins with the PLACE_* of the pointers that it would take.
 */
#ifndef SONDE_PLACE_BPF_H
#define SONDE_PLACE_BPF_H

#ifdef OLD_VERIFIER

#define HEAD_BYTES 512

struct place {
	struct hit hit;
	struct part part;
	struct part begins; /* with what a message begins */
	__u64 sk;	    /* address of the socket */
	__u8 head[HEAD_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct place);
} places __weak SEC(".maps");

static __always_inline struct place *place_here(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&places, &key);
}

static __always_inline struct hit *place_hit(const struct hit *hit, __u64 sk)
{
	struct place *here = place_here();

	if (!here)
		return NULL;
	here->hit = *hit;
	here->sk = sk;
	return &here->hit;
}

static __always_inline struct part *place_part(const struct part *part)
{
	struct place *here = place_here();

	if (!here)
		return NULL;
	here->part = *part;
	return &here->part;
}

/* Of a record, whose bytes are not ours to pass on. */
static __always_inline void place_head(const __u8 *bytes, __u32 n)
{
	struct place *here = place_here();

	if (here)
		bpf_probe_read_kernel(here->head, n, bytes);
}

#define PLACED_HEAD(type, head)            \
	struct place *here = place_here(); \
	type *head = here ? (type *)here->head : NULL
#define PLACED_HIT(h)                      \
	struct place *here = place_here(); \
	struct hit *h = here ? &here->hit : NULL
#define PLACED_CONN(h, c) \
	PLACED_HIT(h);    \
	struct conn *c = here ? bpf_map_lookup_elem(&hashed_conns, &here->sk) : NULL
#define PLACED_FRAMES(h, w) \
	PLACED_HIT(h);      \
	struct frames *w = here ? bpf_map_lookup_elem(&hashed_frames, &here->sk) : NULL
#define PLACED_HALF(hit, h)    \
	PLACED_FRAMES(hit, w); \
	struct frame_half *h = hit && w ? &w->half[hit->dir & 1] : NULL
#define PLACED_PART(h, p) \
	PLACED_HIT(h);    \
	struct part *p = here ? &here->part : NULL
#define PLACED_MESSAGE(h, c, p) \
	PLACED_CONN(h, c);      \
	struct part *p = here ? &here->part : NULL

#else

#define PLACED_HEAD(type, head)

static __always_inline struct hit *place_hit(struct hit *hit, __u64 sk)
{
	return hit;
}

static __always_inline struct part *place_part(struct part *part)
{
	return part;
}

#define PLACED_HIT(h)
#define PLACED_CONN(h, c)
#define PLACED_FRAMES(h, w)
#define PLACED_HALF(hit, h)
#define PLACED_PART(h, p)
#define PLACED_MESSAGE(h, c, p)

#endif
#endif
