# SPDX-License-Identifier: Apache-2.0
"""Ends without warning under load: of a server while it answers, and of the agent."""

import collections
import os
import pathlib
import signal

from crowd import LABELS, Crowd, active, check_funnel, check_no_leak, connections, counted
from crowd import requests_of, settle
from sonde_test import check, need, same, until
from test_life import check_gapless, programs_held, programs_loaded, run_attached, start_load

HELD = 20  # of each kind, by each worker
NEVER, CUT = 0, 1  # no answer comes; half of an answer comes
BY = (*LABELS, "error_type")


def kill_workers(process):
    """The parent stays: it can still say what its workers had counted."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    check(children, "no workers")
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def outcomes(metrics, role, service):
    """{(method, status, "aborted" or ""): count}"""
    result = collections.Counter()
    for (method, status, error), count in counted(metrics, role, service, BY).items():
        result[method, status, error if error == "aborted" else ""] += count
    return dict(result)


def expected_of(counts, never, cut):
    """The same of a tool's counts, and of requests that were held."""
    result = collections.Counter({("GET", "", "aborted"): never, ("GET", "200", "aborted"): cut})
    for (method, status), count in requests_of(counts).items():
        result[method, status, "" if status else "aborted"] += count
    return dict(result)


def check_server(got, least, most, sent):
    """What was answered is between what clients got and what the server was about to send.

    A request in flight when its server died was read by it or not, and is aborted if it was.
    """
    for key in sorted({*least, *got} | {key for key in most if not key[2]}):
        top = most.get(key, 0) if not key[2] else sent
        text = f"server {key}: {least.get(key, 0)} <= {got.get(key, 0)} <= {top}"
        check(least.get(key, 0) <= got.get(key, 0) <= top, text)
    check(sum(got.values()) <= sent, f"{sum(got.values())} requests, but {sent} were sent")


def test_server_killed(live):
    """Its open requests end as aborted on both ends, and nothing stays open."""
    crowd = Crowd(live)
    agent = live.agent()
    before = connections(agent.metrics())
    server, held = crowd.server.service, HELD * crowd.clients
    for command in ("open 50", f"hold {HELD} {NEVER}", f"hold {HELD} {CUT}"):
        crowd.ask(command)
    settle(agent, "active requests", lambda metrics: active(metrics, server), 2 * held)
    crowd.client.tell("load 60 1")
    until("load", lambda: sum(counted(agent.metrics(), "server", server).values()) > 2000)
    kill_workers(crowd.server.process)
    client = crowd.client.hear()
    same("requests that the tool held", client["held"], 2 * held)
    crowd.ask("close")
    expected = expected_of(client, held, held)
    got = lambda metrics: outcomes(metrics, "client", crowd.client.service)
    settle(agent, "client counts", got, expected)
    crowd.check_idle(agent)
    check_funnel(agent)
    check_no_leak(agent, before)
    answered = {key: count for key, count in expected.items() if not key[2]}
    least = {**answered, ("GET", "", "aborted"): held, ("GET", "200", "aborted"): held}
    most = expected_of(crowd.server.ask(""), held, held)
    check_server(outcomes(agent.metrics(), "server", server), least, most, sum(expected.values()))
    agent.stop()


def test_agent_killed(live):
    """The next agent misses nothing, and nothing of the first one stays in the kernel."""
    need("bpftool")
    port, _ = live.plain()
    client, read = start_load(live, port)
    first = live.agent()
    goal = len(read()) + 200
    until("load", lambda: len(read()) >= goal)
    own = programs_held(first.process.pid)
    check(len(own) > 2 and own <= programs_loaded(), f"not the agent's programs: {own}")
    first.process.kill()
    same("exit status of the agent", first.process.wait(), -signal.SIGKILL)
    until("its programs to go", lambda: not programs_loaded() & own)
    second, begin, end = run_attached(live, read, 400)
    check(client.poll() is None, "the client ended")
    for role in ("server", "client"):
        check_gapless(second, role, read(), begin, end)


def test_agents_in_turn_killed(live):
    """Whole lives of agents end by SIGKILL under many connections; the last one counts exactly."""
    old = Crowd(live, name="-old")
    old.ask("open 200")
    old.client.tell("load 60 1")
    for _ in range(3):
        agent = live.agent()
        service = old.server.service
        until("load", lambda: sum(counted(agent.metrics(), "server", service).values()) > 1000)
        agent.process.kill()
        agent.process.wait()
    crowd, agent = Crowd(live), live.agent()
    for command in ("open 50", "load 1 1", "ask 1"):
        crowd.ask(command)
    crowd.check_counts(agent)
    crowd.check_closed(agent)
    kill_workers(old.server.process)
    old.client.hear()
    old.check_idle(agent)
    check_funnel(agent)
    agent.stop()
