# SPDX-License-Identifier: Apache-2.0
"""How HTTP/1 connections end, and which processes and threads they pass through.

An exchange that was cut is aborted: with its status if one came, without one if none did. A request
belongs to the process that read it, however the socket got there.
"""

import contextlib
import os
import queue
import socket
import struct
import threading

from sonde_test import check, same
from test_hostile import OK, both_ends, exchange, send
from test_http1_messages import answer, by_path, cut_both, finish_exact, finish_numbered, request
from test_raw import connected, get

HALF = answer(200, "Content-Length: 1000\r\n", b"y" * 500)
ENDLESS = answer(200, "Content-Type: text/plain\r\n")
CHUNKED = answer(200, "Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n")


def reset(end):
    """A close that the other end sees as a reset."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def read_to_end(end):
    """What comes until the connection ends in one way or the other."""
    text = b""
    with contextlib.suppress(ConnectionError):
        while piece := end.recv(65536):
            text += piece
    return text


def finish_aborted(agent, rows, aborts):
    finish_exact(agent, by_path(agent.live, *rows), aborts=aborts)
    for line in agent.lines():
        if line["path"] != f"{agent.live.prefix}/before":
            same("error", line.get("error"), "aborted")
            same("level", line["level"], "ERROR")


def run_cut(live, said, status, end_it, aborts=(4, 4)):
    """The answer to /cut stops in the middle, on new connections and on used ones."""
    agent = live.agent()
    for used in (0, 1, 0, 1):
        with both_ends() as (client, server):
            for _ in range(used):
                exchange(client, server, get(f"{live.prefix}/before"))
            send(client, server, get(f"{live.prefix}/cut"))
            cut_both(server, client, said)
            end_it(client, server)
    rows = ("GET", "/before", "200", 2), ("GET", "/cut", status, 4)
    finish_aborted(agent, rows, aborts)


def server_closes(client, server):
    server.close()
    same("rest", read_to_end(client), b"")


def client_closes(client, server):
    client.close()
    read_to_end(server)


def server_resets(client, server):
    reset(server)
    read_to_end(client)


def client_resets(client, server):
    """The server writes on until it is told."""
    reset(client)
    with contextlib.suppress(ConnectionError):
        while True:
            server.sendall(b"y")


def test_server_closes_before_the_length_is_reached(live):
    run_cut(live, [HALF], "200", server_closes)


def test_server_closes_before_the_length_is_reached_in_parts(live):
    run_cut(live, [HALF[:30], HALF[30:200], HALF[200:]], "200", server_closes)


def test_server_resets_before_the_length_is_reached(live):
    run_cut(live, [HALF], "200", server_resets)


def test_client_closes_before_the_length_is_reached(live):
    run_cut(live, [HALF], "200", client_closes)


def test_client_resets_before_the_length_is_reached(live):
    run_cut(live, [HALF], "200", client_resets)


def test_server_closes_between_chunks(live):
    run_cut(live, [CHUNKED, b"5\r\nworld\r\n"], "200", server_closes)


def test_server_resets_between_chunks(live):
    run_cut(live, [CHUNKED], "200", server_resets)


def test_client_resets_between_chunks(live):
    run_cut(live, [CHUNKED], "200", client_resets)


def test_server_resets_a_body_without_length(live):
    """A close is its proper end, a reset is not."""
    run_cut(live, [ENDLESS, b"some"], "200", server_resets)


def test_server_closes_without_an_answer(live):
    run_cut(live, [], "", server_closes)


def test_server_resets_without_an_answer(live):
    run_cut(live, [], "", server_resets)


def test_client_closes_without_an_answer(live):
    run_cut(live, [], "", client_closes)


def test_client_resets_without_an_answer(live):
    run_cut(live, [], "", client_resets)


def test_server_closes_after_an_interim(live):
    run_cut(live, [answer(103)], "", server_closes)


def test_unfinished_request(live):
    """A head, and a body, that the client never ends."""
    agent = live.agent()
    upload = request("POST", f"{live.prefix}/up", "Content-Length: 1000\r\n", b"some")
    head = get(f"{live.prefix}/head")
    for size in (len(head) - 22, len(head) - 20, len(head) - 2, len(head) - 1):
        for message in (head[:size], upload):
            with both_ends() as (client, server):
                send(client, server, message)
                client_closes(client, server)
    finish_aborted(agent, [("POST", "/up", "", 4), ("GET", "/head", "", 4)], (8, 8))


def run_endless(live, end_it):
    """Without a length: the whole body counts, and the close is its end."""
    agent = live.agent()
    bodies = [], [b"some"], [b"some", b"more" * 1000, b"\r\n\r\n", b"end"]
    for n, body in enumerate(bodies):
        for version in (b"0", b"1"):
            with both_ends() as (client, server):
                send(client, server, get(f"{live.prefix}/{n}"))
                cut_both(server, client, [ENDLESS.replace(b"/1.1", b"/1." + version), *body])
                end_it(client, server)
    finish_exact(agent, {("GET", live.prefix + "/{id}", "200"): 2 * len(bodies)})
    for line in agent.lines():
        size = sum(map(len, bodies[int(line["path"].rsplit("/", 1)[1])]))
        same("response_bytes", line.get("response_bytes", 0), size)


def test_body_ended_by_the_close(live):
    run_endless(live, server_closes)


def test_body_ended_by_the_half_close(live):
    def end_it(client, server):
        server.shutdown(socket.SHUT_WR)
        same("rest", read_to_end(client), b"")
        client.close()
        read_to_end(server)

    run_endless(live, end_it)


def test_half_close_of_the_client(live):
    """The client has said all that it will say, and reads on until the server closes."""
    agent = live.agent()
    n = 0
    for said in ([OK], [OK[:20], OK[20:]], [ENDLESS, b"some"], [OK + OK]):
        with both_ends() as (client, server):
            asked = 2 if said == [OK + OK] else 1
            send(client, server, b"".join(get(f"{live.prefix}/{n + i}") for i in range(asked)))
            client.shutdown(socket.SHUT_WR)
            same("the client's end", server.recv(100), b"")
            cut_both(server, client, said)
            server.close()
            same("rest", read_to_end(client), b"")
        n += asked
    finish_numbered(agent, n)


def in_child(work, *args):
    """Runs it to its end in a process of its own, and returns that one's pid."""
    pid = os.fork()
    if not pid:
        status = 1
        with contextlib.suppress(BaseException):
            work(*args)
            status = 0
        os._exit(status)
    same("status of the child", os.waitpid(pid, 0)[1], 0)
    return pid


