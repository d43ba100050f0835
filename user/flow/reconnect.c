/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that come back. An entry a client, with how many connections it has lost of late: behind
 * a proxy many are one client, so they are counted in groups that each span a seventh of the
 * window. A group lasts until its newest connection has been closed for longer than the window.
 *
 * The invariant: a closed connection accounts for at most one reconnect. The group that was closed
 * first is used up first, and only by what was opened after that.
 */
#include "flow/reconnect.h"

#include <stdlib.h>

#include "base/table.h"

#define GROUPS	 8 /* a ninth would begin when the first is past the window */
#define TEXT_MAX 64

/* Without gaps, since it is compared as bytes. */
struct client_key {
	uint32_t service;
	uint16_t user; /* text: 1 the user, 0 the subprotocol */
	uint16_t length;
	uint8_t ip[16]; /* 0 with a user, who may come back from elsewhere */
	char text[TEXT_MAX];
};
_Static_assert(sizeof(struct client_key) == 88, "gaps");

struct group {
	uint64_t begin, newest; /* times of closes */
	uint64_t count;		/* not used up */
};

struct client {
	struct client_key key;
	uint32_t used;
	struct group groups[GROUPS]; /* the oldest first */
};

struct reconnects {
	struct table *clients;
	uint64_t window;
};

static void client_evicted(void *ctx, void *entry)
{
	(void)ctx;
	(void)entry;
}

struct reconnects *reconnects_new(uint32_t clients_max, uint64_t window_ns)
{
	struct reconnects *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->window = window_ns;
	r->clients = table_new(&(struct table_options){
		.name = "websocket_reconnects",
		.capacity = clients_max,
		.key_size = sizeof(struct client_key),
		.entry_size = sizeof(struct client),
		.evicted = client_evicted,
	});
	if (r->clients)
		return r;
	free(r);
	return NULL;
}

void reconnects_free(struct reconnects *r)
{
	if (!r)
		return;
	table_free(r->clients);
	free(r);
}

static struct client_key key_of(const struct reconnect_client *client)
{
	struct client_key key = {.service = client->service, .user = client->user.n > 0};

	key.length = request_fill(key.text, sizeof(key.text),
				  key.user ? client->user : client->protocol);
	if (!key.user)
		memcpy(key.ip, client->peer.ip, sizeof(key.ip));
	return key;
}

static void group_drop(struct client *c)
{
	c->used--;
	memmove(c->groups, c->groups + 1, c->used * sizeof(c->groups[0]));
}

void reconnect_closed(struct reconnects *r, const struct reconnect_client *client, uint64_t time)
{
	struct client_key key = key_of(client);
	struct client *c;
	struct group *last;

	if (!r->window)
		return;
	c = table_find(r->clients, &key);
	if (!c)
		c = table_add(r->clients, &key);
	table_touch(r->clients, c);
	last = c->used ? &c->groups[c->used - 1] : NULL;
	if (!last || time > last->begin + r->window / (GROUPS - 1)) {
		if (c->used == GROUPS)
			group_drop(c);
		last = &c->groups[c->used++];
		*last = (struct group){.begin = time, .newest = time};
	}
	last->count++;
	if (time > last->newest)
		last->newest = time;
}

bool reconnect_opened(struct reconnects *r, const struct reconnect_client *client, uint64_t time)
{
	struct client_key key = key_of(client);
	struct client *c = table_find(r->clients, &key);
	bool found;

	if (!c)
		return false;
	while (c->used && time > c->groups[0].newest + r->window)
		group_drop(c);
	found = c->used && time >= c->groups[0].begin;
	if (found && !--c->groups[0].count)
		group_drop(c);
	if (!c->used)
		table_remove(r->clients, c);
	return found;
}

const struct table *reconnects_table(const struct reconnects *r)
{
	return r->clients;
}
