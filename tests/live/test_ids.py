# SPDX-License-Identifier: Apache-2.0
"""Ids that travel in headers, each kind at both ends, and new ones where there is none.

What a line has to say is what the client sent, or what nginx logged. Header values are examples of
their specifications, or break one of its rules.
"""

import collections
import json
import os
import socket

from sonde_test import HERE, check, need, same, tally, until
from test_node import start_node
from test_raw import connected, get, read_answers

TRACE, HALF, SPAN = "0af7651916cd43dd8448eb211c80319c", "8448eb211c80319c", "b7ad6b7169203331"
ZEROS = "0" * 16
ROOT = f"1-{TRACE[:8]}-{TRACE[8:]}"
ENDS = ("client", "server")

# name: what is sent, and the trace and the parent that the lines have to name
KINDS = {
    "traceparent": ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, TRACE, SPAN),
    "later-version": ({"TRACEPARENT": f"cc-{TRACE}-{SPAN}-01-x"}, TRACE, SPAN),
    "b3": ({"b3": f"{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90"}, TRACE, SPAN),
    "b3-short": ({"B3": f"{HALF}-{SPAN}"}, ZEROS + HALF, SPAN),
    "b3-multi": ({"X-B3-SpanId": SPAN, "x-b3-traceid": TRACE, "X-B3-Sampled": "0"}, TRACE, SPAN),
    "uber": ({"uber-trace-id": "1a2b:b:0:1"}, f"{0x1A2B:032x}", f"{0xB:016x}"),
    "uber-encoded": ({"Uber-Trace-Id": f"{TRACE}%3A{SPAN}%3A0%3A1"}, TRACE, SPAN),
    "datadog": (
        {"x-datadog-trace-id": str(int(HALF, 16)), "x-datadog-parent-id": str(int(SPAN, 16))},
        ZEROS + HALF,
        SPAN,
    ),
    "datadog-128": (
        {
            "X-Datadog-Parent-Id": str(int(SPAN, 16)),
            "X-Datadog-Tags": f"_dd.p.dm=-1,_dd.p.tid={TRACE[:16]}",
            "X-Datadog-Trace-Id": str(int(HALF, 16)),
        },
        TRACE,
        SPAN,
    ),
    "datadog-root": ({"x-datadog-trace-id": "42", "x-datadog-parent-id": "0"}, f"{42:032x}", None),
    "amzn": ({"X-Amzn-Trace-Id": f"Root={ROOT};Parent={SPAN};Sampled=1"}, TRACE, SPAN),
    "amzn-balancer": ({"x-amzn-trace-id": f"Root={ROOT}"}, TRACE, None),
    "second-kind": ({"traceparent": f"00-{TRACE}-0-01", "b3": f"{TRACE}-{SPAN}"}, TRACE, SPAN),
    "first-kind": (
        {"x-amzn-trace-id": f"Root=1-{'1' * 8}-{'2' * 24}", "traceparent": f"00-{TRACE}-{SPAN}-00"},
        TRACE,
        SPAN,
    ),
    "sampling-only": ({"b3": "0", "x-b3-sampled": "1"}, "", None),
    "none": ({"tracestate": "x=1", "X-Request-Start": "t=1"}, "", None),
}

# by header: values that its own specification does not allow
WRONG = {
    "traceparent": (
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{ZEROS}{ZEROS}-{SPAN}-01",
        f"00-{TRACE}-{ZEROS}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
    ),
    "b3": ("2", TRACE, f"{TRACE}-{ZEROS}-1", f"{ZEROS}-{SPAN}-1", f"{TRACE[1:]}-{SPAN}-1"),
    "x-b3-traceid": (TRACE, HALF[1:]),
    "uber-trace-id": (f"0:{SPAN}:0:1", f"{TRACE}:0:0:1", f"{TRACE}:{SPAN}:0", "%3A%3A%3A"),
    "x-datadog-trace-id": ("0", "-1", TRACE, str(2**64)),
    "x-amzn-trace-id": (f"Root=2-{ROOT[2:]}", f"Root={TRACE}", f"Root={ROOT};Parent=0"),
}


def line_of(agent, role, path, **more):
    (line,) = until("the line", lambda: agent.lines(role=role, path=path, **more))
    return line


def check_line(line, trace, parent):
    """An empty trace: a new one, of which only this line says something."""
    source = "header" if parent else "none"
    same(f"parent of {line['path']}", line.get("parent_span_id"), parent)
    same(f"parent_source of {line['path']}", line["parent_source"], source)
    if trace:
        same(f"trace of {line['path']}", line["trace_id"], trace)


