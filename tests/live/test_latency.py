# SPDX-License-Identifier: Apache-2.0
"""Times: the agent's agree with what a server says of itself: two measures of one thing."""

import http.client
import socket
import statistics
import time

from sonde_test import HERE, PYTHON, check, same, until

ROUNDS = {1: 60, 5: 60, 20: 40, 100: 20}
SIZE = 50 * 1024 * 1024
AGREE_MS = 0.2
LATE_MS = 5  # one download alone has no median: a scheduler may come between the two clocks


def start_sleeper(live):
    log = live.temp / "times.log"
    _, port = live.server(PYTHON, HERE / "servers/sleeper.py", log)
    return port, lambda: [line.split() for line in log.read_text().splitlines()]


def bucket_of_median(metrics, route):
    """(low, high) of the bucket in which half of the requests are reached."""
    keep = lambda labels: labels.get("http_route") == route
    buckets = metrics.buckets("http_server_request_duration_seconds", keep)
    half = buckets[-1][1] / 2
    low = 0.0
    for bound, count in buckets:
        if count > half:
            return low, bound
        low = bound
    raise AssertionError("no bucket")


def check_median(agent, route, milliseconds):
    paths = f"{route}/"
    lines = [x for x in agent.lines(role="server") if x["path"].startswith(paths)]
    own = [int(last) / 1e6 for path, _, last in milliseconds if path.startswith(paths)]
    same(f"requests under {route}", len(lines), len(own))
    median = statistics.median(own)
    for field in ("duration_ms", "ttfb_ms"):
        told = statistics.median(line[field] for line in lines)
        check(abs(told - median) <= AGREE_MS, f"{route} {field}: agent {told}, server {median}")
    low, high = bucket_of_median(agent.metrics(), f"{route}/{{id}}")
    fits = low * 1000 < median <= high * 1000
    check(fits, f"{route}: median {median} ms, bucket {low} to {high} s")


def test_sleeping_handlers(live):
    port, times = start_sleeper(live)
    agent = live.agent()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    expected = {}
    for duration, rounds in ROUNDS.items():
        expected["GET", f"{live.prefix}/ms{duration}/{{id}}", "200"] = rounds
        for n in range(rounds):
            connection.request("GET", f"{live.prefix}/ms{duration}/{n}")
            connection.getresponse().read()
    agent.expect("server", expected)
    until("the lines", lambda: len(agent.lines(role="server")) == sum(ROUNDS.values()))
    for duration in ROUNDS:
        check_median(agent, f"{live.prefix}/ms{duration}", times())
    agent.finish(server=expected, client=expected)


def slow_download(port, path):
    """Reads with pauses; returns ms from the request to the first and to the last byte."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.connect(("127.0.0.1", port))
    start = time.monotonic()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    size = len(connection.recv(100))
    first = time.monotonic()
    while size < SIZE:
        size += len(connection.recv(1 << 18))
        if time.monotonic() - start < 1:
            time.sleep(0.005)
    last = time.monotonic()
    connection.close()
    return (first - start) * 1000, (last - start) * 1000


def check_times(role, line, first, last):
    for field, own in (("ttfb_ms", first), ("duration_ms", last)):
        check(abs(line[field] - own) <= LATE_MS, f"{role} {field}: agent {line[field]}, own {own}")


def test_download(live):
    port, times = start_sleeper(live)
    agent = live.agent()
    first, last = slow_download(port, f"{live.prefix}/download")
    counts = {("GET", f"{live.prefix}/download", "200"): 1}
    agent.finish(server=counts, client=counts)
    ((_, server_first, server_last),) = times()
    (server,) = agent.lines(role="server")
    check_times("server", server, int(server_first) / 1e6, int(server_last) / 1e6)
    check(server["ttfb_ms"] < server["duration_ms"] / 10, "the first byte came as late as the last")
    (client,) = agent.lines(role="client")
    check_times("client", client, first, last)
    same("response bytes", [x["response_bytes"] for x in (server, client)], [SIZE, SIZE])
