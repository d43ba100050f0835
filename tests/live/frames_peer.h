/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection: its handshake, what it hears and says, its end. It has work as long as
 * something of its own is under way, or something of the other end is still to come.
 */
#ifndef FRAMES_PEER_H
#define FRAMES_PEER_H

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "frames.h"
#include "frames_receive.h"
#include "frames_send.h"
#include "handshake.h"

#define READS_AT_ONCE 64
#define PEERS_MAX     32768
#define FRAMES_HEADERS \
	"Sec-WebSocket-Protocol: frames\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
#define ASK	    HANDSHAKE_ASK("%s/%u", FRAMES_HEADERS "%s")
#define TORN_HEADER "X-Torn: yes\r\n"
#define ANSWER	    HANDSHAKE_ANSWER(FRAMES_HEADERS)

static inline void watch(struct worker_end *w, int how, int fd, bool room, void *who)
{
	struct epoll_event event = {.events = EPOLLIN | (room ? EPOLLOUT : 0U), .data.ptr = who};

	if (epoll_ctl(w->epoll, how, fd, &event))
		fail("epoll_ctl");
}

static inline struct peer *peer_new(struct worker_end *w, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p || w->count == PEERS_MAX || fcntl(fd, F_SETFL, O_NONBLOCK))
		fail("a connection");
	*p = (struct peer){.w = w, .fd = fd, .manner = &manners[MIXED]};
	w->peers[w->count++] = p;
	watch(w, EPOLL_CTL_ADD, fd, false, p);
	return p;
}

/* One in eight sends as TCP likes it, the others at once. */
static inline void peer_name(struct peer *p, unsigned number, const struct manner *manner)
{
	int at_once = number % 8 != 7;

	p->number = number;
	p->manner = manner;
	p->plan = p->w->seed + 2 * number + p->w->end;
	p->chance = ~p->plan;
	if (setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once)))
		fail("nodelay");
}

static inline void peer_end(struct peer *p)
{
	close(p->fd);
	free(p->out.buffer);
	p->out = (struct sender){.buffer = NULL};
	p->w->shaking -= p->w->end == CLIENT && p->state == SHAKING;
	p->w->counts[CLOSED]++;
	p->w->counts[CLOSES + p->code * ENDS + p->initiator]++;
	p->state = GONE;
}

/* The other end has gone, with a close frame or without. */
static inline void peer_lost(struct peer *p, enum end initiator)
{
	allow(p, p->state == OPEN, "ended within the handshake");
	allow(p, p->close_sent == p->close_received, "ended within the closing");
	close_note(p, code_index(NO_CLOSE), initiator);
	peer_end(p);
}

static inline bool peer_has_work(const struct peer *p)
{
	const struct sender *o = &p->out;

	if (p->state == SHAKING)
		return p->w->end == CLIENT;
	return p->state == OPEN && (o->messages || o->fragments || o->left || o->end > o->start ||
				    o->pings || o->ping || p->in.messages < p->in.wanted ||
				    p->close_wanted || p->close_sent || p->close_received);
}

/* After all that may have moved something. */
static inline void peer_settle(struct peer *p)
{
	bool busy;
	int more = 0;

	if (p->state != GONE)
		more = transmit(p);
	if (more < 0)
		peer_lost(p, NETWORK);
	if (p->state == OPEN && !more && p->close_sent && p->close_received &&
	    finisher_of(p->number) == p->w->end)
		peer_end(p);
	busy = peer_has_work(p);
	p->w->busy += (unsigned)busy - (unsigned)p->busy;
	p->busy = busy;
	if (p->state != GONE && p->watches_room != (more > 0)) {
		p->watches_room = more > 0;
		watch(p->w, EPOLL_CTL_MOD, p->fd, p->watches_room, p);
	}
}

static inline void http_put(struct peer *p, const char *text, size_t n)
{
	p->out.buffer = malloc(OUT_SIZE);
	if (!p->out.buffer)
		fail("malloc");
	put(&p->out, text, n);
	p->out.whole = p->manner != &manners[TORN];
}

static inline void peer_opened(struct peer *p)
{
	p->state = OPEN;
	p->in.wanted += p->w->end == CLIENT && is_greeted(p->number);
	p->w->shaking -= p->w->end == CLIENT;
	p->w->counts[OPENED]++;
}

static inline void server_answer(struct peer *p)
{
	const char *number = strstr(p->http, " HTTP/1.1\r\n");

	allow(p, number, "no request");
	while (number > p->http && number[-1] != '/')
		number--;
	peer_name(p, (unsigned)atoi(number), manner_of(strstr(p->http, TORN_HEADER) ? "torn" : ""));
	http_put(p, ANSWER, strlen(ANSWER));
	p->out.messages = is_greeted(p->number);
}

/* Bytes of the handshake; returns how many of them there were. */
static inline size_t shake(struct peer *p, const char *from, size_t n)
{
	size_t some = 0;

	while (some < n) {
		allow(p, p->http_size < HTTP_MAX - 1, "a long head");
		p->http[p->http_size++] = from[some++];
		p->http[p->http_size] = '\0';
		if (p->http_size < 4 || strcmp(p->http + p->http_size - 4, "\r\n\r\n") != 0)
			continue;
		if (p->w->end == SERVER)
			server_answer(p);
		else
			allow(p, !strcmp(p->http, ANSWER), "another answer");
		peer_opened(p);
		break;
	}
	return some;
}

/* Reads as many bytes as chance says; false: there are no more. */
static inline bool listen_once(struct peer *p)
{
	struct worker_end *w = p->w;
	bool whole = p->state == SHAKING && p->manner != &manners[TORN];
	size_t from = 0, n = whole ? IO_MAX : io_size(p);
	ssize_t got = read(p->fd, w->in, n);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got < 0 && errno != ECONNRESET)
		fail("read");
	if (got <= 0) {
		peer_lost(p, got ? NETWORK : other_end(p));
		return false;
	}
	if (p->state == SHAKING)
		from = shake(p, (const char *)w->in, (size_t)got);
	receive(p, w->in + from, (size_t)got - from);
	return true;
}

static inline void serve(struct peer *p)
{
	for (unsigned i = 0; i < READS_AT_ONCE && p->state != GONE && listen_once(p); i++)
		;
	peer_settle(p);
}

#endif
