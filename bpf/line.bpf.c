// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * Framing `line`: messages that begin with a first line that gives them away, HTTP/1. A hit either
 * begins a message (its first 16 bytes match a signature row), goes on with a head that is not
 * captured whole yet, or moves a body, which only moves counters.
 *
 * Requests and responses are numbered apart, each by the thread that moves them; response n answers
 * request n. A response begins only while one is owed, except for what the kernel cannot see:
 * requests pipelined in one read, which user space finds in the captured bytes. Those go out as
 * unpaired.
 *
 * Where a message is expected, the bytes are read straight into a reserved record, which is
 * discarded if they are something else. Elsewhere 16 bytes are looked at first.
 */
#include "line.bpf.h"
#include "emit.bpf.h"

#define TAIL_BYTES   8
#define CRLF_CRLF    0x0a0d0a0d
#define CONTINUE     "HTTP/1.1 100 Continue\r\n\r\n"
#define HEAD_VECTORS 4 /* buffers of one call that a head may be spread over */

/* Part of a hit: one buffer of it. */
struct part {
	__u64 addr;
	__u32 len;
	__u32 seq;
	__u32 moved; /* by the whole hit, in its first part; else 0 */
	__u32 unused;
};

int line_emit_256(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start);
int line_emit_1024(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start);
int line_emit_4096(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start);

static __always_inline int window_read(struct window *w, const struct part *p)
{
	__u32 n = p->len < SIGNATURE_BYTES ? p->len : SIGNATURE_BYTES;

	w->word[0] = w->word[1] = 0;
	return bpf_probe_read_user(w->byte, n, (void *)p->addr);
}

/*
 * An answer that does not end the exchange: the three digits of the status begin at byte 9, and 101
 * is none. A 100 is often followed by the answer proper in the same hit; then that is what begins.
 */
static __always_inline bool line_is_interim(const struct window *w, const struct event_data *e,
					    __u32 captured)
{
	const __u8 *after = e ? e->bytes + sizeof(CONTINUE) - 1 : NULL;

	if (w->byte[9] != '1' || (w->byte[10] == '0' && w->byte[11] == '1'))
		return false;
	return !after || captured < sizeof(CONTINUE) + 8 || after[0] != 'H' || after[5] != '1';
}

static __always_inline __u32 line_kind(const struct conn *c, __u32 dir)
{
	return (c->role == ROLE_SERVER) == (dir == DIR_IN) ? MESSAGE_REQUEST : MESSAGE_RESPONSE;
}

static __always_inline bool line_owed(const struct conn *c)
{
	return (__s32)(c->half[MESSAGE_REQUEST].count - c->half[MESSAGE_RESPONSE].count) > 0;
}

static __always_inline __u64 tail_read(const struct hit *hit)
{
	__u32 n = hit->last_len < TAIL_BYTES ? hit->last_len : TAIL_BYTES;
	__u64 tail = 0;

	/* the last byte stands on top, so a short tail is padded below */
	bpf_probe_read_user(&tail, n, (void *)(hit->last + hit->last_len - n));
	return n ? tail << (8 * (TAIL_BYTES - n) & 63) : 0;
}

static __always_inline void line_end(struct hit *hit, struct conn *c)
{
	struct half *h = &c->half[MESSAGE_RESPONSE];
	struct event_end *e;

	if (h->hits < 2 || h->bytes == c->ended_bytes)
		return;
	e = emit_reserve(sizeof(*e));
	if (!e)
		return;
	emit_head_of(&e->head, EVENT_END, h->last, c);
	e->txn = h->count;
	e->response_bytes = h->bytes;
	e->tail = h->tail;
	c->ended_bytes = h->bytes;
	emit_submit(e, hit->now);
}

static __always_inline void line_progress(const struct conn *c, const struct half *h)
{
	__u32 slot = event_progress_slot(c->id);
	struct event_progress *p = bpf_map_lookup_elem(&progress, &slot);

	if (!p)
		return;
	p->conn = c->id;
	p->txn = h->count;
	p->time = h->last;
	p->response_bytes = h->bytes;
	p->tail = h->tail;
	p->check = c->id ^ h->count ^ h->last ^ h->bytes ^ h->tail;
}

/*
 * A client's response can be read by one thread before the hook of the send that asked for it has
 * run in another. The response then stood there unpaired, but its ack lies past the request's first
 * byte.
 */
static __always_inline void line_pair(struct conn *c, __u32 seq)
{
	if (c->flags & CONN_UNPAIRED && (__s32)(c->unpaired_ack - seq) > 0)
		c->half[MESSAGE_RESPONSE].count = c->half[MESSAGE_REQUEST].count;
	c->flags &= ~CONN_UNPAIRED;
}

static __always_inline void half_begin(struct half *h, struct hit *hit, const struct part *p,
				       int row)
{
	h->time = h->last = hit->now;
	h->bytes = p->moved;
	h->hits = 1;
	h->tail = 0;
	h->captured = 0;
	h->capturing = 1;
	h->row = row;
}