def pids_of(agent, role):
    return {int(line["path"].rsplit("/", 1)[1]): line["pid"] for line in agent.lines(role=role)}


def test_reuse_by_other_processes(live):
    """One connection; three processes, one after the other, hold both of its ends."""
    agent = live.agent()
    pids = {}
    with both_ends() as ends:
        for n in range(6):
            message = get(f"{live.prefix}/{n}")
            if n % 2:
                pids[n] = in_child(exchange, *ends, message)
            else:
                exchange(*ends, message)
                pids[n] = os.getpid()
    finish_numbered(agent, 6)
    for role in ("server", "client"):
        same(f"{role} pids", pids_of(agent, role), pids)


def test_parent_reads_and_child_answers(live):
    agent = live.agent()
    with both_ends() as (client, server):
        for n in range(4):
            send(client, server, get(f"{live.prefix}/{n}"))
            in_child(cut_both, server, client, [OK] if n % 2 else [OK[:12], OK[12:39], OK[39:]])
    finish_numbered(agent, 4)
    same("pids", pids_of(agent, "server"), dict.fromkeys(range(4), os.getpid()))


def test_child_reads_and_parent_answers(live):
    agent = live.agent()
    pids = {}
    with both_ends() as (client, server):
        for n in range(4):
            message = get(f"{live.prefix}/{n}")
            pids[n] = in_child(cut_both, client, server, [message[:9], message[9:]])
            send(server, client, OK)
    finish_numbered(agent, 4)
    same("pids", pids_of(agent, "server"), pids)


