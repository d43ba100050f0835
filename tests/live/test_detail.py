# SPDX-License-Identifier: Apache-2.0
"""--detail: what is not asked for leaves no line; what is counted stays the same."""

import collections
import socket

from crowd import Crowd, check_funnel, check_sums, expect, funnel, of_service, requests_of
from sonde_test import check, same, until
from test_errors import PLAIN, check_fault, run_sonde
from test_kill import NEVER
from test_latency import start_sleeper

HELD = 10  # by each worker
ERRORS_ONLY = "--detail=errors"
METRICS_ONLY = "--detail=metrics"
SLOW_MS = 100


def run_crowd(live, agent):
    """A mix of good, bad and aborted requests, counted exactly; {role: lines of bad ones}."""
    crowd = Crowd(live)
    for command in ("open 50", "load 1 1", f"hold {HELD} {NEVER}"):
        crowd.ask(command)
    client, server = crowd.ask("close")
    bad = {}
    for role, counts in (("server", server), ("client", client)):
        expected = {**requests_of(counts), ("GET", ""): client["held"]}
        expect(agent, role, crowd.ends()[role], expected)
        check_sums(agent.metrics(), role, crowd.ends()[role], 1000)
        bad[role] = expected["GET", "503"] + expected["GET", ""]
    crowd.check_idle(agent)
    return bad


def is_bad(line):
    return line.get("status", 0) >= 500 or line.get("error") == "aborted"


def is_slow(line, milliseconds=1000):
    return line.get("duration_ms", 0) >= milliseconds


def check_bad_lines(agent, role, expected):
    """Every bad request has a line, and no other one has, but for slow ones; returns the lines."""
    lines = lambda: agent.lines(role=role)
    until(f"{role} lines", lambda: len([x for x in lines() if is_bad(x)]) >= expected)
    same(f"bad lines of the {role}", len([x for x in lines() if is_bad(x)]), expected)
    same(f"good lines of the {role}", [x for x in lines() if not is_bad(x) and not is_slow(x)], [])
    return lines()


def test_errors_only(live):
    """Good requests are counted in the kernel; bad ones come with all that is known of them."""
    agent = live.agent(ERRORS_ONLY)
    for role, bad in run_crowd(live, agent).items():
        for line in check_bad_lines(agent, role, bad):
            check(line.get("path", "").startswith(live.prefix), f"no path in {line}")
            check(line.get("route"), f"no route in {line}")
    check(funnel(agent.metrics())["shed"] > 0, "nothing was shed")
    check_funnel(agent)
    agent.stop()


def test_metrics_only(live):
    """Nothing but counting: good requests leave no record, bad ones a line without a path."""
    agent = live.agent(METRICS_ONLY)
    for role, bad in run_crowd(live, agent).items():
        for line in check_bad_lines(agent, role, bad):
            check("path" not in line and "route" not in line, f"more than asked for in {line}")
    check(funnel(agent.metrics())["shed"] > 0, "nothing was shed")
    check_funnel(agent)
    agent.stop()


def test_slow_are_kept(live):
    """With --detail=errors, requests over --log-slow keep their line and their path."""
    port, times = start_sleeper(live)
    server = f"{live.word}-sleeper"
    agent = live.agent(ERRORS_ONLY, f"--log-slow={SLOW_MS}ms", f"--service={port}={server}")
    paths = [f"{live.prefix}/ms{ms}/{n}" for n in range(5) for ms in (0, 150)]
    live.client("keep", port, [("GET", path) for path in paths])
    expect(agent, "server", server, {("GET", "200"): len(paths)})
    slow = [path for path, _, last in times() if int(last) >= 150_000_000]
    check(len(slow) >= 5, f"only {len(slow)} slow ones")
    for role in ("server", "client"):
        got = lambda: [line.get("path") for line in agent.lines(role=role)]
        until(f"slow lines of the {role}", lambda: set(slow) <= set(got()))
        quick = [line for line in agent.lines(role=role) if not is_slow(line, SLOW_MS)]
        same(f"lines of quick ones ({role})", quick, [])
    check_funnel(agent)
    agent.stop()


def in_buckets(metrics, family, service):
    """[(bound, how many stand in this bucket)], without empty ones."""
    buckets = metrics.buckets(family, of_service(service))
    below = [0, *(count for _, count in buckets)]
    return [(bound, count - low) for (bound, count), low in zip(buckets, below) if count > low]


def test_buckets_of_the_kernel(live):
    """Times that it put into buckets itself stand where the server's own clock would put them."""
    port, times = start_sleeper(live)
    names = {"server": f"{live.word}-sleeper", "client": f"{live.word}-client"}
    agent = live.agent(METRICS_ONLY, f"--service={port}={names['server']}")
    waits = [30] * 6 + [150] * 3 + [600] * 2  # in the middle of buckets
    requests = [("GET", f"{live.prefix}/ms{ms}/{n}") for n, ms in enumerate(waits)]
    live.client("keep", port, requests, env={"OTEL_SERVICE_NAME": names["client"]})
    socket.create_connection(("127.0.0.1", port)).close()  # makes the server let go of the last one
    bounds = (0.05, 0.25, 0.75)
    seconds = [int(last) / 1e9 for _, _, last in times()]
    own = collections.Counter(next(b for b in bounds if s <= b) for s in seconds)
    for role, service in names.items():
        expect(agent, role, service, {("GET", "200"): len(waits)})
        check_sums(agent.metrics(), role, service, 10)
        family = f"http_{role}_request_duration_seconds"
        same(family, in_buckets(agent.metrics(), family, service), sorted(own.items()))
    family = "http_server_time_to_first_byte_seconds"
    same(family, in_buckets(agent.metrics(), family, names["server"]), sorted(own.items()))
    check(funnel(agent.metrics())["shed"] >= 2 * len(waits), "the kernel half did not count them")
    agent.stop()


def test_full_is_the_default(live):
    port, access = live.plain()
    for option in ([], ["--detail=full"]):
        agent = live.agent(*option)
        live.client("keep", port, [("GET", f"{live.prefix}/{n}") for n in range(20)])
        until("lines", lambda: len(agent.lines(role="server")) == 20)
        agent.stop()
    same("requests at the server", len(access()), 40)


def test_bad_detail(live):
    check_fault(run_sonde(PLAIN, "--detail=some"), 2, "--detail")
