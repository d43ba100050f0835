/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections, interleaved at random and always the same way, with records lost at random. The
 * model is the law: each response record that arrived is counted once, and each request that a
 * close ended without an answer; never one that the kernel half counted. Connections whose close is
 * lost are pushed out at the end, and what they had open is lost.
 */
#include "flow_records.h"

#define LINKS  24
#define STEPS  60000
#define FILLER 1000000 /* first id of the connections that push out */

struct peer {
	struct link link;
	bool open;
	bool asked;	 /* a request has no answer yet */
	bool asked_seen; /* and its record arrived */
	bool refused;	 /* what was asked is no request */
	bool more;	 /* of the response is to come */
};

struct model {
	struct feed feed;
	struct peer peers[LINKS];
	uint64_t next_id;
	uint64_t seed;
	unsigned loss; /* of 100 records */
	uint64_t answered, aborted, evicted, closes_lost;
	uint64_t orphans; /* early answers whose requests' records are lost */
};

static const char *const requests[] = {
	"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
	"POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
	"HEAD /h HTTP/1.1\r\n\r\n",
	"PUT /x/12 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"DELETE /cut HT",
	"GET /\x02",
};

static const char *const responses[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 404 N\r\nContent-Length: 10\r\n\r\n01234",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.0 200 OK\r\n\r\nall",
	"HTTP/1.1 500 Oh",
	"HTTP/1.1 204 N\r\n\r\n",
	"HTTP/1.1 xxx\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
};

static uint32_t draw(struct model *m, uint32_t below)
{
	m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(m->seed >> 33) % below;
}

static bool lose(struct model *m)
{
	return m->feed.lose = draw(m, 100) < m->loss;
}

static void ask(struct model *m, struct peer *p)
{
	lose(m);
	if (p->more)
		link_end(&m->feed, &p->link);
	p->more = false;
	p->asked = true;
	p->asked_seen = !lose(m);
	p->refused = draw(m, 6) == 5;
	link_request(&m->feed, &p->link, requests[p->refused ? 5 : draw(m, 5)], 0);
}

static void answer(struct model *m, struct peer *p)
{
	m->answered += !lose(m);
	link_response(&m->feed, &p->link, responses[draw(m, 8)]);
	/* the kernel half sends no more of a head whose record was lost */
	p->more = true;
	p->asked = false;
	if (!m->feed.lose && draw(m, 2) && !lose(m))
		link_more(&m->feed, &p->link, MESSAGE_RESPONSE, STR(" more\r\n\r\n"));
}

/* A client's answer before its request; the kernel half then takes the two for a pair. */
static void answer_early(struct model *m, struct peer *p)
{
	const char *request = requests[draw(m, 6)];
	const char *response = responses[draw(m, 8)];
	struct event_data e = response_of(&m->feed, &p->link, response);
	bool lost = lose(m);

	e.ack += (uint32_t)strlen(request);
	p->link.unpaired_ack = e.ack;
	m->answered += !lost;
	feed_data(&m->feed, &e, str_of(response));
	m->orphans += lose(m) && !lost;
	link_request(&m->feed, &p->link, request, 0);
	p->link.responses = p->link.requests;
	p->more = true;
}

static void leave(struct model *m, struct peer *p)
{
	bool lost = lose(m);

	link_close(&m->feed, &p->link);
	if (p->asked && !lost)
		m->aborted += p->asked_seen ? !p->refused : !!p->link.row;
	m->evicted += lost && p->asked && p->asked_seen;
	m->closes_lost += lost;
	p->open = false;
}

static void act(struct model *m, struct peer *p)
{
	if (!p->open) {
		*p = (struct peer){.open = true};
		m->feed.lose = false; /* the kernel half says it until it is heard */
		m->next_id++;
		p->link =
			link_open(&m->feed, m->next_id, m->next_id % 2 ? ROLE_SERVER : ROLE_CLIENT);
	} else if (draw(m, 12) == 0) {
		leave(m, p);
	} else if (p->asked) {
		answer(m, p);
	} else if (p->more && draw(m, 2)) {
		link_body(&m->feed, &p->link, STR("5\r\nxxxxx\r\n0\r\n\r\n"));
	} else if (p->link.role == ROLE_CLIENT && !p->more && draw(m, 8) == 0) {
		answer_early(m, p);
	} else {
		ask(m, p);
	}
	if (draw(m, 16) == 0)
		flow_tick(m->feed.flow);
}

static void push_out(struct model *m, uint32_t connections)
{
	m->feed.lose = false;
	for (uint32_t i = 0; i < connections; i++)
		link_open(&m->feed, FILLER + i, ROLE_SERVER);
}

static void run(unsigned loss, uint64_t seed)
{
	static struct model m;
	const struct flow_stats *stats;
	uint32_t room = 20000; /* nothing is pushed out before the end */

	m = (struct model){.seed = seed, .loss = loss};
	feed_start(&m.feed, room, room);
	stats = feed_stats(&m.feed);
	for (unsigned i = 0; i < STEPS; i++)
		act(&m, &m.peers[draw(&m, LINKS)]);
	for (unsigned i = 0; i < LINKS; i++)
		if (m.peers[i].open)
			leave(&m, &m.peers[i]);
	push_out(&m, room);
	assert_int_equal(stats->counted[PROTO_http1] + stats->unpaired[PROTO_http1],
			 m.answered + m.aborted);
	assert_in_range(stats->unpaired[PROTO_http1], 0, m.orphans);
	/* more, if the record of the last response was lost too: nobody says so then */
	assert_in_range(stats->lost[PROTO_http1][LOST_EVICTED], m.evicted, m.closes_lost);
	assert_true(m.answered > STEPS / 10);
	feed_end(&m.feed);
}

static void test_nothing_lost(void **state)
{
	(void)state;
	run(0, 1);
}

static void test_some_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 2; seed < 6; seed++)
		run(5, seed);
}

static void test_half_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 6; seed < 10; seed++)
		run(50, seed);
}

/* Too little room for everything: only the balance holds. */
static void test_no_room(void **state)
{
	static struct model m;

	(void)state;
	m = (struct model){.seed = 10, .loss = 20};
	feed_start(&m.feed, LINKS / 2, LINKS / 4);
	for (unsigned i = 0; i < STEPS; i++)
		act(&m, &m.peers[draw(&m, LINKS)]);
	push_out(&m, LINKS);
	feed_end(&m.feed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_lost),
		cmocka_unit_test(test_some_lost),
		cmocka_unit_test(test_half_lost),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
