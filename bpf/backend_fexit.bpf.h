/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Backend `fexit`: the returns of the functions that move bytes of a stream socket, for kernels
 * that have no tracepoints there (x86-64 5.17, arm64 6.4). These functions are called through
 * pointers, so no compiler has put them into others. The result is asked for by a helper, because
 * the number of arguments changes between kernels.
 *
 * What the kernel encrypts or redirects itself (kTLS, sockmap) goes other ways, and is not seen.
 */
#ifndef SONDE_BACKEND_FEXIT_BPF_H
#define SONDE_BACKEND_FEXIT_BPF_H

#include "hit.bpf.h"
#include <bpf/bpf_tracing.h>

#define OLD_TCP_RECVMSG 6 /* arguments before kernel 5.19: one more stands before the flags */

static __always_inline int returned(void *ctx)
{
	__u64 result = 0;

	bpf_get_func_ret(ctx, &result);
	return result;
}

static __always_inline int returned_sent(void *ctx, struct sock *sk)
{
	int result = returned(ctx);

	return result > 0 && sk ? conn_moved(sk, result, DIR_OUT, 0) : 0;
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(tcp_sent, struct sock *sk)
{
	return returned_sent(ctx, sk);
}

/* sendfile and splice, before kernel 6.5. */
SEC("fexit/tcp_sendpage")
int BPF_PROG(tcp_sent_page, struct sock *sk)
{
	return returned_sent(ctx, sk);
}

SEC("fexit/tcp_recvmsg")
int BPF_PROG(tcp_received, struct sock *sk)
{
	int result = returned(ctx);
	__u64 flags = 0;

	if (result <= 0 || !sk)
		return 0;
	bpf_get_func_arg(ctx, bpf_get_func_arg_cnt(ctx) == OLD_TCP_RECVMSG ? 4 : 3, &flags);
	return conn_moved(sk, result, DIR_IN, flags);
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(unix_sent, struct socket *socket)
{
	return returned_sent(ctx, socket->sk);
}

SEC("fexit/unix_stream_sendpage")
int BPF_PROG(unix_sent_page, struct socket *socket)
{
	return returned_sent(ctx, socket->sk);
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(unix_received, struct socket *socket, struct msghdr *message, size_t size, int flags)
{
	int result = returned(ctx);
	struct sock *sk = socket->sk;

	if (result < 0 || !sk)
		return 0;
	return result ? conn_moved(sk, result, DIR_IN, flags) : conn_end_read(sk, flags);
}

#endif
