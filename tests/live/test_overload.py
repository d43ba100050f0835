# SPDX-License-Identifier: Apache-2.0
"""More than the agent can read: a small ring, and an agent that stands still while traffic goes on.

Routes and log lines may go, counts may not. What the kernel half counted has a method, a status and
a service, so counts are compared by these, with nginx's access log and with what wrk says it got.
STOP is how many seconds the agent stands still.
"""

import collections
import contextlib
import os
import signal
import subprocess
import time

from crowd import Crowd, check_funnel, check_no_leak, check_sums, connections, counted, expect
from crowd import funnel, requests_of, resident, settle
from sonde_test import HERE, LIMIT, check, check_lines, need, same, until
from test_kill import CUT, NEVER
from test_nginx import with_aborted, wrk_counts

STOP = float(os.environ.get("STOP", 3))
RING = "--ring-size=256KiB"
CONNECTIONS = 50
GROWTH = 2 << 20  # resident bytes


@contextlib.contextmanager
def standing_still(agent):
    agent.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        agent.process.send_signal(signal.SIGCONT)


class Load:
    """nginx and wrk, both with service names of this test alone."""

    def __init__(self, live, *headers):
        need("nginx", "wrk")
        self.live, self.headers = live, headers
        self.names = {"server": f"{live.word}-nginx", "client": f"{live.word}-wrk"}
        self.nginx, self.port = live.nginx(HERE / "servers/nginx.conf", PREFIX=live.prefix)
        self.log = live.temp / "access.log"
        self.out = live.temp / "wrk.out"
        self.began = time.monotonic()

    def option(self):
        return f"--service={self.port}={self.names['server']}"

    def start(self):
        command = ["wrk", "-t2", f"-c{CONNECTIONS}", "-d600s", "-s", HERE / "servers/wrk.lua"]
        command += [word for header in self.headers for word in ("-H", header)]
        command += [f"http://127.0.0.1:{self.port}", "--", self.live.prefix]
        environment = {"OTEL_SERVICE_NAME": self.names["client"]}
        self.wrk = self.live.start(command, env=environment, stdout=self.out)
        self.more(500)

    def size(self):
        return self.log.stat().st_size

    def more(self, requests):
        """Waits until nginx has logged so many more requests, of 25 bytes at least."""
        goal = self.size() + 25 * requests
        until("load", lambda: self.size() >= goal, 60)

    def end_wrk(self):
        """{(method, status): count} as wrk says."""
        self.wrk.send_signal(signal.SIGINT)
        same("exit status of wrk", self.wrk.wait(20), 0)
        got, sent, total = wrk_counts(self.out.read_text())
        same("wrk's two counts of answers", sum(got.values()), total)
        result = collections.Counter()
        for (method, _, status), count in with_aborted(got, sent).items():
            result[method, status] += count
        return result

    def end_nginx(self):
        """The same as nginx says; its log is whole when it has ended in peace."""
        self.nginx.send_signal(signal.SIGQUIT)
        same("exit status of nginx", self.nginx.wait(20), 0)
        result = collections.Counter()
        with open(self.log) as lines:
            for line in lines:
                method, _, status, sent = line.split()
                result[method, status if int(sent) else ""] += 1
        return result

    def check_counts(self, agent):
        """Both ends to their end, and the agent's counts; returns how many requests the server had.
        """
        said = {"client": self.end_wrk(), "server": self.end_nginx()}
        seconds = time.monotonic() - self.began
        for role, expected in said.items():
            expect(agent, role, self.names[role], expected)
            check_sums(agent.metrics(), role, self.names[role], seconds * CONNECTIONS)
        return sum(said["server"].values())


def shed(agent):
    return funnel(agent.metrics())["shed"]


def run_stopped(live, load, *options):
    """wrk and nginx at full speed while the agent stands still; returns it when both are right."""
    agent = live.agent(load.option(), RING, *options)
    before = connections(agent.metrics())
    load.start()
    with standing_still(agent):
        time.sleep(STOP)
    load.more(2000)
    load.check_counts(agent)
    check(shed(agent) > 0, "nothing was shed: not enough load")
    check_funnel(agent)
    check_no_leak(agent, before)
    return agent


def test_agent_stopped(live):
    """Mixed methods and statuses over connections that stay for 150 requests each."""
    run_stopped(live, Load(live)).stop()


def test_agent_stopped_one_request_a_connection(live):
    run_stopped(live, Load(live, "Connection: close")).stop()


