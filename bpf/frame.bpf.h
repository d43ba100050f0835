/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The walk through WebSocket frames (RFC 6455 section 5.2) of one direction of a connection. Bytes
 * come a hit at a time and may be cut anywhere: of a frame's head what has come is kept, of its
 * payload only the number of bytes that are still to come. Each step takes a head and what is there
 * of its payload, so the steps of a hit are bounded by its bytes. Of control frames the first eight
 * payload bytes are kept: a close code, and what tells a ping's pong.
 *
 * Bytes that nobody could read are payload as far as one is under way; past it the walk is lost,
 * and tries again where the next hit begins, which mostly is a frame's begin. A frame that RFC 6455
 * forbids stops the walk of a direction for good; in a walk that is not trusted (see
 * frame_trust.bpf.h) it only says that there was no begin.
 *
 * Pure: whoever includes this defines frame_read(to, n, addr), 0 if it could, and frame_now().
 * tests/unit has a twin.
 */
#ifndef SONDE_FRAME_BPF_H
#define SONDE_FRAME_BPF_H

#include "frame_trust.bpf.h"

/* Its last byte has moved. */
frame_inline void frame_done(struct frame_half *h)
{
	__u8 opcode = h->first & 0x0f;

	frame_prove(h);
	if (opcode & FRAME_CONTROL) {
		frame_count(h, opcode, h->length);
		return;
	}
	if (opcode)
		h->message = opcode;
	h->message_bytes += h->length;
	if (!(h->first & FRAME_FIN))
		return;
	if (h->message == MESSAGE_UNKNOWN)
		h->unseen += h->message_bytes;
	else
		frame_count(h, h->message, h->message_bytes);
	h->message = 0;
	h->message_bytes = 0;
}

/* Goes n <= avail bytes on in the current payload. */
frame_inline int frame_pay(struct frame_half *h)
{
	__u32 n = h->left < h->avail ? (__u32)h->left : h->avail;

	h->left -= n;
	h->addr += n;
	h->avail -= n;
	if (h->left)
		return FRAME_OUT;
	frame_done(h);
	return FRAME_END;
}

/* Bytes of a head, as far as n of them tell. More than n: so many have to come. */
frame_inline __u32 frame_head_size(const __u8 *head, __u32 n)
{
	__u8 length = head[1] & 0x7f;
	__u32 size = 2 + (head[1] & FRAME_MASKED ? 4 : 0);

	if (n < 2)
		return 2;
	if (length == 126)
		return size + 2;
	if (length == 127)
		return size + 8;
	if (head[0] & FRAME_CONTROL)
		size += length < FRAME_PAYLOAD ? length : FRAME_PAYLOAD;
	return size;
}

frame_inline int frame_is_allowed(const struct frame_half *h, const __u8 *head)
{
	__u8 opcode = head[0] & 0x0f, length = head[1] & 0x7f;

	if (head[0] & FRAME_RESERVED || (head[1] & FRAME_MASKED) != h->masked ||
	    !(FRAME_OPCODES >> opcode & 1))
		return 0;
	/* zeros, which would go on and on */
	if (h->trust < FRAME_TRUSTED && !head[0] && !length)
		return 0;
	if (opcode & FRAME_CONTROL)
		return head[0] & FRAME_FIN && !(head[0] & FRAME_RSV1) && length < 126;
	if (length == 127 && head[2] & 0x80)
		return 0;
	/* the walk would never come back from a terabyte that only chance has made */
	if (length == 127 && h->trust < FRAME_TRUSTED && head[2] | head[3] | head[4])
		return 0;
	if (h->message == MESSAGE_UNKNOWN)
		return 1;
	return opcode ? !h->message : h->message && !(head[0] & FRAME_RSV1);
}

frame_inline __u64 frame_word(const __u8 *from)
{
	__u64 word;

	__builtin_memcpy(&word, from, sizeof(word));
	return word;
}

frame_inline __u64 frame_length(const __u8 *head)
{
	__u8 length = head[1] & 0x7f;

	if (length == 126)
		return (__u32)head[2] << 8 | head[3];
	return length == 127 ? __builtin_bswap64(frame_word(head + 2)) : length;
}

/* A message begins where another one, of which the begin was not seen, may have been under way. */
frame_inline void frame_restart(struct frame_half *h)
{
	if (!(h->first & 0x0f) || h->message != MESSAGE_UNKNOWN)
		return;
	h->unseen += h->message_bytes;
	h->message_bytes = 0;
}

/* A head is there whole, and allowed. */
frame_inline void frame_begin(struct frame_half *h)
{
	__u64 mask, room, key = 0;

	h->first = h->head[0];
	h->length = h->left = frame_length(h->head);
	if (!(h->first & FRAME_CONTROL)) {
		frame_restart(h);
		return;
	}
	room = h->length < FRAME_PAYLOAD ? h->length : FRAME_PAYLOAD;
	mask = room < FRAME_PAYLOAD ? (1ULL << (8 * room & 63)) - 1 : ~0ULL;
	if (h->masked) {
		key = frame_word(h->head + 2) & 0xffffffff;
		key |= key << 32;
	}
	h->payload = (frame_word(h->head + (h->masked ? 6 : 2)) ^ key) & mask;
	h->left -= room;
}

frame_inline int frame_refuse(struct frame_half *h, __u32 size)
{
	if (h->trust >= FRAME_TRUSTED)
		h->state = FRAME_STOPPED;
	frame_lose(h, h->avail + size);
	h->avail = 0;
	return FRAME_OUT;
}

