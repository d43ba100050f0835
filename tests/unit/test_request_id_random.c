/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of connections at random: requests pipelined or not, in reads and writes of their own
 * or together, interim responses, answers that begin in the middle of a read, records lost, agents
 * that begin later. Whatever happens, an id that is said to be from TCP is the one that the bytes
 * on the wire say; where nothing is lost or hidden, each request has that one at both ends.
 */
#include <stdio.h>

#include "flow_records.h"

#define REQUESTS_MAX 64 /* of a connection */
#define STREAM_MAX   32768
#define DEPTH_MAX    6
#define HEAD_MAX     48 /* bytes, of a final one */

struct message {
	uint32_t begin, end; /* in its stream */
	uint32_t head;	     /* where the final head begins */
};

struct stream {
	char text[STREAM_MAX];
	struct message messages[REQUESTS_MAX];
	uint32_t n, count;
};

/* What an end has moved, and as how many whole messages. */
struct moved {
	uint32_t bytes, count;
};

struct end {
	struct feed feed;
	struct link link;
	struct moved moved[2]; /* by message */
	bool unended;	       /* the last response took more than one hit */
};

struct wire {
	struct stream streams[2]; /* by message */
	struct end ends[2];	  /* client, server */
	uint64_t seed;
	unsigned loss, depth; /* of 100 records; of pipelining */
	bool hides;	      /* reads may end anywhere */
	uint32_t interim_max;
};

static struct wire wire; /* what check() looks at */
static unsigned told, from_tcp;

static uint32_t draw(struct wire *w, uint32_t below)
{
	w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(w->seed >> 33) % below;
}

/* Where the answer begins, or would begin. */
static uint32_t answer_at(uint32_t number)
{
	const struct stream *s = &wire.streams[MESSAGE_RESPONSE];

	assert_true(number <= s->count);
	return number < s->count ? s->messages[number].begin : s->n;
}

/* The id, said a second time. */
static void id_of(uint32_t number, char id[17])
{
	uint32_t at = wire.streams[MESSAGE_REQUEST].messages[number].begin + 0xfffffff0U;
	uint64_t x = (uint64_t)at << 32 | (answer_at(number) + 5000);

	x += 0x9E3779B97F4A7C15ULL;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
	snprintf(id, 17, "%016llx", (unsigned long long)(x ^ x >> 31));
}

static void check(const struct request *r, bool counted)
{
	unsigned number;
	char path[16], id[17];

	if (!counted)
		return;
	told++;
	assert_int_equal(r->length.request_id, 16);
	from_tcp += r->id_source == ID_FROM_TCP;
	if (r->id_source != ID_FROM_TCP) {
		assert_int_equal(r->id_source, ID_FROM_HERE);
		return;
	}
	str_copy(path, sizeof(path), request_str(r, target));
	assert_int_equal(sscanf(path, "/%u", &number), 1);
	id_of(number, id);
	assert_memory_equal(r->request_id, id, 16);
}

static void message_add(struct stream *s, const char *interim, const char *text)
{
	uint32_t n = s->n + (uint32_t)strlen(interim);

	s->messages[s->count] = (struct message){.begin = s->n, .head = n};
	memcpy(s->text + s->n, interim, strlen(interim));
	memcpy(s->text + n, text, strlen(text));
	s->n = n + (uint32_t)strlen(text);
	s->messages[s->count++].end = s->n;
}

static const char *body_of(uint32_t size)
{
	static char body[400];

	memset(body, 'x', sizeof(body));
	body[size] = '\0';
	return body;
}

static void request_make(struct wire *w)
{
	static const uint32_t sizes[] = {0, 0, 0, 10, 300};
	uint32_t size = sizes[draw(w, w->hides ? 5 : 4)];
	char text[600];

	snprintf(text, sizeof(text), "PUT /%u HTTP/1.1\r\nContent-Length: %u\r\n\r\n%s",
		 w->streams[MESSAGE_REQUEST].count, size, body_of(size));
	message_add(&w->streams[MESSAGE_REQUEST], "", text);
}

static void response_make(struct wire *w)
{
	static const char *const interims[] = {
		"", "HTTP/1.1 100 C\r\n\r\n",
		"HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 100 C\r\n\r\n"};
	uint32_t size = draw(w, 2) * (w->hides ? 300 : 20);
	char text[600];

	if (draw(w, 3))
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n%s",
			 size, body_of(size));
	else
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
			 "chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
			 size + 1, body_of(size + 1));
	message_add(&w->streams[MESSAGE_RESPONSE], interims[draw(w, w->interim_max + 1)], text);
}

/* One hit of a response's bytes, that begins where a message does or in the middle of one. */
static void hit_response(struct wire *w, struct end *end, uint32_t to)
{
	struct stream *s = &w->streams[MESSAGE_RESPONSE];
	struct moved *m = &end->moved[MESSAGE_RESPONSE];
	const struct message *at = &s->messages[m->count];
	char text[STREAM_MAX];

	str_copy(text, sizeof(text), (struct str){s->text + m->bytes, to - m->bytes});
	if (m->bytes == at->begin || m->bytes == at->head) {
		link_response(&end->feed, &end->link, text);
		end->unended = false;
	} else {
		link_body(&end->feed, &end->link, str_of(text));
		end->unended = true;
	}
	m->bytes = to;
	while (m->count < s->count && s->messages[m->count].end <= to)
		m->count++;
}

