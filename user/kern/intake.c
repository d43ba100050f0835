/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table row a kind: how long its fixed part is, where its counted bytes are, who takes it. The
 * ring is shared with the kernel only, but a record is treated like any input: one that is too
 * short for its kind is counted as malformed and dropped, and of the bytes that it counts only
 * those are taken that it has, so that everything further in can trust sizes. Refuses to know what
 * the records mean.
 */
#include "kern/intake.h"

static struct str counted(const void *record, size_t size, size_t fixed, uint16_t captured)
{
	size_t room = size - fixed;

	return (struct str){(const char *)record + fixed, captured < room ? captured : room};
}

static void take_open(const struct intake_handlers *h, const void *record, size_t size)
{
	(void)size;
	h->open(h->ctx, record);
}

static void take_data(const struct intake_handlers *h, const void *record, size_t size)
{
	const struct event_data *e = record;

	h->data(h->ctx, e, counted(e, size, sizeof(*e), e->captured));
}

static void take_end(const struct intake_handlers *h, const void *record, size_t size)
{
	(void)size;
	h->end(h->ctx, record);
}

static void take_close(const struct intake_handlers *h, const void *record, size_t size)
{
	(void)size;
	h->close(h->ctx, record);
}

static void take_websocket(const struct intake_handlers *h, const void *record, size_t size)
{
	(void)size;
	h->websocket(h->ctx, record);
}

static void take_exec(const struct intake_handlers *h, const void *record, size_t size)
{
	const struct event_exec *e = record;

	h->exec(h->ctx, e, counted(e, size, sizeof(*e), e->captured));
}

static void take_exit(const struct intake_handlers *h, const void *record, size_t size)
{
	(void)size;
	h->exit(h->ctx, record);
}

static void take_cgroup(const struct intake_handlers *h, const void *record, size_t size)
{
	const struct event_cgroup *e = record;

	h->cgroup(h->ctx, e, counted(e, size, sizeof(*e), e->captured));
}

static const struct {
	size_t fixed;
	void (*take)(const struct intake_handlers *h, const void *record, size_t size);
} kinds[] = {
	[EVENT_OPEN] = {sizeof(struct event_open), take_open},
	[EVENT_DATA] = {sizeof(struct event_data), take_data},
	[EVENT_END] = {sizeof(struct event_end), take_end},
	[EVENT_CLOSE] = {sizeof(struct event_close), take_close},
	[EVENT_EXEC] = {sizeof(struct event_exec), take_exec},
	[EVENT_EXIT] = {sizeof(struct event_exit), take_exit},
	[EVENT_WEBSOCKET] = {sizeof(struct event_websocket), take_websocket},
	[EVENT_CGROUP] = {sizeof(struct event_cgroup), take_cgroup},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void intake_record(struct intake *in, const void *record, size_t size)
{
	const struct event_head *head = record;

	in->records++;
	if (size < sizeof(*head) || head->kind >= KINDS || !kinds[head->kind].take ||
	    size < kinds[head->kind].fixed) {
		in->malformed++;
		return;
	}
	kinds[head->kind].take(&in->handlers, record, size);
}
