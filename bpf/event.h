/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The wire between the kernel half and the agent: what bpf/ writes and user/ reads.
 *
 * Records travel through one BPF ring buffer in the order in which they were reserved. Each
 * begins with struct event_head; the kind says which struct follows. Kinds and counters have
 * explicit values and are append only. Variable bytes stand at the end of struct event_data, struct
 * event_exec and struct event_cgroup; a record may be longer than what it uses, because space is
 * reserved in size classes. Beside the ring there are shared tables: struct event_progress (how far
 * a response has got that took more than one write), struct event_shed (transactions that the
 * kernel half counted itself), the struct event_close that found no room in the ring, struct
 * event_life (TCP connections counted by process) and the counters of enum event_counter.
 *
 * Positions (`seq`, `ack`) are TCP's own sequence numbers, or byte counts since the first hit on a
 * unix socket. Times are CLOCK_MONOTONIC in nanoseconds.
 */
#ifndef SONDE_EVENT_H
#define SONDE_EVENT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* A connection's EVENT_OPEN is said again after this long, so that its reader may forget idle ones.
 */
#define EVENT_REOPEN_NS (30ULL * 60 * 1000000000)

enum event_kind {
	EVENT_OPEN = 1,	 /* a connection carries a protocol we know */
	EVENT_DATA = 2,	 /* bytes of a message's head */
	EVENT_END = 3,	 /* how far a response got that took more than one hit */
	EVENT_CLOSE = 4, /* a connection that had an EVENT_OPEN is gone */
	EVENT_EXEC = 5,	 /* a process became another program */
	EVENT_EXIT = 6,	 /* a process is gone */
	EVENT_WEBSOCKET =
		7, /* how far a WebSocket connection has got; in the ring only with its end */
	EVENT_CGROUP = 8, /* a cgroup was made or removed */
};

enum event_role { ROLE_NONE = 0, ROLE_SERVER = 1, ROLE_CLIENT = 2 };
enum event_dir { DIR_IN = 0, DIR_OUT = 1 };
enum event_message { MESSAGE_REQUEST = 0, MESSAGE_RESPONSE = 1 };
enum event_closer {
	CLOSER_UNKNOWN = 0,
	CLOSER_LOCAL = 1,
	CLOSER_PEER = 2,
	CLOSER_RESET = 3,
	CLOSER_UNSEEN = 4, /* it goes on, but bytes went by unseen: whatever is open is lost */
};

/* What goes out as records; everything else is counted in struct event_shed. */
enum event_detail {
	DETAIL_FULL = 0,
	DETAIL_ERRORS = 1,  /* requests, and of the responses those that are errors or slow */
	DETAIL_METRICS = 2, /* only responses that are errors or slow */
};

/* event_data.flags */
enum {
	DATA_START = 1,	     /* the first bytes of a message; else more of the same head */
	DATA_TENTATIVE = 2,  /* the signature alone does not prove the protocol */
	DATA_UNPAIRED = 4,   /* a response without a request that the kernel had seen */
	DATA_UNREADABLE = 8, /* bytes moved but could not be read */
	DATA_HOLE = 16,	     /* a response; bytes before it were read where no hook fires */
	DATA_WAITING = 32,   /* read by a call that would have waited for bytes */
};

/* event_close.flags */
enum {
	CLOSE_SHED = 1,	     /* requests without a response are counted in struct event_shed */
	CLOSE_TENTATIVE = 2, /* nothing has proved them requests */
};

struct event_head {
	__u64 conn; /* minted once a connection, never used again; 0 for exec and exit */
	__u64 time;
	__u32 tgid; /* the process that moved the bytes */
	__u32 tid;
	__u8 kind; /* enum event_kind */
	__u8 role; /* enum event_role */
	__u8 unused[2];
	__u32 lost; /* messages and ends so far for want of room in the ring; with DETAIL_FULL */
};

struct event_open {
	struct event_head head;
	__u8 local[16]; /* network order; an IPv4 address stands in the first four */
	__u8 remote[16];
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u16 family;  /* AF_INET, AF_INET6 (v4-mapped is AF_INET), AF_UNIX (no addresses) */
	__u8 protocol; /* number of the parser in protos.h */
	__u8 unused;
	__u64 born;	    /* when the connection was established; 0 if before the agent */
	__u64 connect_time; /* how long connect() took until ESTABLISHED, ns; 0 if not seen */
	__u64 cgroup;	    /* of the process; see struct event_cgroup */
	char comm[16];	    /* of the process, not the thread */
};

