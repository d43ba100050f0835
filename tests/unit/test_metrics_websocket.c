/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket connections in the registry. The rules behind all cases: opened - closed is the gauge,
 * the durations' count is closed, and what each connection moved is counted once.
 */
#include "metrics_websocket.h"

static void test_opened(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct websocket w = make_websocket(&cart, ROLE_SERVER);

	(void)state;
	metrics_websocket(m, WEBSOCKET_OPENED, &w);
	assert_line(m, "websocket_reconnects_total{service=\"cart\"} 0");
	w.reconnect = true;
	metrics_websocket(m, WEBSOCKET_OPENED, &w);
	open_one(m, &cart, ROLE_CLIENT);
	metrics_websocket(m, WEBSOCKET_MOVED, &w);
	metrics_websocket(m, WEBSOCKET_PROGRESSED, &w);
	assert_line(m, "websocket_connections" SERVER "2");
	assert_line(m, "websocket_connections" CLIENT "1");
	assert_line(m, "websocket_connections_opened_total" SERVER "2");
	assert_line(m, "websocket_connections_opened_total" CLIENT "1");
	assert_line(m, "websocket_reconnects_total{service=\"cart\"} 1");
	assert_absent(m, "websocket_connections_closed");
	assert_absent(m, "websocket_messages");
	assert_absent(m, "http_");
	assert_int_equal(metrics_counted(m), 0);
	assert_int_equal(metrics_overflows(m), 0);
	metrics_free(m);
}

/* Clients do not know of reconnects: no line that says there were none. */
static void test_no_reconnects_of_clients(void **state)
{
	struct metrics *m = new_metrics(100, 10);

	(void)state;
	open_one(m, &cart, ROLE_CLIENT);
	assert_absent(m, "websocket_reconnects_total");
	metrics_free(m);
}

static void test_moved(void **state)
{
	static const char *const directions[] = {"received", "sent"};
	static const char *const types[] = {"text", "binary", "close", "ping", "pong"};
	struct metrics *m = new_metrics(100, 10);
	struct websocket w = make_websocket(&shop, ROLE_SERVER);
	char line[256];

	(void)state;
	for (unsigned dir = 0; dir < 2; dir++) {
		for (unsigned type = 0; type < WEBSOCKET_TYPES; type++) {
			w.added.messages[dir][type] = 1 + dir * 10 + type;
			w.added.bytes[dir][type] = 1000 * w.added.messages[dir][type];
			w.total.messages[dir][type] = 99; /* not what is counted */
		}
	}
	metrics_websocket(m, WEBSOCKET_OPENED, &w); /* counts none of it */
	metrics_websocket(m, WEBSOCKET_MOVED, &w);
	metrics_websocket(m, WEBSOCKET_PROGRESSED, &w);
	metrics_websocket(m, WEBSOCKET_CLOSED, &w);
	for (unsigned dir = 0; dir < 2; dir++) {
		for (unsigned type = 0; type < WEBSOCKET_TYPES; type++) {
#define LABELS "{" SHOP ",role=\"server\",direction=\"%s\",type=\"%s\"} %u"
			snprintf(line, sizeof(line), "websocket_messages_total" LABELS,
				 directions[dir], types[type], 2 * (1 + dir * 10 + type));
			assert_line(m, line);
			snprintf(line, sizeof(line), "websocket_message_bytes_total" LABELS,
				 directions[dir], types[type], 2000 * (1 + dir * 10 + type));
			assert_line(m, line);
		}
	}
	metrics_free(m);
}

/* A type that nobody has used has no series. */
static void test_only_what_moved(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct websocket w = make_websocket(&cart, ROLE_CLIENT);
	unsigned series;

	(void)state;
	w.added.messages[DIR_OUT][WEBSOCKET_TEXT] = 3; /* empty ones */
	metrics_websocket(m, WEBSOCKET_MOVED, &w);
	assert_int_equal(sum_of(m, "websocket_messages_total{", &series), 3);
	assert_int_equal(series, 1);
	assert_absent(m, "websocket_message_bytes_total");
	assert_absent(m, "websocket_unseen_bytes_total");
	assert_absent(m, "websocket_protocol_errors_total");
	metrics_free(m);
}

