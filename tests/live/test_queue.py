# SPDX-License-Identifier: Apache-2.0
"""How long requests wait in their sockets: between what the client and the server say of it.

The client notes the time before and after it sends, the server before and after it reads. What lies
between is known to both ends' own clocks, which are one here: the agent's sum has to stand there.
"""

import itertools
import socket
import threading
import time

from sonde_test import HERE, LIMIT, PYTHON, check, same, until

FAMILY = "http_server_request_queue_seconds"
UNIT = 1024e-9  # s: what the agent's figure is told in, each
PAUSE = 0.02  # s: until the call that sent the answer has returned for sure
LATE = 2e-3  # s: loopback hands a segment over in the call that sends it, or in softirq soon after


class Waiter:
    """A server that lets requests wait, and what the clients of this test sent to it."""

    def __init__(self, live, name, *options):
        self.live, self.name, self.sent = live, live.word + name, {}
        self.log = live.temp / f"{name}.log"
        self.number = itertools.count()
        _, self.port = live.server(PYTHON, HERE / "servers/waiter.py", self.log, *options)
        self.unix = options[options.index("--unix") + 1] if "--unix" in options else None

    def connect(self):
        connection = socket.socket(socket.AF_UNIX if self.unix else socket.AF_INET)
        connection.settimeout(LIMIT)
        connection.connect(str(self.unix) if self.unix else ("127.0.0.1", self.port))
        if not self.unix:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, connection, body=b"", cut=None, pause=0.0):
        """One request; with `cut` its first bytes go out `pause` seconds before the others."""
        path = f"{self.live.prefix}/{next(self.number)}"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        data = head.encode() + body
        before = time.monotonic_ns()
        connection.sendall(data[:cut])
        self.sent[path] = before, time.monotonic_ns()
        if cut:
            time.sleep(pause)
            connection.sendall(data[cut:])
        check(connection.recv(4096).startswith(b"HTTP/1.1 200"), "no answer")

    def bounds(self):
        """[(least, most)] s that each request can have waited."""
        read = [line.split() for line in self.log.read_text().splitlines()]
        same("requests", sorted(path for path, _, _ in read), sorted(self.sent))
        return [
            ((int(before) - self.sent[path][1]) / 1e9, (int(after) - self.sent[path][0]) / 1e9)
            for path, before, after in read
        ]


def start_agent(live, *waiters, options=("--queue-time",)):
    names = [f"--service={w.port}={w.name}" for w in waiters if not w.unix]
    return live.agent(*options, *names)


def figures(metrics, service):
    """(count, sum in s, buckets) of a service."""
    samples = [x for x in metrics.samples.get(FAMILY, []) if x[1]["service"] == service]
    value = {name[len(FAMILY):]: number for name, labels, number in samples if "le" not in labels}
    buckets = metrics.buckets(FAMILY, lambda labels: labels["service"] == service)
    return int(value.get("_count", 0)), value.get("_sum", 0), buckets


def check_waits(agent, waiter, service=None, unknown=0):
    """The agent's figures of a server; `unknown`: the first requests, which it cannot know."""
    bounds = waiter.bounds()[unknown:]
    service = service or waiter.name
    until("the requests", lambda: len(agent.lines(role="server")) >= len(waiter.sent))
    count, total, buckets = figures(agent.metrics(), service)
    same(f"{waiter.name}: requests whose time is known", count, len(bounds))
    least = sum(low for low, _ in bounds) - len(bounds) * (UNIT + LATE)
    most = sum(high for _, high in bounds) + len(bounds) * UNIT
    check(least <= total <= most, f"{waiter.name}: {total} s, not from {least} to {most}")
    for bound, below in buckets:
        surely = sum(high + UNIT <= bound for _, high in bounds)
        perhaps = sum(low - UNIT - LATE <= bound for low, _ in bounds)
        check(surely <= below <= perhaps, f"{waiter.name}: {below} below {bound} s")