struct event_data {
	struct event_head head;
	__u8 message; /* enum event_message */
	__u8 flags;
	__u8 row;	/* the signature that matched, an index into the loader's table */
	__u8 protocol;	/* number of the parser in protos.h */
	__u32 txn;	/* number of the transaction on this connection, from 1 */
	__u32 seq;	/* position of the first byte of this hit in its own direction */
	__u32 ack;	/* position reached in the other direction */
	__u32 moved;	/* bytes that this hit moved */
	__u16 captured; /* bytes of them that stand in bytes[] */
	__u16 dropped;	/* low bits, see below */
	/*
	 * Some responses have no record. By these numbers the reader lets go of what it holds open
	 * for them: `dropped` are counted in struct event_shed and their request had a record;
	 * `unknown` are counted nowhere.
	 */
	__u32 answered; /* responses begun on this connection so far */
	__u32 unknown;
	/* a response carries what counting needs, should its request's record be lost */
	__u64 request_time;  /* first byte of the request; 0 if not seen */
	__u64 request_bytes; /* moved for the request so far, head and body */
	__u64 tail;	     /* last 8 bytes that this hit moved, the very last in the top byte */
	/* of a server's request, with DATA_START: ns that its first byte waited to be read; 0: not
	 * known */
	__u64 queued;
	__u8 bytes[];
};

struct event_end {
	struct event_head head; /* time is that of the last byte */
	__u32 txn;
	__u32 over;	      /* a request follows; else bytes that may begin another response */
	__u64 response_bytes; /* moved for the response, head and body */
	__u64 tail;
};

struct event_close {
	struct event_head head;
	__u32 requests; /* numbers reached; `begun` is how many were seen */
	__u32 responses;
	__u32 unknown;	    /* responses, as in struct event_data */
	__u8 closer;	    /* enum event_closer */
	__u8 row;	    /* of the last request */
	__u8 protocol;	    /* number of the parser in protos.h */
	__u8 flags;	    /* CLOSE_* */
	__u32 held;	    /* requests that had neither a record nor a response */
	__u32 dropped;	    /* responses, as in struct event_data */
	__u32 begun;	    /* requests that were seen to begin */
	__u32 counted;	    /* of them: in struct event_shed, or in COUNT_UNREAD */
	__u64 request_time; /* of the last request */
	__u64 request_bytes;
	__u64 response_time;  /* last byte of the last response; 0 if there was none */
	__u64 response_bytes; /* of the last response */
	__u64 tail;
};

struct event_exec {
	struct event_head head;
	char comm[16];
	__u64 cgroup;	/* see struct event_cgroup */
	__u16 captured; /* bytes of args[] */
	__u16 unused[3];
	char args[]; /* the command line, arguments ended by NUL */
};

struct event_exit {
	struct event_head head;
};

/*
 * Numbers of cgroups are the kernel's own, with that of the hierarchy in the top 16 bits, since
 * each hierarchy counts for itself. Told are those that the other records speak of: of the unified
 * hierarchy (number 0), and of the one that has the controller pids, where that is another.
 */
struct event_cgroup {
	struct event_head head;
	__u64 cgroup;
	__u16 captured; /* bytes of path[] */
	__u8 gone;	/* removed; else it was made, or is there */
	__u8 unused[5];
	char path[]; /* from the hierarchy's root */
};

#define EVENT_HIERARCHY_SHIFT 48
#define EVENT_PATH_MAX	      512

#define EVENT_ARGS_MAX	  256
#define EVENT_CAPTURE_MAX 4096 /* upper limit of --capture-bytes */

/*
 * How far a response has got, for user space to look at without a record a write. The slot of a
 * connection is its id's hash, so two can share one: the last writer stays, the other connection
 * waits for its EVENT_END. `check` is the xor of all other words, which unmasks a torn read.
 */
