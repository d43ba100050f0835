# SPDX-License-Identifier: Apache-2.0
"""What breaks a follower of streams: races, interim answers, bodies that look like messages.

Both ends of a conversation are sockets of this process, so the test decides which bytes each read
and each write has. After every oddity a plain request on the same connection has to be seen too.
"""

import contextlib
import os
import socket
import time

from sonde_test import ROOT, Failure, check, same, until
from test_latency import check_times
from test_raw import connected, get

RACE = os.environ.get("RACE", str(ROOT / ".output/tests/race"))
CONNECTIONS = 4
REQUESTS = 20_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FUNNEL = "seen_total", "counted_total", "shed_total", "open", "lost_total"


@contextlib.contextmanager
def both_ends():
    """(client, server): the two sockets of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with connected(listener.getsockname()[1]) as client, listener.accept()[0] as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.settimeout(30)
            yield client, server


def send(sender, receiver, message):
    """One write at one end, read to its end at the other."""
    sender.sendall(message)
    left = len(message)
    while left:
        size = len(receiver.recv(left))
        check(size, "a connection ended early")
        left -= size


def exchange(client, server, request, answer=OK):
    send(client, server, request)
    send(server, client, answer)


def finish_whole(agent, server, client=None, may_lose=()):
    """As finish() of the agent, and nothing may be told as aborted."""
    client = server if client is None else client
    for role, counts in (("server", server), ("client", client)):
        if not may_lose or role == "server":
            agent.expect(role, counts)
        told = {error for (error,) in agent.counts(role, ("error_type",))}
        check("aborted" not in told, f"{role}: something is said to be aborted")
    agent.finish(server=server, client=None if may_lose else client, may_lose=may_lose)


def test_two_threads_of_a_client(live):
    check(os.access(RACE, os.X_OK), f"{RACE} is not built")
    agent = live.agent("--ring-size=64MiB")
    said = live.run(RACE, live.prefix, CONNECTIONS, REQUESTS).split("\n")[:-1]
    lines = [line.split() for line in said]
    counts = {(method, path, status): int(count) for method, path, status, count in lines}
    same("requests", sum(counts.values()), CONNECTIONS * REQUESTS)
    finish_whole(agent, counts)


def run_interim(live, interim):
    """Three requests on one connection, the interim head in one write with the final one."""
    agent = live.agent()
    with both_ends() as ends:
        for n in range(3):
            exchange(*ends, get(f"{live.prefix}/{n}"), interim + OK)
    finish_whole(agent, {("GET", live.prefix + "/{id}", "200"): 3})


def test_early_hints(live):
    run_interim(live, b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")


def test_continue_with_a_header(live):
    run_interim(live, b"HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n")


def forged_request(live):
    return f"GET {live.prefix}/forged HTTP/1.1\r\nX-Request-ID: forged-{live.word}\r\n\r\n".encode()


def upload_head(live, header):
    return f"POST {live.prefix}/upload HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode()


def finish_upload(live, agent):
    counts = {("POST", f"{live.prefix}/upload", "200"): 2, ("GET", f"{live.prefix}/next", "200"): 2}
    for role in ("server", "client"):
        agent.expect(role, counts)
    check("forged" not in agent.get("/metrics")[2].decode(), "a series for what was in a body")
    finish_whole(agent, counts)
    for line in agent.lines():
        check("forged" not in str(line), f"a line for what was in a body: {line}")


def test_request_in_a_chunked_upload(live):
    """A segment of the body is a request to the letter."""
    agent = live.agent()
    forged = forged_request(live)
    parts = [f"{len(forged):x}\r\n".encode(), forged, b"\r\n0\r\n\r\n"]
    with both_ends() as (client, server):
        for _ in range(2):
            for part in [upload_head(live, "Transfer-Encoding: chunked"), *parts]:
                send(client, server, part)
            send(server, client, OK)
            exchange(client, server, get(f"{live.prefix}/next"))
    finish_upload(live, agent)


def test_request_in_a_body_after_the_answer(live):
    """The server answers before the body came: what comes then is still not a request."""
    agent = live.agent()
    forged = forged_request(live)
    with both_ends() as (client, server):
        for _ in range(2):
            exchange(client, server, upload_head(live, f"Content-Length: {len(forged)}"))
            send(client, server, forged)
            exchange(client, server, get(f"{live.prefix}/next"))
    finish_upload(live, agent)


def answer_in_parts(client, server, parts, pause=0.1):
    """Milliseconds until the first and until the last part had gone over."""
    start = time.monotonic()
    send(server, client, parts[0])
    first = time.monotonic()
    for part in parts[1:]:
        time.sleep(pause)
        send(server, client, part)
    return (first - start) * 1000, (time.monotonic() - start) * 1000


def test_status_line_in_a_body(live):
    """One request with one status, and the size and the time of the whole answer."""
    agent = live.agent()
    forged = b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"
    size = len(forged) + 5000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    with both_ends() as (client, server):
        send(client, server, get(f"{live.prefix}/body"))
        first, last = answer_in_parts(client, server, [head, forged, b"y" * 5000])
        exchange(client, server, get(f"{live.prefix}/next"))
    paths = [f"{live.prefix}/body", f"{live.prefix}/next"]
    finish_whole(agent, {("GET", path, "200"): 1 for path in paths})
    for role in ("server", "client"):
        (line,) = agent.lines(role=role, path=paths[0])
        same(f"{role} response_bytes", line["response_bytes"], size)
        check_times(role, line, first, last)


def test_agent_starts_inside_a_text_body(live):
    """Text such as this is no sign that a connection is not HTTP."""
    pieces = [b"Hello world\n", b"and more\n", b"220 lines of it\n", b"END\r\n"]
    size = sum(map(len, pieces))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
    with both_ends() as ends:
        exchange(*ends, get(f"{live.prefix}/text"), head.encode())
        agent = live.agent()
        for piece in pieces:
            send(*reversed(ends), piece)
        for n in range(5):
            exchange(*ends, get(f"{live.prefix}/{n}"))
    finish_whole(agent, {("GET", live.prefix + "/{id}", "200"): 5})


def test_pipelined_answers_apart(live):
    """Five requests in one write, five answers in five; the client reads them at once."""
    agent = live.agent()
    with both_ends() as (client, server):
        send(client, server, b"".join(get(f"{live.prefix}/{n}") for n in range(5)))
        for _ in range(5):
            server.sendall(OK)
            time.sleep(0.005)
        same("answers", client.recv(65536), OK * 5)
    finish_whole(agent, {("GET", live.prefix + "/{id}", "200"): 5}, may_lose=("unread",))


def test_userinfo_stays_inside(live):
    agent = live.agent()
    secret = f"pw{live.word[::-1]}"
    targets = [
        f"http://user:{secret}@x{live.prefix}/absolute",
        f"HTTP://{secret}@x{live.prefix}/absolute",
        f"http://user:{secret}@x:80?{secret}",
        f"user:{secret}@x{live.prefix}/bare?{secret}",
        f"user:{secret}@x:443",
    ]
    requests = [get(target, f"X-Request-ID: {live.word}\r\n") for target in targets]
    requests.append(requests[-1].replace(b"GET", b"CONNECT"))
    with both_ends() as ends:
        for request in requests:
            exchange(*ends, request)
    for role in ("server", "client"):
        until(f"{role} lines", lambda: len(agent.lines(role=role)) == len(requests))
    pages = [agent.get(path)[2].decode() for path in ("/metrics", "/")]
    agent.stop()
    for text in [*pages, agent.out.read_text()]:
        lines = [line for line in text.splitlines() if secret in line]
        same("lines that tell userinfo", lines[:2], [])


def funnel(agent):
    metrics = agent.metrics()
    parts = {part: metrics.counts(f"sonde_transactions_{part}", ("protocol",)) for part in FUNNEL}
    return {part: sum(counts.values()) for part, counts in parts.items()}


def closes(numbers):
    return numbers["seen_total"] == sum(numbers[part] for part in FUNNEL[1:])


def converse(words):
    """A conversation in text; each entry is what the client or, with `>`, the server says."""
    with both_ends() as (client, server):
        for word in words:
            ends = (server, client) if word[0] == ">" else (client, server)
            send(*ends, word.lstrip(">").encode() + b"\r\n")


def test_funnel_closes_beside_text(live):
    agent = live.agent()
    converse([">220 mail.example ESMTP", "EHLO me.example.com", ">250 ok", "QUIT", ">221 bye"])
    converse(["get foo", ">END", "get bar", ">END", "set foo 0 0 3\r\nabc", ">STORED"])
    converse(["set foo 0 0 3\r\nabc"])
    converse(["hello world, this is not http"])
    converse(["hello world", ">hello you", "hello again"])
    converse(["GET /foo is a word"])
    with both_ends() as ends:
        exchange(*ends, get(f"{live.prefix}/x"))
    counts = {("GET", f"{live.prefix}/x", "200"): 1}
    for role in ("server", "client"):
        agent.expect(role, counts)
    try:
        until("the funnel", lambda: closes(funnel(agent)))
    except Failure:
        same("seen = counted + shed + open + lost", funnel(agent), "a sum that closes")
    numbers = funnel(agent)
    check(numbers["counted_total"] >= 2, f"the real request is not counted: {numbers}")
    finish_whole(agent, counts)
