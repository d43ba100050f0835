/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Addresses of a socket's two ends, as records carry them: see struct event_open. */
#ifndef SONDE_ENDS_BPF_H
#define SONDE_ENDS_BPF_H

#include "conn.bpf.h"

static __always_inline void address(__u8 *to, const struct in6_addr *from)
{
	bpf_probe_read_kernel(to, 16, from);
}

static __always_inline bool is_mapped(const __u8 *ip)
{
	const __u64 *high = (const __u64 *)ip;

	return !high[0] && *(const __u32 *)(ip + 8) == 0xffff0000;
}

static __always_inline void address_unmap(__u8 *ip)
{
	*(__u32 *)ip = *(__u32 *)(ip + 12);
	*(__u32 *)(ip + 4) = 0;
	*(__u64 *)(ip + 8) = 0;
}

static __always_inline void ports_of(const struct sock *sk, __u16 *local, __u16 *remote)
{
	bool named = sock_family(sk) != AF_UNIX;

	*local = named ? sock_get(sk, __sk_common.skc_num) : 0;
	*remote = named ? __builtin_bswap16(sock_get(sk, __sk_common.skc_dport)) : 0;
}

/* Fills 16 bytes each, and returns the family. */
static __always_inline __u16 ends_of(const struct sock *sk, __u8 *local, __u8 *remote)
{
	__u16 family = sock_family(sk);

	__builtin_memset(local, 0, 16);
	__builtin_memset(remote, 0, 16);
	if (family == AF_INET) {
		*(__u32 *)local = sock_get(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)remote = sock_get(sk, __sk_common.skc_daddr);
	}
	if (family != AF_INET6)
		return family;
	address(local, &sk->__sk_common.skc_v6_rcv_saddr);
	address(remote, &sk->__sk_common.skc_v6_daddr);
	if (!is_mapped(local) || !is_mapped(remote))
		return AF_INET6;
	address_unmap(local);
	address_unmap(remote);
	return AF_INET;
}

#endif