def check_new_ids(lines):
    """No span twice, no span that came in a header, no new trace twice."""
    spans = collections.Counter(line["span_id"] for line in lines)
    same("spans that came twice", [span for span, count in spans.items() if count > 1], [])
    same("spans from headers", [span for span in spans if span in (SPAN, ZEROS)], [])
    known = {trace for _, trace, _ in KINDS.values()} | {""}
    new = [line["trace_id"] for line in lines if line["trace_id"] not in known]
    same("new traces that came twice", len(new) - len(set(new)), 0)


def requests_of(prefix):
    return [("GET", f"{prefix}/{name}", 0, headers) for name, (headers, _, _) in KINDS.items()]


def check_kinds(agent, prefix):
    for name, (_, trace, parent) in KINDS.items():
        for role in ENDS:
            check_line(line_of(agent, role, f"{prefix}/{name}"), trace, parent)


def test_kinds_from_python(live):
    """Header names as they are given, and as urllib writes them: Traceparent, X-b3-spanid."""
    port, access = live.plain()
    agent = live.agent()
    for mode in ("keep", "urllib"):
        live.client(mode, port, requests_of(f"{live.prefix}/{mode}"))
    agent.finish(server=tally(access()), client=tally(access()))
    for mode in ("keep", "urllib"):
        check_kinds(agent, f"{live.prefix}/{mode}")
    same("lines", len(agent.lines()), 4 * len(KINDS))
    check_new_ids(agent.lines())


def test_kinds_from_node(live):
    port, access = start_node(live)
    agent = live.agent()
    requests = json.dumps(requests_of(f"{live.prefix}/length"))
    live.run("node", HERE / "servers/client.js", port, requests)
    agent.finish(server=tally(access()), client=tally(access()))
    check_kinds(agent, f"{live.prefix}/length")
    check_new_ids(agent.lines())


def curl(live, url, headers=()):
    need("curl")
    options = [word for header in headers for word in ("-H", header)]
    return live.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *options, url)


def test_nginx(live):
    """One trace at four ends, and nginx's own request id at all of them."""
    need("nginx")
    origin, access = live.plain()
    _, port = live.nginx(HERE / "servers/nginx_ids.conf", ORIGIN=origin)
    agent = live.agent()
    for name, (headers, _, _) in KINDS.items():
        url = f"http://127.0.0.1:{port}{live.prefix}/{name}"
        same("status", curl(live, url, [f"{key}: {headers[key]}" for key in headers]), "200")
    twice = {key: 2 * count for key, count in tally(access()).items()}
    agent.finish(server=twice, client=twice)
    logged = dict(line.split() for line in (live.temp / "access.log").read_text().splitlines())
    same("requests that nginx logged", len(logged), len(KINDS))
    for name, (_, trace, parent) in KINDS.items():
        path = f"{live.prefix}/{name}"
        lines = agent.lines(path=path)
        same(f"ends of {path}", [line["role"] for line in lines].count("server"), 2)
        ids = {(line["request_id"], line["request_id_source"]) for line in lines}
        same(f"request ids of {path}", ids, {(logged[path], "header")})
        for line in lines:
            if trace:
                check_line(line, trace, parent)
    check_new_ids(agent.lines())


def test_request_ids(live):
    """Of the request before those of the response, X-Request-ID before X-Correlation-ID."""
    cases = (
        ("X-Request-ID: a1\r\nX-Correlation-ID: a2\r\n", "X-Request-ID: a3\r\n", "a1"),
        ("x-correlation-id: b2\r\n", "X-Request-ID: b3\r\n", "b2"),
        ("", "X-CORRELATION-ID: c4\r\nx-request-id: c3\r\n", "c3"),
        ("X-Request-ID:\r\n", "X-Correlation-ID: d4\r\n", "d4"),
        ("X-Request-ID: e1\r\nX-Request-ID: e2\r\n", "", "e1"),
    )
    agent = live.agent()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with connected(listener.getsockname()[1]) as client, listener.accept()[0] as server:
            for number, (request, response, _) in enumerate(cases):
                client.sendall(get(f"{live.prefix}/x{number}", request))
                server.recv(65536)
                server.sendall(f"HTTP/1.1 204 No Content\r\n{response}\r\n".encode())
                client.recv(65536)
    agent.finish()
    for number, (_, _, expected) in enumerate(cases):
        for role in ENDS:
            line = line_of(agent, role, f"{live.prefix}/x{number}")
            same("request_id", line["request_id"], expected)
            same("request_id_source", line["request_id_source"], "header")


def invalid_counts(agent):
    return agent.metrics().counts("sonde_ids_invalid_total", ("header",))


