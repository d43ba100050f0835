# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 that few programs speak: proxies, rare methods and statuses, and what is no HTTP at all."""

import json
import os
import time

from sonde_test import BY, same, until
from test_hostile import OK, both_ends, exchange, send
from test_http1_messages import (
    CUTS,
    answer,
    by_path,
    check_funnel,
    cut_both,
    finish_exact,
    finish_numbered,
    pieces_of,
    request,
    with_length,
)
from test_raw import get

EXTENSIONS = "PURGE PROPFIND M-SEARCH REPORT MKCOL SUBSCRIBE X get !#$%&'*+-.^ _`|~".split()
LONG_EXTENSIONS = "MKREDIRECTREF VERSION-CONTROL BASELINE-CONTROL UPDATEREDIRECTREF".split()


def test_absolute_form(live):
    """As to a proxy: the path is the route, the authority is the server's address."""
    agent = live.agent()
    methods = "GET", "POST", "HEAD", "PUT", "OPTIONS", "PURGE"
    rows = []
    for method in methods:
        for target in (f"http://{live.word}.example:8080", f"HTTPS://{live.word}.example"):
            with both_ends() as ends:
                for _ in range(2):
                    message = request(method, f"{target}{live.prefix}/{method}?a=b")
                    exchange(*ends, message, answer(200, "Content-Length: 0\r\n"))
        rows.append((method, f"/{method}", "200", 4))
    hosts = agent.counts("client", ("server_address",))
    same("server addresses", hosts, {(f"{live.word}.example",): 4 * len(methods)})
    finish_exact(agent, by_path(live, *rows))


def with_hosts(live):
    """An agent that also counts routes which are a host and a port, as those of CONNECT."""
    agent = live.agent()
    keep = lambda labels: live.word in labels.get("http_route", "")
    family = "http_{}_request_duration_seconds"
    agent.counts = lambda role, by=BY: agent.metrics().counts(family.format(role), by, keep)
    return agent


def test_connect(live):
    """The answer ends HTTP here: what goes through the tunnel is not ours, even if it is HTTP."""
    agent = with_hosts(live)
    target = f"{live.word}.example:443"
    established = b"HTTP/1.1 200 Connection established\r\n\r\n"
    tunnels = 0
    for size in (1, 7, 12, 20, 1000):
        for cut in CUTS:
            with both_ends() as (client, server):
                exchange(client, server, get(f"{live.prefix}/before"))
                cut(client, server, pieces_of(request("CONNECT", target), size))
                cut(server, client, pieces_of(established, size))
                send(client, server, b"\x16\x03\x01\x00\x05hello")
                exchange(client, server, get(f"{live.prefix}/never"))
                exchange(client, server, request("POST", f"{live.prefix}/never"), answer(500))
            tunnels += 1
    counts = by_path(live, ("GET", "/before", "200", tunnels))
    finish_exact(agent, {**counts, ("CONNECT", target, "200"): tunnels})


def test_connect_first(live):
    agent = with_hosts(live)
    target = f"{live.word}.example:443"
    for _ in range(3):
        with both_ends() as ends:
            exchange(*ends, request("CONNECT", target), b"HTTP/1.1 204 Fine\r\n\r\n")
            exchange(*ends, get(f"{live.prefix}/never"))
    finish_exact(agent, {("CONNECT", target, "204"): 3})


def test_connect_refused(live):
    """403 and 407 are answers like others: HTTP goes on."""
    agent = with_hosts(live)
    target = f"{live.word}.example:443"
    counts = by_path(live, ("GET", "/next", "200", 4))
    with both_ends() as ends:
        for status in (403, 407, 502, 302):
            exchange(*ends, request("CONNECT", target), with_length(status, b"no"))
            exchange(*ends, get(f"{live.prefix}/next"))
            counts["CONNECT", target, str(status)] = 1
    finish_exact(agent, counts)


def run_methods(live, methods):
    """Each as the first request of a connection, and as a later one."""
    agent = live.agent()
    rows = []
    for n, method in enumerate(methods):
        with both_ends() as ends:
            for message in (request(method, f"{live.prefix}/m{n}x"), get(f"{live.prefix}/next")):
                exchange(*ends, message)
                exchange(*ends, message)
            exchange(*ends, request(method, f"{live.prefix}/m{n}x"), with_length(404, b"no"))
        rows += [(method, f"/m{n}x", "200", 2), (method, f"/m{n}x", "404", 1)]
    finish_exact(agent, by_path(live, *rows, ("GET", "/next", "200", 2 * len(methods))))


def test_extension_methods(live):
    run_methods(live, ["TRACE", *EXTENSIONS])


def test_long_extension_methods(live):
    run_methods(live, LONG_EXTENSIONS)


