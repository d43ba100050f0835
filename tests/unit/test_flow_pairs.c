/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests pipelined in one read and answered in one write, as most clients and servers do it, with
 * records lost at random. Some of a burst may be lost then, but no request is given another one's
 * answer: each answer's status says which method and target were asked for.
 */
#include <stdio.h>

#include "flow_records.h"

#define LINKS	  8
#define STEPS	  20000
#define BURST_MAX 4
#define KINDS	  97 /* of requests, in turn */

struct peer {
	struct link link;
	bool open;
	uint32_t next, waiting;
};

struct model {
	struct feed feed;
	struct peer peers[LINKS];
	uint64_t next_id, seed;
	unsigned loss; /* of 100 records */
	uint64_t asked, bursts;
};

static const char *const methods[] = {"GET", "POST", "DELETE", "PUT"};

static const char *method_of(uint32_t kind)
{
	return methods[kind % 4];
}

static void check(const struct request *r, bool counted)
{
	uint32_t kind = r->status - 200U;
	char target[8];

	if (!counted || !r->status)
		return;
	assert_true(kind < KINDS);
	snprintf(target, sizeof(target), "/%u", kind);
	if (r->length.op)
		assert_str(request_str(r, op), method_of(kind));
	if (r->length.target)
		assert_str(request_str(r, target), target);
}

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
	char text[CAPTURE_BYTES];
	size_t n = 0;

	p->waiting = 1 + (draw(m, 2) ? draw(m, BURST_MAX) : 0);
	for (uint32_t i = p->next; i < p->next + p->waiting; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s /%u HTTP/1.1\r\n\r\n",
				      method_of(i % KINDS), i % KINDS);
	lose(m);
	link_request(&m->feed, &p->link, text, 0);
	m->asked += p->waiting;
	m->bursts++;
}

static void answer(struct model *m, struct peer *p)
{
	char text[CAPTURE_BYTES];
	size_t n = 0;

	for (; p->waiting; p->waiting--, p->next++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "HTTP/1.1 %u X\r\nContent-Length: 0\r\n\r\n",
				      200 + p->next % KINDS);
	lose(m);
	link_response(&m->feed, &p->link, text);
}

static void act(struct model *m, struct peer *p)
{
	if (!p->open) {
		m->next_id++;
		m->feed.lose = false;
		*p = (struct peer){.open = true, .next = draw(m, KINDS)};
		p->link =
			link_open(&m->feed, m->next_id, m->next_id % 2 ? ROLE_SERVER : ROLE_CLIENT);
	} else if (draw(m, 20) == 0 && (m->loss || !p->waiting)) {
		lose(m);
		link_close(&m->feed, &p->link);
		p->open = false;
	} else if (p->waiting) {
		answer(m, p);
	} else {
		ask(m, p);
	}
	if (m->feed.kernel.orphan_count == ORPHANS_MAX || draw(m, 64) == 0)
		feed_orphans(&m->feed);
}

static void finish(struct model *m)
{
	for (struct peer *p = m->peers; p < m->peers + LINKS; p++)
		if (p->open && p->waiting)
			answer(m, p);
	if (!m->loss) /* the closes find the rest of the sum */
		assert_int_equal(feed_missing(&m->feed), 0);
	for (struct peer *p = m->peers; p < m->peers + LINKS; p++)
		if (p->open)
			link_close(&m->feed, &p->link);
}

static struct model *run(unsigned loss, uint64_t seed)
{
	static struct model m;

	m = (struct model){.loss = loss, .seed = seed};
	feed_start(&m.feed, 1000, 1000);
	m.feed.check = check;
	for (unsigned i = 0; i < STEPS; i++)
		act(&m, &m.peers[draw(&m, LINKS)]);
	finish(&m);
	return &m;
}

static void test_all_told(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 4; seed++) {
		struct model *m = run(0, seed);
		const struct flow_stats *stats = feed_stats(&m->feed);

		assert_int_equal(m->feed.kernel.begun, m->bursts);
		assert_true(m->asked > m->bursts * 3 / 2);
		assert_int_equal(stats->counted[PROTO_http1], m->asked);
		assert_int_equal(stats->found[PROTO_http1], m->asked - m->bursts);
		assert_int_equal(stats->lost[PROTO_http1][LOST_UNREAD], 0);
		feed_end(&m->feed);
	}
}

static void test_some_untold(void **state)
{
	static const unsigned losses[] = {1, 5, 20, 50, 80, 95};

	(void)state;
	for (uint64_t seed = 0; seed < 24; seed++) {
		struct model *m = run(losses[seed % 6], seed);

		assert_true(m->feed.counted > m->bursts / 100);
		feed_end(&m->feed);
	}
}

/* Without a record of a burst's answers its requests are over, but not the one that came later. */
static void test_next_one_waits(void **state)
{
	struct link l;
	struct feed f;

	(void)state;
	feed_start(&f, 4, 8);
	l = link_open(&f, 1, ROLE_SERVER);
	link_request(&f, &l, "GET /0 HTTP/1.1\r\n\r\nGET /1 HTTP/1.1\r\n\r\n", 0);
	link_request(&f, &l, "PUT /2 HTTP/1.1\r\n\r\n", 0);
	f.lose = true;
	link_response(&f, &l, "HTTP/1.1 204 N\r\n\r\nHTTP/1.1 204 N\r\n\r\n");
	f.lose = false;
	link_response(&f, &l, "HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(f.done, 3);
	assert_int_equal(f.counted, 1);
	assert_request(&f, 2, "PUT", "/2", 202);
	assert_int_equal(f.kernel.shed, 1);
	assert_int_equal(feed_stats(&f)->lost[PROTO_http1][LOST_UNREAD], 1);
	link_close(&f, &l);
	feed_end(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_one_waits),
		cmocka_unit_test(test_all_told),
		cmocka_unit_test(test_some_untold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