/* An interim response alone: no record, and no hole. */
static bool hit_interim(struct wire *w, struct end *end, uint32_t to)
{
	struct moved *m = &end->moved[MESSAGE_RESPONSE];
	const struct message *at = &w->streams[MESSAGE_RESPONSE].messages[m->count];

	if (m->bytes != at->begin || at->head == at->begin || to < at->head ||
	    (to > at->head && draw(w, 2)))
		return false;
	end->link.position[MESSAGE_RESPONSE] += at->head - at->begin;
	m->bytes = at->head;
	return true;
}

static void hit_request(struct wire *w, struct end *end, uint32_t count)
{
	struct stream *s = &w->streams[MESSAGE_REQUEST];
	struct moved *m = &end->moved[MESSAGE_REQUEST];
	bool owed = kernel_owed(&end->link);
	uint32_t to;
	char text[STREAM_MAX];

	while (!w->hides && count > m->count + 1 &&
	       s->messages[count - 1].end > m->bytes + CAPTURE_BYTES)
		count--; /* as much as is captured */
	to = s->messages[count - 1].end;
	str_copy(text, sizeof(text), (struct str){s->text + m->bytes, to - m->bytes});
	link_request(&end->feed, &end->link, text, 0);
	if (!owed && end->unended)
		link_end(&end->feed, &end->link);
	*m = (struct moved){to, count};
}

/* Which message has this byte? */
static uint32_t message_at(const struct stream *s, uint32_t position)
{
	uint32_t i = 0;

	while (s->messages[i].end <= position)
		i++;
	return i;
}

/* How far a read may go: whole heads only, and what stands behind one in the same read is seen. */
static uint32_t read_end(struct wire *w, const struct moved *m, uint32_t most)
{
	struct stream *s = &w->streams[MESSAGE_RESPONSE];
	uint32_t to = w->hides ? m->bytes + 1 + draw(w, most - m->bytes) : most;
	if (!w->hides) /* as much as is captured, in whole messages */
		while (to > m->bytes + CAPTURE_BYTES)
			to = s->messages[message_at(s, to - 1)].begin;

	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t first = s->messages[i].begin;
		uint32_t body = s->messages[i].head + HEAD_MAX;

		if (body > s->messages[i].end)
			body = s->messages[i].end;

		if (to > first && to < body)
			return body < most ? body : most;
	}
	return to;
}

static void step(struct wire *w)
{
	struct end *client = &w->ends[0], *server = &w->ends[1];
	struct stream *asked = &w->streams[MESSAGE_REQUEST];
	struct stream *answers = &w->streams[MESSAGE_RESPONSE];
	uint32_t waiting = asked->count - client->moved[MESSAGE_RESPONSE].count;
	struct moved *read = &server->moved[MESSAGE_REQUEST];
	struct moved *got = &client->moved[MESSAGE_RESPONSE];
	uint32_t written = server->moved[MESSAGE_RESPONSE].bytes;

	for (int i = 0; i < 2; i++)
		w->ends[i].feed.lose = draw(w, 100) < w->loss;
	switch (draw(w, 4)) {
	case 0:
		for (uint32_t n = draw(w, w->depth) + 1; n && waiting < w->depth; n--, waiting++)
			if (asked->count < REQUESTS_MAX)
				request_make(w);
		if (asked->count > client->moved[MESSAGE_REQUEST].count)
			hit_request(w, client, asked->count);
		break;
	case 1:
		if (client->moved[MESSAGE_REQUEST].count > read->count)
			hit_request(w, server,
				    read->count + 1 +
					    draw(w, client->moved[MESSAGE_REQUEST].count -
							    read->count));
		break;
	case 2:
		for (uint32_t n = draw(w, 3); n && answers->count < read->count; n--)
			response_make(w);
		if (answers->n > written && !hit_interim(w, server, answers->n))
			hit_response(w, server, answers->n);
		break;
	case 3:
		if (written > got->bytes && !hit_interim(w, client, written))
			hit_response(w, client, read_end(w, got, written));
		break;
	}
}

static void run(uint64_t seed, unsigned loss, unsigned depth, bool hides)
{
	wire = (struct wire){.seed = seed, .loss = loss, .depth = depth, .hides = hides};
	wire.interim_max = depth == 1 ? 2 : 0;
	for (int i = 0; i < 2; i++) {
		struct end *end = &wire.ends[i];

		feed_start(&end->feed, 4, 100);
		end->feed.check = check;
		end->feed.inexact = true; /* what is hidden is in no sum */
		end->link = link_open(&end->feed, 1, i ? ROLE_SERVER : ROLE_CLIENT);
	}
	for (int i = 0; i < 2000; i++)
		step(&wire);
	for (int i = 0; i < 2; i++) {
		struct end *end = &wire.ends[i];

		end->feed.lose = false;
		link_close(&end->feed, &end->link);
		feed_end(&end->feed);
	}
}

static void test_nothing_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 300; seed++) {
		unsigned depth = seed % 2 ? 1 : DEPTH_MAX;

		told = from_tcp = 0;
		run(seed, 0, depth, false);
		assert_true(told == 2 * REQUESTS_MAX);
		assert_int_equal(from_tcp, told);
	}
}

static void test_hidden(void **state)
{
	(void)state;
	told = from_tcp = 0;
	for (uint64_t seed = 1; seed < 300; seed++)
		run(seed, 0, DEPTH_MAX, true);
	assert_true(from_tcp > told / 20);
}

static void test_lost(void **state)
{
	static const unsigned losses[] = {1, 5, 20, 50, 80};

	(void)state;
	told = from_tcp = 0;
	for (uint64_t seed = 1; seed < 1000; seed++)
		run(seed, losses[seed % 5], seed % 3 ? DEPTH_MAX : 1, seed % 2);
	assert_true(from_tcp > told / 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_lost),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
