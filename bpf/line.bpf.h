/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Framing `line`, as the core calls it. These are global functions: the verifier checks each once,
 * by itself, instead of on every path that leads to it, which keeps a load under a tenth of its
 * limit.
 */
#ifndef SONDE_LINE_BPF_H
#define SONDE_LINE_BPF_H

#include "io.bpf.h"
#include "queue.bpf.h"
#include "shed.bpf.h"

#define SIGNATURE_BYTES 16
#define CRLF_CRLF	0x0a0d0a0d /* as four bytes in memory */
#define ROW_NONE	(-1)
#define ROW_TOKEN	0 /* any RFC 9110 method: tentative */

extern const volatile struct event_signature signatures[SIGNATURE_MAX];

struct window { /* the first bytes of a message */
	union {
		__u64 word[2];
		__u8 byte[SIGNATURE_BYTES];
	};
};

/* Part of a hit: one buffer of it. */
struct part {
	__u64 addr;
	__u64 time;
	__u32 len;
	__u32 seq;
	__u32 next;  /* bytes until a pipelined request that has to have a record of its own */
	__u32 moved; /* by the hit from here on, in a message's first part; else 0 */
	__u32 done;  /* bytes of the hit before this part */
	__u8 index;  /* of the buffer */
	__u8 fate;   /* enum part_fate, of the parts so far */
	__u16 unused;
};

#include "place.bpf.h"

static __always_inline const volatile struct event_signature *signature(int row)
{
	return &signatures[(__u32)row & (SIGNATURE_MAX - 1)];
}

static __always_inline __u32 line_kind(const struct conn *c, __u32 dir)
{
	return (c->role == ROLE_SERVER) == (dir == DIR_IN) ? MESSAGE_REQUEST : MESSAGE_RESPONSE;
}

/* Is there a request that no response has begun for? */
static __always_inline bool line_owed(const struct conn *c)
{
	return (__s32)(c->half[MESSAGE_REQUEST].count - c->half[MESSAGE_RESPONSE].count) > 0;
}

/*
 * shed.bpf.c: bytes were read of which nothing is known, and more than `but` requests wait: the
 * older ones' answers were among them. They are lost; the next answer is not given to them.
 */
#ifdef OLD_VERIFIER
int response_skip_of(__u64 sk, int but);
#define response_skip(c, but) response_skip_of((c)->sk, but)
#else
int response_skip(struct conn *c, int but);
#endif

/* window.bpf.c. The window travels as two words since memory arguments need kernel 5.12. */
int window_match(__u64 first, __u64 second); /* a row, or ROW_NONE */
int window_is_token_line(__u64 first, __u64 second);
int window_may_match(__u64 first, __u64 second,
		     __u32 n); /* n < 16 bytes: could more of them match? */

static __always_inline void early_keep(struct conn *c, __u32 dir, const struct window *w, __u32 n,
				       const struct part *p)
{
	struct early *early = &c->early[dir & 1];

	if (!c->early_filled[dir & 1]) {
		early->time = p->time;
		early->seq = p->seq;
		early->queued = c->queued;
	}
	early->word[0] = w->word[0];
	early->word[1] = w->word[1];
	c->early_filled[dir & 1] = n;
}

/* The first n of the kept bytes, at most 16, and zeros behind them. */
static __always_inline __u32 window_of(struct window *w, const struct early *early, __u32 n)
{
	if (n > SIGNATURE_BYTES)
		n = SIGNATURE_BYTES;
	w->word[0] = early->word[0];
	w->word[1] = early->word[1];
	if (n <= 8)
		w->word[1] = 0;
	else if (n < 16)
		w->word[1] &= (1ULL << (8 * (n - 8) & 63)) - 1;
	if (n < 8)
		w->word[0] &= (1ULL << (8 * n & 63)) - 1;
	return n;
}

/*
 * The first 16 bytes of a message that begins with this part or, kept in `early`, before it.
 * Returns how many there are, 0 if they cannot be read.
 */