/* A message begins; returns the flags of its record. */
static __always_inline __u8 line_begin(struct hit *hit, struct conn *c, const struct part *p,
				       __u32 kind, int row)
{
	struct half *request = &c->half[MESSAGE_REQUEST], *response = &c->half[MESSAGE_RESPONSE];
	__u8 flags = DATA_START;

	if (kind == MESSAGE_REQUEST) {
		if (!line_owed(c))
			line_end(hit, c);
		half_begin(request, hit, p, row);
		request->count++;
		c->starts[request->count % STARTS] = hit->now;
		response->capturing = 0;
		line_pair(c, p->seq);
		count(COUNT_REQUESTS);
		return flags | (c->flags & CONN_TENTATIVE ? DATA_TENTATIVE : 0);
	}
	line_end(hit, c);
	half_begin(response, hit, p, row);
	c->ended_bytes = 0;
	request->capturing = 0;
	c->flags &= ~CONN_TENTATIVE;
	if (line_owed(c)) {
		response->count++;
	} else {
		flags |= DATA_UNPAIRED;
		c->unpaired_ack = hit->ack;
		c->flags |= CONN_UNPAIRED;
	}
	count(COUNT_TRANSACTIONS);
	return flags;
}

static __always_inline void line_fill(struct event_data *e, struct hit *hit, const struct conn *c,
				      const struct part *p, __u32 kind, __u8 flags)
{
	const struct half *request = &c->half[MESSAGE_REQUEST];
	const struct half *h = &c->half[kind & 1];
	__u32 behind = request->count - h->count;

	emit_head_of(&e->head, EVENT_DATA, hit->now, c);
	e->message = kind;
	e->flags = flags;
	e->row = kind == MESSAGE_REQUEST ? h->row : request->row;
	e->protocol = c->protocol;
	e->txn = h->count;
	e->seq = p->seq;
	e->ack = hit->ack;
	e->moved = p->moved;
	e->unused = 0;
	e->request_time =
		behind < STARTS && !(flags & DATA_UNPAIRED) ? c->starts[h->count % STARTS] : 0;
	e->request_bytes = behind || flags & DATA_UNPAIRED ? 0 : request->bytes;
}

/* After the bytes are in the record: is the head at its end, what were the hit's last bytes? */
static __always_inline void line_tail(struct event_data *e, struct half *h, const struct hit *hit,
				      __u32 captured, __u32 class)
{
	__u64 edge = 0;

	e->captured = captured;
	h->captured += captured;
	if (captured >= TAIL_BYTES)
		edge = *(__u64 *)&e->bytes[(captured - TAIL_BYTES) & (class - 1)];
	e->tail = h->tail = captured == hit->moved ? edge : tail_read(hit);
	if (h->captured >= capture_bytes || edge >> 32 == CRLF_CRLF)
		h->capturing = 0;
}

/* After 101, or 2xx to a CONNECT, the connection speaks something else. */
static __always_inline void line_tunnel(struct conn *c, const struct window *w, __u32 kind)
{
	bool switching = w->byte[9] == '1' && w->byte[10] == '0' && w->byte[11] == '1';
	bool connected = w->byte[9] == '2' && signature(c->half[MESSAGE_REQUEST].row)->tunnel;

	if (kind == MESSAGE_RESPONSE && (switching || connected))
		c->flags |= CONN_MUTED;
}

/* The part's first bytes into the record, at most n of them; returns how many there are. */
static __always_inline __u32 line_capture(struct event_data *e, const struct part *p, __u32 n,
					  const __u32 class)
{
	*(__u64 *)e->bytes = *(__u64 *)(e->bytes + 8) = 0;
	if (n > class)
		n = class;
	/* clang 14 loses the bound when it spills; the verifier has to see it here */
	asm volatile("" : "+r"(n));
	if (n <= class && !bpf_probe_read_user(e->bytes, n, (void *)p->addr))
		return n;
	count(COUNT_UNREADABLE);
	return 0;
}

static __always_inline int line_match(const struct window *w, __u32 kind)
{
	int row = window_match(w->word[0], w->word[1]);

	if (row == ROW_NONE && kind == MESSAGE_REQUEST &&
	    window_is_token_line(w->word[0], w->word[1]))
		return ROW_TOKEN;
	return row != ROW_NONE && signature(row)->message == kind ? row : ROW_NONE;
}

static __always_inline void line_lost(struct half *h, __u32 kind, bool start)
{
	count(COUNT_RING_FULL);
	if (start && kind == MESSAGE_RESPONSE)
		count(COUNT_RESPONSES_LOST);
	h->capturing = 0;
}

/*
 * A message's start, or (with start false) more of its head, in a record of at most `class` bytes.
 * Without a record the state moves all the same. Returns whether the part was taken.
 */
