/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of a request. Each gets a span_id of its own and a fresh trace_id when it begins. A header
 * that is valid by its own rules then says which trace it belongs to, and who its parent is; what
 * the rules are stands in trace_header.c.
 *
 * The invariants: trace_id and span_id are always there, in lower-case hex and never zero; a
 * parent_id is always one of that trace. New ids are random, seeded by the kernel, so that nodes do
 * not give the same ones. Nothing else is invented: what is not valid is counted and left out.
 */
#include "flow/trace.h"

#include <errno.h>
#include <sys/random.h>

#include "base/hex.h"

int trace_seed(struct trace_random *random)
{
	ssize_t n = getrandom(random->state, sizeof(random->state), 0);

	if (n < 0)
		return -errno;
	return n == sizeof(random->state) ? 0 : -EIO;
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static uint64_t random_next(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t trace_number(struct trace_random *random)
{
	uint64_t number = random_next(random->state);

	return number ? number : 1;
}

void trace_new(struct trace_random *random, struct request *r)
{
	hex_write(r->span_id, trace_number(random));
	hex_write(r->trace_id, trace_number(random));
	hex_write(r->trace_id + 16, trace_number(random));
	r->length.span_id = sizeof(r->span_id);
	r->length.trace_id = sizeof(r->trace_id);
}

void trace_request_id(struct request *r, const struct str ids[ID_COUNT])
{
	struct str id = ids[ID_REQUEST_ID].n ? ids[ID_REQUEST_ID] : ids[ID_CORRELATION_ID];

	if (!id.n || r->id_source == ID_FROM_HEADER)
		return;
	request_set(r, request_id, id);
	r->id_source = ID_FROM_HEADER;
}

/* A trace without a parent leaves the known one only if that is of the same trace. */
static void context_take(struct request *r, const struct trace_context *trace)
{
	struct str trace_id = {trace->trace_id, sizeof(trace->trace_id)};

	if (trace->has_parent) {
		request_set(r, parent_id, ((struct str){trace->parent_id, sizeof(r->parent_id)}));
		r->parent = PARENT_HEADER;
	} else if (!str_eq(request_str(r, trace_id), trace_id)) {
		r->length.parent_id = 0;
		r->parent = PARENT_NONE;
	}
	request_set(r, trace_id, trace_id);
}

bool trace_parent(struct request *r, const struct str ids[ID_COUNT], bool whole,
		  uint64_t invalid[TRACE_HEADERS])
{
	for (int i = 0; i < TRACE_HEADERS; i++) {
		const struct trace_kind *kind = &trace_kinds[i];
		struct trace_context trace;
		enum trace_word word;

		if (!ids[kind->ids[0]].n && !ids[kind->ids[1]].n)
			continue;
		word = kind->read(ids, whole, &trace);
		if (word == TRACE_VALID) {
			context_take(r, &trace);
			return true;
		}
		invalid[i] += word == TRACE_INVALID;
	}
	return false;
}

const char *trace_header_name(enum trace_header header)
{
	return trace_kinds[header].name;
}