def test_wrong_values(live):
    """Each is ignored and counted, at both ends."""
    port, access = live.plain()
    agent = live.agent()
    same("at the start", invalid_counts(agent), {(header,): 0 for header in WRONG})
    requests = [
        ("GET", f"{live.prefix}/{header}/x{number}", 0, {header: value})
        for header, values in WRONG.items()
        for number, value in enumerate(values)
    ]
    live.client("keep", port, requests)
    agent.expect("server", tally(access()))
    agent.expect("client", tally(access()))
    expected = {(header,): 2 * len(values) for header, values in WRONG.items()}
    same("invalid ones", invalid_counts(agent), expected)
    agent.finish(server=tally(access()), client=tally(access()))
    for line in agent.lines():
        check_line(line, "", None)
        check(TRACE not in line["trace_id"], "an id of an invalid header")
    same("lines", len(agent.lines()), 2 * len(requests))
    check_new_ids(agent.lines())


def test_repeated(live):
    """traceparent twice is none, whatever it says; of the others the first one counts."""
    port, access = live.plain()
    agent = live.agent()
    other = TRACE[::-1]
    cases = {
        "traceparent": (f"00-{TRACE}-{SPAN}-01", f"00-{other}-{SPAN}-01", ""),
        "traceparent ": (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01", ""),
        "b3": (f"{TRACE}-{SPAN}", f"{other}-{SPAN}", TRACE),
        "uber-trace-id": (f"{TRACE}:{SPAN}:0:1", f"{other}:{SPAN}:0:1", TRACE),
        "x-amzn-trace-id": (f"Root={ROOT};Parent={SPAN}", f"Root=1-{'1' * 8}-{'2' * 24}", TRACE),
    }
    with connected(port) as connection:
        for number, (name, (first, second, _)) in enumerate(cases.items()):
            name = name.strip()
            fields = f"{name}: {first}\r\nX-Other: x\r\n{name.title()}: {second}\r\n"
            connection.sendall(get(f"{live.prefix}/x{number}", fields))
            read_answers(connection, 1)
    agent.expect("server", tally(access()))
    agent.expect("client", tally(access()))
    same("invalid ones", invalid_counts(agent)["traceparent",], 4)
    agent.finish(server=tally(access()), client=tally(access()))
    for number, (_, _, trace) in enumerate(cases.values()):
        for role in ENDS:
            line = line_of(agent, role, f"{live.prefix}/x{number}")
            check_line(line, trace, SPAN if trace else None)
    check_new_ids(agent.lines())


def test_anywhere_in_the_head(live):
    """Behind 900 bytes of another header, byte by byte, and behind the capture limit."""
    port, access = live.plain()
    agent = live.agent("--capture-bytes=1024")
    traceparent = f"Traceparent: 00-{TRACE}-{SPAN}-01\r\n"
    paths = {name: f"{live.prefix}/{name}" for name in ("late", "torn", "beyond")}
    with connected(port) as connection:
        connection.sendall(get(paths["late"], f"X-Long: {'x' * 800}\r\n{traceparent}"))
        read_answers(connection, 1)
        for byte in get(paths["torn"], f"X-Short: x\r\n{traceparent}"):
            connection.sendall(bytes([byte]))
        read_answers(connection, 1)
        connection.sendall(get(paths["beyond"], f"X-Long: {'x' * 1200}\r\n{traceparent}"))
        read_answers(connection, 1)
    agent.finish(server=tally(access()), client=tally(access()))
    for role in ENDS:
        check_line(line_of(agent, role, paths["late"]), TRACE, SPAN)
        check_line(line_of(agent, role, paths["torn"]), TRACE, SPAN)
        check_line(line_of(agent, role, paths["beyond"]), "", None)
    check_new_ids(agent.lines())


def test_in_a_long_buffer(live):
    """At the end of a head of two buffers, of which the second is longer than most records."""
    port, access = live.plain()
    agent = live.agent("--capture-bytes=4096")
    path = f"{live.prefix}/long"
    traceparent = f"Traceparent: 00-{TRACE}-{SPAN}-01\r\n"
    head = get(path, f"X-Long: {'x' * 2000}\r\n{traceparent}")
    with connected(port) as connection:
        same("bytes", os.writev(connection.fileno(), [head[:40], head[40:]]), len(head))
        read_answers(connection, 1)
    agent.finish(server=tally(access()), client=tally(access()))
    for role in ENDS:
        check_line(line_of(agent, role, path), TRACE, SPAN)


def test_two_agents(live):
    """They see the same requests, agree on what headers say, and never on a new id."""
    port, access = live.plain()
    agents = [live.agent(), live.agent()]
    live.client("keep", port, [*requests_of(live.prefix), *[("GET", live.prefix + "/x")] * 300])
    for agent in agents:
        agent.finish(server=tally(access()), client=tally(access()))
        check_kinds(agent, live.prefix)
    lines = [line for agent in agents for line in agent.lines()]
    same("lines", len(lines), 4 * (len(KINDS) + 300))
    check_new_ids(lines)
