/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of headers that an option names. The invariant: nothing is looked for and nothing kept
 * unless some are named. Values are copied, at most so many bytes of each, beside the exchange that
 * they belong to, and live as long as that. What the request has is not replaced by its response.
 */
#include <stdlib.h>

#include "flow/conn.h"

int headers_init(struct flow *f)
{
	if (!f->options.header_count)
		return 0;
	f->headers = calloc(f->options.exchanges_max, sizeof(*f->headers));
	return f->headers ? 0 : -1;
}

void headers_free(struct flow *f)
{
	free(f->headers);
}

static struct request_headers *headers_of(struct flow *f, const struct exchange *x)
{
	return &f->headers[x - f->exchanges];
}

void headers_clear(struct flow *f, struct exchange *x)
{
	if (!f->headers)
		return;
	memset(headers_of(f, x)->length, 0, sizeof(f->headers->length));
	x->request.headers = headers_of(f, x);
}

void headers_fill(struct flow *f, struct exchange *x, struct str head)
{
	struct request_headers *h;

	if (!f->headers || !head.n)
		return;
	h = headers_of(f, x);
	for (unsigned i = 0; i < f->options.header_count; i++)
		if (!h->length[i])
			h->length[i] =
				request_fill(h->value[i], sizeof(h->value[i]),
					     x->request.proto->field(head, f->options.headers[i]));
}

void headers_adopt(struct flow *f, struct exchange *x, const struct exchange *early)
{
	const struct request_headers *from;
	struct request_headers *to;

	if (!f->headers)
		return;
	from = headers_of(f, early);
	to = headers_of(f, x);
	for (unsigned i = 0; i < f->options.header_count; i++)
		if (!to->length[i])
			to->length[i] = request_fill(to->value[i], sizeof(to->value[i]),
						     (struct str){from->value[i], from->length[i]});
}
