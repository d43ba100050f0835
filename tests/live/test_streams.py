# SPDX-License-Identifier: Apache-2.0
"""Server-Sent Events: uvicorn with FastAPI, http.server, nginx before it; curl and raw sockets.

Bodies are compared as they are on the wire, with the framing of chunks: curl shows it with --raw.
Times are never compared with a number, only with what lies inside or around them by cause.
"""

import contextlib
import signal
import socket
import struct
import time

from sonde_test import HERE, LIMIT, check, need, same, tally, until
from test_python import start_uvicorn

FAMILIES = ("http_server_streams_opened_total", "http_server_stream_duration_seconds")
HOLD = "?hold=1"


class Stream:
    """A client that reads a stream as it comes, and notes what it saw."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.sent = time.monotonic()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.bytes = b""

    def read(self, last):
        """Until the body ends with these bytes; b"": until the end."""
        while not last or not self.bytes.endswith(last):
            piece = self.socket.recv(65536)
            if not piece:
                break
            self.bytes += piece
        return self

    @property
    def body(self):
        return self.bytes.split(b"\r\n\r\n", 1)[1]

    def leave(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.left = time.monotonic()
        self.socket.close()


def last_event(path):
    """The wire's last bytes once all events of this path have come."""
    last = int(path.split("?")[0].rsplit("/")[-1]) - 1
    if "/api/" in path:
        return f"data: {last}\r\n\r\n\r\n".encode()  # with the end of the chunk
    return f"data: {last}\n\n".encode()


@contextlib.contextmanager
def held(port, path, count):
    """Streams whose events have all come and that do not end by themselves."""
    streams = [Stream(port, path + HOLD) for _ in range(count)]
    try:
        yield [stream.read(last_event(path)) for stream in streams]
    finally:
        for stream in streams:
            stream.socket.close()


def of(live, metrics, family, by=("http_route",)):
    keep = lambda labels: labels.get("http_route", "").startswith(live.prefix)
    return metrics.counts(family, by, keep)


def total(live, metrics, name):
    """Of a sample, such as the _sum of a histogram."""
    family = name.removesuffix("_sum")
    return sum(
        value
        for sample, labels, value in metrics.samples.get(family, [])
        if sample == name and labels.get("http_route", "").startswith(live.prefix)
    )


def gauge(live, agent, by=("http_route",)):
    return of(live, agent.metrics(), "http_server_streams", by)


def expect_over(live, agent, counts, sizes, by=("http_route",)):
    """Every stream was opened, is over, and carried what the clients read."""
    until("the gauge to be 0", lambda: not any(gauge(live, agent, by).values()))
    metrics = agent.metrics()
    for family in FAMILIES:
        same(family, of(live, metrics, family, by), counts)
    same("bytes", of(live, metrics, "http_server_stream_bytes_total", by), sizes)


def curl_sizes(live, *urls):
    """Asks for each over one connection; the sizes of the bodies, with their framing."""
    command = ["curl", "-sSN", "--raw"]
    for n, url in enumerate(urls):
        command += [url, "-o", live.temp / f"body{n}"]
    live.run(*command)
    return [(live.temp / f"body{n}").stat().st_size for n in range(len(urls))]


def check_lines(live, agent, role, route, count, size):
    lines = agent.lines(role=role, route=route)
    same(f"streams in the {role}'s log", [x.get("stream") for x in lines], [True] * count)
    same(f"bytes in the {role}'s log", sum(x["response_bytes"] for x in lines), size)
    same(f"errors in the {role}'s log", [x["error"] for x in lines if "error" in x], [])
    return lines


def test_fastapi_to_the_end(live):
    """One connection: a stream, an ordinary request, a stream."""
    _, port, log, _ = start_uvicorn(live)
    agent = live.agent()
    api = f"{live.prefix}/api"
    paths = (f"{api}/events/3", f"{api}/tasks", f"{api}/events/500")
    first, _, last = curl_sizes(live, *(f"http://127.0.0.1:{port}{path}" for path in paths))
    route = f"{api}/events/{{id}}"
    expect_over(live, agent, {(route,): 2}, {(route,): first + last})
    expected = tally(log.read_text().splitlines())
    same("streams of the app", expected["GET", route, "200"], 2)
    agent.finish(server=expected, client=expected)
    for role in ("server", "client"):
        check_lines(live, agent, role, route, 2, first + last)
    same("other lines", len(agent.lines(stream=True)), 4)


def test_plain_to_the_end(live):
    """The close ends the body. A HEAD answers with the same type, and is no stream."""
    port, access = live.plain()
    agent = live.agent()
    url = f"http://127.0.0.1:{port}{live.prefix}/events/40"
    sizes = curl_sizes(live, *[url] * 5)
    live.run("curl", "-sSI", url)
    route = f"{live.prefix}/events/{{id}}"
    expect_over(live, agent, {(route,): 5}, {(route,): sum(sizes)})
    agent.finish(server=tally(access()), client=tally(access()))
    same("streams in the log", len(agent.lines(stream=True)), 10)


def check_times(live, agent, streams, begun, over):
    """All had begun at one time and were over at another, by what the agent said then."""
    latency = total(live, agent.metrics(), "http_server_request_duration_seconds_sum")
    waited = sum(begun - stream.sent for stream in streams)
    check(latency <= waited, f"{latency} s of requests, but the clients waited {waited} s")
    lasted = total(live, agent.metrics(), "http_server_stream_duration_seconds_sum")
    least = sum(stream.left - begun for stream in streams)
    most = sum(over - stream.sent for stream in streams)
    check(least <= lasted <= most, f"{lasted} s of streams, by their clients {least} to {most}")


