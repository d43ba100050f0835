// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Where a message begins: it is numbered, timed, paired, and its head goes into a record. The bytes
 * are read straight into the reserved record and looked at there; if they begin nothing, the record
 * is discarded. When the ring is full, or --detail wants no record, the state moves all the same:
 * then the transaction is counted here, in the shed table.
 *
 * A response is taken to begin where a status line stands, once its three digits are there: an
 * interim one (1xx) does not end the exchange, 101 and a CONNECT's 2xx end HTTP on this connection.
 */
#include "message.bpf.h"

#define CLASS_SMALL 128
#define CLASS_LARGE 512 /* and above: an interim head is looked behind as far as this */

struct small_head {
	__u8 byte[CLASS_SMALL];
};

struct large_head {
	__u8 byte[CLASS_LARGE];
};

/* Does another head stand behind the interim one, in the bytes captured with it? */
static __always_inline int head_follows(const __u8 *bytes, __u32 captured, const __u32 class)
{
	for (__u32 i = STATUS_BYTES; i < class - SIGNATURE_BYTES; i++) {
		if (i + SIGNATURE_BYTES > captured)
			return false;
		if (*(const __u32 *)(bytes + i) == CRLF_CRLF)
			return bytes[i + 4] == 'H' && bytes[i + 8] == '/';
	}
	return false;
}

__noinline int head_follows_small(struct small_head *head, __u32 captured)
{
	PLACED_HEAD(struct small_head, head);

	return head ? head_follows(head->byte, captured, CLASS_SMALL) : false;
}

__noinline int head_follows_large(struct large_head *head, __u32 captured)
{
	PLACED_HEAD(struct large_head, head);

	return head ? head_follows(head->byte, captured, CLASS_LARGE) : false;
}

/* Where the last whole head in the bytes ends; 0: none does. */
__noinline int head_border(struct large_head *head)
{
	PLACED_HEAD(struct large_head, head);

	for (int i = CLASS_LARGE - 4; head && i >= 0; i--)
		if (*(const __u32 *)(head->byte + i) == CRLF_CRLF)
			return i + 4;
	return 0;
}

/*
 * More requests came in one read than one record holds: it ends behind the last whole head, and the
 * next one begins there, unless what follows is a body or the rest of a long head: then the bytes
 * there begin nothing.
 */
static __always_inline __u32 message_border(struct event_data *e, __u32 captured, const __u32 class)
{
	__u32 from = captured - CLASS_LARGE;
	__u32 border;

	/* clang 14 loses the bound otherwise */
	asm volatile("" : "+r"(from));
	if (captured < CLASS_LARGE || from > class - CLASS_LARGE)
		return captured;
	OLD_ONLY(place_head(e->bytes + from, CLASS_LARGE));
	border = head_border((struct large_head *)(e->bytes + from));
	return border ? from + border : captured;
}

static __always_inline int message_follows(struct event_data *e, __u32 captured, const __u32 class)
{
	OLD_ONLY(place_head(e->bytes, class < CLASS_LARGE ? CLASS_SMALL : CLASS_LARGE));
	return class < CLASS_LARGE ? head_follows_small((struct small_head *)e->bytes, captured)
				   : head_follows_large((struct large_head *)e->bytes, captured);
}

#ifdef OLD_VERIFIER
int message_begin_words(__u32 kind, int row, int told, __u64 first, __u64 second)
{
	PLACED_CONN(hit, c);
	const struct window w = {.word = {first, second}};

	return hit && c ? message_number(hit, c, &here->begins, kind, &w, row, told) : 0;
}
#endif

__noinline int message_end(struct hit *hit, struct conn *c, int over)
{
	PLACED_CONN(hit, c);
	struct event_end *e;
	struct half *h;

	if (!hit || !c)
		return 0;
	h = &c->half[MESSAGE_RESPONSE];
	if (h->hits < 2 || h->bytes == c->ended_bytes)
		return 0;
	e = emit_reserve(sizeof(*e));
	if (!e)
		return 0;
	emit_head_of(&e->head, EVENT_END, h->last, c);
	e->txn = h->count;
	e->over = over;
	e->response_bytes = h->bytes;
	e->tail = h->tail;
	c->ended_bytes = h->bytes;
	emit_submit(e, hit->now, hit->ring_used);
	return 0;
}

/*
 * The last bytes of a hit that is not in the record whole. What ends a chunked body mostly has a
 * buffer of its own in a vectored call, so a longer last one is not read behind a whole head:
 * should it hold the end after all, that is known with the next request or the close.
 */
static __always_inline __u64 message_tail(struct hit *hit, const struct part *p, __u32 captured)
{
	return tail_read(hit, captured < p->len ? ~0ULL : TAIL_BYTES);
}

