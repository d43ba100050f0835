# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 bodies: where they end, what they may hold, and answers that do not wait for them."""

import contextlib

from sonde_test import same
from test_hostile import OK, both_ends, exchange, send
from test_http1_messages import (
    CONTINUE,
    answer,
    by_path,
    cut_both,
    finish_exact,
    finish_numbered,
    pieces_of,
    request,
    with_length,
)
from test_raw import get


def test_answers_without_a_body(live):
    """HEAD, 204 and 304: over with their head, whatever length that names; told at once."""
    agent = live.agent()
    kinds = ("HEAD", "/head", "200"), ("GET", "/none", "204"), ("GET", "/same", "304")
    headers = "Content-Length: 12345\r\n", "Transfer-Encoding: chunked\r\n", ""
    with contextlib.ExitStack() as stack:
        used = []
        for method, path, status in kinds:
            for header in headers:
                used.append(stack.enter_context(both_ends()))
                exchange(*used[-1], request(method, live.prefix + path), answer(status, header))
        rows = [(*kind, len(headers)) for kind in kinds]
        for role in ("server", "client"):
            agent.expect(role, by_path(live, *rows))
        for ends in used:
            exchange(*ends, get(f"{live.prefix}/next"))
    finish_exact(agent, by_path(live, *rows, ("GET", "/next", "200", len(used))))
    for line in agent.lines():
        same("response_bytes", line.get("response_bytes"), 2 if line["path"][-4:] == "next" else 0)


EXPECT = "Expect: 100-continue\r\nContent-Length: {}\r\n"


def test_expect_continue(live):
    """The client waits for the 100, then sends its body, which may look like anything."""
    agent = live.agent()
    with both_ends() as (client, server):
        for body in (b"hello", get(f"{live.prefix}/forged"), OK):
            head = request("POST", f"{live.prefix}/up", EXPECT.format(len(body)))
            exchange(client, server, head, CONTINUE)
            exchange(client, server, body, with_length(201, b"made"))
            exchange(client, server, get(f"{live.prefix}/next"))
    finish_exact(agent, by_path(live, ("POST", "/up", "201", 3), ("GET", "/next", "200", 3)))


def test_expect_refused(live):
    """The answer is final at once; the client leaves its body out and goes on."""
    agent = live.agent()
    rows = []
    with both_ends() as ends:
        for status in (417, 413, 401):
            head = request("PUT", f"{live.prefix}/up{status}", EXPECT.format(100000))
            exchange(*ends, head, with_length(status, b"no"))
            exchange(*ends, get(f"{live.prefix}/next"))
            rows.append(("PUT", f"/up{status}", str(status), 1))
    finish_exact(agent, by_path(live, *rows, ("GET", "/next", "200", 3)))


def test_expect_answered_while_the_body_goes(live):
    """A client that does not wait; the 100 and the final answer come in one write."""
    agent = live.agent()
    with both_ends() as ends:
        for _ in range(3):
            head = request("POST", f"{live.prefix}/up", EXPECT.format(5))
            send(*ends, head)
            exchange(*ends, b"hello", CONTINUE + with_length(201, b"made"))
            exchange(*ends, get(f"{live.prefix}/next"))
    finish_exact(agent, by_path(live, ("POST", "/up", "201", 3), ("GET", "/next", "200", 3)))


def run_early(live, header, parts):
    """The answer comes before the first part, between the parts, and after the last one."""
    agent = live.agent()
    places = len(parts) + 1
    with both_ends() as (client, server):
        for place in range(places):
            send(client, server, request("POST", f"{live.prefix}/up", header))
            for n, part in enumerate([*parts, None]):
                if n == place:
                    send(server, client, with_length(403, b"no"))
                if part:
                    send(client, server, part)
            exchange(client, server, get(f"{live.prefix}/next"))
    rows = ("POST", "/up", "403", places), ("GET", "/next", "200", places)
    finish_exact(agent, by_path(live, *rows))