frame_inline int frame_head(struct frame_half *h)
{
	__u32 had = h->head_n & 15, n = FRAME_HEAD_MAX - had, size;

	if (n > h->avail)
		n = h->avail;
	if (frame_read(h->head + had, n & 15, h->addr)) {
		frame_lose(h, h->avail);
		h->avail = 0;
		return FRAME_OUT;
	}
	size = frame_head_size(h->head, had + n);
	if (had + n < size) {
		h->head_n = had + n;
		h->avail = 0;
		return FRAME_OUT;
	}
	h->addr += size - had;
	h->avail -= size - had;
	h->head_n = 0;
	if (!frame_is_allowed(h, h->head))
		return frame_refuse(h, size);
	frame_begin(h);
	if (h->trust < FRAME_TRUSTED) /* what came with the head of a control's payload is none */
		h->shadow_heads += size - (h->length - h->left);
	return frame_pay(h);
}

#define HANDSHAKE_CHUNK 16
#define EBSOCKET	0x6562736f636b6574ULL /* "websocket", in any header of a 101 */
#define LF_CRLF		0x0a0d0a
#define LF_LF		0x0a0a

/* Looks for the end of the 101's head; it speaks WebSocket if it names it. */
frame_inline int frame_handshake(struct frame_half *h)
{
	__u32 n = h->avail < HANDSHAKE_CHUNK ? h->avail : HANDSHAKE_CHUNK, k;
	int ended = 0;

	if (frame_read(h->head, n & 31, h->addr)) {
		h->state = FRAME_STOPPED;
		return FRAME_OUT;
	}
	for (k = 0; k < HANDSHAKE_CHUNK && k < n && !ended; k++) {
		h->tail = h->tail << 8 | h->head[k];
		h->length = h->length << 8 | h->head[k] | 0x20;
		if (h->length == EBSOCKET)
			h->trust = FRAME_TRUSTED;
		ended = (h->tail & 0xffffff) == LF_CRLF || (h->tail & 0xffff) == LF_LF;
	}
	h->addr += k;
	h->avail -= k;
	if (!ended)
		return FRAME_MORE;
	h->length = 0;
	h->state = h->trust ? FRAME_WALKING : FRAME_STOPPED;
	return h->trust ? FRAME_MORE : FRAME_OUT;
}

frame_inline int frame_step(struct frame_half *h)
{
	if (!h->avail || h->state > FRAME_HANDSHAKE)
		return FRAME_OUT;
	if (h->state == FRAME_HANDSHAKE)
		return frame_handshake(h);
	return h->left ? frame_pay(h) : frame_head(h);
}

/* n bytes moved that cannot be read. A frame may have ended with them. */
frame_inline int frame_skip(struct frame_half *h, __u32 n)
{
	int step = FRAME_OUT;

	if (h->state == FRAME_WALKING && h->left) {
		h->avail = n;
		step = frame_pay(h);
		n = h->avail;
		h->avail = 0;
	}
	if (n)
		frame_lose(h, n);
	return step;
}

/* A hit of `moved` bytes at position seq begins: is it where the last one ended? */
frame_inline void frame_place(struct frame_half *h, __u32 seq, __u32 moved)
{
	__s32 hole = h->placed ? (__s32)(seq - h->position) : 0;

	/* the stream's end has a position of its own, and may be read with the last bytes */
	if (hole > 1)
		frame_skip(h, (__u32)hole);
	else if (hole < 0)
		frame_lose(h, 0);
	h->placed = 1;
	h->position = seq + moved;
	if (h->state == FRAME_LOST)
		h->state = FRAME_WALKING;
}

#define FRAME_BRIEF 4 /* bytes of a head that frame_whole() looks at */

/* Before the walk of a hit, and after it: who goes on from where the other has got. */
frame_inline void frame_resume(struct frame_half *h, const struct frame_next *next)
{
	if (next->ready)
		h->position = next->position;
}

frame_inline void frame_rest(const struct frame_half *h, struct frame_next *next)
{
	next->position = h->position;
	next->masked = h->masked;
	next->ready = h->state == FRAME_WALKING && h->trust >= FRAME_TRUSTED && !h->left &&
		      !h->head_n && !h->message;
}

/* May the hit that begins at position seq be told from its first bytes alone? */
frame_inline int frame_is_next(const struct frame_next *next, __u32 seq)
{
	return next->ready && next->position == seq;
}

/*
 * The walk in short, for what most hits are: one message in one frame. `head` are the first n
 * bytes, 2 to FRAME_BRIEF, of a hit of `moved` bytes that is next. Returns whether that was it; if
 * not, nothing has changed.
 */
frame_inline int frame_whole(struct frame_next *next, struct frame_wholes *o, const __u8 *head,
			     __u32 n, __u32 moved)
{
	__u32 length = head[1] & 0x7f, size = next->masked ? 6 : 2, type = (head[0] & 0x0f) - 1;

	if (type > 1 || length == 127 || (length == 126 && n < FRAME_BRIEF))
		return 0;
	if ((head[0] & (FRAME_FIN | FRAME_RESERVED)) != FRAME_FIN ||
	    (head[1] & FRAME_MASKED) != next->masked)
		return 0;
	if (length == 126) {
		length = (__u32)head[2] << 8 | head[3];
		size += 2;
	}
	if (size + length != moved)
		return 0;
	next->position += moved;
	o->messages[type]++;
	o->bytes[type] += length;
	return 1;
}

/* Changes with everything that a sweep would tell of the walk, and never goes back. */
frame_inline __u32 frame_progress(const struct frame_half *h)
{
	return h->frames + (__u32)h->unseen;
}

#endif
