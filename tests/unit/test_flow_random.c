/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections, interleaved at random and always the same way, with records lost at random:
 * kept alive, pipelined, tentative, answered early, closed in the middle. The law: each transaction
 * is counted by one side, and seen = counted + shed + open + lost. Where nothing was pipelined
 * nothing is lost, and what each side counts is exactly what the records say: a response with a
 * record, and a request whose close has one, by user space; all others by the kernel half.
 */
#include "flow_records.h"

#define LINKS	  24
#define STEPS	  60000
#define ROOM	  2000
#define BURST_MAX 3 /* requests without an answer, where they are pipelined */

struct peer {
	struct link link;
	bool open;
	bool more;	  /* of the response is to come */
	bool refused;	  /* what was asked last is no request, and user space knows */
	bool tentative;	  /* and no answer has proved it */
	uint32_t waiting; /* requests without an answer */
};

struct model {
	struct feed feed;
	struct peer peers[LINKS];
	uint64_t next_id;
	uint64_t seed;
	unsigned loss; /* of 100 records */
	bool pipelined;
	bool tame;     /* all heads whole, no close in the middle */
	bool in_order; /* no answer comes before its request */
	uint64_t asked;
	uint64_t counted, shed, unread, aborted; /* aborted: by the kernel half */
};

#define REQUESTS  7
#define RESPONSES 8
#define TAME	  3 /* the first of each fit together in any number */
#define REFUSED	  6 /* no request */

static const char *const requests[REQUESTS] = {
	"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
	"POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
	"OPTIONS * HTTP/1.1\r\n\r\n",
	"HEAD /h HTTP/1.1\r\n\r\n",
	"PUT /x/12 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"DELETE /cut HT",
	"GET /\x02",
};

static const char *const responses[RESPONSES] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 204 N\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 404 N\r\nContent-Length: 10\r\n\r\n01234",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.0 200 OK\r\n\r\nall",
	"HTTP/1.1 500 Oh",
	"HTTP/1.1 xxx\r\n\r\n",
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

/* How many messages stand in one hit. */
static uint32_t draw_burst(struct model *m, uint32_t most)
{
	return m->pipelined && most > 1 && draw(m, 3) == 0 ? 1 + draw(m, most) : 1;
}

static void ask(struct model *m, struct peer *p)
{
	uint32_t n = draw_burst(m, BURST_MAX - p->waiting),
		 which = draw(m, m->tame ? TAME : REQUESTS);
	char text[CAPTURE_BYTES] = "";

	lose(m);
	if (p->more && !p->waiting)
		link_end(&m->feed, &p->link);
	lose(m);
	p->more = false;
	p->refused = which == REFUSED && n == 1 && !m->feed.lose;
	for (uint32_t i = 1; i < n; i++)
		strcat(text, requests[draw(m, TAME)]);
	strcat(text, requests[which]);
	link_request(&m->feed, &p->link, text, p->tentative ? DATA_TENTATIVE : 0);
	p->waiting += n;
	m->asked += n;
}

static void answer(struct model *m, struct peer *p)
{
	uint32_t n = draw_burst(m, p->waiting);
	char text[CAPTURE_BYTES] = "";

	*(lose(m) ? &m->shed : &m->counted) += 1;
	for (uint32_t i = 1; i < n; i++)
		strcat(text, responses[draw(m, TAME)]);
	strcat(text, responses[draw(m, m->tame ? TAME : RESPONSES)]);
	link_response(&m->feed, &p->link, text);
	p->more = true;
	p->tentative = false;
	p->waiting -= n;
	if (draw(m, 2) && !lose(m))
		link_more(&m->feed, &p->link, MESSAGE_RESPONSE, STR(" more\r\n\r\n"));
}

/*
 * A client's answer before its request; the kernel half then takes the two for a pair. If that is
 * untold and the answer is not, neither side counts it.
 */
static void answer_early(struct model *m, struct peer *p)
{
	const char *request = requests[draw(m, m->tame ? TAME : REQUESTS)];
	bool shed = lose(m);

	link_early(&m->feed, &p->link, responses[draw(m, m->tame ? TAME : RESPONSES)],
		   strlen(request));
	*(shed ? &m->shed : lose(m) ? &m->unread : &m->counted) += 1;
	if (shed)
		lose(m);
	link_request(&m->feed, &p->link, request, 0);
	m->asked++;
	p->tentative = false;
	p->more = true;
}

static void leave(struct model *m, struct peer *p)
{
	bool lost = lose(m);

	if (p->waiting && !p->tentative) {
		m->counted += !lost && !p->refused;
		m->aborted += lost;
	}
	link_close(&m->feed, &p->link);
	p->open = false;
}

static void arrive(struct model *m, struct peer *p)
{
	m->next_id++;
	*p = (struct peer){.open = true, .tentative = draw(m, 8) == 0};
	m->feed.lose = false; /* the kernel half says it until it is heard */
	p->link = link_open(&m->feed, m->next_id, m->next_id % 2 ? ROLE_SERVER : ROLE_CLIENT);
}

