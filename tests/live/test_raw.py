# SPDX-License-Identifier: Apache-2.0
"""What libraries rarely do: pipelining, torn and long heads, clients that leave."""

import contextlib
import socket
import time

from sonde_test import losses_of, same, tally, until
from test_latency import start_sleeper


@contextlib.contextmanager
def connected(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def get(path, header=""):
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode()


def read_answers(connection, count):
    """Reads until `count` heads have come with their bodies; the plain server ends them with 0."""
    text = b""
    while text.count(b"GET took 0\n") < count:
        text += connection.recv(65536)


def finish_like(agent, access, count):
    same("requests at the server", len(access()), count)
    agent.finish(server=tally(access()), client=tally(access()))


def seen_by_client(agent):
    """How many answers were counted or are said to be lost; and which statuses are not a 200."""
    counts = agent.counts("client", ("http_response_status_code",))
    lost = losses_of(agent.metrics()).get(("http/1", "unread"), 0)
    return sum(counts.values()) + lost, {status for (status,) in counts if status != "200"}


def test_pipelined(live):
    """Five requests in one write; the answers come in as many reads as it pleases TCP.

    A read that begins in the middle of an answer hides the next one from the client's end. That is
    then said, and nothing is invented for it.
    """
    port, access = live.plain()
    agent = live.agent()
    with connected(port) as connection:
        connection.sendall(b"".join(get(f"{live.prefix}/{n}") for n in range(5)))
        read_answers(connection, 5)
    same("requests at the server", len(access()), 5)
    until("the client's end", lambda: seen_by_client(agent) == (5, set()))
    agent.finish(server=tally(access()), may_lose=("unread",))


def test_pipelined_both_ways(live):
    """Five requests in one write, five answers in one write."""
    agent = live.agent()
    requests = b"".join(get(f"{live.prefix}/{n}") for n in range(5))
    answers = b"HTTP/1.1 204 No Content\r\n\r\n" * 5
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with connected(listener.getsockname()[1]) as client, listener.accept()[0] as server:
            client.sendall(requests)
            same("bytes at the server", len(server.recv(65536)), len(requests))
            server.sendall(answers)
            same("bytes at the client", len(client.recv(65536)), len(answers))
    counts = {("GET", live.prefix + "/{id}", "204"): 5}
    agent.finish(server=counts, client=counts)


def test_head_byte_by_byte(live):
    port, access = live.plain()
    agent = live.agent()
    with connected(port) as connection:
        for _ in range(2):
            for byte in get(f"{live.prefix}/torn"):
                connection.sendall(bytes([byte]))
                time.sleep(0.0005)
            read_answers(connection, 1)
    finish_like(agent, access, 2)


def test_long_heads(live):
    """Heads far beyond what is captured, in one write; the requests after them are found again."""
    port, access = live.plain()
    agent = live.agent()
    with connected(port) as connection:
        for size in (10, 900, 1100, 5000, 20000, 10):
            connection.sendall(get(f"{live.prefix}/{size}", f"X-Long: {'x' * size}\r\n"))
            read_answers(connection, 1)
    finish_like(agent, access, 6)


def test_long_target(live):
    port, access = live.plain()
    agent = live.agent()
    path = f"{live.prefix}/a?q={'x' * 4000}"
    with connected(port) as connection:
        for _ in range(2):
            connection.sendall(get(path))
            read_answers(connection, 1)
    finish_like(agent, access, 2)


def test_body_like_a_request(live):
    """An upload in several writes, each of which begins like a request of its own."""
    port, access = live.plain()
    agent = live.agent()
    chunk = get(f"{live.prefix}/never")
    head = f"POST {live.prefix}/upload HTTP/1.1\r\nHost: x\r\nContent-Length: {3 * len(chunk)}\r\n\r\n"
    with connected(port) as connection:
        for _ in range(2):
            connection.sendall(head.encode())
            for _ in range(3):
                time.sleep(0.01)
                connection.sendall(chunk)
            while b"POST took" not in connection.recv(65536):
                pass
    finish_like(agent, access, 2)


def test_client_leaves(live):
    """The client closes before the answer: no status at its end, the server has answered."""
    port, _ = start_sleeper(live)
    agent = live.agent()
    with connected(port) as connection:
        connection.sendall(get(f"{live.prefix}/ms100/1"))
        time.sleep(0.02)
    route = f"{live.prefix}/ms100/{{id}}"
    agent.finish(server={("GET", route, "200"): 1}, client={("GET", route, ""): 1})
    (line,) = agent.lines(role="client")
    same("error", line.get("error"), "aborted")
