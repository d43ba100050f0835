# SPDX-License-Identifier: Apache-2.0
"""Requests and responses that go through io_uring, by kind of request and way of completion.

What can be read is counted exactly at both ends. What cannot is counted as unseen, and no number is
wrong for it: no aborted request, no request out of another buffer of the process.
"""

import contextlib
import os
import shutil
import subprocess

from sonde_test import ROOT, Failure, Skip, check, check_lines, same, until
from test_hostile import closes, funnel

URING = os.environ.get("URING", str(ROOT / ".output/tests/uring"))
MODES = ["inline", "armed", "beside", "async", "sqpoll", "deferred", "registered"]
REGISTERED = MODES.index("registered")
COUNT = 50
BODY = 10
PAUSE_MS = 0.5  # of the server before it answers


@contextlib.contextmanager
def conversation(live, end, form, mode, body=BODY):
    """Runs both ends under a name of their own; they stay while the test looks at the counts."""
    program = live.temp / f"{live.word}-{form}"
    if not program.exists():
        check(os.access(URING, os.X_OK), f"{URING} is not built")
        shutil.copy(URING, program)
    command = [program, end, form, mode, f"{live.prefix}/{form}/{mode}", COUNT, body]
    process = live.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = sorted(process.stdout.readline().split() for _ in range(2))
    path = f"{live.prefix}/{form}/{mode}"
    same(
        "what both ends say",
        said,
        [[name, "GET", path, "200", str(COUNT)] for name in ("client", "server")],
    )
    yield
    process.stdin.close()
    same("exit status", process.wait(30), 0)


def counts_of(live, form, modes):
    return {("GET", f"{live.prefix}/{form}/{mode}", "200"): COUNT for mode in modes}


def unseen(agent, live):
    """Sends and receives that could not be read, of this test's programs."""
    counts = agent.metrics().counts("sonde_unseen_io_total", ("service", "reason"))
    return sum(n for (service, reason), n in counts.items() if live.word in service)


def reading_agent(live):
    agent = live.agent("--ring-size=64MiB")
    if agent.backend() == "syscall":
        raise Skip("backend syscall sees no io_uring")
    return agent


def check_exact(live, form, modes, body=BODY):
    agent = reading_agent(live)
    for mode in modes:
        with conversation(live, "both", form, mode, body):
            pass
    expected = counts_of(live, form, modes)
    agent.finish(server=expected, client=expected)
    for line in agent.lines():
        check(line["duration_ms"] >= PAUSE_MS, f"shorter than the server's pause: {line}")
        same("response_bytes", line["response_bytes"], body)


def test_recv_send(live):
    check_exact(live, "recv", MODES)


def test_read_write(live):
    check_exact(live, "read", MODES[:REGISTERED])


def test_readv_writev(live):
    """The first line is torn over three buffers."""
    check_exact(live, "readv", MODES[:REGISTERED])


def test_recvmsg_sendmsg(live):
    check_exact(live, "recvmsg", MODES)


def test_provided_buffers(live):
    check_exact(live, "select", MODES)


def test_multishot(live):
    check_exact(live, "multishot", MODES)


def test_zero_copy(live):
    check_exact(live, "zerocopy", MODES)


def test_large_bodies(live):
    """They take many receives, and sends that wait for room."""
    for form in ("recv", "readv"):
        agent = reading_agent(live)
        with conversation(live, "both", form, "armed", 1_000_000):
            pass
        expected = counts_of(live, form, ["armed"])
        agent.finish(server=expected, client=expected)
        for line in agent.lines(path=f"{live.prefix}/{form}/armed"):
            same("response_bytes", line["response_bytes"], 1_000_000)


def check_silent(agent):
    """Nothing is said of what was not seen."""
    for role in ("server", "client"):
        same(f"series of the {role}", agent.counts(role), {})
    agent.stop()
    same("lines", agent.lines(), [])


def check_unseen(live, form, modes):
    """Two sends and two receives an exchange; none is read, all are counted."""
    agent = reading_agent(live)
    for mode in modes:
        before = unseen(agent, live)
        with conversation(live, "both", form, mode):
            wanted = before + 4 * COUNT
            try:
                until("unseen hits", lambda: unseen(agent, live) >= wanted)
            except Failure:
                pass
            same(f"{mode}: unseen hits", unseen(agent, live), wanted)
    check_silent(agent)


def test_registered_buffers(live):
    check_unseen(live, "fixed", MODES)


def lost_unread(agent):
    return agent.metrics().counts("sonde_transactions_lost_total", ("reason",))["unread",]


def test_answers_unseen(live):
    """The server's requests are read, its answers are not: lost, and said so, but not aborted."""
    agent = reading_agent(live)
    before = lost_unread(agent)
    for mode in MODES:
        with conversation(live, "server", "half", mode):
            same("series of the server", agent.counts("server"), {})
    agent.expect("client", counts_of(live, "half", MODES))
    until("losses", lambda: lost_unread(agent) - before >= COUNT * len(MODES))
    same("series of the server", agent.counts("server"), {})
    until("the funnel", lambda: closes(funnel(agent)))
    agent.stop()
    same("lines of the server", agent.lines(role="server"), [])


def test_two_at_once(live):
    """The last request for a socket is not the one that gets its bytes, which are then not known."""
    agent = reading_agent(live)
    most = {}
    for form in ("recv", "read"):
        with conversation(live, "both", form, "rival"):
            most.update(counts_of(live, form, ["rival"]))
    told = lambda: lost_unread(agent) + sum(agent.counts("client").values())
    until("all requests of the client", lambda: told() >= 2 * COUNT)
    for role in ("server", "client"):
        for key, count in agent.counts(role).items():
            check(count <= most.get(key, 0), f"{role}: {count} of {key}")
    agent.stop()


def test_unseen_by_system_calls(live):
    """Backend syscall counts what is asked of a socket as unseen, and makes nothing up."""
    agent = live.agent("--backend=syscall")
    with conversation(live, "both", "recv", "inline"):
        until("unseen requests", lambda: unseen(agent, live) >= 4 * COUNT)
        same("requests", [agent.counts(role) for role in ("server", "client")], [{}, {}])