static void test_closed(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct websocket w = make_websocket(&cart, ROLE_SERVER);

	(void)state;
	metrics_websocket(m, WEBSOCKET_OPENED, &w);
	w.close_code = 1001;
	w.initiator = INITIATOR_CLIENT;
	w.closed = w.opened + 15 * NS;
	w.added.messages[DIR_IN][WEBSOCKET_CLOSE] = 1;
	metrics_websocket(m, WEBSOCKET_CLOSED, &w);
	assert_line(m, "websocket_undelivered_bytes_total{service=\"cart\"} 0");
	metrics_websocket(m, WEBSOCKET_OPENED, &w);
	w.close_code = 1006;
	w.initiator = INITIATOR_NETWORK;
	w.closed = w.opened + 15 * NS + 1;
	w.undelivered = 77;
	metrics_websocket(m, WEBSOCKET_CLOSED, &w);
	assert_line(m, CLOSED "\"1001\",initiator=\"client\"} 1");
	assert_line(m, CLOSED "\"1006\",initiator=\"network\"} 1");
	assert_line(m, "websocket_connections" SERVER "0");
	assert_line(m, "websocket_connections_opened_total" SERVER "2");
	assert_line(m, "websocket_undelivered_bytes_total{service=\"cart\"} 77");
#define DURATION "websocket_connection_duration_seconds"
	assert_line(m, DURATION "_count" SERVER "2");
	assert_line(m, DURATION "_sum" SERVER "30.000000001");
	assert_line(m, DURATION "_bucket{service=\"cart\",role=\"server\",le=\"5\"} 0");
	assert_line(m, DURATION "_bucket{service=\"cart\",role=\"server\",le=\"15\"} 1");
	assert_line(m, DURATION "_bucket{service=\"cart\",role=\"server\",le=\"60\"} 2");
	assert_line(m, "websocket_messages_total{service=\"cart\",role=\"server\",direction="
		       "\"received\",type=\"close\"} 2");
	metrics_free(m);
}

/* From one second to one day. */
static void test_duration_bounds(void **state)
{
	static const char bounds[] = "1 5 15 60 300 900 1800 3600 7200 14400 28800 86400 +Inf ";
	struct metrics *m = new_metrics(100, 10);
	char found[256] = "", *text, *at;

	(void)state;
	close_one(m, &cart, ROLE_CLIENT, 1000);
	at = text = text_of(m);
	while ((at = strstr(at, ",le=\""))) {
		at += strlen(",le=\"");
		strncat(found, at, (size_t)(strchr(at, '"') - at));
		strcat(found, " ");
	}
	assert_string_equal(found, bounds);
	free(text);
	metrics_free(m);
}

static void test_unwalked(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct websocket w = make_websocket(&cart, ROLE_CLIENT);

	(void)state;
	w.invalid[DIR_IN] = w.invalid_added[DIR_IN] = true;
	w.added.unseen[DIR_IN] = 500;
	metrics_websocket(m, WEBSOCKET_MOVED, &w);
	w.invalid_added[DIR_IN] = false; /* it was told */
	w.added.unseen[DIR_IN] = 0;
	w.added.unseen[DIR_OUT] = 8;
	metrics_websocket(m, WEBSOCKET_MOVED, &w);
	w.invalid[DIR_OUT] = w.invalid_added[DIR_OUT] = true;
	metrics_websocket(m, WEBSOCKET_CLOSED, &w);
#define ROLE "{service=\"cart\",role=\"client\",direction="
	assert_line(m, "websocket_protocol_errors_total" ROLE "\"received\"} 1");
	assert_line(m, "websocket_protocol_errors_total" ROLE "\"sent\"} 1");
	assert_line(m, "websocket_unseen_bytes_total" ROLE "\"received\"} 500");
	assert_line(m, "websocket_unseen_bytes_total" ROLE "\"sent\"} 16");
	metrics_free(m);
}

