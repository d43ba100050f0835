/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: the whole user half, wired as the agent wires it (pipeline.c): records go through intake
 * to flow and who, what comes of them to the metrics and the log, whose lines go to a file in
 * memory. Each line is read back with jansson. See flow_input.h for what an input is.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/buf.h"
#include "flow_check.h"
#include "flow_input.h"
#include "out/jsonlog.h"
#include "out/metrics.h"
#include "out/prom.h"
#include "pipeline.h"
#include "who/who.h"

#define STEP_NS	    1000
#define LOG_BYTES   (1 << 20)
#define TEXT_MAX    (8 << 20)
#define RECORD_MAX  (sizeof(struct event_data) + EVENT_CAPTURE_MAX)
#define PROGRESS_NS 50000

struct link {
	uint32_t position[2]; /* by enum event_message */
	uint32_t txn[2];
	uint64_t request_time, request_bytes, response_bytes;
	uint8_t role;
	bool open;
};

struct half {
	struct scrape scrape;
	struct intake intake;
	struct clock clock;
	struct link links[INPUT_LINKS];
	struct event_progress progress;
	uint64_t now;
	int file;
};

static const struct event_progress *progress; /* of the half that runs */

/* What the kernel half would say: the last response's state, for whoever asks. */
bool kern_progress(const struct kern *k, uint64_t conn, struct event_progress *p)
{
	(void)k;
	*p = *progress;
	return progress->conn == conn;
}

/* As many lines as were counted, each whole. */
static void check_log(const struct half *h)
{
	off_t size = lseek(h->file, 0, SEEK_END);
	char *text = malloc((size_t)size + 1), *p = text, *end;
	uint64_t lines = 0;

	if (pread(h->file, text, (size_t)size, 0) != size)
		abort();
	for (; p < text + size; p = end + 1, lines++) {
		end = memchr(p, '\n', (size_t)(text + size - p));
		if (!end)
			wrong("a line without an end", p, (size_t)(text + size - p));
		check_line(p, (size_t)(end - p));
	}
	if (lines != jsonlog_lines(h->scrape.jsonlog))
		wrong("lines are not those that are counted", "", 0);
	free(text);
}

/* Every request is in the metrics once, and what they print is text. */
static void check_metrics(const struct half *h)
{
	struct buf b;
	struct prom p = {&b, PROM_TEXT};
	uint64_t counted;

	buf_init_growing(&b, TEXT_MAX);
	metrics_write(h->scrape.metrics, &p);
	buf_char(&b, '\0');
	for (struct str s = {b.p, b.n - 1}; s.n; s = str_from(s, str_utf8(s)))
		if (!str_utf8(s) || ((unsigned char)*s.p < 0x20 && *s.p != '\n'))
			wrong("the exposition", s.p, s.n < 80 ? s.n : 80);
	counted = sum_of(b.p, "http_server_request_duration_seconds_count") +
		  sum_of(b.p, "http_client_request_duration_seconds_count");
	if (counted != flow_stats(h->scrape.flow)->counted[PROTO_http1])
		wrong("requests are not those that are counted", "", 0);
	buf_close(&b);
}

static void half_open(struct half *h, const uint8_t *options)
{
	static const struct str headers[] = {{"X-Tenant", 8}, {"X-Other", 7}};
	struct flow_options flow = {
		.connections_max = 5,
		.exchanges_max = 12,
		.capture_bytes = options[0] & 1 ? 64 : 1024,
		.headers = headers,
		.header_count = options[0] & 2 ? 2 : 0,
		.user = {.sources = {{USER_HEADER, {0}}, {USER_JWT, {"sub", 3}}},
			 .source_count = options[0] & 4 ? 2 : 0,
			 .hash = options[0] & 8,
			 .key = STR("0123456789abcdef")},
		.reconnect_window_ns = 1000 * STEP_NS,
		.progress_ns = options[0] & 16 ? PROGRESS_NS : 0};
	struct jsonlog_options log = {
		.buffer_bytes = LOG_BYTES,
		.form = {.node = "n",
			 .clock = &h->clock,
			 .headers = headers,
			 .header_count = flow.header_count,
			 .fields = options[0] & 32 ? JSONLOG_FIELDS_NONE | options[1] * 77 : 0},
		.sample = options[0] & 64 ? JSONLOG_SAMPLE_ALL / 2 : JSONLOG_SAMPLE_ALL,
		.slow_ns = 100 * STEP_NS,
		.rate = options[0] & 128 ? 1 + options[1] : 0};

	*h = (struct half){.now = 1000 * NS_PER_SECOND, .file = memfd_create("log", MFD_CLOEXEC)};
	log.fd = h->file;
	progress = &h->progress;
	h->scrape.jsonlog = jsonlog_new(&log);
	h->scrape.metrics =
		metrics_new(&(struct metrics_options){.series_max = 20, .routes_max = 5});
	h->scrape.who = who_new(&(struct who_options){.process_max = 8, .procfs = "/dev/null"});
	pipeline_flow(&h->scrape, &flow);
	h->scrape.flow = flow_new(&flow);
	h->intake.handlers = pipeline_intake(&h->scrape);
	if (!h->scrape.jsonlog || !h->scrape.metrics || !h->scrape.who || !h->scrape.flow)
		abort();
}