struct event_progress {
	__u64 conn;
	__u64 txn;
	__u64 time; /* of the last byte so far */
	__u64 response_bytes;
	__u64 tail;
	__u64 check;
	__u64 unused[2];
};
#define PROGRESS_BITS  14
#define PROGRESS_SLOTS (1 << PROGRESS_BITS)

static inline __u32 event_progress_slot(__u64 conn)
{
	return (__u32)((conn * 0x9E3779B97F4A7C15ULL) >> (64 - PROGRESS_BITS));
}

/*
 * Transactions that the kernel half counted itself, because their response had no record: the ring
 * was full, or --detail did not ask for one. Buckets are the metrics' own, by rodata. What finds no
 * room counts under the key of its role with everything else 0, which the loader makes, and as
 * COUNT_SHED_FULL.
 */
struct event_shed_key {
	__u32 tgid;
	__u16 status;
	__u16 port;    /* of a server; 0 of a client */
	__u8 role;     /* enum event_role */
	__u8 protocol; /* number of the parser in protos.h */
	__u8 row;      /* the signature that the request matched */
	__u8 aborted;
};
#define SHED_BOUNDS 24 /* most of a histogram */

struct event_times {
	__u64 sum; /* ns */
	__u64 buckets[SHED_BOUNDS + 1];
};

struct event_shed {
	struct event_times duration;
	struct event_times first_byte; /* of servers' responses */
	struct event_times at_once;    /* both, of those that came in one hit */
};

/*
 * TCP connections by process, added up in the kernel: no record, so a full ring loses none. What
 * finds no room in the table is counted as COUNT_LIFE_FULL.
 */
struct event_life {
	__u64 opened[3]; /* by enum event_role */
	__u64 connect_failures;
	__u64 retransmits[3]; /* by enum event_role */
	__u64 uring_unread;   /* sends and receives through io_uring, not read */
};

/* Messages of a WebSocket connection, in the order of RFC 6455's opcodes. */
enum event_websocket_type {
	WEBSOCKET_TEXT = 0,
	WEBSOCKET_BINARY = 1,
	WEBSOCKET_CLOSE = 2,
	WEBSOCKET_PING = 3,
	WEBSOCKET_PONG = 4,
	WEBSOCKET_TYPES = 5,
};

/* event_websocket.flags */
enum {
	WEBSOCKET_OVER = 1,	  /* the connection is gone, these are its last figures */
	WEBSOCKET_RESUMED = 2,	  /* opened before the agent began: known by its frames */
	WEBSOCKET_INVALID_IN = 4, /* a frame came that RFC 6455 forbids; its direction is not
				     walked any further */
	WEBSOCKET_INVALID_OUT = 8,
};

/*
 * A WebSocket connection. Its figures stand with the socket and only grow: user space sweeps them
 * and adds what is new. A side's end and the whole end are records in the ring, or wait beside it
 * as a struct event_close does. Messages count once, when their last byte has moved; bytes are
 * those of their payloads on the wire. Ping round trips are in struct event_shed, under the number
 * of protocol websocket.
 */
struct event_websocket {
	struct event_head head; /* time of the look, or of the end; tgid: whose connection it is */
	__u8 remote[16];	/* as in struct event_open */
	__u16 local_port;
	__u16 remote_port;
	__u16 family;
	__u8 flags;			    /* WEBSOCKET_* */
	__u8 closer;			    /* enum event_closer */
	__u64 opened;			    /* last byte of the 101, or first frame seen */
	__u64 messages[2][WEBSOCKET_TYPES]; /* by enum event_dir */
	__u64 bytes[2][WEBSOCKET_TYPES];
	__u64 unseen[2];     /* bytes that could not be walked */
	__u64 undelivered;   /* written and never acknowledged; with WEBSOCKET_OVER */
	__u16 close_code[2]; /* of the first close frame by enum event_dir; 1005: without code */
	__u8 close_first;    /* 1 + the direction of the first close frame; 0: there was none */
	__u8 unused[3];
};

