/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the walk of a direction has counted, and whether it is trusted. It is from its begin. When
 * it was lost, it tries again where the next hit begins, and is trusted when it has walked
 * FRAME_TRUSTED frames from there: until then all that it counts stands in a shadow, which payload
 * that looks like a frame can fill, and no control frame is acted upon. Then the shadow counts, or
 * it goes, heads and payload, into what is unseen.
 *
 * Pure, see frame.bpf.h.
 */
#ifndef SONDE_FRAME_TRUST_BPF_H
#define SONDE_FRAME_TRUST_BPF_H

#include "event.h"

#define FRAME_HEAD_MAX	14 /* with four bytes of a mask, and eight of a length or of a payload */
#define FRAME_PAYLOAD	8
#define FRAME_TRUSTED	6 /* of random bytes, one pair in 34 looks like a frame's begin */
#define FRAME_FIN	0x80
#define FRAME_RSV1	0x40
#define FRAME_RESERVED	0x30
#define FRAME_MASKED	0x80
#define FRAME_CONTROL	0x08
#define FRAME_CLOSE	0x88 /* the first byte of one that is allowed */
#define FRAME_PING	0x89
#define FRAME_PONG	0x8a
#define FRAME_OPCODES	0x0707 /* a bit each: continuation, text, binary, close, ping, pong */
#define MESSAGE_UNKNOWN 0x0f   /* there may be one under way, of a type that nobody saw */
#define NO_CLOSE_CODE	1005
#define CLOSE_CODE_MIN	1000 /* that may be sent */
#define CLOSE_CODE_END	5000

#define frame_inline static inline __attribute__((always_inline))

enum frame_state {
	FRAME_WALKING = 0,
	FRAME_HANDSHAKE = 1, /* the head of the 101 goes on */
	FRAME_LOST = 2,	     /* a frame may begin with the next hit */
	FRAME_STOPPED = 3,   /* it said what it must not say */
};

enum frame_step {
	FRAME_OUT = 0,	/* no more can be done with these bytes */
	FRAME_MORE = 1, /* go on */
	FRAME_END = 2,	/* the last byte of a frame was among them; go on */
};

struct frame_figures {
	__u64 messages[WEBSOCKET_TYPES];
	__u64 bytes[WEBSOCKET_TYPES];
	__u64 close_time; /* when the first close frame's last byte moved */
	__u16 close_code; /* of it; 0: there was none */
	__u16 unused[3];
};

/*
 * Messages that came as most do, each in one frame and one hit, beside what the walk has counted.
 * They never go back to it: both only grow, and so does their sum for whoever looks.
 */
struct frame_wholes {
	__u64 messages[2]; /* text and binary */
	__u64 bytes[2];
};

/* What frame_whole() has to know before it looks at a hit. */
struct frame_next {
	__u32 position; /* where it should begin */
	__u8 ready;	/* trusted, and between two messages: frame_whole() may take it */
	__u8 masked;	/* as in struct frame_half */
	__u16 unused;
};

struct frame_half {
	__u64 addr;   /* of the bytes that are still to be walked, of this hit */
	__u64 left;   /* payload bytes of the current frame that are still to come */
	__u64 length; /* of its payload; in a handshake: the last eight bytes, in lower case */
	__u64 message_bytes; /* payload of the current message, frames before this one */
	__u64 unseen;
	__u32 position; /* where the next hit should begin; not while frame_whole() takes hits */
	__u32 frames;	/* walked whole */
	__u8 masked;	/* as all frames have to be: FRAME_MASKED or 0 */
	__u8 first;	/* byte of the current frame: FIN, RSV, opcode */
	__u8 state;	/* enum frame_state */
	__u32 avail;	/* bytes at addr */
	struct frame_figures figures;
	struct frame_figures shadow; /* the same of frames that are not trusted yet */
	__u64 shadow_heads;	     /* bytes of their heads */
	__u64 payload;		     /* the first bytes of the last control frame's, not masked */
	__u32 tail;		     /* last four bytes of a handshake */
	__u32 rest;		     /* bytes of this hit in buffers behind the one at addr */
	__u16 budget;		     /* steps that may still be taken with this hit */
	__u16 buffer;		     /* of the hit: the next one */
	__u8 head[32]; /* of the current frame, as far as it has come; room for what is read behind
			*/
	__u8 head_n;
	__u8 message; /* opcode of the message that goes on; 0: none does */
	__u8 trust;   /* frames since it was lost, at most FRAME_TRUSTED */
	__u8 placed;  /* position is known */
};