def test_known_waits(live):
    """A connection each, and keep-alive: 5, 50 and 300 ms until the server reads."""
    waiters = {ms: Waiter(live, f"ms{ms}", "--wait", str(ms)) for ms in (5, 50, 300)}
    agent = start_agent(live, *waiters.values())
    for ms, waiter in waiters.items():
        for _ in range(2):
            with waiter.connect() as connection:
                for _ in range(200 // ms + 2):
                    waiter.ask(connection)
    for ms, waiter in waiters.items():
        check(all(low >= ms / 1000 - LATE for low, _ in waiter.bounds()), "it did not wait")
        check_waits(agent, waiter)
    agent.stop()


def test_read_at_once(live):
    """Nobody waits for anything but to be woken."""
    waiter = Waiter(live, "soon")
    agent = start_agent(live, waiter)
    with waiter.connect() as connection:
        for _ in range(200):
            waiter.ask(connection)
    check_waits(agent, waiter)
    agent.stop()


def test_busy_server(live):
    """Two clients of a server in one thread wait for each other."""
    waiter = Waiter(live, "busy", "--wait", "8")
    agent = start_agent(live, waiter)

    def client():
        with waiter.connect() as connection:
            for _ in range(20):
                waiter.ask(connection)

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_waits(agent, waiter)
    agent.stop()


def test_in_pieces(live):
    """Read in pieces, sent in pieces, and both: it is the first byte that counts."""
    small = Waiter(live, "small", "--wait", "3", "--piece", "3")
    whole = Waiter(live, "whole", "--wait", "3")
    agent = start_agent(live, small, whole)
    for waiter in (small, whole):
        for cut, pause in ((None, 0), (3, 0.02), (3, 0.001), (30, 0.02)):
            with waiter.connect() as connection:
                for _ in range(3):
                    waiter.ask(connection, cut=cut, pause=pause)
                    time.sleep(PAUSE)
    for waiter in (small, whole):
        check_waits(agent, waiter)
    agent.stop()


def test_bodies(live):
    waiter = Waiter(live, "bodies", "--wait", "20")
    agent = start_agent(live, waiter)
    for size in (1, 1460, 20_000, 300_000, 2_000_000):
        with waiter.connect() as connection:
            for _ in range(2):
                waiter.ask(connection, b"b" * size)
                time.sleep(PAUSE)
    check_waits(agent, waiter)
    agent.stop()


def test_low_water_mark(live):
    """With SO_RCVLOWAT the kernel does not say when the first byte came."""
    waiter = Waiter(live, "lowat", "--wait", "3", "--lowat", "40")
    agent = start_agent(live, waiter)
    with waiter.connect() as connection:
        for _ in range(3):
            waiter.ask(connection, b"b" * 2000, cut=3, pause=0.02)
    check_waits(agent, waiter, unknown=3)
    agent.stop()


def test_unix_socket(live):
    waiter = Waiter(live, "unix", "--wait", "20", "--unix", live.temp / "socket")
    agent = start_agent(live, waiter)
    for _ in range(2):
        with waiter.connect() as connection:
            for _ in range(5):
                waiter.ask(connection)
    check_waits(agent, waiter, service="waiter")
    agent.stop()


def test_open_before_the_agent(live):
    """Whether all was read before is known from the second request on."""
    waiter = Waiter(live, "before", "--wait", "20")
    with waiter.connect() as connection:
        waiter.ask(connection)
        waiter.sent.clear()
        waiter.log.write_text("")
        agent = start_agent(live, waiter)
        for _ in range(4):
            waiter.ask(connection)
    check_waits(agent, waiter, unknown=1)
    agent.stop()


def test_only_when_asked_for(live):
    waiter = Waiter(live, "off", "--wait", "5")
    agent = start_agent(live, waiter, options=())
    with waiter.connect() as connection:
        waiter.ask(connection)
    until("the request", lambda: len(agent.lines(role="server")) == 1)
    check(FAMILY not in agent.get("/metrics")[2].decode(), "it is there")
    programs = agent.metrics().counts("sonde_programs_attached", ("program",))
    check(("sock_readable",) not in programs, "its hook is there")
    agent.stop()
