/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as people write them, for the log's `peer` and the label `server_address`.
 *
 * Invariant: one peer has one text, however its socket was made: a v4-mapped IPv6 address is
 * written as the IPv4 address that it is. IPv4 is written by hand, since it stands in most lines of
 * the log; IPv6 is left to inet_ntop, which knows where "::" goes. Refuses to guess: no family, no
 * text.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "out/addr.h"

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static const uint8_t *ipv4_bytes(const struct request_addr *addr)
{
	if (addr->family == AF_INET)
		return addr->ip;
	if (addr->family == AF_INET6 && !memcmp(addr->ip, mapped_prefix, sizeof(mapped_prefix)))
		return addr->ip + sizeof(mapped_prefix);
	return NULL;
}

static void write_ipv4(struct buf *b, const uint8_t *ip)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			buf_char(b, '.');
		buf_u64(b, ip[i]);
	}
}

static void write_ipv6(struct buf *b, const uint8_t *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(AF_INET6, ip, text, sizeof(text)))
		buf_text(b, text);
}

void addr_write_ip(struct buf *b, const struct request_addr *addr)
{
	const uint8_t *ipv4 = ipv4_bytes(addr);

	if (ipv4)
		write_ipv4(b, ipv4);
	else if (addr->family == AF_INET6)
		write_ipv6(b, addr->ip);
	else if (addr->family == AF_UNIX)
		buf_text(b, "unix");
}

void addr_write(struct buf *b, const struct request_addr *addr)
{
	bool brackets = addr->family == AF_INET6 && !ipv4_bytes(addr);

	if (brackets)
		buf_char(b, '[');
	addr_write_ip(b, addr);
	if (brackets)
		buf_char(b, ']');
	if (addr->family == AF_INET || addr->family == AF_INET6) {
		buf_char(b, ':');
		buf_u64(b, addr->port);
	}
}
