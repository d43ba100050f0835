/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the registry share: requests to count, and assertions on its text. */
#ifndef SONDE_TEST_METRICS_TEXT_H
#define SONDE_TEST_METRICS_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out/metrics.h"
#include "out/prom.h"

#define SERVER_COUNT "http_server_request_duration_seconds_count"
#define CLIENT_COUNT "http_client_request_duration_seconds_count"

static const struct owner shop = {
	.id = 1, .service = {"shop", 4}, .namespace = {"prod", 4}, .pod = {"shop-0", 6}};
static const struct owner cart = {.id = 2, .service = {"cart", 4}};

static inline struct metrics *new_metrics(uint32_t series_max, uint32_t routes_max)
{
	struct metrics *m = metrics_new(
		&(struct metrics_options){.series_max = series_max, .routes_max = routes_max});

	assert_non_null(m);
	return m;
}

static inline struct request make(const struct owner *owner, const char *op, const char *route,
				  int status)
{
	struct request r = {.owner = owner, .role = ROLE_SERVER, .status = (uint16_t)status};

	request_set(&r, op, str_of(op));
	request_set(&r, route, str_of(route));
	r.start = 1000;
	r.first_byte = r.start + 300000;
	r.end = r.start + 2000000;
	return r;
}

static inline char *text_as(const struct metrics *m, enum prom_format format)
{
	struct buf b;
	struct prom p = {&b, format};

	buf_init_growing(&b, 64 << 20);
	metrics_write(m, &p);
	buf_char(&b, '\0');
	assert_false(b.full);
	return b.p;
}

static inline char *text_of(const struct metrics *m)
{
	return text_as(m, PROM_TEXT);
}

static inline void assert_line(const struct metrics *m, const char *line)
{
	char *text = text_of(m), *at = strstr(text, line);

	if (!at)
		print_error("missing: %s\nin:\n%s\n", line, text);
	assert_non_null(at);
	assert_true(at == text || at[-1] == '\n');
	assert_int_equal(at[strlen(line)], '\n');
	free(text);
}

static inline void assert_absent(const struct metrics *m, const char *piece)
{
	char *text = text_of(m);

	assert_null(strstr(text, piece));
	free(text);
}

/* The sum of all samples whose line starts with `name`; *series: how many there are. */
static inline uint64_t sum_of(const struct metrics *m, const char *name, unsigned *series)
{
	char *text = text_of(m), *rest = text, *line;
	uint64_t sum = 0;

	*series = 0;
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		sum += strtoull(strrchr(line, ' '), NULL, 10);
		++*series;
	}
	free(text);
	return sum;
}

static inline void count_routes(struct metrics *m, const struct owner *owner, unsigned routes)
{
	for (unsigned i = 0; i < routes; i++) {
		char route[32];
		struct request r;

		snprintf(route, sizeof(route), "/r%u", i);
		r = make(owner, "GET", route, 200);
		metrics_count(m, &r);
	}
}

#endif