def test_early_answer_to_a_length(live):
    parts = [b"a" * 1000, get(f"{live.prefix}/forged"), b"b" * 10, b"c" * 3000]
    run_early(live, f"Content-Length: {sum(map(len, parts))}\r\n", parts)


def test_early_answer_to_chunks(live):
    parts = [b"5\r\nhello\r\n", b"a\r\n0123456789\r\n", b"0\r\n\r\n"]
    run_early(live, "Transfer-Encoding: chunked\r\n", parts)


CHUNKED = answer(200, "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n")
CHUNKS = b"5\r\nhello\r\n", b"7\r\n world\n\r\n"
TRAILERS = b"0\r\nX-Sum: 1234\r\nX-Other: abcdefghi\r\n\r\n"


def run_trailers(live, writes):
    """Sizes and counts; the last one is ended by the close, the others by the next request."""
    agent = live.agent()
    with both_ends() as (client, server):
        for n in range(3):
            send(client, server, get(f"{live.prefix}/{n}"))
            cut_both(server, client, writes)
    finish_numbered(agent, 3)
    sizes = {line["response_bytes"] for line in agent.lines()}
    same("response_bytes", sizes, {sum(map(len, writes)) - len(CHUNKED)})


def test_chunked_with_trailers(live):
    """In one write with its head a body is known to be over, and the next answer may follow."""
    agent = live.agent()
    message = CHUNKED + b"".join(CHUNKS) + TRAILERS
    requests = [get(f"{live.prefix}/{n}") for n in range(6)]
    with both_ends() as ends:
        exchange(*ends, requests[0], message)
        for role in ("server", "client"):
            agent.expect(role, {("GET", live.prefix + "/{id}", "200"): 1})
        exchange(*ends, requests[1] + requests[2], message + message)
        exchange(*ends, b"".join(requests[3:]), message + OK + message)
    finish_numbered(agent, 6)


def test_chunked_with_trailers_in_several_writes(live):
    run_trailers(live, [CHUNKED, *CHUNKS, TRAILERS])


def test_chunked_with_trailers_a_line_a_write(live):
    run_trailers(live, [CHUNKED, *CHUNKS, *TRAILERS.splitlines(keepends=True)])


def run_chunked_cuts(live, cuts_of):
    """No trailers: known to be over at its last byte, without another request or a close."""
    agent = live.agent()
    message = answer(200, "Transfer-Encoding: chunked\r\n", b"".join(CHUNKS) + b"0\r\n\r\n")
    cuts = cuts_of(message)
    counts = {("GET", live.prefix + "/{id}", "200"): len(cuts)}
    with contextlib.ExitStack() as stack:
        for n, pieces in enumerate(cuts):
            client, server = stack.enter_context(both_ends())
            send(client, server, get(f"{live.prefix}/{n}"))
            cut_both(server, client, pieces)
        for role in ("server", "client"):
            agent.expect(role, counts)
    finish_numbered(agent, len(cuts))


def test_chunked_cut_anywhere(live):
    def cuts_of(message):
        return [[message[:at], message[at:]] for at in range(1, len(message))]

    run_chunked_cuts(live, cuts_of)


def test_chunked_in_small_pieces(live):
    run_chunked_cuts(live, lambda message: [pieces_of(message, size) for size in range(1, 20)])


def test_upload_with_trailers(live):
    agent = live.agent()
    header = "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"
    with both_ends() as (client, server):
        for writes in ([b"".join(CHUNKS) + TRAILERS], [*CHUNKS, TRAILERS]):
            send(client, server, request("POST", f"{live.prefix}/up", header))
            cut_both(client, server, writes)
            send(server, client, OK)
            exchange(client, server, get(f"{live.prefix}/next"))
    finish_exact(agent, by_path(live, ("POST", "/up", "200", 2), ("GET", "/next", "200", 2)))