static void act(struct model *m, struct peer *p)
{
	bool may_ask = p->waiting < (m->pipelined ? BURST_MAX : 1);

	if (!p->open)
		arrive(m, p);
	else if (draw(m, 12) == 0 && !(m->tame && p->waiting))
		leave(m, p);
	else if (p->waiting && (!may_ask || draw(m, 3)))
		answer(m, p);
	else if (p->more && draw(m, 2))
		link_body(&m->feed, &p->link, STR("5\r\nxxxxx\r\n0\r\n\r\n"));
	else if (p->link.role == ROLE_CLIENT && !p->more && !p->waiting && !m->in_order &&
		 draw(m, 8) == 0)
		answer_early(m, p);
	else
		ask(m, p);
	if (draw(m, 16) == 0)
		flow_tick(m->feed.flow);
	if (m->feed.kernel.orphan_count == ORPHANS_MAX || draw(m, 64) == 0)
		feed_orphans(&m->feed);
}

/* Connections stay open, and nobody has anything to say, nor has a head been left in the middle. */
static void come_to_rest(struct model *m)
{
	m->loss = 0;
	m->tame = true;
	for (struct peer *p = m->peers; p < m->peers + LINKS; p++) {
		while (p->open && p->waiting)
			answer(m, p);
		if (p->open)
			ask(m, p);
		while (p->open && p->waiting)
			answer(m, p);
	}
	feed_orphans(&m->feed);
}

static struct model *run(struct model like)
{
	static struct model m;

	m = like;
	feed_start(&m.feed, ROOM, ROOM);
	for (unsigned i = 0; i < STEPS; i++)
		act(&m, &m.peers[draw(&m, LINKS)]);
	come_to_rest(&m);
	if (!m.pipelined || (like.tame && !like.loss))
		assert_int_equal(feed_missing(&m.feed), 0);
	m.loss = like.loss;
	m.tame = like.tame;
	for (unsigned i = 0; i < LINKS; i++)
		if (m.peers[i].open)
			leave(&m, &m.peers[i]);
	feed_orphans(&m.feed);
	assert_int_equal(feed_missing(&m.feed), 0);
	assert_true(m.asked > STEPS / 5);
	return &m;
}

static void run_exact(unsigned loss, uint64_t seed)
{
	struct model *m = run((struct model){.loss = loss, .seed = seed});
	const struct flow_stats *stats = feed_stats(&m->feed);

	assert_int_equal(stats->counted[PROTO_http1], m->counted);
	assert_int_equal(m->feed.kernel.shed, m->shed);
	assert_int_equal(m->feed.kernel.aborted, m->aborted);
	assert_int_equal(m->feed.kernel.unread, m->unread);
	assert_int_equal(m->feed.kernel.unclaimed, 0);
	assert_int_equal(stats->unpaired[PROTO_http1], m->unread);
	assert_int_equal(stats->lost[PROTO_http1][LOST_UNREAD], 0);
	assert_int_equal(stats->lost[PROTO_http1][LOST_EVICTED], 0);
	assert_true(stats->found[PROTO_http1] <= 0);
	feed_end(&m->feed);
}

static void test_nothing_lost(void **state)
{
	(void)state;
	run_exact(0, 1);
}

static void test_some_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 2; seed < 6; seed++)
		run_exact(5, seed);
}

static void test_half_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 6; seed < 10; seed++)
		run_exact(50, seed);
}

static void test_most_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 10; seed < 14; seed++)
		run_exact(95, seed);
}

/* The kernel half sees one request in a hit, and one response. */
static void test_pipelined(void **state)
{
	struct model *m = run((struct model){.seed = 14, .pipelined = true, .tame = true});
	const struct flow_stats *stats = feed_stats(&m->feed);

	(void)state;
	assert_int_equal(stats->counted[PROTO_http1], m->asked);
	assert_int_equal(stats->found[PROTO_http1], m->asked - m->feed.kernel.begun);
	assert_int_equal(stats->unpaired[PROTO_http1], 0);
	feed_end(&m->feed);
}

/* What is whose cannot be told any more, but the sum closes. */
static void test_pipelined_and_lost(void **state)
{
	static const unsigned losses[] = {0, 1, 5, 20, 50, 80, 95};

	(void)state;
	for (uint64_t seed = 15; seed < 36; seed++) {
		struct model *m = run(
			(struct model){.loss = losses[seed % 7], .seed = seed, .pipelined = true});

		feed_end(&m->feed);
	}
}

/*
 * Too little room for everything. What had to make room is counted when it is heard of again, and
 * what had no room at all is lost. (Where an answer comes before its request and neither has room,
 * nobody counts it.)
 */
static void test_no_room(void **state)
{
	static struct model m;

	(void)state;
	m = (struct model){.seed = 30, .loss = 20, .in_order = true};
	feed_start(&m.feed, LINKS / 2, LINKS / 4);
	m.feed.inexact = true;
	for (unsigned i = 0; i < STEPS; i++)
		act(&m, &m.peers[draw(&m, LINKS)]);
	for (unsigned i = 0; i < LINKS; i++)
		if (m.peers[i].open)
			leave(&m, &m.peers[i]);
	feed_orphans(&m.feed);
	assert_int_equal(feed_missing(&m.feed), 0);
	assert_true(feed_stats(&m.feed)->lost[PROTO_http1][LOST_EVICTED]);
	feed_end(&m.feed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_lost), cmocka_unit_test(test_some_lost),
		cmocka_unit_test(test_half_lost),    cmocka_unit_test(test_most_lost),
		cmocka_unit_test(test_pipelined),    cmocka_unit_test(test_pipelined_and_lost),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
