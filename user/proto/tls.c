/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS, recognised so that it can be counted as unseen instead of passing in silence. The rows match
 * a record that carries a handshake, under the three versions that clients write into its header:
 * 3.1 for the first flight, 3.2 and 3.3 from some. The server's answer needs no row: the socket is
 * muted by then.
 *
 * It refuses all bytes: without the keys there is nothing to read.
 */
#include "proto/protos.h"

static const struct signature signatures[] = {
	{"\x16\x03\x01", 3, MSG_REQUEST, false, NULL},
	{"\x16\x03\x02", 3, MSG_REQUEST, false, NULL},
	{"\x16\x03\x03", 3, MSG_REQUEST, false, NULL},
};

static int tls_guess(struct str head, enum msg_kind kind)
{
	(void)head;
	(void)kind;
	return 0;
}

static int64_t tls_parse(enum msg_kind kind, struct str bytes, struct msg *msg)
{
	(void)kind;
	(void)bytes;
	(void)msg;
	return -1;
}

static int tls_ends(struct str tail)
{
	(void)tail;
	return 0;
}

static struct str tls_field(struct str head, struct str name)
{
	(void)head;
	(void)name;
	return (struct str){NULL, 0};
}

const struct proto proto_tls = {
	.name = "tls",
	.logger = "sonde.tls",
	.signatures = signatures,
	.signature_count = sizeof(signatures) / sizeof(signatures[0]),
	.framing = PROTO_UNSEEN,
	.guess = tls_guess,
	.parse = tls_parse,
	.ends = tls_ends,
	.field = tls_field,
};