def test_extension_methods_on_an_old_connection(live):
    """
    The connection is older than the agent, so that a first extension method could be any text. The
    answer shows what it is: everything after it counts.
    """
    with both_ends() as ends:
        exchange(*ends, get(f"{live.prefix}/before"))
        agent = live.agent()
        exchange(*ends, request("REPORT", f"{live.prefix}/first"))
        for n in range(5):
            exchange(*ends, request("PROPFIND", f"{live.prefix}/{n}"))
    finish_numbered(agent, 5, "PROPFIND")


def test_unusual_statuses(live):
    agent = live.agent()
    statuses = 200, 208, 226, 299, 300, 399, 418, 451, 499, 520, 599, 600, 777, 999
    rows = []
    with both_ends() as ends:
        for status in statuses:
            exchange(*ends, get(f"{live.prefix}/x"), with_length(status, b"ok"))
            rows.append(("GET", "/x", str(status), 1))
    finish_exact(agent, by_path(live, *rows))


def run_nonsense(live, conversations):
    """None of it gets a path or a route, and the requests beside it count."""
    agent = live.agent()
    for words, reply in conversations:
        with both_ends() as (client, server):
            cut_both(client, server, words)
            if reply:
                send(server, client, reply)
        with both_ends() as ends:
            exchange(*ends, get(f"{live.prefix}/next"))
    counts = by_path(live, ("GET", "/next", "200", len(conversations)))
    for role in ("server", "client"):
        agent.expect(role, counts)
    check_funnel(agent)
    agent.finish(server=counts, client=counts)
    lines = [json.loads(line) for line in agent.out.read_text().splitlines()]
    paths = {line.get("path") for line in lines if line["pid"] == os.getpid()}
    same("paths of this process", paths - {"/metrics"}, {f"{live.prefix}/next"})


def test_http_0_9(live):
    page = b"<html>as old as it gets</html>\n"
    lines = [f"GET {live.prefix}/old{end}".encode() for end in ("\r\n", "\n", "  \r\n")]
    run_nonsense(live, [([line], page) for line in lines] + [([line], b"") for line in lines])


def test_garbage(live):
    """Such as a scanner sends."""
    words = [
        b"\x00\x01\x02\x03" * 8,
        b"GET\x00/ HTTP/1.1\r\n\r\n",
        f"GET  {live.prefix}/x\x01 HTTP/1.1\r\n\r\n".encode(),
        f"GET {live.prefix}/x HTTP/2.7\r\n\r\n".encode(),
        f"GET {live.prefix}/x SIP/2.0\r\n\r\n".encode(),
        f" GET {live.prefix}/x HTTP/1.1\r\n\r\n".encode(),
        f"G\xc4T {live.prefix}/x HTTP/1.1\r\n\r\n".encode("latin1"),
        f"{live.word}\r\n\r\n".encode(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    replies = b"", b"what?\n"
    run_nonsense(live, [([word], reply) for word in words for reply in replies])


def test_nonsense_that_is_answered(live):
    """The answer is a fact; the method is, if it could be read; the rest of the line is not told."""
    agent = live.agent()
    refused = [f"GET {live.prefix}/x HTTP/2.7", "PRI * HTTP/2.0", f"PURGE {live.prefix}/x SIP/2.0"]
    header = f"Connection: close\r\nX-Request-ID: {live.word}\r\n"
    with both_ends() as ends:
        exchange(*ends, get(f"{live.prefix}/next"))
    for line in refused:
        with both_ends() as ends:
            exchange(*ends, f"{line}\r\n\r\n".encode(), with_length(505, b"what?", header))
    for role in ("server", "client"):
        until("lines", lambda: len(agent.lines(role=role, status=505)) == len(refused))
        lines = agent.lines(role=role, status=505)
        same("methods", sorted(line["method"] for line in lines), ["GET", "_OTHER", "_OTHER"])
        same("paths", [line for line in lines if "path" in line], [])
    counts = by_path(live, ("GET", "/next", "200", 1))
    for role in ("server", "client"):
        agent.expect(role, counts)
    check_funnel(agent)
    agent.stop()


def test_several_answers_to_one_request(live):
    """A server that goes on talking: the first answer counts, the others answer nothing."""
    agent = live.agent()
    pushed = with_length(503, b"pushed")
    n = 0
    for writes in ([OK, pushed, pushed], [OK + pushed + pushed], [OK + pushed, pushed]):
        with both_ends() as (client, server):
            for _ in range(2):
                send(client, server, get(f"{live.prefix}/{n}"))
                n += 1
                for write in writes:
                    send(server, client, write)
                    time.sleep(0.002)
    finish_numbered(agent, n)
