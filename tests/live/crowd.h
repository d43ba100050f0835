/* SPDX-License-Identifier: Apache-2.0 */
/* What crowd and crowd_server share: what they say to each other, and what they count. */
#ifndef CROWD_H
#define CROWD_H

#include "workers.h"

#define PIPELINE_MAX 32
#define REQUEST_MAX  160
#define POST_BODY    "body"
#define ANSWER	     "HTTP/1.1 %03u Said\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nfine\n"
#define ANSWER_SIZE  (sizeof(ANSWER) - 2) /* each is as long as the others */
#define PATH_HELD    0			  /* in place of a status: an answer never comes */
#define PATH_CUT     1			  /* the head and half of the body come, the rest never */

/* GET_200 begins a table: methods by statuses. */
enum counter { OPENED, CLOSED, HELD, ABORTED_GET, ABORTED_POST, GET_200, COUNTERS = GET_200 + 6 };

static const char *const counter_names[COUNTERS] = {"opened",	"closed",   "held",    "GET -",
						    "POST -",	"GET 200",  "GET 404", "GET 503",
						    "POST 200", "POST 404", "POST 503"};

static inline enum counter counter_of(int post, unsigned status)
{
	return (enum counter)(GET_200 + 3 * post + (status == 404) + 2 * (status == 503));
}

static inline void counts_say(const uint64_t *all, unsigned workers)
{
	counts_print(all, counter_names, COUNTERS, workers);
	printf("\n");
	fflush(stdout);
}

#endif
