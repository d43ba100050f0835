/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint, on libmicrohttpd without threads of its own: its epoll descriptor hangs in the
 * agent's loop. GET and HEAD only; unknown paths 404, other methods 405 with Allow. Bounded in
 * connections, header size and a request's time. It knows paths, not what stands behind them.
 */
#ifndef SONDE_WEB_H
#define SONDE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "out/prom.h"

struct web;

struct web_options {
	const char *listen; /* ADDR:PORT, [v6]:PORT or :PORT */
	void (*metrics)(void *ctx, struct prom *p);
	bool (*ready)(void *ctx);
	void (*page)(void *ctx, struct buf *html);
	void *ctx;
	uint64_t request_ns; /* for a head to come, and for its answer to be taken; 0: 10 s */
	uint64_t fresh_ns;   /* an exposition answers all who ask until then; 0: 100 ms */
};

/*
 * NULL after saying why in error[]: port in use, bad address, and what to do. The returned endpoint
 * listens.
 */
struct web *web_new(const struct web_options *options, char *error, size_t error_size);
void web_free(struct web *w);

int web_fd(const struct web *w); /* readable: call web_run() */
void web_run(struct web *w);	 /* also to be called about once a second, for its time-outs */
unsigned web_port(const struct web *w); /* the one that the kernel chose for port 0 */

#endif
