/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's writer alone: full lines, with all ids and names, to /dev/null. Usage: writer CORE
 * SECONDS. Prints ns a line: 5th percentile, median, chunks. The requests differ in what differs in
 * life (time, path, ids, peer, sizes), so that no branch is learned by heart.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "out/jsonlog.h"
#include "proto/proto.h"
#include "chunks.h"

#define REQUESTS 256
#define OWNERS	 4
#define CHUNK	 1000

static const struct proto http = {.name = "http/1", .logger = "sonde.http"};

struct bench {
	struct jsonlog *log;
	struct request requests[REQUESTS];
	uint64_t time;
	unsigned at;
};

static const struct owner owners[OWNERS] = {
	{1, STR("backend"), STR("production"), STR("backend-7d9c6b5f4-x2x9z"), STR("backend")},
	{2, STR("audit"), STR("production"), STR("audit-5b6d8c7f9-k8s4d"), STR("app")},
	{3, STR("sync"), STR("production"), STR("sync-0"), STR("app")},
	{4, STR("notification"), STR("production"), STR("notification-6c4-q9w2e"), STR("app")},
};

static uint64_t draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005 + 1442695040888963407;
	return *seed >> 16;
}

static struct str hex(char *text, uint64_t *seed, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++)
		text[i] = "0123456789abcdef"[draw(seed) & 15];
	return (struct str){text, digits};
}

static void fill(struct request *r, unsigned i, uint64_t *seed)
{
	static const uint16_t statuses[] = {200, 200, 200, 201, 204, 304, 404, 500};
	char text[128];
	uint64_t number = draw(seed);

	*r = (struct request){.role = i & 1 ? ROLE_SERVER : ROLE_CLIENT,
			      .status = statuses[number % 8],
			      .proto = &http,
			      .id_source = ID_FROM_TCP,
			      .parent = PARENT_HEADER,
			      .owner = &owners[i % OWNERS],
			      .pid = (uint32_t)(1000 + number % 60000),
			      .request_bytes = number % 3000,
			      .response_bytes = number % 70000,
			      .peer = {AF_INET, (uint16_t)number, {10, 42, 7, (uint8_t)number}}};
	request_set(r, op, i & 2 ? STR("GET") : STR("POST"));
	snprintf(text, sizeof(text), "/api/users/%u/tasks/%u", (unsigned)(number % 9999),
		 (unsigned)(number >> 20) % 99999);
	request_set(r, target, str_of(text));
	request_set(r, route, STR("/api/users/{id}/tasks/{id}"));
	request_set(r, request_id, hex(text, seed, 32));
	request_set(r, user_id, STR("550e8400-e29b-41d4-a716-446655440000"));
	request_set(r, trace_id, hex(text, seed, 32));
	request_set(r, span_id, hex(text, seed, 16));
	request_set(r, parent_id, hex(text, seed, 16));
}

static int write_line(void *ctx)
{
	struct bench *b = ctx;
	struct request *r = &b->requests[b->at++ % REQUESTS];

	b->time += 20 * NS_PER_US + b->at % 7;
	r->end = b->time;
	r->start = b->time - 300 * NS_PER_US - (b->at % 31) * 400 * NS_PER_US;
	r->first_byte = r->end - 17 * NS_PER_US;
	jsonlog_write(b->log, r);
	return 0;
}

static int bench_open(struct bench *b, struct clock *clock)
{
	uint64_t seed = 1;

	clock_sync(clock);
	b->time = clock_monotonic();
	for (unsigned i = 0; i < REQUESTS; i++)
		fill(&b->requests[i], i, &seed);
	b->log = jsonlog_new(
		&(struct jsonlog_options){.fd = open("/dev/null", O_WRONLY),
					  .buffer_bytes = 1 << 20,
					  .form = {.node = "worker-17.example.net", .clock = clock},
					  .sample = JSONLOG_SAMPLE_ALL});
	return b->log ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct clock clock = {0};
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: writer CORE SECONDS\n");
		return 2;
	}
	err = core_pin(atoi(argv[1])) || bench_open(&b, &clock) ||
	      chunks_run(write_line, &b, CHUNK, atof(argv[2]));
	if (!err)
		err = jsonlog_flush(b.log) || jsonlog_dropped(b.log);
	if (err)
		perror("writer");
	jsonlog_free(b.log);
	return err;
}
