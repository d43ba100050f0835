/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed pools for what only a busy connection needs: exchanges and heads in pieces. Reserved at
 * once, touched as far as they were ever in use, last freed first reused so that the same few stay
 * warm. Nothing grows: when a pool is used up the caller does without and says so.
 */
#include <stdlib.h>

#include "flow/conn.h"

static size_t piece_size(const struct flow *f)
{
	return (sizeof(struct piece) + f->options.capture_bytes + 15) & ~(size_t)15;
}

int pool_init(struct flow *f)
{
	f->exchanges = calloc(f->options.exchanges_max, sizeof(*f->exchanges));
	f->pieces = calloc(PIECES_MAX, piece_size(f));
	return f->exchanges && f->pieces ? headers_init(f) : -1;
}

void pool_free(struct flow *f)
{
	free(f->exchanges);
	free(f->pieces);
	headers_free(f);
}

struct exchange *exchange_new(struct flow *f)
{
	struct exchange *x = f->free_exchanges;

	if (x)
		f->free_exchanges = x->next;
	else if (f->exchanges_used < f->options.exchanges_max)
		x = &f->exchanges[f->exchanges_used++];
	else
		return NULL;
	/* strings are counted: clearing the counts clears them */
	memset(x, 0, offsetof(struct exchange, request) + offsetof(struct request, op));
	x->request_body = REQUEST_SIZE_UNKNOWN;
	headers_clear(f, x);
	return x;
}

void exchange_free(struct flow *f, struct exchange *x)
{
	if (!x)
		return;
	x->next = f->free_exchanges;
	f->free_exchanges = x;
}

struct piece *piece_new(struct flow *f)
{
	struct piece *p = f->free_pieces;

	if (p)
		f->free_pieces = p->next;
	else if (f->pieces_used < PIECES_MAX)
		p = (struct piece *)(f->pieces + piece_size(f) * f->pieces_used++);
	else
		return NULL;
	p->n = 0;
	return p;
}

void piece_free(struct flow *f, struct piece **p)
{
	if (!*p)
		return;
	(*p)->next = f->free_pieces;
	f->free_pieces = *p;
	*p = NULL;
}
