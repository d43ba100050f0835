# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 framing, item by item: where a message begins, what belongs to it, what answers what.

Both ends are sockets of this process, so each test decides what every write and every read holds.
The counts are compared at both ends by method, route and status; valid traffic may not be called a
parse error, the loss funnel has to close, and a plain request on the same connection is seen after
every oddity.
"""

import array
import fcntl
import termios

from sonde_test import Failure, same, until, with_other
from test_hostile import OK, both_ends, closes, exchange, funnel, send
from test_raw import get

EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def request(method, path, header="", body=b""):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode() + body


def answer(status, header="", body=b""):
    return f"HTTP/1.1 {status} X\r\n{header}\r\n".encode() + body


def with_length(status, body, header=""):
    return answer(status, f"{header}Content-Length: {len(body)}\r\n", body)


def arrived(receiver):
    size = array.array("i", [0])
    fcntl.ioctl(receiver, termios.FIONREAD, size)
    return size[0]


def read_exactly(receiver, size):
    """One read of so many bytes, once they are there."""
    until("the bytes", lambda: arrived(receiver) >= size)
    same("bytes of one read", len(receiver.recv(size)), size)


def pieces_of(message, size):
    return [message[at : at + size] for at in range(0, len(message), size)]


def cut_both(sender, receiver, pieces):
    for piece in pieces:
        send(sender, receiver, piece)


def cut_writes(sender, receiver, pieces):
    for piece in pieces:
        sender.sendall(piece)
    read_exactly(receiver, sum(map(len, pieces)))


def cut_reads(sender, receiver, pieces):
    sender.sendall(b"".join(pieces))
    for piece in pieces:
        read_exactly(receiver, len(piece))


CUTS = cut_both, cut_writes, cut_reads


def aborted(agent, role):
    counts = agent.counts(role, ("error_type",))
    return sum(count for (error,), count in counts.items() if error == "aborted")


def check_funnel(agent):
    try:
        until("the funnel to close", lambda: closes(funnel(agent)))
    except Failure:
        same("seen = counted + open + lost", funnel(agent), "a sum that closes")


def finish_exact(agent, server, client=None, aborts=(0, 0)):
    """Both ends have these counts, in the metrics and in the log, and nothing is unexplained."""
    sides = {"server": server, "client": server if client is None else client}
    for role, counts in sides.items():
        agent.expect(role, with_other(counts))
    check_funnel(agent)
    same("aborted (server, client)", (aborted(agent, "server"), aborted(agent, "client")), aborts)
    errors = agent.metrics().counts("sonde_parse_errors_total", ("protocol",))
    same("parse errors", {key: count for key, count in errors.items() if count}, {})
    agent.finish(**sides)


def finish_numbered(agent, count, method="GET", status="200"):
    """`count` requests for /word/0, /word/1 and so on, each of which is seen once at each end."""
    finish_exact(agent, {(method, agent.live.prefix + "/{id}", status): count})
    paths = sorted(f"{agent.live.prefix}/{n}" for n in range(count))
    for role in ("server", "client"):
        same(f"{role} paths", sorted(line["path"] for line in agent.lines(role=role)), paths)


def by_path(live, *rows):
    return {(method, live.prefix + path, status): count for method, path, status, count in rows}


def run_chunks(live, request_of):
    """Requests and answers in pieces of 1 to 15 bytes, twice on each connection."""
    agent = live.agent()
    n = 0
    for size in range(1, 16):
        for cut in CUTS:
            with both_ends() as (client, server):
                for _ in range(2):
                    cut(client, server, pieces_of(request_of(n), size))
                    cut(server, client, pieces_of(OK, size))
                    n += 1
    return agent, n


def test_first_reads_of_1_to_15_bytes(live):
    agent, n = run_chunks(live, lambda n: get(f"{live.prefix}/{n}"))
    finish_numbered(agent, n)


def test_first_reads_of_an_extension_method(live):
    agent, n = run_chunks(live, lambda n: request("PROPFIND", f"{live.prefix}/{n}"))
    finish_numbered(agent, n, "PROPFIND")


def run_splits(live, which, method="GET"):
    """One head in two parts, cut at every byte; the other end's head comes whole."""
    agent = live.agent()
    n = 0
    size = (len(request(method, f"{live.prefix}/0")), len(OK))[which]
    for at in range(1, size):
        for cut in CUTS:
            with both_ends() as ends:
                for _ in range(2):
                    messages = request(method, f"{live.prefix}/{n}"), OK
                    torn = [messages[which][:at], messages[which][at:]]
                    parts = [[messages[0]], [messages[1]]]
                    parts[which] = torn
                    cut(*ends, parts[0])
                    cut(*reversed(ends), parts[1])
                    n += 1
    finish_numbered(agent, n, method)
    sizes = {(line.get("request_bytes"), line.get("response_bytes")) for line in agent.lines()}
    same("sizes of bodies", sizes, {(0, 2)})


