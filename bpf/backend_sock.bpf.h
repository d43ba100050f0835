/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Backend `sock`: the tracepoints that fire once for each send and receive on a socket, whichever
 * system call, sendfile, splice or io_uring it came from (kernel 6.3). They
 * carry the socket and the result, and cost other system calls nothing.
 */
#ifndef SONDE_BACKEND_SOCK_BPF_H
#define SONDE_BACKEND_SOCK_BPF_H

#include "hit.bpf.h"
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_sent, struct sock *sk, int result, int flags)
{
	return result > 0 ? conn_moved(sk, result, DIR_OUT, flags) : 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_received, struct sock *sk, int result, int flags)
{
	if (!result)
		return conn_end_read(sk, flags);
	return result > 0 ? conn_moved(sk, result, DIR_IN, flags) : 0;
}

#endif
