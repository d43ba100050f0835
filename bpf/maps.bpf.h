/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every map and knob of the kernel half. Maps are weak so that each object may include this file
 * and the linker keeps one of each; knobs are rodata, set by the loader before the verifier sees
 * them. Sizes are bounds: the ring by --ring-size, the processes by the life table; socket state
 * lives and dies with its socket.
 */
#ifndef SONDE_MAPS_BPF_H
#define SONDE_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "event.h"
#include "old.bpf.h"

/* What most hits do stands together in the instruction cache, what few do stands behind it. */
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* clang and verifiers before 5.11 lose the bound of a number of 32 bits otherwise */
static __always_inline long frame_read(void *to, __u32 n, __u64 addr)
{
#ifdef OLD_VERIFIER
	asm volatile("" : "+r"(n));
	n &= 31; /* what a head has room for */
#endif
	return bpf_probe_read_user(to, n, (const void *)addr);
}

#define frame_now() bpf_ktime_get_ns()
#include "frame.bpf.h"

extern const volatile __u32 agent_tgid;	   /* never traced */
extern const volatile __u32 capture_bytes; /* of each head */
extern const volatile __u64 ring_bytes;
extern const volatile __u8 frames_protocol;	      /* number of protocol websocket in protos.h */
extern const volatile __u32 detail;		      /* enum event_detail */
extern const volatile __u8 queue_time;		      /* sock_readable runs */
extern const volatile __u8 state_hashed;	      /* by socket address, see state.bpf.h */
extern const volatile __u64 slow_ns;		      /* a response that takes longer is told of */
extern const volatile __u64 shed_bounds[SHED_BOUNDS]; /* upper ones; unused ones are the highest */

/* One message direction of a connection. Its own thread alone writes it. */
struct half {
	__u64 time;  /* of its first byte, ns */
	__u64 last;  /* of its last byte so far, ns */
	__u64 bytes; /* moved since its first byte */
	__u64 tail;
	__u32 count; /* messages begun */
	__u32 hits;  /* I/O calls of the current one */
	__u32 captured;
	__u8 capturing; /* the head goes on */
	__u8 row;
};

/* First bytes of a message that came in hits shorter than its signature. */
struct early {
	__u64 time; /* of the first of them */
	__u32 seq;
	__u32 queued;  /* see queue_waited() */
	__u64 word[4]; /* 16 bytes, and room for what is read behind them */
};

/* What is to be done with a connection's bytes. */
enum conn_framing {
	CONN_LINE = 0,	    /* not known yet, or lines: HTTP/1 */
	CONN_MUTED = 1,	    /* not ours: one look-up and out */
	CONN_FRAMES = 2,    /* see struct frames */
	CONN_UPGRADING = 3, /* still lines; behind the head of the 101, frames */
};

#define STARTS 4 /* pipelined requests whose times are kept */

/*
 * What every hit needs stands first, what a connection needs once stands last, in the cache lines
 * of a socket's storage, which begins 8 bytes into one: 56 bytes of every hit, 64 of each message
 * direction, 64 of transactions. Threads that read and threads that write meet here: each message
 * direction has its own half, and every flag is a byte of its own, so that no store touches what
 * another thread keeps.
 */