static __always_inline bool line_emit(struct hit *hit, struct conn *c, const struct part *p,
				      __u32 kind, bool start, const __u32 class)
{
	struct half *h = &c->half[kind & 1];
	struct event_data *e = bpf_ringbuf_reserve(&ring, sizeof(*e) + class + TAIL_BYTES, 0);
	__u32 room = start ? capture_bytes : capture_bytes - h->captured;
	__u32 n = e ? line_capture(e, p, p->len < room ? p->len : room, class) : 0;
	struct window w;
	__u8 flags = 0;

	if (start) {
		int row;

		if (e)
			w = *(struct window *)e->bytes;
		else
			window_read(&w, p);
		row = line_match(&w, kind);
		if (row == ROW_NONE || (kind == MESSAGE_RESPONSE && line_is_interim(&w, e, n))) {
			if (e)
				bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
			return row != ROW_NONE;
		}
		flags = line_begin(hit, c, p, kind, row);
		line_tunnel(c, &w, kind);
	}
	if (!e) {
		line_lost(h, kind, start);
		return true;
	}
	line_fill(e, hit, c, p, kind, flags);
	line_tail(e, h, hit, n, class);
	emit_submit(e, hit->now);
	return true;
}

int line_emit_256(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start)
{
	return hit && c && p && line_emit(hit, c, p, kind, start, 256);
}

int line_emit_1024(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start)
{
	return hit && c && p && line_emit(hit, c, p, kind, start, 1024);
}

int line_emit_4096(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start)
{
	return hit && c && p && line_emit(hit, c, p, kind, start, 4096);
}

static __always_inline bool line_send(struct hit *hit, struct conn *c, struct part *p, __u32 kind,
				      bool start)
{
	__u32 n = p->len < capture_bytes ? p->len : capture_bytes;

	if (n <= 256)
		return line_emit_256(hit, c, p, kind, start);
	if (n <= 1024)
		return line_emit_1024(hit, c, p, kind, start);
	return line_emit_4096(hit, c, p, kind, start);
}

/* Bytes that begin nothing: only counters move. */
static __always_inline void line_body(struct hit *hit, struct conn *c, __u32 kind)
{
	struct half *h = &c->half[MESSAGE_RESPONSE];

	if (kind == MESSAGE_REQUEST) {
		c->half[MESSAGE_REQUEST].bytes += hit->moved;
		return;
	}
	if (c->flags & CONN_TENTATIVE && line_owed(c)) {
		c->flags |= CONN_MUTED;
		count(COUNT_UNKNOWN); /* the answer was not HTTP: neither was the question */
		return;
	}
	h->bytes += hit->moved;
	h->hits++;
	h->last = hit->now;
	h->tail = tail_read(hit);
	line_progress(c, h);
}

/* Does this hit begin a message where none is due? Then it is worth a second read. */
static __always_inline bool line_begins(const struct part *p, __u32 kind)
{
	struct window w;
	int row;

	if (window_read(&w, p))
		return false;
	row = window_match(w.word[0], w.word[1]);
	return row != ROW_NONE && signature(row)->message == kind;
}

static __always_inline bool line_first_part(struct hit *hit, struct conn *c, struct part *p,
					    __u32 kind)
{
	struct half *h = &c->half[kind & 1];
	bool due = (kind == MESSAGE_RESPONSE) == line_owed(c);

	if (!due && h->capturing) {
		h->bytes += hit->moved;
		h->last = hit->now;
		h->hits++;
		return line_send(hit, c, p, kind, false);
	}
	if (!due && !line_begins(p, kind))
		return false;
	return line_send(hit, c, p, kind, true);
}

/* A head may be spread over the buffers of one vectored call. */
static __always_inline void line_more_parts(struct hit *hit, struct conn *c, struct part *p,
					    __u32 kind)
{
	const struct half *h = &c->half[kind & 1];
	__u32 left = hit->moved - p->len;

	p->moved = 0;
	for (int i = 1; i < HEAD_VECTORS; i++) {
		if (!left || !h->capturing)
			break;
		p->seq += p->len;
		p->addr = hit->iov[i].base;
		p->len = hit->iov[i].len < left ? hit->iov[i].len : left;
		left -= p->len;
		if (p->len)
			line_emit_1024(hit, c, p, kind, false);
	}
}

int line_moved(struct hit *hit, struct conn *c, int readable)
{
	struct part p = {};
	__u32 kind;

	if (!hit || !c)
		return 0;
	kind = line_kind(c, hit->dir);
	p.addr = hit->iov[0].base;
	p.len = hit->iov[0].len < hit->moved ? hit->iov[0].len : hit->moved;
	p.seq = hit->seq;
	p.moved = hit->moved;
	if (readable && p.len && line_first_part(hit, c, &p, kind))
		line_more_parts(hit, c, &p, kind);
	else
		line_body(hit, c, kind);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