/* One load, aligned or not; of what it knows to be bytes, clang makes eight. */
static __always_inline __u64 word_at(const void *at)
{
	return *(const __u64 *)at;
}

/* After the bytes are in the record: is the head at its end, what were the hit's last bytes? */
static __always_inline void message_finish(struct event_data *e, struct half *h, struct hit *hit,
					   const struct part *p, __u32 captured, __u32 class)
{
	__u64 edge = 0, tail;

	e->captured = captured;
	h->captured += captured;
	if (likely(captured >= TAIL_BYTES)) {
		edge = word_at(e->bytes + ((captured - TAIL_BYTES) & (class - 1)));
	} else {
		if (captured) /* zeros stand behind them */
			edge = *(__u64 *)e->bytes << (8 * (TAIL_BYTES - captured) & 63);
		if (captured == hit->moved)
			edge = tail_join(h->tail, edge, captured);
	}
	tail = likely(captured == hit->moved) ? edge : message_tail(hit, p, captured);
	e->tail = h->tail = tail;
	if (h->captured >= capture_bytes || edge >> 32 == CRLF_CRLF)
		h->capturing = 0;
}

/* The part's first bytes into the record, at most n of them; returns how many there are. */
static __always_inline __u32 message_capture(struct event_data *e, const struct part *p, __u32 n,
					     const __u32 class)
{
	*(__u64 *)e->bytes = *(__u64 *)(e->bytes + 8) = 0;
	if (n > class)
		n = class;
	/* clang 14 loses the bound when it spills; the verifier has to see it here */
	asm volatile("" : "+r"(n));
	if (likely(n <= class && !bpf_probe_read_user(e->bytes, n, (void *)p->addr)))
		return n;
	count(COUNT_UNREADABLE);
	return 0;
}

/* An error, slow already, or one that something else may follow in the same hit: even with little
 * detail it is told of. */
static __always_inline bool response_is_bad(struct hit *hit, struct conn *c, const struct window *w)
{
	__u64 start = line_owed(c) ? request_start(c) : 0;

	if (unlikely(start && hit->now - start >= slow_ns))
		return true;
	return unlikely(w->byte[9] == '1' || (w->byte[9] >= '5' && w->byte[9] <= '9'));
}

/* Is there to be a record of it, with less than full detail? */
static __always_inline bool message_is_wanted(struct hit *hit, struct conn *c, __u32 kind,
					      const struct window *w)
{
	return kind == MESSAGE_REQUEST ? hit->detail == DETAIL_ERRORS : response_is_bad(hit, c, w);
}

/* The connection has not been told of: the hook has to do that first, and come back. */
static __always_inline bool message_must_wait(struct hit *hit, const struct conn *c)
{
	if (hit->detail != DETAIL_METRICS || c->is_open || hit->again ||
	    c->early_filled[hit->dir & 1])
		return false;
	hit->again = HIT_AGAIN;
	return true;
}

/* A message's bytes are in its record: the rest of it, and out. */
static __always_inline int message_send(struct event_data *e, struct hit *hit, struct conn *c,
					const struct part *p, __u32 kind, __u8 flags,
					__u32 answered, __u32 captured, const __u32 class)
{
	c->told = 1;
	message_fill(e, hit, c, p, kind, flags, answered);
	message_finish(e, &c->half[kind & 1], hit, p, captured, class);
	emit_submit(e, hit->now, hit->ring_used);
	return PART_TAKEN;
}

/* A message's start into a record that there is. */
static __always_inline int message_told(struct event_data *e, struct hit *hit, struct conn *c,
					struct part *p, __u32 kind, __u32 answered,
					const __u32 class)
{
	struct half *h = &c->half[kind & 1];
	__u32 n = message_capture(e, p, p->len < capture_bytes ? p->len : capture_bytes, class);
	struct window w = *(struct window *)e->bytes;
	int row = message_match(&w, h, kind);
	__u8 flags;

	if (unlikely(row == ROW_NONE || (kind == MESSAGE_RESPONSE && message_is_interim(&w) &&
					 !message_follows(e, n, class)))) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return row != ROW_NONE ? PART_TAKEN : PART_OTHER;
	}
	if (kind == MESSAGE_REQUEST && unlikely(n < p->len && n >= capture_bytes)) {
		n = message_border(e, n, class);
		p->next = n;
	}
	flags = message_begin(hit, c, p, kind, &w, row, true);
	message_tunnel(c, &w, kind);
	return message_send(e, hit, c, p, kind, flags, answered, n, class);
}

