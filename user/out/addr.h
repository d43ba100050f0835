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
void addr_write(struct buf *b, const struct request_addr *addr); /* with the port */

#endif
