// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Where a message begins: it is numbered, timed, paired, and its head goes into a record. The bytes
 * are read straight into the reserved record and looked at there; if they begin nothing, the record
 * is discarded. First hits that are shorter than a signature are kept with the socket until there
 * is enough to decide. When the ring is full the state moves all the same: only the detail is lost,
 * and counted.
 *
 * A response is taken to begin where a status line stands, once its three digits are there: an
 * interim one (1xx) does not end the exchange, 101 and a CONNECT's 2xx end HTTP on this connection.
 */
#include "line.bpf.h"
#include "emit.bpf.h"

#define STATUS_BYTES 12 /* HTTP/1.1 200 */
#define CRLF_CRLF    0x0a0d0a0d
#define INTERIM_MAX  128 /* bytes of a 1xx head behind which the answer proper is looked for */

/*
 * An answer that does not end the exchange: the three digits of the status begin at byte 9, and 101
 * is none. A 100 is often followed by the answer proper in the same hit; then that is what begins.
 */
static __always_inline bool message_is_interim(const struct window *w)
{
	return w->byte[9] == '1' && !(w->byte[10] == '0' && w->byte[11] == '1');
}

/* Does another head stand behind the interim one, in the bytes captured with it? */
static __always_inline bool message_follows(const struct event_data *e, __u32 captured)
{
	for (__u32 i = STATUS_BYTES; i < INTERIM_MAX - SIGNATURE_BYTES; i++) {
		if (i + SIGNATURE_BYTES > captured)
			return false;
		if (*(const __u32 *)(e->bytes + i) == CRLF_CRLF)
			return e->bytes[i + 4] == 'H' && e->bytes[i + 8] == '/';
	}
	return false;
}

static __always_inline void message_end(struct hit *hit, struct conn *c, bool over)
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
	e->over = over;
	e->response_bytes = h->bytes;
	e->tail = h->tail;
	c->ended_bytes = h->bytes;
	emit_submit(e, hit->now);
}

/*
 * More responses than requests have begun. Either this request's own was read by another thread
 * before the hook of the send ran here: then the response's ack lies past the request's first byte,
 * and the numbers will meet. Or requests were pipelined in one read, or one began before the agent:
 * then this side's number, which only it writes, is set forward.
 */
static __always_inline void message_renumber(struct conn *c, __u32 seq)
{
	__u32 responses = c->half[MESSAGE_RESPONSE].count;

	if ((__s32)(responses - c->half[MESSAGE_REQUEST].count) > 0 &&
	    (__s32)(c->unpaired_ack - seq) <= 0)
		c->half[MESSAGE_REQUEST].count = responses;
}

static __always_inline void half_begin(struct half *h, const struct part *p, int row)
{
	h->time = h->last = p->time;
	h->bytes = p->moved;
	h->hits = 1;
	h->tail = 0;
	h->captured = 0;
	h->capturing = 1;
	h->row = row;
}

/* A message begins; returns the flags of its record. */
static __always_inline __u8 message_begin(struct hit *hit, struct conn *c, const struct part *p,
					  __u32 kind, int row)
{
	struct half *request = &c->half[MESSAGE_REQUEST], *response = &c->half[MESSAGE_RESPONSE];
	__u8 flags = DATA_START;

	if (kind == MESSAGE_REQUEST) {
		if (!line_owed(c))
			message_end(hit, c, true);
		half_begin(request, p, row);
		message_renumber(c, p->seq);
		request->count++;
		c->starts[request->count % STARTS] = p->time;
		response->capturing = 0;
		count(COUNT_REQUESTS);
		return flags | (c->tentative ? DATA_TENTATIVE : 0);
	}
	message_end(hit, c, false);
	half_begin(response, p, row);
	c->ended_bytes = 0;
	request->capturing = 0;
	c->tentative = 0;
	if (!line_owed(c)) {
		flags |= DATA_UNPAIRED;
		c->unpaired_ack = hit->ack;
	}
	response->count++;
	return flags;
}

