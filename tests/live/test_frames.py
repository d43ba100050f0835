# SPDX-License-Identifier: Apache-2.0
"""WebSocket connections by the thousand: all counts are those of the ends themselves, exactly.

2,000 connections with 100 messages each way of 1 B to 1 MB, in fragments, with pings and pongs in
between; nine tenths are closed, half of them by each end, a tenth is killed. One in eight is closed
while the other end still talks, so its last messages are never sent.
"""

import collections
import contextlib
import itertools
import os
import signal
import time

from crowd import check_no_leak, check_sum, connections, resident, settle
from frames import Frames, counted, established, in_table, losses, of_end
from sonde_test import check, need, same, until
from test_many import workers_for
from test_overload import shed, standing_still

WORKERS, EACH, MESSAGES = 16, 125, 100  # 2,000 connections
IDLE = 20_000
IDLE_RESIDENT = 96 << 20  # 40,000 ends
NEAR = 0.0002  # seconds, of a median
RTT = "websocket_ping_rtt_seconds"
DURATION = "websocket_connection_duration_seconds"


def run_all(live, agent, crowd, still=contextlib.nullcontext):
    """The whole life of 2,000 connections, and the agent's counts of it.

    One connection of each worker comes before that: of a process that has gone since, nobody can
    tell the service.
    """
    crowd.open(1)
    crowd.check_gauge(agent, WORKERS)
    with still():
        crowd.open(EACH - 1)
        crowd.both(f"talk {MESSAGES}")
        crowd.both("ping 3")
        crowd.close_all()
    messages = crowd.check_counts(agent)
    check(messages > 0.9 * 2 * WORKERS * EACH * MESSAGES, f"only {messages} messages")
    check_gone(agent, crowd)


def check_gone(agent, crowd):
    crowd.check_gauge(agent, 0)
    for role, tool in crowd.tools.items():
        keep = of_end(role, tool.service)
        lived = lambda metrics: metrics.counts(DURATION, (), keep).get((), 0)
        settle(agent, f"lives of the {role}", lived, crowd.both("")[role]["opened"])


def middle(buckets):
    """(low, high, where between them the median lies if a bucket is filled evenly)"""
    half, low, below = buckets[-1][1] / 2, 0.0, 0
    for bound, count in buckets:
        if count >= half:
            return low, bound, low + (bound - low) * (half - below) / (count - below)
        low, below = bound, count


def check_median(agent, crowd, near=False):
    """The bucket of the histogram's median is that of the end's own, or its border is near.

    near: the median itself is; true where buckets are narrow enough for that.
    """
    for role, tool in crowd.tools.items():
        keep = of_end(role, tool.service)
        counts = crowd.both("")[role]
        low, high, between = middle(agent.metrics().buckets(RTT, keep))
        own = counts["round_trip_median_ns"] / 1e9
        words = f"{role}: {own} s by its own clock, {low} to {high} s by the agent"
        check(low - NEAR <= own <= high + NEAR, words)
        check(not near or abs(own - between) <= NEAR, f"{words}, {between} s by interpolation")
        print(f"# ping round trip, {words}, {counts['round_trips']} of them", flush=True)


def check_rtt_sum(agent, crowd):
    for role, tool in crowd.tools.items():
        samples = agent.metrics().samples[RTT]
        keep = of_end(role, tool.service)
        sums = [value for name, labels, value in samples if name == f"{RTT}_sum" and keep(labels)]
        check_sum(f"{RTT} of the {role}", agent.metrics().buckets(RTT, keep), sum(sums))


def told(agent, role, tool, event):
    return agent.lines(logger="sonde.websocket", role=role, service=tool.service, event=event)


def check_log(agent, crowd):
    """Each connection has a line at its open and one at its close, which add up to the counts."""
    for role, tool in crowd.tools.items():
        counts = crowd.counts()[role]
        closes = lambda: told(agent, role, tool, "close")
        until(f"lines of the {role}", lambda: len(closes()) >= counts["opened"])
        same(f"open lines of the {role}", len(told(agent, role, tool, "open")), counts["opened"])
        said = collections.Counter()
        for line in closes():
            said[f"close {line['close_code']} {line['initiator']}"] += 1
            for what, way in itertools.product(("messages", "bytes"), ("sent", "received")):
                said[f"{what} {way} data"] += line[f"{what}_{way}"]
        same(f"close lines of the {role}", dict(said), as_lines(counts))


def as_lines(counts):
    """An end's counts as log lines have them: text and binary together, no control frames."""
    result = {name: count for name, count in counts.items() if name.startswith("close ")}
    for what, way in itertools.product(("messages", "bytes"), ("sent", "received")):
        kinds = (counts.get(f"{what} {way} {kind}", 0) for kind in ("text", "binary"))
        result[f"{what} {way} data"] = sum(kinds)
    return result


def test_two_thousand(live):
    need("ss")
    crowd, agent = Frames(live, clients=WORKERS), live.agent()
    before = connections(agent.metrics())
    crowd.open(EACH)
    crowd.check_gauge(agent, WORKERS * EACH)
    crowd.both(f"talk {MESSAGES}")
    crowd.check_gauge(agent)  # some have been closed by now
    crowd.both("ping 3")
    crowd.check_counts(agent)
    crowd.close_all()
    crowd.check_counts(agent)
    check_gone(agent, crowd)
    check_median(agent, crowd)
    check_rtt_sum(agent, crowd)
    check_log(agent, crowd)
    check_no_leak(agent, before)
    agent.stop()