enum event_counter {
	COUNT_REQUESTS = 0,   /* requests that began, but for COUNT_HELD */
	COUNT_RING_FULL = 1,  /* records that found no room */
	COUNT_NO_STATE = 2,   /* sockets for which no state could be made */
	COUNT_UNREADABLE = 3, /* hits on unclassified or traced sockets without readable bytes */
	COUNT_TLS = 4,	      /* connections that began with a TLS handshake */
	COUNT_UNKNOWN = 5,    /* connections muted because no signature matched */
	COUNT_IO_URING = 6,   /* hits that came through io_uring and could not be read */
	COUNT_LIFE_FULL = 7,  /* TCP events that found no room in the table of struct event_life */
	COUNT_SHED_FULL =
		8,	    /* transactions that found no place of their own in struct event_shed */
	COUNT_HELD = 9,	    /* requests begun without a record */
	COUNT_SETTLED = 10, /* of those: answered in a record, or counted */
	COUNT_REFUTED = 11, /* of those: tentative, and nothing proved them */
	COUNT_PIPELINED =
		12, /* responses without a record to requests that were read with others */
	COUNT_CLOSES_LOST = 13, /* closes that found no room even beside the ring */
	COUNT_UNREAD = 14,	/* transactions whose response went by unseen, without a record */
	COUNT_MAX = 15,
};

/* How the bytes of a system call are found: the argument's form, by system call number. */
enum io_form {
	IO_NONE = 0,	 /* not a call that moves bytes of a socket: unreadable */
	IO_BUFFER = 1,	 /* argument 2 is the address */
	IO_VECTOR = 2,	 /* argument 2 is an array of struct iovec, argument 3 its length */
	IO_MESSAGE = 3,	 /* argument 2 is a struct msghdr */
	IO_NO_BYTES = 4, /* moves bytes that never were in user memory: sendfile, splice */
	IO_URING = 5,
	IO_MESSAGES = 6, /* argument 2 is an array of struct mmsghdr, argument 3 its length */
};
#define IO_CALLS 512 /* system call numbers that the table covers */

/* What each hit looks up, in one cache line as far as the usual calls go. */
struct io_table {
	__u32 regs_place;     /* of the registers on every task's stack; 0: not known yet */
	__u8 forms[IO_CALLS]; /* enum io_form; set by the loader */
} __attribute__((aligned(64)));

/* What a system call does to a socket, by its number too; 0: nothing. */
enum io_way {
	IO_IN = 1,	      /* reads from the socket of argument 1 */
	IO_OUT = 2,	      /* writes to it */
	IO_TO_THIRD = 4,      /* or to that of argument 3 */
	IO_FLAGS_THIRD = 8,   /* MSG_* flags are argument 3 */
	IO_FLAGS_FOURTH = 16, /* or argument 4 */
};

enum signature_framing { FRAMING_NONE = 0, FRAMING_LINE = 1 };

/* A signature row as the kernel compares it: first 16 bytes, masked. From user/proto's tables. */
struct event_signature {
	__u64 mask[2];
	__u64 value[2];
	__u8 protocol; /* number of the parser in protos.h */
	__u8 message;  /* enum event_message */
	__u8 framing;  /* enum signature_framing; FRAMING_NONE: nothing to see, mute the socket */
	__u8 tunnel;   /* after a 2xx answer the connection is not ours any more */
	__u8 next;     /* next row that begins with the same byte, or 0 */
	__u8 unseen;   /* with FRAMING_NONE: the enum event_counter that says so */
	__u8 unused[2];
};
#define SIGNATURES_PER_BYTE 4  /* rows that begin with the same byte */
#define SIGNATURE_MAX	    32 /* row 0 is "any token method, tentative" */

_Static_assert(sizeof(struct event_head) == 32, "event_head");
_Static_assert(sizeof(struct event_open) == 112, "event_open");
_Static_assert(sizeof(struct event_data) == 96, "event_data");
_Static_assert(sizeof(struct event_end) == 56, "event_end");
_Static_assert(sizeof(struct event_close) == 104, "event_close");
_Static_assert(sizeof(struct event_shed_key) == 12, "event_shed_key");
_Static_assert(sizeof(struct event_websocket) == 256, "event_websocket");
_Static_assert(sizeof(struct event_exec) == 64, "event_exec");
_Static_assert(sizeof(struct event_cgroup) == 48, "event_cgroup");
_Static_assert(sizeof(struct event_progress) == 64, "event_progress");
_Static_assert(sizeof(struct event_signature) == 40, "event_signature");

#endif