/* A handshake is a request; a refused one is counted beside that. */
static void test_handshakes(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct request r = make(&cart, "GET", "/ws", 101);
	unsigned series;

	(void)state;
	r.handshake = HANDSHAKE_ACCEPTED;
	metrics_count(m, &r);
	assert_absent(m, "websocket_");
	r.handshake = HANDSHAKE_REFUSED; /* 101 with a wrong key */
	metrics_count(m, &r);
	r.status = 403;
	metrics_count(m, &r);
	r.role = ROLE_CLIENT;
	metrics_count(m, &r);
	assert_line(m, "websocket_handshake_failures_total" SERVER "2");
	assert_line(m, "websocket_handshake_failures_total" CLIENT "1");
	assert_int_equal(sum_of(m, SERVER_COUNT, &series), 3);
	assert_int_equal(sum_of(m, CLIENT_COUNT, &series), 1);
	assert_int_equal(metrics_counted(m), 4);
	metrics_free(m);
}

static void test_pings(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct event_times times = {.sum = 20 * NS + 150000};
	struct metrics_top top;

	(void)state;
	times.buckets[1] = 3;
	times.buckets[SHED_BOUNDS] = 2; /* above all bounds */
	metrics_pings(m, &cart, ROLE_SERVER, &times);
	metrics_pings(m, &cart, ROLE_SERVER, &times);
#define PING "websocket_ping_rtt_seconds"
	assert_line(m, PING "_count" SERVER "10");
	assert_line(m, PING "_sum" SERVER "40.0003");
	assert_line(m, PING "_bucket{service=\"cart\",role=\"server\",le=\"0.0001\"} 0");
	assert_line(m, PING "_bucket{service=\"cart\",role=\"server\",le=\"0.00025\"} 6");
	assert_line(m, PING "_bucket{service=\"cart\",role=\"server\",le=\"10\"} 6");
	assert_absent(m, "http_");
	assert_int_equal(metrics_counted(m), 0);
	assert_int_equal(metrics_top(m, &top, 1), 0);
	metrics_free(m);
}

static void test_no_owner(void **state)
{
	struct metrics *m = new_metrics(100, 10);

	(void)state;
	open_one(m, NULL, ROLE_SERVER);
	close_one(m, NULL, ROLE_SERVER, 1000);
	assert_line(m, "websocket_connections_opened_total{service=\"other\",role=\"server\"} 1");
	assert_line(m, DURATION "_count{service=\"other\",role=\"server\"} 1");
	metrics_free(m);
}

/* Names and units as OpenMetrics wants them. */
static void test_openmetrics(void **state)
{
	struct metrics *m = new_metrics(100, 10);
	struct websocket w = make_websocket(&cart, ROLE_SERVER);
	struct buf b;
	struct prom p = {&b, PROM_OPENMETRICS};

	(void)state;
	w.added.bytes[DIR_IN][WEBSOCKET_TEXT] = 1;
	metrics_websocket(m, WEBSOCKET_OPENED, &w);
	metrics_websocket(m, WEBSOCKET_CLOSED, &w);
	buf_init_growing(&b, 1 << 20);
	metrics_write(m, &p);
	buf_char(&b, '\0');
	assert_non_null(strstr(b.p, "\n# TYPE websocket_connections gauge\n"));
	assert_non_null(strstr(b.p, "\n# TYPE websocket_connections_opened counter\n"));
	assert_non_null(strstr(b.p, "\n# UNIT websocket_message_bytes bytes\n"));
	assert_non_null(strstr(b.p, "\nwebsocket_message_bytes_total{"));
	assert_non_null(strstr(b.p, "\n# UNIT websocket_undelivered_bytes bytes\n"));
	assert_non_null(strstr(b.p, "\n# UNIT websocket_connection_duration_seconds seconds\n"));
	assert_non_null(strstr(b.p, ",le=\"86400.0\"} 1\n"));
	buf_close(&b);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opened),	    cmocka_unit_test(test_no_reconnects_of_clients),
		cmocka_unit_test(test_moved),	    cmocka_unit_test(test_only_what_moved),
		cmocka_unit_test(test_closed),	    cmocka_unit_test(test_duration_bounds),
		cmocka_unit_test(test_unwalked),    cmocka_unit_test(test_handshakes),
		cmocka_unit_test(test_pings),	    cmocka_unit_test(test_no_owner),
		cmocka_unit_test(test_openmetrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