def test_child_dies_with_an_inherited_connection(live):
    """Its end closes nothing as long as the parent holds the socket."""
    agent = live.agent()
    with both_ends() as ends:
        for n in range(3):
            send(*ends, get(f"{live.prefix}/{n}"))
            in_child(lambda: [end.close() for end in ends])
            send(*reversed(ends), OK)
    finish_numbered(agent, 3)


def serve_passed(channel):
    """Takes connections that are passed over the channel, and serves one request on each."""
    while True:
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
        if not fds:
            return
        with socket.socket(fileno=fds[0]) as connection:
            text = b""
            while not text.endswith(b"\r\n\r\n"):
                text += connection.recv(65536)
            connection.sendall(OK)
        channel.sendall(b"x")


@contextlib.contextmanager
def worker():
    """(pid, channel) of a process that was there before the connection."""
    channel, its_channel = socket.socketpair()
    pid = os.fork()
    if not pid:
        channel.close()
        with contextlib.suppress(BaseException):
            serve_passed(its_channel)
        os._exit(0)
    its_channel.close()
    with channel:
        yield pid, channel
    os.waitpid(pid, 0)


def test_connection_passed_between_processes(live):
    """SCM_RIGHTS: each request is told with the pid of the worker that got the connection for it."""
    agent = live.agent()
    pids = {}
    with worker() as first, worker() as second, both_ends() as (client, server):
        for n in range(6):
            pids[n], channel = (first, second)[n % 2] if n < 5 else first
            client.sendall(get(f"{live.prefix}/{n}"))
            socket.send_fds(channel, [b"x"], [server.fileno()])
            same("word of the worker", channel.recv(1), b"x")
            same("answer", client.recv(65536), OK)
    finish_numbered(agent, 6)
    same("server pids", pids_of(agent, "server"), pids)
    same("client pids", pids_of(agent, "client"), dict.fromkeys(range(6), os.getpid()))


def test_passed_with_a_request_under_way(live):
    """One process reads the request, another one answers it."""
    agent = live.agent()
    with worker() as (pid, channel), both_ends() as (client, server):
        for n in range(4):
            head = get(f"{live.prefix}/{n}")
            send(client, server, head[:25])
            client.sendall(head[25:])
            socket.send_fds(channel, [b"x"], [server.fileno()])
            same("word of the worker", channel.recv(1), b"x")
            same("answer", client.recv(65536), OK)
    finish_numbered(agent, 4)
    same("server pids", pids_of(agent, "server"), dict.fromkeys(range(4), os.getpid()))


def stage(work, source, sink):
    """A thread that takes from one queue, works, and hands on to the next; None ends it."""

    def run():
        while (item := source.get()) is not None:
            work(item)
            sink.put(item)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_accept_read_and_answer_in_three_threads(live):
    agent = live.agent()
    accepted, asked, answered = queue.Queue(), queue.Queue(), queue.Queue()
    read = lambda connection: check(connection.recv(65536), "no request")
    threads = [
        stage(read, accepted, asked),
        stage(lambda connection: connection.sendall(OK), asked, answered),
    ]
    n = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(20):
            with connected(listener.getsockname()[1]) as client, listener.accept()[0] as server:
                for _ in range(3):
                    client.sendall(get(f"{live.prefix}/{n}"))
                    accepted.put(server)
                    same("answer", client.recv(65536), OK)
                    answered.get()
                    n += 1
    for source, thread in zip((accepted, asked), threads):
        source.put(None)
        thread.join()
    finish_numbered(agent, n)
    tids = {line["pid"] for line in agent.lines()}
    same("pids", tids, {os.getpid()})