static __always_inline void message_fill(struct event_data *e, struct hit *hit,
					 const struct conn *c, const struct part *p, __u32 kind,
					 __u8 flags)
{
	const struct half *request = &c->half[MESSAGE_REQUEST];
	const struct half *h = &c->half[kind & 1];
	__u32 behind = request->count - h->count;

	emit_head_of(&e->head, EVENT_DATA, p->time, c);
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

/*
 * The last bytes of a hit that is not in the record whole. What ends a chunked body mostly has a
 * buffer of its own in a vectored call, so a longer last one is not read behind a whole head:
 * should it hold the end after all, that is known with the next request or the close.
 */
static __always_inline __u64 message_tail(const struct hit *hit, const struct part *p,
					  __u32 captured)
{
	return captured < p->len || hit->last_len <= TAIL_BYTES ? tail_read(hit) : 0;
}

/* After the bytes are in the record: is the head at its end, what were the hit's last bytes? */
static __always_inline void message_finish(struct event_data *e, struct half *h,
					   const struct hit *hit, const struct part *p,
					   __u32 captured, __u32 class)
{
	__u64 edge = 0;

	e->captured = captured;
	h->captured += captured;
	if (captured >= TAIL_BYTES)
		edge = *(__u64 *)&e->bytes[(captured - TAIL_BYTES) & (class - 1)];
	e->tail = h->tail = captured == hit->moved ? edge : message_tail(hit, p, captured);
	if (h->captured >= capture_bytes || edge >> 32 == CRLF_CRLF)
		h->capturing = 0;
}

/* After 101, or 2xx to a CONNECT, the connection speaks something else. */
static __always_inline void message_tunnel(struct conn *c, const struct window *w, __u32 kind)
{
	bool switching = w->byte[9] == '1' && w->byte[10] == '0' && w->byte[11] == '1';
	bool connected = w->byte[9] == '2' && signature(c->half[MESSAGE_REQUEST].row)->tunnel;

	if (kind == MESSAGE_RESPONSE && (switching || connected))
		c->muted = 1;
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
	if (n <= class && !bpf_probe_read_user(e->bytes, n, (void *)p->addr))
		return n;
	count(COUNT_UNREADABLE);
	return 0;
}

/* A connection mostly says the same again: its last row is tried before all others. */
static __always_inline int message_match(const struct window *w, const struct half *h, __u32 kind)
{
	const volatile struct event_signature *last = signature(h->row);
	int row;

	if (h->row && (w->word[0] & last->mask[0]) == last->value[0] &&
	    (w->word[1] & last->mask[1]) == last->value[1])
		return h->row;
	row = window_match(w->word[0], w->word[1]);
	if (row == ROW_NONE && kind == MESSAGE_REQUEST &&
	    window_is_token_line(w->word[0], w->word[1]))
		return ROW_TOKEN;
	return row != ROW_NONE && signature(row)->message == kind ? row : ROW_NONE;
}

static __always_inline void message_lost(struct half *h, __u32 kind, bool start)
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
static __always_inline bool message_emit(struct hit *hit, struct conn *c, const struct part *p,
					 __u32 kind, bool start, const __u32 class)
{
	struct half *h = &c->half[kind & 1];
	struct event_data *e = bpf_ringbuf_reserve(&ring, sizeof(*e) + class + TAIL_BYTES, 0);
	__u32 room = start ? capture_bytes : capture_bytes - h->captured;
	__u32 n = e ? message_capture(e, p, p->len < room ? p->len : room, class) : 0;
	struct window w;
	__u8 flags = 0;

	if (start) {
		int row;

		if (e)
			w = *(struct window *)e->bytes;
		else
			window_read(&w, p, c, hit->dir);
		row = message_match(&w, &c->half[kind & 1], kind);
		if (row == ROW_NONE || (kind == MESSAGE_RESPONSE && message_is_interim(&w) &&
					!(e && message_follows(e, n)))) {
			if (e)
				bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
			return row != ROW_NONE;
		}
		flags = message_begin(hit, c, p, kind, row);
		message_tunnel(c, &w, kind);
	}
	if (!e) {
		message_lost(h, kind, start);
		return true;
	}
	message_fill(e, hit, c, p, kind, flags);
	message_finish(e, h, hit, p, n, class);
	emit_submit(e, hit->now);
	return true;
}

int message_emit_128(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start)
{
	return hit && c && p && message_emit(hit, c, p, kind, start, 128);
}

int message_emit_512(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start)
{
	return hit && c && p && message_emit(hit, c, p, kind, start, 512);
}

int message_emit_1024(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start)
{
	return hit && c && p && message_emit(hit, c, p, kind, start, 1024);
}

int message_emit_4096(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int start)
{
	return hit && c && p && message_emit(hit, c, p, kind, start, 4096);
}

/* The kept bytes begin a message: its first record is made of them, the rest of the head follows.
 */
static __always_inline void early_emit(struct hit *hit, struct conn *c, __u32 kind, int row)
{
	struct early *early = &c->early[hit->dir & 1];
	__u32 n = c->early_filled[hit->dir & 1];
	struct half *h = &c->half[kind & 1];
	struct part p = {.time = early->time, .len = n, .seq = early->seq, .moved = n};
	struct event_data *e = emit_reserve(sizeof(*e) + SIGNATURE_BYTES);
	__u8 flags = message_begin(hit, c, &p, kind, row);

	if (!e) {
		message_lost(h, kind, true);
		return;
	}
	message_fill(e, hit, c, &p, kind, flags);
	*(__u64 *)e->bytes = early->word[0];
	*(__u64 *)(e->bytes + 8) = early->word[1];
	e->captured = h->captured = n;
	e->tail = 0;
	emit_submit(e, hit->now);
}

int message_early(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	struct window w;
	__u32 n;
	int row;

	if (!hit || !c || !p)
		return EARLY_NONE;
	n = window_read(&w, p, c, hit->dir);
	row = message_match(&w, &c->half[kind & 1], kind);
	if (n < SIGNATURE_BYTES &&
	    (row == ROW_NONE ? window_may_match(w.word[0], w.word[1], n)
			     : kind == MESSAGE_RESPONSE && n < STATUS_BYTES)) {
		early_keep(c, hit->dir, &w, n, p);
		return EARLY_TAKEN;
	}
	if (row == ROW_NONE || !c->early_filled[hit->dir & 1]) {
		c->early_filled[hit->dir & 1] = 0;
		return EARLY_NONE;
	}
	if (kind == MESSAGE_RESPONSE && message_is_interim(&w)) {
		c->early_filled[hit->dir & 1] = 0;
		return EARLY_TAKEN;
	}
	return row;
}

int message_early_begin(struct hit *hit, struct conn *c, struct part *p, __u32 kind, int row)
{
	struct half *h;
	struct window w;

	if (!hit || !c || !p)
		return 0;
	early_emit(hit, c, kind, row);
	w.word[0] = c->early[hit->dir & 1].word[0];
	w.word[1] = c->early[hit->dir & 1].word[1];
	message_tunnel(c, &w, kind);
	h = &c->half[kind & 1];
	h->bytes += p->moved;
	h->hits++;
	h->last = p->time;
	c->early_filled[hit->dir & 1] = 0;
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