def test_request_head_split_at_every_byte(live):
    run_splits(live, 0)


def test_extension_request_head_split_at_every_byte(live):
    run_splits(live, 0, "M-SEARCH")


def test_response_head_split_at_every_byte(live):
    run_splits(live, 1)


def run_long(live, piece):
    """Heads below, at and beyond the capture limit of 1,024 bytes, at both ends."""
    agent = live.agent()
    n = 0
    with both_ends() as (client, server):
        for size in (10, 900, 990, 1024, 1100, 2048, 5000, 20000, 10):
            header = f"X-Long: {'x' * size}\r\n"
            cut_both(client, server, pieces_of(get(f"{live.prefix}/{n}", header), piece))
            cut_both(server, client, pieces_of(with_length(200, b"ok", header), piece))
            exchange(client, server, get(f"{live.prefix}/{n + 1}"))
            n += 2
    finish_numbered(agent, n)


def test_heads_over_the_capture_limit(live):
    run_long(live, 1 << 20)


def test_heads_over_the_capture_limit_in_pieces(live):
    run_long(live, 700)


def test_long_body_behind_a_long_head(live):
    """The length stands beyond what is captured: the next message has to be found all the same."""
    agent = live.agent()
    header = f"X-Long: {'x' * 3000}\r\n"
    with both_ends() as (client, server):
        for n in range(3):
            body = b"y" * 5000
            upload = request("POST", f"{live.prefix}/up", f"{header}Content-Length: 5000\r\n", body)
            cut_both(client, server, pieces_of(upload, 2500))
            cut_both(server, client, pieces_of(with_length(200, body, header), 2500))
            exchange(client, server, get(f"{live.prefix}/next"), EMPTY)
    finish_exact(agent, by_path(live, ("POST", "/up", "200", 3), ("GET", "/next", "204", 3)))


def test_pipelined_of_all_kinds(live):
    """Methods, bodies and statuses differ; all requests in one write, all answers in one."""
    agent = live.agent()
    requests = [
        get(f"{live.prefix}/a"),
        request("POST", f"{live.prefix}/b", "Content-Length: 5\r\n", b"hello"),
        request("HEAD", f"{live.prefix}/c"),
        request("PUT", f"{live.prefix}/d", "Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n0\r\n\r\n"),
        request("PURGE", f"{live.prefix}/e"),
        request("DELETE", f"{live.prefix}/f"),
    ]
    answers = [
        with_length(200, b"ok"),
        with_length(201, b"made"),
        answer(200, "Content-Length: 7777\r\n"),
        answer(200, "Transfer-Encoding: chunked\r\n", b"2\r\nok\r\n0\r\n\r\n"),
        with_length(404, b"no"),
        EMPTY,
    ]
    with both_ends() as ends:
        for _ in range(3):
            exchange(*ends, b"".join(requests), b"".join(answers))
            exchange(*ends, get(f"{live.prefix}/next"))
    rows = [("GET", "/a", "200", 3), ("POST", "/b", "201", 3), ("HEAD", "/c", "200", 3)]
    rows += [("PUT", "/d", "200", 3), ("PURGE", "/e", "404", 3), ("DELETE", "/f", "204", 3)]
    finish_exact(agent, by_path(live, *rows, ("GET", "/next", "200", 3)))


