/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ends of frames are made of: what they count, what a connection's number says of its
 * fate, and how much they say. All that is random comes from the seed, so it can be had again.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>

#include "workers.h"

#define CONTROL_MAX 125
#define HEAD_MAX    14 /* of a frame */
#define HTTP_MAX    512
#define IO_MAX	    65536
#define OUT_SIZE    (IO_MAX + HEAD_MAX + CONTROL_MAX)
#define NOISE_SIZE  (1 << 20)
#define SAMPLES_MAX 65536
#define CODES	    7
#define NO_CODE	    1005
#define NO_CLOSE    1006

enum end { SERVER, CLIENT, NETWORK, ENDS };
enum type { TEXT, BINARY, CLOSE, PING, PONG, TYPES };
enum direction { RECEIVED, SENT };

static const unsigned char opcodes[TYPES] = {1, 2, 8, 9, 10};
static const char *const end_names[ENDS] = {"server", "client", "network"};
static const char *const type_names[TYPES] = {"text", "binary", "close", "ping", "pong"};
static const unsigned codes[CODES] = {1000, 1001, 1008, 1011, 4000, NO_CODE, NO_CLOSE};

/* CLOSES begins a table: codes by ends; TRAFFIC another one: directions by types, messages and
 * bytes. */
enum counter {
	OPENED,
	CLOSED,
	ROUND_TRIPS,
	ROUND_TRIPS_NS,
	CLOSES,
	TRAFFIC = CLOSES + CODES * ENDS,
	COUNTERS = TRAFFIC + 2 * TYPES * 2,
};

/* How much is said at once: `big` of one message in 64; at most io_max bytes a system call. */
struct manner {
	const char *name;
	unsigned bits, big_bits; /* sizes go up to 2^bits, each power of two as often as the next */
	unsigned io_bits, io_max;
	bool whole; /* each frame is one write */
};

/* Mixed: 1 B to 4 KiB, one in 64 up to 1 MiB; 3.6 KB at the mean, so 200,000 of them make 0.7 GB.
 * Torn: small ones; a call has not more bytes than 512 of the smallest frames. */
enum { MIXED, TORN, WHOLE, MANNERS };
static const struct manner manners[MANNERS] = {
	{"", 12, 20, 16, IO_MAX, false},
	{"torn", 6, 10, 6, 1024, false},
	{"whole", 8, 10, 16, IO_MAX, true},
};

struct samples {
	uint64_t count, of[SAMPLES_MAX];
};

struct bytes {
	unsigned char n, of[CONTROL_MAX];
};

/* What is read: a frame's head, then its payload. */
struct receiver {
	unsigned char head[HEAD_MAX];
	unsigned head_size, message; /* enum type of the one that is under way */
	bool in_message, in_payload;
	uint64_t left, messages, wanted;
	struct bytes control;
};

struct sender {
	unsigned char *buffer;
	size_t start, end, mark;    /* in it; mark: the last payload begins there */
	uint64_t written, ping_end; /* positions in the stream */
	uint64_t left;		    /* of the payload that goes out */
	const unsigned char *noise; /* and where it comes from */
	uint64_t message_left;	    /* of the message, beside this frame */
	unsigned fragments, type;   /* still to come */
	unsigned messages, pings;   /* still to come */
	bool started;		    /* its first frame has gone */
	bool whole;		    /* the next write takes all there is */
	bool pong, ping;	    /* is to go; is under way */
	struct bytes pong_bytes, ping_bytes;
	long long ping_time;
};

enum state { SHAKING, OPEN, GONE };

struct peer {
	struct worker_end *w;
	int fd;
	unsigned number;
	enum state state;
	bool busy, watches_room; /* as the epoll knows */
	uint64_t plan, chance;	 /* random: what is said; in which pieces */
	const struct manner *manner;
	bool close_wanted, close_sent, close_received;
	unsigned code, initiator; /* index of codes; enum end */
	char http[HTTP_MAX];
	unsigned http_size;
	struct receiver in;
	struct sender out;
};

