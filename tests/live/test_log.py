# SPDX-License-Identifier: Apache-2.0
"""What the options about log lines leave of them: sample, rate, fields; and slow readers.

Each request and end is a line, or is counted as the reason why it is none; the sum is exact.
"""

import collections
import os
import signal
import socket
import subprocess
import time

from sonde_test import LIMIT, check, check_lines, same, until
from strict_json import ALWAYS, read_line
from test_hostile import send
from test_raw import connected

COUNT = 600
FEW = 200  # requests whose lines are more than a pipe holds
SUPPRESSED = "sonde_log_lines_suppressed_total"
OK = b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n"


class Talk:
    """Both ends are this process; what it asks for is known."""

    def __init__(self, live):
        self.live = live
        self.listener = socket.create_server(("127.0.0.1", 0))
        live.at_end(self.listener.close)
        self.port = self.listener.getsockname()[1]

    def run(self, count, status=lambda n: 200, header=lambda n: "", path="/x"):
        with connected(self.port) as client, self.listener.accept()[0] as server:
            for n in range(count):
                head = f"GET {self.live.prefix}{path} HTTP/1.1\r\nHost: x\r\n{header(n)}\r\n"
                send(client, server, head.encode())
                send(server, client, OK % status(n))


def counts(agent):
    """(requests that were counted, lines by what became of them)"""
    metrics = agent.metrics()
    of = lambda name, by=(): metrics.counts(name, by)
    told = {reason: count for (reason,), count in of(SUPPRESSED, ("reason",)).items()}
    told["written"] = sum(of("sonde_log_lines_total").values())
    told["dropped"] = sum(of("sonde_log_lines_dropped_total").values())
    return sum(of("sonde_transactions_counted_total", ("protocol",)).values()), told


def settled(agent, least):
    """When each transaction that was counted has a line or a reason; the reasons then."""

    def question():
        counted, told = counts(agent)
        return told if counted >= least and counted == sum(told.values()) else None

    return until("lines and reasons that add up", question)


def trace_of(n):
    return f"{n * 0x9E3779B97F4A7C15 + 1:032x}"[-32:]


def traced(n):
    return f"traceparent: 00-{trace_of(n)}-00f067aa0ba902b7-01\r\n"


def traces(agent, role):
    result = collections.Counter(line["trace_id"] for line in agent.lines(role=role))
    same(f"{role} traces with more than one line", [t for t, n in result.items() if n > 1], [])
    return set(result)


def test_sample(live):
    """Both ends of a trace, at two agents, are kept or not; who keeps more keeps those, too."""
    talk = Talk(live)
    agents = [live.agent(f"--log-sample={share}") for share in (0.3, 0.3, 0.6)]
    talk.run(COUNT, header=traced)
    for agent in agents:
        agent.expect("server", {("GET", f"{live.prefix}/x", "200"): COUNT})
        settled(agent, 2 * COUNT)
        agent.stop()
    one, other, more = (traces(agent, "server") for agent in agents)
    same("traces at the other end", traces(agents[0], "client"), one)
    same("traces at the other agent", other, one)
    same("traces at the other agent's other end", traces(agents[1], "client"), one)
    same("traces that only the smaller sample has", one - more, set())
    check(0.2 * COUNT < len(one) < 0.4 * COUNT, f"{len(one)} of {COUNT} traces")
    check(0.5 * COUNT < len(more) < 0.7 * COUNT, f"{len(more)} of {COUNT} traces")


def test_sample_keeps_what_matters(live):
    talk = Talk(live)
    agent = live.agent("--log-sample=0")
    talk.run(COUNT, status=lambda n: (200, 404, 500, 503)[n % 4])
    told = settled(agent, 2 * COUNT)
    agent.stop()
    statuses = collections.Counter(line["status"] for line in agent.lines())
    same("lines by status", dict(statuses), {500: COUNT // 2, 503: COUNT // 2})
    check(told["sample"] >= COUNT, f"suppressed: {told}")


def test_rate(live):
    """A burst: as many lines as two seconds allow, and every error among them."""
    talk = Talk(live)
    agent = live.agent("--log-rate=100/s")
    begin = time.monotonic()
    talk.run(COUNT, status=lambda n: 500 if n % 20 == 19 else 200)
    took = time.monotonic() - begin
    told = settled(agent, 2 * COUNT)
    agent.stop()
    lines = collections.Counter(line["status"] for line in agent.lines())
    same("lines of errors", lines[500], 2 * COUNT // 20)
    most = 100 * (took + 2) + 1
    check(lines[500] + lines[200] <= most, f"{lines} in {took} s are more than {most}")
    check(told["rate"] > 0 and told["written"] >= 100, f"what became of lines: {told}")


def test_fields(live):
    talk = Talk(live)
    agent = live.agent("--log-fields=status,path,trace_id", "--log-headers=X-Tenant")
    talk.run(20, header=lambda n: traced(n) + f"X-Tenant: t{n}\r\n")
    until("lines", lambda: len(agent.lines()) == 40)
    agent.process.send_signal(signal.SIGTERM)
    same("exit status of the agent", agent.process.wait(LIMIT), 0)
    for raw in agent.out.read_bytes().split(b"\n")[:-1]:
        line = read_line(raw, ["header_x_tenant"])
        strange = set(line) - {*ALWAYS, "status", "path", "trace_id", "header_x_tenant"}
        same("fields that nobody asked for", strange, set())
    told = collections.Counter((o["trace_id"], o["header_x_tenant"]) for o in agent.lines())
    same("lines", dict(told), {(trace_of(n), f"t{n}"): 2 for n in range(20)})



def test_sigterm_with_a_slow_reader(live):
    """What waits when SIGTERM comes is written to a reader that takes it in odd pieces."""
    talk = Talk(live)
    agent = live.agent(stdout=subprocess.PIPE)
    talk.run(FEW, path="/" + 100 * "y")
    told = settled_unread(agent, 2 * FEW)
    same("lines that were dropped", told["dropped"], 0)
    check(told["written"] < 2 * FEW, "the pipe took all: nothing waits")
    agent.process.send_signal(signal.SIGTERM)
    with open(agent.out, "wb") as sink:
        while piece := os.read(agent.process.stdout.fileno(), 7777):
            sink.write(piece)
            time.sleep(0.001)
    same("exit status of the agent", agent.process.wait(LIMIT), 0)
    check_lines(agent.out)
    same("lines", len(agent.lines()), 2 * FEW)


def settled_unread(agent, least):
    """When the requests are counted; their lines may wait."""

    def question():
        counted, told = counts(agent)
        return told if counted >= least else None

    return until("requests", question)


def test_sigterm_without_a_reader(live):
    """Nobody reads: the agent ends all the same; what was taken is whole lines but the last."""
    talk = Talk(live)
    agent = live.agent(stdout=subprocess.PIPE)
    talk.run(FEW, path="/" + 100 * "y")
    settled_unread(agent, 2 * FEW)
    agent.process.send_signal(signal.SIGTERM)
    same("exit status of the agent", agent.process.wait(LIMIT), 0)
    raw = agent.process.stdout.read()
    for line in raw.split(b"\n")[:-1]:
        read_line(line)
    check(raw.count(b"\n") > 50, f"{len(raw)} bytes")