def test_requests_one_write_each_before_any_answer(live):
    """Pipelined by the client, but no two in one write; the answers come in one."""
    agent = live.agent()
    n = 0
    with both_ends() as (client, server):
        for _ in range(3):
            for _ in range(4):
                send(client, server, get(f"{live.prefix}/{n}"))
                n += 1
            send(server, client, OK * 4)
            exchange(client, server, get(f"{live.prefix}/{n}"))
            n += 1
    finish_numbered(agent, n)


def pipelined(live, first, count):
    return b"".join(get(f"{live.prefix}/{n}") for n in range(first, first + count))


def test_pipelined_requests_cut_anywhere(live):
    """Three requests, in two reads or writes that begin and end anywhere."""
    agent = live.agent()
    n = 0
    for at in range(1, len(pipelined(live, 0, 3))):
        with both_ends() as (client, server):
            message = pipelined(live, n, 3)
            CUTS[at % len(CUTS)](client, server, [message[:at], message[at:]])
            send(server, client, OK * 3)
            exchange(client, server, get(f"{live.prefix}/{n + 3}"))
        n += 4
    finish_numbered(agent, n)


def test_pipelined_far_beyond_the_capture_limit(live):
    """Far more than one capture holds; each answer is a write and a read of its own."""
    agent = live.agent()
    with both_ends() as (client, server):
        for first in (0, 101):
            send(client, server, pipelined(live, first, 100))
            cut_both(server, client, [OK] * 100)
            exchange(client, server, get(f"{live.prefix}/{first + 100}"))
    finish_numbered(agent, 202)


def run_interims(live, *writes):
    agent = live.agent()
    with both_ends() as (client, server):
        for n in range(3):
            send(client, server, get(f"{live.prefix}/{n}"))
            for write in writes:
                cut_both(server, client, write)
    finish_numbered(agent, 3)


def test_interims_by_themselves(live):
    hints = answer("103", "Link: </style.css>; rel=preload\r\n")
    run_interims(live, [CONTINUE], [answer("102")], [hints], [hints], [OK])


def test_interims_together(live):
    hints = answer("103", "Link: </a>\r\n")
    run_interims(live, [answer("102") + hints + OK])


def test_interim_in_small_pieces(live):
    run_interims(live, pieces_of(CONTINUE, 1), pieces_of(CONTINUE, 12), [OK])


def test_long_interim_before_its_final(live):
    hints = answer("103", f"Link: </{'a' * 300}.css>; rel=preload\r\n")
    run_interims(live, [hints], [OK])


def test_long_interim_with_its_final(live):
    hints = answer("103", f"Link: </{'a' * 300}.css>; rel=preload\r\n")
    run_interims(live, [hints + OK])


def test_switching_protocols(live):
    """What is said after a 101 is not HTTP, whatever it looks like."""
    agent = live.agent()
    for _ in range(2):
        with both_ends() as ends:
            exchange(*ends, get(f"{live.prefix}/before"))
            upgrade = get(f"{live.prefix}/ws", "Connection: upgrade\r\nUpgrade: echo\r\n")
            exchange(*ends, upgrade, answer("101", "Connection: upgrade\r\nUpgrade: echo\r\n"))
            exchange(*ends, get(f"{live.prefix}/never"))
            send(*ends, b"\x81\x05hello")
    rows = ("GET", "/before", "200", 2), ("GET", "/ws", "101", 2)
    finish_exact(agent, by_path(live, *rows))
