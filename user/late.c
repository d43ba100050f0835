/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's name may come after its end: of two in a pod only the kubelet's link says which is
 * which, and it is made after the start. Until then what such a container did waits here, as
 * copies, so that it is counted once and under the whole name.
 *
 * The invariant: what was taken in is given out once, in the order of its coming for each process,
 * after at most LATE_NS. Where there is no room for one more, the oldest quarter counts under the
 * names that are known of it by then.
 */
#include "late.h"

#include <stdlib.h>

#include "base/clock.h"

#define LATE_MAX 1024
#define LATE_FEW 64		     /* gaps among them do not matter */
#define LATE_NS	 (7 * NS_PER_SECOND) /* who/ gives up after 5 */

struct waiting {
	uint64_t since; /* 0: free */
	bool is_request, counted;
	enum websocket_event what;
	union {
		struct {
			struct request r;
			struct request_headers headers;
		};
		struct websocket w;
	};
};

struct late {
	struct late_sinks sinks;
	unsigned count, end; /* in use, all of them before `end` */
	struct waiting waiting[LATE_MAX];
};

struct late *late_new(const struct late_sinks *sinks)
{
	struct late *l = calloc(1, sizeof(*l));

	if (l)
		l->sinks = *sinks;
	return l;
}

void late_free(struct late *l)
{
	free(l);
}

static void give(struct late *l, struct waiting *w, bool last)
{
	bool taken;

	if (w->is_request)
		taken = l->sinks.request(l->sinks.ctx, &w->r, w->counted, last);
	else
		taken = l->sinks.websocket(l->sinks.ctx, w->what, &w->w, last);
	if (!taken)
		return;
	w->since = 0;
	l->count--;
}

/* Closes the gaps. */
static void pack(struct late *l)
{
	unsigned end = 0;

	for (unsigned i = 0; i < l->end; i++) {
		struct waiting *w = &l->waiting[end];

		if (!l->waiting[i].since)
			continue;
		if (end++ == i)
			continue;
		*w = l->waiting[i];
		l->waiting[i].since = 0;
		if (w->is_request && w->r.headers)
			w->r.headers = &w->headers;
	}
	l->end = end;
}

/* Behind all others. */
static struct waiting *slot(struct late *l)
{
	struct waiting *w;

	if (!l)
		return NULL;
	if (l->end >= LATE_FEW && l->end > 2 * l->count)
		pack(l);
	if (l->end == LATE_MAX) {
		for (unsigned i = 0; i < LATE_MAX / 4; i++)
			if (l->waiting[i].since)
				give(l, &l->waiting[i], true);
		pack(l);
	}
	w = &l->waiting[l->end++];
	w->since = clock_monotonic();
	l->count++;
	return w;
}

bool late_request(struct late *l, const struct request *r, bool counted)
{
	struct waiting *w = slot(l);

	if (!w)
		return false;
	w->is_request = true;
	w->counted = counted;
	w->r = *r;
	if (r->headers)
		w->headers = *r->headers;
	w->r.headers = r->headers ? &w->headers : NULL;
	return true;
}

bool late_websocket(struct late *l, enum websocket_event what, const struct websocket *of)
{
	struct waiting *w = slot(l);

	if (!w)
		return false;
	w->is_request = false;
	w->what = what;
	w->w = *of;
	return true;
}

void late_look(struct late *l, uint64_t now)
{
	if (!l || !l->count)
		return;
	for (unsigned i = 0; i < l->end; i++)
		if (l->waiting[i].since)
			give(l, &l->waiting[i], now > l->waiting[i].since + LATE_NS);
	while (l->end && !l->waiting[l->end - 1].since)
		l->end--;
}
