/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of flow/ share: connections, exchanges and heads in pieces. Private to flow/. */
#ifndef SONDE_FLOW_CONN_H
#define SONDE_FLOW_CONN_H

#include "flow/flow.h"
#include "flow/trace.h"

#define ACCEPT_BYTES 20 /* SHA-1 */

/* What one side's head says about a WebSocket. */
struct handshake {
	bool upgrade;		      /* its Upgrade names websocket */
	bool keyed;		      /* there is a key, or an answer to one */
	uint8_t accept[ACCEPT_BYTES]; /* the answer to the key; 0 if it can be none */
};

/* Of a server request that has no answer yet; see parent.c. */
struct served {
	struct server_thread *thread; /* that read it */
	struct server_process *process;
	uint32_t number; /* never used again; 0: it is not open */
	/* calls that wait for an answer: */
	uint32_t alone_calls; /* begun while it was the only one in the process */
	uint32_t own_calls;   /* by its own thread, while it was the only one there */
	bool waiting;	      /* DATA_WAITING */
	bool beside;	      /* another thread had one when it came */
	bool shared;	      /* its own thread had one */
};

/* Of a client request that has no answer yet: whose child it may be. */
struct cause {
	struct exchange *server;
	uint32_t number; /* of what the server was serving */
	uint8_t certainty;
	bool alone; /* that was the only one in the process */
	bool own;   /* and this is what the same thread had open */
};

/* Where a request and its answer stand in the streams of their connection; see request_id.c. */
struct stream_place {
	uint32_t number;  /* of the request on its connection, from 1; 0: it had no record */
	uint32_t reached; /* position in the other direction when it was sent or read */
	uint32_t answer;  /* position of the first byte that answers it, be it of an interim one */
	bool sure;	  /* every request before it is known, or was answered before it */
	bool follows;	  /* it begins where the one before it ends */
	bool alone;	  /* when it came, a response to each one before it had begun */
	bool paired;	  /* the kernel half gave it this response, and there was no hole */
	bool unread;	  /* a head, its or the response's, has bytes that only others may know */
};

/* One request and what is known of its response. From a pool, so that idle connections stay small.
 */
struct exchange {
	struct exchange *next; /* in the connection's queue, or in the free list */
	uint32_t seq;	       /* position of the request's first byte */
	bool begun;	       /* the sink knows of it */
	bool tentative;	       /* nothing has proved the protocol yet */
	bool refused;	       /* its head was no request */
	bool traced;	       /* and names a trace */
	/* the response: */
	enum msg_end end;
	uint32_t response_txn;	    /* the kernel's number of it */
	uint32_t response_head;	    /* bytes; 0 unknown */
	uint64_t response_wanted;   /* with MSG_END_LENGTH: head and body */
	uint64_t response_moved;    /* head and body so far */
	bool streams;		    /* it is a stream of events */
	bool whole;		    /* its end mark was seen */
	uint64_t stream_told;	    /* bytes of its body that the sink knows of */
	uint32_t response_seq;	    /* position of its first byte */
	uint64_t response_base;	    /* bytes that the kernel counts for it but came before it */
	uint32_t request_head;	    /* bytes; 0 unknown */
	uint64_t request_moved;	    /* head and body; 0 unknown */
	uint64_t request_body;	    /* as the head says; REQUEST_SIZE_UNKNOWN */
	struct handshake handshake; /* of the request; of the response while it is early */
	struct served served;
	struct cause cause;
	struct stream_place place;
	struct request request;
};

/* A head that did not come whole: bytes from its start. */
struct piece {
	struct piece *next; /* free list */
	uint32_t n;
	char bytes[];
};

/* Where the last response ended. */
enum answer_end {
	ANSWER_END_UNKNOWN = 0,
	ANSWER_END_SEEN = 1, /* its end mark was there, after so many bytes as were counted */
	ANSWER_END_SAID = 2, /* its head said so */
};

/* Everything that a response record said, for the parts that come later. */
struct answer {
	uint64_t time; /* of the first byte */
	uint64_t last; /* of the last one so far */
	uint64_t moved;
	uint64_t base;	  /* bytes of the same hit before this response */
	uint64_t interim; /* of them, right before it: of interim ones */
	uint64_t tail;
	uint64_t request_time;
	uint64_t request_bytes;
	uint32_t txn;
	uint32_t seq, ack;
	uint32_t answered, dropped, unknown; /* as in the record */
	uint32_t pid, tid;
	uint8_t row;
	bool unpaired;
	bool hole;   /* DATA_HOLE */
	bool unread; /* its head goes on beyond what is here, and others may know it */
};

/* How far the two streams of a connection are known; see request_id.c. */
struct streams {
	uint32_t requests; /* that had a record */
	uint32_t proved;   /* number of the last one whose response is proved to be its */
	uint32_t request_end, answer_end;
	bool request_ended;	  /* request_end is that of the last request */
	enum answer_end answered; /* what answer_end is */
	bool sure;		  /* as in struct stream_place, of the last request */
	bool fresh;		  /* the kernel half saw the connection open */
	bool doubtful;		  /* requests overlap, or some were not seen */
	uint8_t wary;		  /* requests until the kernel's numbers are trusted again */
	uint32_t txn;		  /* the kernel's number of the last one */
};