/* A worker: one end of its connections. */
struct worker_end {
	enum end end;
	unsigned number;
	uint64_t seed, *counts;
	struct samples *samples;
	const char *prefix;
	unsigned ports[WORKERS_MAX], port_count;
	int epoll, listener, parent;
	bool asked;		     /* the parent waits for an answer */
	const struct manner *manner; /* of the next to open */
	unsigned to_open, shaking, busy, count;
	struct peer **peers;
	unsigned char *noise;
	unsigned char in[IO_MAX];
};

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15ULL;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

static inline unsigned random_below(uint64_t *state, uint64_t n)
{
	return (unsigned)(random_next(state) % n);
}

/* 2^low to 2^high - 1, each power of two as often as the next. */
static inline unsigned random_size(uint64_t *state, unsigned low, unsigned high)
{
	unsigned power = 1U << (low + random_below(state, high - low));

	return power + random_below(state, power);
}

static inline const struct manner *manner_of(const char *name)
{
	unsigned i = 0;

	while (i < MANNERS - 1 && strcmp(manners[i].name, name) != 0)
		i++;
	return &manners[i];
}

static inline unsigned message_size(struct peer *p)
{
	static const unsigned borders[] = {125, 126, 127, 128, 65535, 65536};
	unsigned dice = random_below(&p->plan, 128);

	if (dice == 0 && !p->manner->whole)
		return borders[random_below(&p->plan, sizeof(borders) / sizeof(borders[0]))];
	if (dice < 3)
		return random_size(&p->plan, p->manner->bits, p->manner->big_bits);
	return random_size(&p->plan, 0, p->manner->bits);
}

static inline unsigned io_size(struct peer *p)
{
	if (p->manner->whole || random_below(&p->chance, 16) == 0)
		return p->manner->io_max;
	return random_size(&p->chance, 0, p->manner->io_bits);
}

/*
 * The fate of a connection. Of twenty, nine are closed by each end, one is dropped without a close
 * frame, and one is closed by either. NETWORK: dropped.
 */
static inline enum end closer_of(unsigned number)
{
	unsigned kind = number % 20;

	if (kind == 18)
		return NETWORK;
	return kind < 9 || (kind == 19 && number / 20 % 2) ? SERVER : CLIENT;
}

static inline enum end dropper_of(unsigned number)
{
	return number / 20 % 2 ? SERVER : CLIENT;
}

static inline bool drops_by_reset(unsigned number)
{
	return number / 40 % 2;
}

/* Closes right behind its last message, whatever is under way. */
static inline bool is_hasty(unsigned number)
{
	return number % 8 == 1 && closer_of(number) != NETWORK;
}

/* Who closes the socket once both close frames have gone. */
static inline enum end finisher_of(unsigned number)
{
	return number % 3 ? SERVER : CLIENT;
}

static inline unsigned code_of(unsigned number)
{
	return (number / 20 + number) % (CODES - 1);
}

/* The server says a message in the same write as its 101. */
static inline bool is_greeted(unsigned number)
{
	return number % 2;
}

static inline unsigned code_index(unsigned code)
{
	for (unsigned i = 0; i < CODES; i++)
		if (codes[i] == code)
			return i;
	fail("an unknown close code");
	return 0;
}

static inline void traffic_count(struct peer *p, enum direction direction, unsigned type,
				 unsigned messages, uint64_t bytes)
{
	uint64_t *at = p->w->counts + TRAFFIC + 2 * (direction * TYPES + type);

	at[0] += messages;
	at[1] += bytes;
}

/* The first close frame, or the end without one. */
static inline void close_note(struct peer *p, unsigned code, enum end initiator)
{
	if (p->close_sent || p->close_received)
		return;
	p->code = code;
	p->initiator = initiator;
}

static inline enum end other_end(const struct peer *p)
{
	return p->w->end == SERVER ? CLIENT : SERVER;
}

#endif