static void half_close(struct half *h)
{
	if (jsonlog_flush(h->scrape.jsonlog))
		abort();
	check_log(h);
	check_metrics(h);
	flow_free(h->scrape.flow);
	jsonlog_free(h->scrape.jsonlog);
	metrics_free(h->scrape.metrics);
	who_free(h->scrape.who);
	close(h->file);
}

/* A record stands alone in memory, so that reading past it is seen. */
static void feed(struct half *h, const void *record, size_t size, const uint8_t *bytes, size_t n)
{
	char *whole = malloc(size + n + !(size + n));

	memcpy(whole, record, size);
	if (n)
		memcpy(whole + size, bytes, n);
	intake_record(&h->intake, whole, size + n);
	free(whole);
}

static struct event_head head_of(struct half *h, const struct step *s, uint8_t kind)
{
	h->now += STEP_NS * (1 + s->n % 7);
	return (struct event_head){.conn = 1 + s->link,
				   .time = h->now,
				   .tgid = 100 + s->link % 3,
				   .tid = 100 + s->link,
				   .kind = kind,
				   .role = h->links[s->link].role};
}

static void step_open(struct half *h, const struct step *s)
{
	static const uint16_t families[] = {AF_INET, AF_INET6, AF_UNIX, 0};
	struct event_open e;

	if (h->links[s->link].open)
		return;
	h->links[s->link] = (struct link){.open = true, .role = 1 + (s->flags & 1)};
	e = (struct event_open){.head = head_of(h, s, EVENT_OPEN),
				.local_port = 8080,
				.remote_port = 40000,
				.family = families[s->flags >> 1 & 3],
				.protocol = PROTO_http1};
	memcpy(e.comm, s->bytes, s->n < sizeof(e.comm) ? s->n : sizeof(e.comm));
	feed(h, &e, sizeof(e), NULL, 0);
}

static void step_data(struct half *h, const struct step *s)
{
	uint8_t message = s->kind == STEP_RESPONSE;
	struct link *l = &h->links[s->link];
	struct event_data e = {
		.head = head_of(h, s, EVENT_DATA),
		.message = message,
		.flags = s->flags & (DATA_TENTATIVE | DATA_UNPAIRED | DATA_UNREADABLE | DATA_HOLE),
		.row = s->flags >> 4,
		.protocol = PROTO_http1,
		.moved = (uint32_t)s->n,
		.seq = l->position[message],
		.ack = l->position[!message],
		.captured = (uint16_t)s->n,
		.request_time = l->request_time,
		.request_bytes = l->request_bytes};

	if (!l->open)
		return;
	if (!(s->flags & STEP_MORE)) {
		e.flags |= DATA_START;
		l->txn[message]++;
	}
	if (s->flags & STEP_JUMPS) {
		e.seq += s->flags * 1000003U;
		e.answered = s->flags & 7;
		e.dropped = s->flags & 3;
		e.unknown = s->flags >> 6;
	} else {
		e.answered = l->txn[MESSAGE_RESPONSE];
	}
	e.txn = l->txn[message];
	l->position[message] += e.moved;
	if (message == MESSAGE_REQUEST) {
		l->request_time = e.head.time;
		l->request_bytes = e.moved;
	} else {
		l->response_bytes = e.moved;
	}
	h->progress = (struct event_progress){.conn = e.head.conn,
					      .txn = l->txn[MESSAGE_RESPONSE],
					      .time = h->now,
					      .response_bytes = l->response_bytes + s->flags};
	feed(h, &e, sizeof(e), s->bytes, s->n);
}