def test_two_thousand_while_stopped(live):
    """The ring is full long before they are gone; what the agent reads later is all there."""
    crowd, agent = Frames(live, clients=WORKERS), live.agent("--ring-size=65536")
    run_all(live, agent, crowd, lambda: standing_still(agent))
    check(shed(agent) > 0, "nothing was shed: not enough load")
    check_rtt_sum(agent, crowd)
    agent.stop()


def test_two_thousand_only_metrics(live):
    crowd, agent = Frames(live, clients=WORKERS), live.agent("--detail=metrics")
    run_all(live, agent, crowd)
    agent.stop()


def test_pings(live):
    """One after the other, by each end in turn: as quick as the bucket is narrow."""
    crowd, agent = Frames(live, servers=1, clients=1), live.agent()
    crowd.open(1)
    for tool in crowd.tools.values():
        tool.ask("ping 2000")
    crowd.check_counts(agent)
    check_median(agent, crowd, near=True)
    check_rtt_sum(agent, crowd)
    crowd.leave()
    crowd.check_counts(agent)
    agent.stop()


def test_torn(live):
    """Small frames, split wherever chance will have it, in writes and reads of 1 to 64 bytes."""
    one = Frames(live, servers=1, clients=1, name="-one")
    many = Frames(live, name="-many")
    agent = live.agent()
    one.open(1)
    many.open(250, "torn")
    one.both("talk 20000 torn")
    many.both("talk 100 torn")
    for crowd in (one, many):
        crowd.leave()
        crowd.check_counts(agent)
        check_gone(agent, crowd)
    agent.stop()


def delta(after, before):
    result = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in result.items() if count}


def test_agent_killed(live):
    """The next agent knows connections by their frames, and from then on counts exactly.

    Those whose frames come with calls of their own, that is.
    """
    crowd, first = Frames(live), live.agent()
    crowd.open(200)
    crowd.both("talk 5")
    first.process.kill()
    first.process.wait()
    second = live.agent()
    there = established("sport", crowd.ports)
    crowd.both("talk 0 whole")
    for tool in crowd.tools.values():
        tool.ask("ping 3")
    crowd.check_gauge(second)
    before, metrics = crowd.counts(), second.metrics()
    marks = {role: counted(metrics, role, tool.service) for role, tool in crowd.tools.items()}
    crowd.both("talk 20")
    crowd.both("ping 3")
    crowd.open(50)
    crowd.both("talk 20")
    crowd.close_all()
    after = crowd.counts()
    for role, tool in crowd.tools.items():
        question = lambda m: delta(counted(m, role, tool.service), marks[role])
        settle(second, f"{role} counts", question, delta(after[role], before[role]))
    check_resumed(second, crowd, there)
    crowd.check_gauge(second, 0)
    second.stop()


def check_resumed(agent, crowd, expected):
    """As many as were there say so in their log lines."""
    for role, tool in crowd.tools.items():
        lines = [line for line in told(agent, role, tool, "open") if line.get("resumed")]
        same(f"resumed connections of the {role}", len(lines), expected)


def test_killed_in_the_middle(live):
    """Both ends die while they talk: whatever they had said, none of them stays open."""
    crowd, agent = Frames(live), live.agent()
    before = connections(agent.metrics())
    crowd.open(500)
    for tool in crowd.tools.values():
        tool.tell("talk 100000")
    running = lambda m: sum(counted(m, "server", crowd.server.service).values())
    until("some traffic", lambda: running(agent.metrics()) > 20_000)
    for tool in (crowd.server, crowd.client):
        os.killpg(tool.process.pid, signal.SIGKILL)
        time.sleep(0.2)  # the clients find that out, each in its own way
    crowd.check_gauge(agent, 0)
    for role, tool in crowd.tools.items():
        closes = lambda m: {k: n for k, n in counted(m, role, tool.service).items() if "close " in k}
        settle(agent, f"closes of the {role}", lambda m: sum(closes(m).values()), 1000)
        same("losses", losses(agent.metrics(), tool.service), {})
    settle(agent, "in the table", in_table, 0)
    check_no_leak(agent, before)
    agent.stop()


def test_twenty_thousand_idle(live):
    workers = workers_for(IDLE)
    crowd, agent = Frames(live, workers, workers), live.agent()
    before = connections(agent.metrics())
    crowd.open(IDLE // workers)
    crowd.check_gauge(agent, IDLE)
    size = resident(agent.metrics())
    print(f"# {size / 2**20:.1f} MiB resident with {2 * IDLE} ends of WebSocket connections")
    check(size < IDLE_RESIDENT, f"{size / 2**20:.1f} MiB with {2 * IDLE} ends")
    same("in the table", in_table(agent.metrics()), 2 * IDLE)
    crowd.check_counts(agent)
    crowd.leave()
    crowd.check_counts(agent)
    check_gone(agent, crowd)
    settle(agent, "in the table", in_table, 0)
    check_no_leak(agent, before)
    agent.stop()
