/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as text: "10.0.0.7", "::1"; a v4-mapped one as IPv4, a unix socket as "unix". An
 * unknown address writes nothing.
 */
#ifndef SONDE_ADDR_H
#define SONDE_ADDR_H

#include "base/buf.h"
#include "flow/request.h"

#define ADDR_TEXT_MAX 56 /* "[v6]:port" */

void addr_write_ip(struct buf *b, const struct request_addr *addr);
/* With the port, at a cursor (see base/put.h) with room for ADDR_TEXT_MAX bytes. */
char *addr_put(char *to, const struct request_addr *addr);

#endif