struct conn {
	__u64 id;
	__u32 tgid;   /* who connected or first used it */
	__u8 framing; /* enum conn_framing */
	__u8 role;
	__u8 protocol;
	__u8 is_open;	/* EVENT_OPEN is out */
	__u8 tentative; /* no response has proved the protocol yet */
	__u8 accepted;	/* established from the other side; counted for the process that uses it
			   first */
	__u8 closer;
	__u8 told;		   /* a record of it is out */
	__u8 early_filled[2];	   /* bytes in early[], below 16 */
	__u8 misses[2];		   /* by enum event_dir */
	__u32 position[2];	   /* by enum event_dir; out: unix sockets only */
	__u64 opened;		   /* when EVENT_OPEN was last said */
	struct frame_next next[2]; /* CONN_FRAMES: by enum event_dir */
	struct half half[2];	   /* by enum event_message */
	__u64 starts[STARTS];	   /* of requests, by transaction number */
	__u32 held;		   /* requests without a record, a bit by transaction number */
	__u32 counted;		   /* of them: here */
	__u32 dropped;		   /* responses without a record, see struct event_data */
	__u32 unknown;
	__u32 unpaired_ack; /* see message_renumber() */
	__u32 begun;	    /* requests */
	__u64 shed_start;   /* of the last response's request, should it be counted here */
	struct event_shed_key shed_key; /* its port is set from the first */
	__u8 shed;			/* enum shed_state of it */
	__u8 state;			/* of TCP, as last seen to change */
	__u8 is_unix;			/* hashed states only */
	__u64 ended_bytes;		/* of the response that the last EVENT_END told of */
	__u32 queued;			/* of the last request; see queue_waited() */
	__u32 arrived;			/* position behind what had come by then, or after it */
	__u32 segments;			/* that carried the first byte that was not read, as TCP
					   counts them */
	__u32 inode;			/* of the socket, see state.bpf.h */
	struct early early[2];		/* by enum event_dir */
	struct frame_wholes wholes[2];	/* CONN_FRAMES: by enum event_dir */
	__u64 arrival;			/* of the first byte that was not read; see queue.bpf.h */
	__u64 born;
	__u64 connect_time;
#ifdef OLD_VERIFIER
	__u64 sk; /* its address: the key */
#endif
};
#ifndef OLD_VERIFIER
/* with what the kernel puts before it; it allocates powers of two */
_Static_assert(sizeof(struct conn) <= 512 - 72, "conn");
#endif

#define PINGS 4 /* that may wait for their pong at once */

struct ping {
	__u64 payload;	/* its first bytes */
	__u64 time;	/* 0: none waits here */
	__u64 answered; /* 0: not yet */
};

/*
 * A WebSocket connection, beside its struct conn. Each direction's thread writes its own half. What
 * a sweep looks at comes first, in the one cache line that is read of an idle one. What most hits
 * need is in conn.wholes, which saves them the look-up of this.
 */
struct frames {
	__u64 conn; /* its id */
	__u64 opened;
	__u32 tgid;
	__u32 progress[2]; /* by enum event_dir: frame_progress() */
	__u32 swept;	   /* their sum at the last sweep */
	__u8 tentative;	   /* the head of the 101 goes on, or too few frames have proved it */
	__u8 over;	   /* its end was told */
	__u8 told;	   /* to a sweep */
	__u8 role;	   /* enum event_role */
	__u8 flags;	   /* WEBSOCKET_RESUMED */
	__u8 ping_next;
	__u8 closed_here; /* by a reset that this end sent: it had unread bytes, or did not linger
			   */
	__u64 undelivered;
	__u8 local[16]; /* as in struct event_open */
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u16 family;
	__u8 pongs; /* some ping is answered and not counted yet */
	struct ping pings[PINGS];
	struct frame_half half[2]; /* by enum event_dir */
};
_Static_assert(sizeof(struct frames) <= 816, "frames");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conns __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct frames);
} frames __weak SEC(".maps");

/* The same by socket address, see state.bpf.h. Sized by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct conn);
} hashed_conns __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct frames);
} hashed_frames __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PROGRESS_SLOTS);
	__type(key, __u32);
	__type(value, struct event_progress);
} progress __weak SEC(".maps");

/* Closes of connections that were told of and found no room in the ring. Sized by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct event_close);
} orphans __weak SEC(".maps");

/* Ends of WebSocket connections that found no room in the ring. Sized by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct event_websocket);
} frame_orphans __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct event_shed_key);
	__type(value, struct event_shed);
} shed __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct event_life);
} life __weak SEC(".maps");

/* Atomic, because a close may count in the softirq that interrupts another count, and because a
 * program may be preempted in one: of fexit always, of a tracepoint since Linux 7.0. */
static __always_inline void count_by(__u32 counter, __u64 by)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &counter);

	if (n)
		__sync_fetch_and_add(n, by);
}

static __always_inline void count(__u32 counter)
{
	count_by(counter, 1);
}

#endif