def test_stdout_blocked(live):
    """A reader that reads late: lines are dropped and counted, memory stays, whole lines come."""
    load = Load(live)
    agent = live.agent(load.option(), RING, stdout=subprocess.PIPE)
    load.start()
    until("dropped lines", lambda: lines_of(agent.metrics())[1] > 1000, 60)
    size = resident(agent.metrics())
    with standing_still(agent):
        time.sleep(STOP)
    load.more(2000)
    load.check_counts(agent)
    check_funnel(agent)
    grown = resident(agent.metrics()) - size
    check(grown <= GROWTH, f"{grown} more bytes resident")
    reader = live.start(["cat"], stdin=agent.process.stdout, stdout=agent.out)
    settle(agent, "lines without a trace", lines_unexplained, 0)
    said = lines_of(agent.metrics())[0]
    agent.process.send_signal(signal.SIGTERM)
    same("exit status of the agent", agent.process.wait(LIMIT), 0)
    agent.process.stdout.close()
    same("exit status of the reader", reader.wait(LIMIT), 0)
    check_lines(agent.out)
    got = agent.out.read_bytes().count(b"\n")
    check(got >= said, f"{got} lines came of {said}")


def lines_of(metrics):
    """(written, dropped)"""
    names = ("sonde_log_lines_total", "sonde_log_lines_dropped_total")
    return tuple(sum(metrics.counts(name, ()).values()) for name in names)


def lines_unexplained(metrics):
    """Each transaction that was counted from records has a line, or one that was dropped."""
    return funnel(metrics)["counted"] - sum(lines_of(metrics))


def test_open_across_the_stop(live):
    """What begins before, within and after, in all ways to end: each is counted once.

    Where nobody reads the head, a response that was cut cannot be told from a whole one.
    """
    crowd = Crowd(live)
    agent = live.agent(RING)
    before = connections(agent.metrics())
    hold = lambda: [crowd.ask(f"hold 20 {kind}") for kind in (NEVER, CUT)]
    for command in ("open 50", "ask 1"):
        crowd.ask(command)
    hold()
    with standing_still(agent):
        crowd.ask("load 1 1")
        hold()
        crowd.ask("close")
        hold()
        for command in ("open 50", "load 1 1"):
            crowd.ask(command)
    crowd.ask("ask 1")
    hold()
    crowd.ask("close")
    client, server = crowd.ask("close")
    held = 4 * 20 * crowd.clients
    for role, counts in (("server", server), ("client", client)):
        expected = collections.Counter({("GET", ""): held, ("GET", "200"): held})
        expected.update(requests_of(counts))
        expect(agent, role, crowd.ends()[role], dict(expected))
        check_sums(agent.metrics(), role, crowd.ends()[role], 20 * 1000)
    check(shed(agent) > 0, "nothing was shed: not enough load")
    crowd.check_closed(agent)
    check_funnel(agent)
    check_no_leak(agent, before)
    agent.stop()


def test_churn_while_stopped(live):
    crowd = Crowd(live, clients=4)
    agent = live.agent(RING)
    before = connections(agent.metrics())
    crowd.ask("churn 1 500")
    with standing_still(agent):
        crowd.ask(f"churn {int(STOP)} 1500")
    crowd.ask("churn 1 500")
    crowd.check_counts(agent)
    check(shed(agent) > 0, "nothing was shed: not enough load")
    crowd.check_closed(agent)
    check_funnel(agent)
    check_no_leak(agent, before)
    agent.stop()


def test_pipelined_while_stopped(live):
    """No request is counted twice or as another one; what could not be counted is said.

    Where nobody reads the bytes, the requests behind the first one of a read are not seen.
    """
    crowd = Crowd(live)
    agent = live.agent(RING)
    crowd.ask("open 20")
    crowd.ask("load 1 8")
    with standing_still(agent):
        crowd.ask("load 1 8")
    crowd.ask("load 1 8")
    client, server = crowd.ask("close")
    crowd.check_idle(agent)
    check_funnel(agent)
    for role, counts in (("server", server), ("client", client)):
        got = counted(agent.metrics(), role, crowd.ends()[role])
        most = requests_of(counts)
        for key, count in got.items():
            check(count <= most.get(key, 0), f"{role} {key}: {count}, but {most.get(key)} were")
    fresh = Crowd(live, name="-fresh")
    fresh.ask("open 50")
    fresh.ask("ask 1")
    fresh.check_counts(agent)
    agent.stop()
