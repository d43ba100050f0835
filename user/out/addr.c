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

#include "base/put.h"
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

static char *put_ipv4(char *to, const uint8_t *ip)
{
	for (int i = 0; i < 4; i++)
		to = put_char(put_u64(to, ip[i]), '.');
	return to - 1;
}

static char *put_ip(char *to, const struct request_addr *addr, const uint8_t *ipv4)
{
	if (ipv4)
		return put_ipv4(to, ipv4);
	if (addr->family == AF_UNIX)
		return put_str(to, STR("unix"));
	if (addr->family != AF_INET6 || !inet_ntop(AF_INET6, addr->ip, to, INET6_ADDRSTRLEN))
		return to;
	return to + strlen(to);
}

char *addr_put(char *to, const struct request_addr *addr)
{
	const uint8_t *ipv4 = ipv4_bytes(addr);
	bool brackets = addr->family == AF_INET6 && !ipv4;

	if (brackets)
		to = put_char(to, '[');
	to = put_ip(to, addr, ipv4);
	if (brackets)
		to = put_char(to, ']');
	if (addr->family == AF_INET || addr->family == AF_INET6)
		to = put_u64(put_char(to, ':'), addr->port);
	return to;
}

void addr_write_ip(struct buf *b, const struct request_addr *addr)
{
	char text[ADDR_TEXT_MAX];

	buf_bytes(b, text, (size_t)(put_ip(text, addr, ipv4_bytes(addr)) - text));
}