static void step_end(struct half *h, const struct step *s)
{
	struct link *l = &h->links[s->link];
	struct event_end e = {.head = head_of(h, s, EVENT_END),
			      .txn = l->txn[MESSAGE_RESPONSE],
			      .over = s->flags & 1,
			      .response_bytes = l->response_bytes + s->flags};

	if (l->open)
		feed(h, &e, sizeof(e), NULL, 0);
}

static void step_close(struct half *h, const struct step *s)
{
	struct link *l = &h->links[s->link];
	struct event_close e = {.head = head_of(h, s, EVENT_CLOSE),
				.requests = l->txn[MESSAGE_REQUEST],
				.responses = l->txn[MESSAGE_RESPONSE],
				.closer = s->flags % 5,
				.protocol = PROTO_http1,
				.begun = l->txn[MESSAGE_REQUEST],
				.request_time = l->request_time,
				.request_bytes = l->request_bytes,
				.response_time = h->now,
				.response_bytes = l->response_bytes};

	if (l->open)
		feed(h, &e, sizeof(e), NULL, 0);
	l->open = false;
}

static void step_websocket(struct half *h, const struct step *s)
{
	struct event_websocket e = {.head = head_of(h, s, EVENT_WEBSOCKET),
				    .family = AF_INET,
				    .flags = s->flags & 15,
				    .closer = s->flags % 5,
				    .opened = h->now - STEP_NS,
				    .close_first = s->flags % 3,
				    .close_code = {(uint16_t)(s->flags * 257), 1000}};

	for (int i = 0; i < WEBSOCKET_TYPES; i++)
		e.messages[s->flags & 1][i] = s->n;
	feed(h, &e, sizeof(e), NULL, 0);
}

static void step_process(struct half *h, const struct step *s)
{
	struct event_exec exec = {.head = head_of(h, s, EVENT_EXEC)};
	struct event_exit gone = {.head = head_of(h, s, EVENT_EXIT)};
	size_t n = s->n < EVENT_ARGS_MAX ? s->n : EVENT_ARGS_MAX;

	exec.captured = (uint16_t)n;
	memcpy(exec.comm, s->bytes, n < sizeof(exec.comm) ? n : sizeof(exec.comm));
	if (s->flags & 1)
		feed(h, &gone, sizeof(gone), NULL, 0);
	else
		feed(h, &exec, sizeof(exec), s->bytes, n);
}

/* Any bytes, shorter than they say: only intake stands before what reads them. */
static void step_raw(struct half *h, const struct step *s)
{
	struct event_exec e = {.head = head_of(h, s, (uint8_t)(s->flags >> 3 | EVENT_EXEC)),
			       .captured = 0xffff};
	size_t size = s->n < sizeof(e) ? s->n : sizeof(e);

	if (s->flags & 1)
		feed(h, s->bytes, s->n < sizeof(struct event_head) ? s->n : 0, NULL, 0);
	else if (e.head.kind == EVENT_EXEC || e.head.kind > EVENT_WEBSOCKET)
		feed(h, &e, size, s->bytes, s->n);
}

static void (*const steps[])(struct half *h, const struct step *s) = {
	[STEP_OPEN] = step_open,       [STEP_REQUEST] = step_data,
	[STEP_RESPONSE] = step_data,   [STEP_END] = step_end,
	[STEP_CLOSE] = step_close,     [STEP_WEBSOCKET] = step_websocket,
	[STEP_PROCESS] = step_process, [STEP_RAW] = step_raw,
};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	struct half h;
	struct step s;

	if (n < INPUT_OPTIONS)
		return 0;
	half_open(&h, input);
	for (input += INPUT_OPTIONS, n -= INPUT_OPTIONS; step_take(&input, &n, &s);) {
		steps[s.kind](&h, &s);
		if (s.flags & STEP_TICKS) {
			flow_tick(h.scrape.flow);
			flow_websockets(h.scrape.flow, h.now);
		}
	}
	flow_tick(h.scrape.flow);
	flow_age(h.scrape.flow, h.now + 2 * FLOW_IDLE_NS);
	half_close(&h);
	return 0;
}

size_t fuzz_make(uint64_t seed, uint8_t *input)
{
	return input_make(seed, input);
}
