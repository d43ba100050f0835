/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data for the kernel half, so that it needs no list of system calls, protocols or characters of
 * its own. System call numbers are those of the architecture that this file is compiled for. Rows
 * that begin with the same byte are chained in their order: the first match wins there as it does
 * here.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "kern/knobs.h"
#include "proto/rows.h"

static const struct {
	unsigned call;
	enum io_form form;
	unsigned ways; /* enum io_way */
} calls[] = {
	{__NR_read, IO_BUFFER, IO_IN},
	{__NR_write, IO_BUFFER, IO_OUT},
	{__NR_recvfrom, IO_BUFFER, IO_IN | IO_FLAGS_FOURTH},
	{__NR_sendto, IO_BUFFER, IO_OUT},
	{__NR_readv, IO_VECTOR, IO_IN},
	{__NR_writev, IO_VECTOR, IO_OUT},
	{__NR_preadv2, IO_VECTOR, IO_IN},
	{__NR_pwritev2, IO_VECTOR, IO_OUT},
	{__NR_recvmsg, IO_MESSAGE, IO_IN | IO_FLAGS_THIRD},
	{__NR_sendmsg, IO_MESSAGE, IO_OUT},
	{__NR_recvmmsg, IO_MESSAGES, IO_IN | IO_FLAGS_FOURTH},
	{__NR_sendmmsg, IO_MESSAGES, IO_OUT},
	{__NR_sendfile, IO_NO_BYTES, IO_OUT},
	{__NR_splice, IO_NO_BYTES, IO_OUT | IO_TO_THIRD},
	{__NR_io_uring_enter, IO_URING, 0},
};

void knobs_io_calls(__u8 forms[IO_CALLS], __u8 ways[IO_CALLS])
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].call >= IO_CALLS)
			continue;
		forms[calls[i].call] = (__u8)calls[i].form;
		ways[calls[i].call] = (__u8)calls[i].ways;
	}
}

static void row_fill(struct event_signature *row, const struct signature *s,
		     enum proto_number number)
{
	bool line = protos[number]->framing == PROTO_LINE;

	memset(row, 0, sizeof(*row));
	memset(row->mask, 0xff, s->length);
	memcpy(row->value, s->bytes, s->length);
	row->protocol = number;
	row->message = s->message;
	row->framing = line ? FRAMING_LINE : FRAMING_NONE;
	row->unseen = line ? 0 : COUNT_TLS;
	row->tunnel = s->tunnel;
}

static int row_chain(struct event_signature rows[SIGNATURE_MAX], __u8 row_of_byte[256], __u8 row)
{
	__u8 *link = &row_of_byte[*(const __u8 *)rows[row].value];
	int length = 1;

	for (; *link; length++)
		link = &rows[*link].next;
	*link = row;
	return length <= SIGNATURES_PER_BYTE ? 0 : -E2BIG;
}

int knobs_signatures(struct event_signature rows[SIGNATURE_MAX], __u8 row_of_byte[256])
{
	const struct signature *s;
	enum proto_number number;

	memset(row_of_byte, 0, 256);
	memset(&rows[0], 0, sizeof(rows[0]));
	rows[0].protocol = PROTO_http1;
	rows[0].message = MESSAGE_REQUEST;
	rows[0].framing = FRAMING_LINE;
	for (unsigned row = 1; (s = proto_row(row, &number)); row++) {
		if (row >= SIGNATURE_MAX)
			return -E2BIG;
		row_fill(&rows[row], s, number);
		if (row_chain(rows, row_of_byte, (__u8)row))
			return -E2BIG;
	}
	return 0;
}

void knobs_bounds(__u64 bounds[SHED_BOUNDS], const uint64_t *values, unsigned count)
{
	for (unsigned i = 0; i < SHED_BOUNDS; i++)
		bounds[i] = i < count ? values[i] : UINT64_MAX;
}

void knobs_token_bytes(__u8 token[256])
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	memset(token, 0, 256);
	for (int c = '0'; c <= '9'; c++)
		token[c] = 1;
	for (int c = 'a'; c <= 'z'; c++)
		token[c] = token[c - 'a' + 'A'] = 1;
	for (const char *m = marks; *m; m++)
		token[(unsigned char)*m] = 1;
}
