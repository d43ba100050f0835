# SPDX-License-Identifier: Apache-2.0
"""The rules of the I/O matrix: the table of the README."""

from rule import Rule


def io(name, file, text, instead, *tests):
    return Rule(f"io: {name}", file, text, instead, [f"io.{test}" for test in tests])


def uring(name, file, text, instead, *tests):
    return Rule(f"io_uring: {name}", file, text, instead, [f"uring.{test}" for test in tests])


def call(name, form, *tests):
    """A system call's row in the table of forms."""
    text = f"{{__NR_{name}, {form},"
    return io(name, "user/kern/knobs.c", text, text.replace(form, "IO_NONE"), *tests)


RULES = [
    call("read", "IO_BUFFER", "tcp_read_read", "tcp_read_nonblock", "unix_read_read"),
    call("write", "IO_BUFFER", "tcp_write_write", "tcp_write_cork", "tcp_write_nonblock"),
    call(
        "recvfrom",
        "IO_BUFFER",
        *"tcp_read_recv tcp_read_recvfrom tcp_read_waitall".split(),
        *"tcp_both_waitall_signal unix_read_recv".split(),
    ),
    call(
        "sendto",
        "IO_BUFFER",
        *"tcp_write_send tcp_write_sendto tcp_write_more tcp_write_zerocopy".split(),
        "unix_write_send",
    ),
    call("readv", "IO_VECTOR", "tcp_read_readv"),
    call("writev", "IO_VECTOR", "tcp_write_writev", "unix_write_writev"),
    call("preadv2", "IO_VECTOR", "tcp_read_preadv2"),
    call("pwritev2", "IO_VECTOR", "tcp_write_pwritev2"),
    call("recvmsg", "IO_MESSAGE", "tcp_read_recvmsg"),
    call("sendmsg", "IO_MESSAGE", "tcp_write_sendmsg"),
    call("recvmmsg", "IO_MESSAGES", "tcp_read_recvmmsg_1"),
    call("sendmmsg", "IO_MESSAGES", "tcp_write_sendmmsg_1"),
    call("sendfile", "IO_NO_BYTES", "tcp_write_sendfile"),
    call("splice", "IO_NO_BYTES", "tcp_write_splice", "tcp_write_vmsplice", "tcp_write_tee"),
    io(
        "first bytes are kept until there are enough",
        "bpf/first.bpf.h",
        "likely(!c->early_filled[dir & 1] && p->len >= SIGNATURE_BYTES)",
        "true",
        *"tcp_read_read_1 tcp_write_write_1".split(),
    ),
    io(
        "a head goes on with the next call",
        "bpf/first.bpf.h",
        "		h->hits++;\n		return line_more(hit, c, p, kind);",
        "		h->hits++;\n		return PART_TAKEN;",
        *"tcp_read_read_7 tcp_write_slow tcp_write_more".split(),
    ),
    io(
        "a call without bytes, EAGAIN among them, moves nothing",
        "bpf/backend_sock.bpf.h",
        "return result > 0 ? conn_moved(sk, result, DIR_IN, flags) : 0;",
        "return conn_moved(sk, result, DIR_IN, flags);",
        "tcp_read_nonblock",
    ),
    io(
        "MSG_PEEK moves nothing",
        "bpf/hit.bpf.h",
        "(MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)",
        "(MSG_ERRQUEUE | MSG_OOB)",
        *"tcp_read_peek tcp_read_peek_part tcp_read_peek_many".split(),
    ),
    io(
        "MSG_OOB is not in the stream",
        "bpf/hit.bpf.h",
        "(MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)",
        "(MSG_PEEK | MSG_ERRQUEUE)",
        "tcp_both_oob",
    ),
    io(
        "MSG_TRUNC gives no bytes",
        "bpf/hit.bpf.h",
        "return of->dir == DIR_IN && of->flags & MSG_TRUNC && tcp;",
        "return false;",
        *"tcp_read_trunc_request tcp_read_trunc_response".split(),
    ),
    io(
        "a head goes on in the next buffers",
        "bpf/line.bpf.c",
        "for (int i = 1; i < IO_FAR; i++)",
        "for (int i = 1; i < 1; i++)",
        *"tcp_write_writev_1 tcp_write_writev_3 tcp_write_writev_head".split(),
        "tcp_write_writev_status",
    ),
    io(
        "far buffers too",
        "bpf/vector.bpf.c",
        "else if (vector_read(&v, 1, hit, i))",
        "else",
        *"tcp_write_writev_1 tcp_write_writev_1024".split(),
    ),
    io(
        "an empty buffer begins nothing",
        "bpf/first.bpf.h",
        "	p->fate = PART_KEPT;\n",
        "	p->fate = PART_OTHER;\n",
        "tcp_write_writev_empty",
    ),
    io(
        "which of several messages moved how much is not known",
        "bpf/io.bpf.h",
        "(of->hashed ? arch_result(regs) : arch_arg3(regs)) != 1",
        "(of->hashed ? arch_result(regs) : arch_arg3(regs)) == 0",
        *"tcp_read_recvmmsg_request tcp_read_recvmmsg_response".split(),
        *"tcp_write_sendmmsg_request tcp_write_sendmmsg_response".split(),
    ),
    io(
        "bytes that were read by splice or tee leave a hole",
        "bpf/conn.bpf.h",
        "return c->position[DIR_IN] && hole > 1 ? hole : 0;",
        "return hole & 0;",
        *"tcp_read_splice_body tcp_read_splice_response tcp_read_tee_response".split(),
    ),
    io(
        "an answer of which nothing can be read is one all the same",
        "bpf/line.bpf.c",
        "return message_unread(hit, c);",
        "return false;",
        *"tcp_write_sendfile_all_response tcp_write_splice_all_response".split(),
        "tcp_write_vmsplice_all_response",
    ),
    io(
        "what cannot be read is said",
        "bpf/line.bpf.c",
        "	io_unseen(hit, COUNT_UNREADABLE);\n",
        "",
        *"tcp_write_sendfile_all_request tcp_write_splice_all_request".split(),
    ),
    io(
        "unix stream sockets",
        "bpf/conn.bpf.h",
        "	return family == AF_UNIX;",
        "	return false;",
        *"unix_read_read unix_write_write".split(),
    ),
    io(
        "their end is a read of nothing",
        "bpf/conn.bpf.c",
        "if (sock_family(sk) != AF_UNIX || flags & MSG_PEEK)",
        "if (true)",
        *"unix_write_writev_1 unix_write_sendfile_all_response".split(),
    ),
    uring(
        "its requests tell where the bytes are",
        "bpf/io.bpf.h",
        "if (URING_IS_READ && uring_find(hit, io_number(of->sk)))",
        "if (false)",
        *"recv_send read_write readv_writev recvmsg_sendmsg provided_buffers multishot".split(),
        "zero_copy",
    ),
    uring(
        "it moves bytes at the end of other calls, and in workers",
        "bpf/io.bpf.h",
        "if (of->hashed || likely(!io_has_uring(task)))",
        "if (true)",
        "recv_send",
    ),
    uring(
        "what it moves unread is counted, by process",
        "bpf/io.bpf.h",
        "		life_add(task_get(of->task, tgid), LIFE_URING_UNREAD);\n",
        "",
        "registered_buffers",
    ),
    uring(
        "after bytes that nobody saw nothing is known",
        "bpf/io.bpf.h",
        "		hit->unseen = 1;\n",
        "",
        "answers_unseen",
    ),
]
