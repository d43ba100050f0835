// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Framing `line`: messages that begin with a first line that gives them away, HTTP/1. A hit either
 * begins a message (its first 16 bytes match a signature row), goes on with a head that is not
 * captured whole yet, or moves a body, which only moves counters.
 *
 * Requests and responses are numbered apart, each by the thread that moves them; response n answers
 * request n. A response begins only while one is owed, except for what the kernel cannot see:
 * requests pipelined in one read, which user space finds in the captured bytes. Those go out as
 * unpaired.
 *
 * Where a message is expected, the bytes are read straight into a reserved record, which is
 * discarded if they are something else. Elsewhere 16 bytes are looked at first.
 */
#include "first.bpf.h"

/* Of the requests of this read that found no room in the record of the first one, the next ones. */
__noinline int line_pipelined(struct hit *hit, struct conn *c, struct part *p)
{
	PLACED_MESSAGE(hit, c, p);
	__u32 n;

	if (!hit || !c || !p)
		return false;
	n = p->next;
	p->next = 0;
	if (!n || n >= p->len)
		return false;
	p->addr += n;
	p->seq += n;
	p->len -= n;
	p->moved -= n;
	if (queue_time)
		queue_read(c, p);
	return line_begins(p, c, hit->dir, MESSAGE_REQUEST) &&
	       line_send(hit, c, p, MESSAGE_REQUEST, true) == PART_TAKEN;
}

/* The next buffer of a vectored call, out of line: most heads stand in the first. */
int line_part(struct hit *hit, struct conn *c, struct part *p, __u32 kind)
{
	PLACED_MESSAGE(hit, c, p);

	return hit && c && p && vector_part(hit, p, ++p->index) && line_buffer(hit, c, p, kind);
}

char _license[] SEC("license") = "Dual BSD/GPL";