/* n bytes went by, and nothing of them is known. */
frame_inline void frame_lose(struct frame_half *h, __u32 n)
{
	h->unseen += h->message_bytes + (h->length - h->left) * !!h->left + h->head_n + n;
	h->unseen += h->shadow_heads;
	for (int i = 0; i < WEBSOCKET_TYPES; i++)
		h->unseen += h->shadow.bytes[i];
	__builtin_memset(&h->shadow, 0, sizeof(h->shadow));
	h->shadow_heads = 0;
	if (h->state == FRAME_STOPPED || h->state == FRAME_HANDSHAKE)
		h->state = FRAME_STOPPED;
	else
		h->state = FRAME_LOST;
	h->left = h->message_bytes = 0;
	h->message = MESSAGE_UNKNOWN;
	h->trust = h->head_n = 0;
}

/* What was walked since it was lost were frames. */
frame_inline void frame_believe(struct frame_half *h)
{
	struct frame_figures *to = &h->figures, *from = &h->shadow;

	for (int i = 0; i < WEBSOCKET_TYPES; i++) {
		to->messages[i] += from->messages[i];
		to->bytes[i] += from->bytes[i];
	}
	if (!to->close_code) {
		to->close_code = from->close_code;
		to->close_time = from->close_time;
	}
	__builtin_memset(from, 0, sizeof(*from));
	h->shadow_heads = 0;
	h->trust = FRAME_TRUSTED;
}

/* The code in the payload of the close frame that was just walked. */
frame_inline __u16 frame_close_code(const struct frame_half *h)
{
	__u16 code = h->length < 2 ? 0 : __builtin_bswap16((__u16)h->payload);

	return code ? code : NO_CLOSE_CODE;
}

frame_inline void frame_count(struct frame_half *h, __u8 opcode, __u64 bytes)
{
	struct frame_figures *to = h->trust < FRAME_TRUSTED ? &h->shadow : &h->figures;
	__u32 type = opcode & FRAME_CONTROL ? opcode - 8 + WEBSOCKET_CLOSE : opcode - 1;

	if (type >= WEBSOCKET_TYPES)
		return;
	to->messages[type]++;
	to->bytes[type] += bytes;
	if (type != WEBSOCKET_CLOSE || to->close_code)
		return;
	to->close_code = frame_close_code(h);
	to->close_time = frame_now();
}

/* One more frame was walked. What neither begins nor ends a message that was seen says nothing. */
frame_inline void frame_prove(struct frame_half *h)
{
	__u8 opcode = h->first & 0x0f, ends = h->first & FRAME_FIN && h->message != MESSAGE_UNKNOWN;

	h->frames++;
	if (h->trust < FRAME_TRUSTED && (opcode || ends) && ++h->trust == FRAME_TRUSTED)
		frame_believe(h);
}

/* Did the last hit end with a close frame that may be one? */
frame_inline int frame_closed(const struct frame_half *h)
{
	__u16 code = frame_close_code(h);

	return h->state == FRAME_WALKING && h->trust && !h->left && !h->head_n &&
	       h->first == FRAME_CLOSE && h->length != 1 && code >= CLOSE_CODE_MIN &&
	       code < CLOSE_CODE_END;
}

/* The connection is over. Nothing stands behind a close frame: one with which all has ended is
 * believed, and what led to it. */
frame_inline void frame_over(struct frame_half *h)
{
	if (h->trust >= FRAME_TRUSTED)
		return;
	if (frame_closed(h))
		frame_believe(h);
	else
		frame_lose(h, 0);
}

#endif