def run_held(live, port, path, route, log):
    """Twelve that stay open until their clients leave, a third of them by a reset.

    The server's service has the name of the test.
    """
    agent = live.agent()
    with held(port, path, 12) as streams:
        until("the gauge", lambda: gauge(live, agent) == {(route,): 12})
        begun = time.monotonic()
        agent.expect("server", {("GET", route, "200"): 12})
        agent.expect("client", {("GET", route, "200"): 12})
        size = sum(len(stream.body) for stream in streams)
        bytes_total = "http_server_stream_bytes_total"
        until("bytes", lambda: of(live, agent.metrics(), bytes_total) == {(route,): size})
        metrics = agent.metrics()
        same("durations before any has ended", of(live, metrics, FAMILIES[1]), {})
        same("lines before any has ended", agent.lines(), [])
        keep = lambda labels: labels["service"] == live.word
        active = metrics.counts("http_server_active_requests", ("service",), keep)
        same("active requests", active, {(live.word,): 0})
        for n, stream in enumerate(streams):
            stream.leave(reset=n % 3 == 0)
            if n == 5:
                until("half the gauge", lambda: gauge(live, agent) == {(route,): 6})
        expect_over(live, agent, {(route,): 12}, {(route,): size})
        over = time.monotonic()
    check_times(live, agent, streams, begun, over)
    agent.finish(server=tally(log()), client=tally(log()))
    for line in check_lines(live, agent, "server", route, 12, size):
        same("level", line["level"], "INFO")


def test_fastapi_held(live):
    _, port, log, _ = start_uvicorn(live, env={"OTEL_SERVICE_NAME": live.word})
    route = f"{live.prefix}/api/events/{{id}}"
    access = lambda: log.read_text().splitlines()
    run_held(live, port, f"{live.prefix}/api/events/20", route, access)


def test_plain_held(live):
    port, access = live.plain(env={"OTEL_SERVICE_NAME": live.word})
    run_held(live, port, f"{live.prefix}/events/20", f"{live.prefix}/events/{{id}}", access)


def test_server_killed(live):
    """No normal end, at neither side; the gauge comes back all the same."""
    process, port, _, _ = start_uvicorn(live)
    agent = live.agent()
    route = f"{live.prefix}/api/events/{{id}}"
    with held(port, f"{live.prefix}/api/events/7", 6) as streams:
        until("the gauge", lambda: gauge(live, agent) == {(route,): 6})
        process.send_signal(signal.SIGKILL)
        for stream in streams:
            with contextlib.suppress(ConnectionResetError):
                stream.read(b"")
        size = sum(len(stream.body) for stream in streams)
        expect_over(live, agent, {(route,): 6}, {(route,): size})
    expected = {("GET", route, "200"): 6}
    agent.finish(server=expected, client=expected)
    for role in ("server", "client"):
        words = [(x.get("error"), x["level"]) for x in agent.lines(role=role)]
        same(f"errors in the {role}'s log", words, [("aborted", "ERROR")] * 6)


def test_nginx(live):
    """A proxy that does not buffer: a stream of its own on either leg."""
    need("nginx")
    origin, access = live.plain(env={"OTEL_SERVICE_NAME": "live-origin"})
    _, port = live.nginx(HERE / "servers/nginx_proxy.conf", ORIGIN=origin)
    agent = live.agent(f"--service={port}=live-nginx")
    path, route = f"{live.prefix}/events/10", f"{live.prefix}/events/{{id}}"
    ended = curl_sizes(live, *[f"http://127.0.0.1:{port}{path}"] * 3)
    body = len("".join(f"data: {n}\n\n" for n in range(10)))
    both = lambda count: {("live-origin",): count, ("live-nginx",): count}
    with contextlib.ExitStack() as stack:
        streams = [Stream(port, path + HOLD) for _ in range(4)]
        for stream in streams:
            stack.callback(stream.socket.close)
            stream.read(b"data: 9\n\n\r\n")
        until("the gauge", lambda: gauge(live, agent, ("service",)) == both(4))
        size = sum(ended) + sum(len(stream.body) for stream in streams)
    sizes = {("live-origin",): 7 * body, ("live-nginx",): size}
    expect_over(live, agent, both(7), sizes, ("service",))
    same("requests at the origin", len(access()), 7)
    seen = {("GET", route, "200"): 14}
    agent.finish(server=seen, client=seen)
    for role in ("server", "client"):
        check_lines(live, agent, role, route, 14, size + 7 * body)


def run_less_detail(live, *options):
    port, access = live.plain(env={"OTEL_SERVICE_NAME": live.word})
    agent = live.agent("--detail=metrics", *options)
    curl_sizes(live, *[f"http://127.0.0.1:{port}{live.prefix}/events/9"] * 4)
    keep = lambda labels: labels.get("service") == live.word
    family = "http_server_request_duration_seconds"
    counts = lambda: agent.metrics().counts(family, ("service",), keep)
    until("counts", lambda: counts() == {(live.word,): len(access())})
    types = agent.metrics().types
    same("families of streams", [name for name in types if "server_stream" in name], [])
    agent.stop()


def test_without_a_record(live):
    """It cannot be told from another response, which counts when it is over."""
    run_less_detail(live)


def test_less_detail(live):
    """Slow ones do have a record, here all: no family tells half of the truth."""
    run_less_detail(live, "--log-slow=1us")