struct conn {
	uint64_t id;				   /* the key */
	uint64_t touched;			   /* time of what was last heard of it */
	struct conn *waiting_next, **waiting_link; /* those with a response under way */
	struct exchange *first, **last;		   /* requests without a response yet, in order */
	struct exchange *answering;		   /* response begun, end not seen */
	struct exchange *early; /* response that came before its request's record */
	uint32_t early_ack;
	uint32_t dropped, unknown; /* as in the last record */
	uint32_t to_drop;	/* of the exchanges that wait: the kernel half has counted them */
	int32_t to_lose;	/* and nobody has counted these */
	int32_t balance;	/* requests found less those counted or lost; see close_balance() */
	uint32_t body_end;	/* position behind the last request's body */
	enum msg_end body;	/* how the last request's ends; MSG_END_HERE: not known, or over */
	bool body_expects;	/* its client may leave it out */
	struct piece *piece[2]; /* by enum event_message */
	struct exchange *filling; /* whose head stands in piece[MESSAGE_REQUEST] */
	struct answer answer;	  /* of the head in piece[MESSAGE_RESPONSE] */
	struct streams streams;
	struct request_addr local, peer;
	uint32_t present; /* the last roll call that it answered */
	uint8_t role;
	uint8_t protocol;
	bool pipelined; /* the kernel's numbers are no guide any more */
	bool homeless;	/* for some request there was no exchange */
	bool heard;	/* a record of a message has come */
	bool partial; /* it was forgotten before that: what it carried then is not in the balance */
};

struct flow {
	struct flow_options options;
	struct flow_stats stats;
	struct table *conns;
	struct table *forgotten; /* struct conn, too: with requests that are open */
	struct conn *waiting;
	struct exchange *exchanges, *free_exchanges;
	struct request_headers *headers; /* one an exchange; NULL: none are asked for */
	uint32_t exchanges_used, pieces_used;
	bool forgot;   /* some connection, before its end */
	uint32_t roll; /* number of the last roll call */
	char *pieces;
	struct piece *free_pieces;
	struct websockets *websockets;
	struct reconnects *reconnects;
	struct trace_random random;
	struct users *users;
	struct parents *parents;
	struct routes *routes;
};

#define PIECES_MAX 1024

/* pool.c */
int pool_init(struct flow *f);
void pool_free(struct flow *f);
struct exchange *exchange_new(struct flow *f); /* cleared but for its strings; NULL when used up */
void exchange_free(struct flow *f, struct exchange *x);
struct piece *piece_new(struct flow *f);
void piece_free(struct flow *f, struct piece **p);

/* headers.c */
int headers_init(struct flow *f);
void headers_free(struct flow *f);
void headers_clear(struct flow *f, struct exchange *x);
void headers_fill(struct flow *f, struct exchange *x, struct str head);
/* Those of a response that came before its request's record. */
void headers_adopt(struct flow *f, struct exchange *x, const struct exchange *early);

/* exchange.c */
struct exchange *exchange_start(struct flow *f, struct conn *c, uint32_t pid, uint32_t tid,
				uint32_t txn, uint64_t start);		 /* NULL when used up */
void exchange_begin(struct flow *f, struct conn *c, struct exchange *x); /* the sink hears of it */
/* Its response is a stream that begins, or that has moved: the sink hears of it. */
void exchange_stream(struct flow *f, struct conn *c, struct exchange *x);
/* It is over: counted says whether it is to be counted here. */
void exchange_end(struct flow *f, struct conn *c, struct exchange *x, bool counted);
/* The kernel half counts it. */
void exchange_drop(struct flow *f, struct conn *c, struct exchange *x);
struct exchange *queue_pop(struct conn *c); /* the oldest without a response; NULL: none */

/* forgotten.c */
int forgotten_init(struct flow *f); /* 0, or -1: no memory */
/* Its open requests wait aside; *c is to be removed, with nothing in pieces and no response under
 * way. */
void forgotten_keep(struct flow *f, const struct conn *c);
/* Fills *c by its id with what was kept; false if nothing was. */
bool forgotten_restore(struct flow *f, struct conn *c);

/* stream.c: takes bytes of heads, in pieces or whole, and hands messages to match.c */
void stream_request(struct flow *f, struct conn *c, const struct event_data *e, struct str bytes);
void stream_response(struct flow *f, struct conn *c, const struct event_data *e, struct str bytes);
/* No more bytes of the head in piece[message] will come: makes do with those. */
void stream_cut(struct flow *f, struct conn *c, enum event_message message);

/* Parses the response in `bytes` by what c->answer says; what is not whole is kept in its piece. */
void stream_answer(struct flow *f, struct conn *c, struct str bytes, bool cut);