/* The same without one: the state moves all the same. w: its first bytes. */
static __always_inline int message_silent(struct hit *hit, struct conn *c, struct part *p,
					  __u32 kind, const struct window *w, bool wanted)
{
	struct half *h = &c->half[kind & 1];
	int row = message_match(w, h, kind);

	if (unlikely(row == ROW_NONE))
		return PART_OTHER;
	if (kind == MESSAGE_RESPONSE && unlikely(message_is_interim(w)))
		return PART_TAKEN;
	message_begin(hit, c, p, kind, w, row, false);
	message_tunnel(c, w, kind);
	message_untold(h, wanted);
	return PART_TAKEN;
}

/*
 * A message's start in a record of at most `class` bytes. With a record and without are two ways
 * all along: verifiers before 6.3 do not see that what was reserved is not NULL when it is tested
 * again.
 */
static __always_inline int message_start(struct hit *hit, struct conn *c, struct part *p,
					 __u32 kind, const __u32 class)
{
	bool looked = hit->detail != DETAIL_FULL, wanted = true;
	__u32 answered = c->half[MESSAGE_RESPONSE].count;
	struct event_data *e = NULL;
	struct window w;

	if (looked) {
		window_read(&w, p, c, hit->dir);
		wanted = message_is_wanted(hit, c, kind, &w);
		if (unlikely(wanted) && message_must_wait(hit, c))
			return PART_TAKEN;
	}
	if (wanted)
		e = bpf_ringbuf_reserve(&ring, sizeof(*e) + class + TAIL_BYTES, 0);
	if (e)
		return message_told(e, hit, c, p, kind, answered, class);
	if (!looked)
		window_read(&w, p, c, hit->dir);
	return message_silent(hit, c, p, kind, &w, wanted);
}

/* More of its head, likewise. */
static __always_inline int message_more(struct hit *hit, struct conn *c, struct part *p, __u32 kind,
					const __u32 class)
{
	struct half *h = &c->half[kind & 1];
	struct event_data *e = NULL;
	__u32 n;

	if (h->capturing)
		e = bpf_ringbuf_reserve(&ring, sizeof(*e) + class + TAIL_BYTES, 0);
	if (!e) {
		message_untold(h, h->capturing);
		return PART_TAKEN;
	}
	n = capture_bytes - h->captured;
	n = message_capture(e, p, p->len < n ? p->len : n, class);
	return message_send(e, hit, c, p, kind, 0, c->half[MESSAGE_RESPONSE].count, n, class);
}

/*
 * A response begins, and nothing of it can be read: it is counted and timed, its status is not
 * known.
 */
int message_unread(struct hit *hit, struct conn *c)
{
	PLACED_CONN(hit, c);
	struct part p = {};
	struct window w = {};
	struct event_data *e = NULL;
	bool wanted;
	__u8 flags;

	if (!hit || !c)
		return true;
	wanted = hit->detail == DETAIL_FULL;
	p.time = hit->now;
	p.seq = hit->seq;
	p.moved = hit->moved;
	if (wanted)
		e = bpf_ringbuf_reserve(&ring, sizeof(*e) + TAIL_BYTES, 0);
	if (!e) {
		message_begin(hit, c, &p, MESSAGE_RESPONSE, &w, 0, false);
		message_untold(&c->half[MESSAGE_RESPONSE], wanted);
		return true;
	}
	flags = message_begin(hit, c, &p, MESSAGE_RESPONSE, &w, 0, true);
	c->told = 1;
	c->half[MESSAGE_RESPONSE].capturing = 0;
	message_fill(e, hit, c, &p, MESSAGE_RESPONSE, flags | DATA_UNREADABLE, 0);
	e->captured = 0;
	e->tail = 0;
	emit_submit(e, hit->now, hit->ring_used);
	return true;
}

int message_start_128(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	return hit && c && p ? message_start(hit, c, p, kind, CLASS_SMALL) : PART_OTHER;
}

int message_start_512(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	return hit && c && p ? message_start(hit, c, p, kind, CLASS_LARGE) : PART_OTHER;
}

int message_start_1024(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	return hit && c && p ? message_start(hit, c, p, kind, 1024) : PART_OTHER;
}

int message_start_4096(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	/* kernels before 6.8 verify it even where it is never called */
	if (capture_bytes <= 1024 || !hit || !c || !p)
		return PART_OTHER;
	return message_start(hit, c, p, kind, 4096);
}

int message_more_128(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	return hit && c && p ? message_more(hit, c, p, kind, CLASS_SMALL) : PART_OTHER;
}

int message_more_1024(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	return hit && c && p ? message_more(hit, c, p, kind, 1024) : PART_OTHER;
}

int message_more_4096(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	/* kernels before 6.8 verify it even where it is never called */
	if (capture_bytes <= 1024 || !hit || !c || !p)
		return PART_OTHER;
	return message_more(hit, c, p, kind, 4096);
}

char _license[] SEC("license") = "Dual BSD/GPL";