static __always_inline __u32 window_read(struct window *w, const struct part *p, struct conn *c,
					 __u32 dir)
{
	__u32 had = c->early_filled[dir & 1] & (SIGNATURE_BYTES - 1);
	__u32 n = p->len < SIGNATURE_BYTES ? p->len : SIGNATURE_BYTES;
	struct early *early = &c->early[dir & 1];

	w->word[0] = w->word[1] = 0;
	if (!had)
		return bpf_probe_read_user(w->byte, n, (void *)p->addr) ? 0 : n;
	if (bpf_probe_read_user((__u8 *)early->word + had, n, (void *)p->addr))
		return 0;
	return window_of(w, early, had + n);
}

/* What became of a part. */
enum part_fate {
	PART_OTHER = 0, /* it begins no message and goes on with none */
	PART_TAKEN = 1, /* its message has begun */
	PART_KEPT = 2,	/* too short to tell: kept with the socket */
};

/* message.bpf.c: a message's start into a record of so many bytes; an enum part_fate. */
int message_start_128(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int message_start_512(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int message_start_1024(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int message_start_4096(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int message_unread(struct hit *hit, struct conn *c); /* a response without readable bytes; 1 */

/* The same with more of its head. */
int message_more_128(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int message_more_1024(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int message_more_4096(struct hit *hit, struct conn *c, struct part *p, __u32 kind);

/*
 * early.bpf.c: where hits are shorter than a signature. A row (0 and up): with those kept before,
 * the part begins a message, which early_begin() then notes; the part itself goes on with it. They
 * are two, and the caller sends the part, because all calls together have 512 bytes of stack.
 */
enum early_answer {
	EARLY_NONE = -1,    /* nothing was kept: the part stands for itself */
	EARLY_KEPT = -2,    /* it was kept */
	EARLY_INTERIM = -3, /* it ended an interim response */
};
int early_look(struct hit *hit, struct conn *c, struct part *p, __u32 kind);
int early_begin(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int row);

/* queue.bpf.c: notes how long the first byte of this part, a request's, has waited; NULL: none. */
int queue_read(struct conn *c, struct part *p) OLD_STATIC;

#define TAIL_BYTES 8

/* The last bytes of the first n of a buffer. The last byte stands on top, so a short tail is padded
 * below. */
static __always_inline __u64 tail_of(__u64 base, __u64 len)
{
	__u32 n = len < TAIL_BYTES ? len : TAIL_BYTES;
	__u64 tail = 0;

	bpf_probe_read_user(&tail, n, (void *)(base + len - n));
	return n ? tail << (8 * (TAIL_BYTES - n) & 63) : 0;
}

/*
 * vector.bpf.c: as window_read(), from as many buffers of the hit as it takes; into the kept bytes,
 * whose number stays. Returns how many there are, 0 if they cannot be read.
 */
int window_gather(struct hit *hit, struct conn *c);

/* vector.bpf.c: buffer i of the call into a part; 0 if there is none. */
int vector_part(struct hit *hit, struct part *p, __u32 i);

/* vector.bpf.c: buffer h->buffer of the call is what is to be walked next; 0 if there is none. */
int vector_frames(struct hit *hit, struct frame_half *h);

/* vector.bpf.c: the last bytes of a hit whose last `left` bytes went through far buffers. */
__u64 tail_far(struct hit *hit, __u64 left, __u64 most);

/*
 * The last bytes that a hit moved, unless more than `most` of them went through one buffer. A call
 * may move less than its buffers hold: which one did it end in?
 */
static __always_inline __u64 tail_read(struct hit *hit, __u64 most)
{
	__u64 left = hit->moved;

	for (int i = 0; i < IO_NEAR; i++) {
		if (hit->near[i].len >= left)
			return left <= most ? tail_of(hit->near[i].base, left) : 0;
		left -= hit->near[i].len;
	}
	return hit->vectors > IO_NEAR ? tail_far(hit, left, most) : 0;
}

/* The last bytes of a message: behind a short hit stand some of those before it. */
static __always_inline __u64 tail_join(__u64 before, __u64 tail, __u32 moved)
{
	return moved < TAIL_BYTES ? before >> (8 * moved & 63) | tail : tail;
}

#endif