/* Has the connection ended with requests that user space has to count and has not heard of? */
static inline bool flow_close_owes(const struct event_close *e)
{
	return !e->flags && e->held;
}

static inline void conn_found(struct flow *f, struct conn *c, int32_t n)
{
	f->stats.found[c->protocol] += n;
	c->balance += n;
}

static inline void conn_lost(struct flow *f, struct conn *c, enum flow_lost reason, uint32_t n)
{
	f->stats.lost[c->protocol][reason] += n;
	c->balance -= (int32_t)n;
}

/* match.c: seq is the position of the request's first byte */
struct exchange *match_request(struct flow *f, struct conn *c, const struct event_data *e,
			       uint32_t seq);
void match_filled(struct flow *f, struct conn *c, struct exchange *x); /* its head was parsed */
/*
 * How far the kernel half has got. For responses that had no record, what waited for them is
 * dropped, since it is counted there, or lost: see struct event_data.
 */
struct answered {
	uint32_t responses;
	uint32_t dropped, unknown;
	bool paired; /* not before a response that is DATA_UNPAIRED */
};
void match_answered(struct flow *f, struct conn *c, const struct answered *now);
void match_answer(struct flow *f, struct conn *c, const struct answer *a); /* a response begins */
struct str match_op(const struct conn *c, const struct answer *a); /* absent if nobody knows */
void match_response(struct flow *f, struct conn *c, const struct msg *msg, const struct answer *a,
		    uint64_t consumed);
void match_progress(struct flow *f, struct conn *c, uint64_t time, uint64_t moved, uint64_t tail);
/* The response under way goes on with what the kernel half took for another one. */
void match_body(struct flow *f, struct conn *c, const struct event_data *e);
/* Another response seems to begin: had the one under way come whole before it? */
void match_passed(struct flow *f, struct conn *c, const struct event_data *e);
void match_finish(struct flow *f, struct conn *c); /* the response under way is over */

/* Was this the last byte of the response? 0 no, 1 maybe, 2 surely. */
int match_ended(const struct conn *c, const struct exchange *x, uint64_t tail);
void match_early_drop(struct flow *f, struct conn *c); /* nobody asked for it */

/* request_id.c, in the order of a request's life */
void request_id_arrived(struct conn *c, struct exchange *x, const struct event_data *e);
void request_id_parsed(const struct flow *f, struct conn *c, struct exchange *x,
		       const struct msg *msg, struct str bytes);
void request_id_answered(struct exchange *x, const struct answer *a);
/* It is x that the response answers, or x has ended without one: the id is set. */
void request_id_paired(struct flow *f, struct conn *c, struct exchange *x);
void request_id_unanswered(struct flow *f, const struct conn *c, struct exchange *x);
void request_id_ended(struct conn *c, const struct exchange *x); /* and its response */
void request_id_unpaired(struct conn *c);			 /* a response is nobody's */

/* handshake.c */
struct handshake handshake_of(const struct msg *msg);
/* What came of the request's handshake, now that the response's head is known. */
enum request_handshake handshake_judge(const struct exchange *x, const struct handshake *answer);

/* websocket.c */
struct websockets;
struct websockets *websockets_new(const struct flow_options *options); /* NULL: no memory */
void websockets_free(struct websockets *s);			       /* NULL-safe */
void websockets_tables(const struct websockets *s, const struct table *tables[2]);
/* A 101 agreed on a subprotocol; its request may still be to come. */
void websocket_protocol(struct flow *f, uint64_t conn, uint64_t time, struct str protocol);
/* A 101 that speaks of a WebSocket is answered to r: r->handshake says whether it is one. */
void websocket_handshake(struct flow *f, const struct request *r);
/* Of a roll call: see flow_absent(). */
void websockets_present(struct flow *f, uint64_t conn);
void websockets_absent(struct flow *f, uint64_t before);

/* Did a connection miss the last roll call and the one before? One may be missed by chance: a
 * socket can slip by while others leave their place before it. */
static inline bool roll_missed(const struct flow *f, uint32_t present)
{
	return f->roll - present >= 2;
}

/* parent.c */
struct parents *parents_new(void);				     /* NULL: no memory */
void parents_free(struct parents *p);				     /* NULL-safe */
void parents_hear(struct parents *p, const struct event_head *head); /* of each message's record */
void parents_miss(struct parents *p);				     /* something is not known */
void parents_forget(struct parents *p, uint32_t tgid); /* it ended, or runs another program */
void parents_tables(const struct parents *p, const struct table **tables); /* two */
void parent_begin(struct flow *f, struct exchange *x, const struct event_data *e);
void parent_answer(struct flow *f, struct exchange *x, uint32_t tid); /* it begins, by tid */
void parent_end(struct flow *f, struct exchange *x); /* it is over, with an answer or without */

/* close.c */
void close_take(struct flow *f, struct conn *c, const struct event_close *e);
void close_forget(struct flow *f, struct conn *c); /* what is open is lost */

#endif
