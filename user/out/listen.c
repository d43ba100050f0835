/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the endpoint's socket. It is done here and not by the HTTP library, so that a failure can
 * be named: the address as it was given, the reason, and what to do about it.
 *
 * Addresses are numeric: a name would have to be looked up, which can block, and can mean several
 * addresses. ":PORT" is one dual-stack socket, or an IPv4 one where the kernel has no IPv6. Refuses
 * anything around the address and the port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "out/listen.h"

#define BACKLOG 64

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static const struct {
	int error;
	const char *what;
	const char *remedy;
} reasons[] = {
	{EADDRINUSE, "address already in use", "stop the other program or choose another"},
	{EACCES, "permission denied", "run as root or choose a port from 1024"},
	{EADDRNOTAVAIL, "this machine has no such address", "choose one that it has"},
	{EAFNOSUPPORT, "this kernel has no IPv6", "choose an IPv4 address"},
};

static int explain(const char *text, int error, char *to, size_t size)
{
	const char *what = strerror(error), *remedy = "choose another";

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].error != error)
			continue;
		what = reasons[i].what;
		remedy = reasons[i].remedy;
	}
	snprintf(to, size, "cannot listen on %s: %s; %s with --listen=ADDR:PORT", text, what,
		 remedy);
	return -error;
}

/* Splits at the last colon; brackets around the host are taken off. */
static bool split(struct str text, struct str *host, uint16_t *port)
{
	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	uint64_t number;

	if (!colon || !str_to_u64(str_from(text, (size_t)(colon - text.p) + 1), &number) ||
	    number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	*host = (struct str){text.p, (size_t)(colon - text.p)};
	if (str_has_prefix(*host, STR("[")) && str_has_suffix(*host, STR("]")))
		*host = (struct str){host->p + 1, host->n - 2};
	else if (memchr(host->p, ':', host->n))
		return false;
	return true;
}

static bool parse(const char *text, union address *address)
{
	char name[INET6_ADDRSTRLEN];
	struct str host;
	uint16_t port;

	*address = (union address){0};
	if (!split(str_of(text), &host, &port) || host.n >= sizeof(name))
		return false;
	str_copy(name, sizeof(name), host);
	address->v6.sin6_port = htons(port); /* where sin_port is, too */
	if (!host.n || inet_pton(AF_INET6, name, &address->v6.sin6_addr) == 1) {
		address->any.sa_family = AF_INET6;
		return true;
	}
	address->any.sa_family = AF_INET;
	return inet_pton(AF_INET, name, &address->v4.sin_addr) == 1;
}

bool listen_is_address(const char *text)
{
	union address address;

	return parse(text, &address);
}

static int open_at(const union address *address, bool dual)
{
	bool v6 = address->any.sa_family == AF_INET6;
	socklen_t length = v6 ? sizeof(address->v6) : sizeof(address->v4);
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, only_v6 = !dual, err;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    (!v6 || !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6))) &&
	    !bind(fd, &address->any, length) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int listen_open(const char *text, char *error, size_t error_size)
{
	union address address;
	bool dual = text[0] == ':';
	int fd;

	if (!parse(text, &address)) {
		snprintf(error, error_size,
			 "--listen=%s is not an address and port; it takes ADDR:PORT, [IPV6]:PORT "
			 "or :PORT with a numeric address",
			 text);
		return -EINVAL;
	}
	fd = open_at(&address, dual);
	if (fd == -EAFNOSUPPORT && dual) {
		address.any.sa_family = AF_INET;
		fd = open_at(&address, false);
	}
	return fd < 0 ? explain(text, -fd, error, error_size) : fd;
}
