# SPDX-License-Identifier: Apache-2.0
"""The agent comes and goes: connections older than it, restarts under load, SIGTERM under load."""

import json
import pathlib
import re
import socket
import subprocess
import time

from crowd import connections
from sonde_test import HERE, PYTHON, check, need, same, tally, until
from test_nginx import start_nginx


def start_stepper(live, port, requests, env=None):
    command = [PYTHON, HERE / "servers/client.py", "step", port]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    client = live.start(command, env=env, **pipes)
    client.stdin.write(json.dumps(requests) + "\n")
    client.stdin.flush()
    return client


def step(client):
    client.stdin.write("\n")
    client.stdin.flush()
    return client.stdout.readline().strip()


def test_connection_older_than_agent(live):
    port, access = live.plain()
    client = start_stepper(live, port, [("GET", f"{live.prefix}/{n}") for n in range(6)])
    words = [client.stdout.readline().strip()] + [step(client)]
    agent = live.agent()
    words += [step(client) for _ in range(4)]
    same("the client's and the server's counts", tally(words), tally(access()))
    agent.finish(server=tally(access()[2:]), client=tally(words[2:]))
    paths = [f"{live.prefix}/{n}" for n in range(2, 6)]
    same("paths at the server", sorted(x["path"] for x in agent.lines(role="server")), paths)
    same("paths at the client", sorted(x["path"] for x in agent.lines(role="client")), paths)


def start_load(live, port):
    """A client that asks for PREFIX/0, /1 ... and writes `N STARTED_NS ENDED_NS`."""
    log = live.temp / "load.log"
    client = live.start([PYTHON, HERE / "servers/load.py", port, live.prefix], stdout=log)
    read = lambda: [tuple(map(int, x.split())) for x in log.read_text().split("\n")[:-1]]
    until("the load to begin", lambda: len(read()) > 20)
    return client, read


def run_attached(live, read, requests):
    """One life of the agent; returns it and when it was attached, from and to."""
    agent = live.agent()
    begin = time.monotonic_ns()
    goal = len(read()) + requests
    until("load", lambda: len(read()) >= goal)
    end = time.monotonic_ns()
    agent.stop()
    return agent, begin, end


def check_gapless(agent, role, records, begin, end):
    """All requests between begin and end stand in the log once; none stands there twice."""
    seen = [int(line["path"].rsplit("/", 1)[1]) for line in agent.lines(role=role)]
    same(f"{role}: requests logged twice", len(seen) - len(set(seen)), 0)
    inside = [record for record in records if record[1] > begin and record[2] < end]
    check(len(inside) > 100, f"only {len(inside)} requests while the agent was there")
    missed = [
        f"{n}: {(started - begin) / 1e6:.1f} ms after ready, {(end - ended) / 1e6:.1f} before its end"
        for n, started, ended in inside
        if n not in seen
    ]
    same(f"{role}: requests missed", missed[:5], [])


def test_restart_under_load(live):
    port, _ = live.plain()
    client, read = start_load(live, port)
    lives = [run_attached(live, read, 400) for _ in range(3)]
    check(client.poll() is None, "the client ended")
    records = read()
    for agent, begin, end in lives:
        for role in ("server", "client"):
            check_gapless(agent, role, records, begin, end)


def programs_held(pid):
    """Ids of the BPF programs to which a process has descriptors."""
    files = pathlib.Path(f"/proc/{pid}/fdinfo").iterdir()
    text = "\n".join(file.read_text() for file in files)
    return {int(number) for number in re.findall(r"^prog_id:\s*(\d+)", text, re.M)}


def programs_loaded():
    result = subprocess.run(["bpftool", "-j", "prog", "show"], capture_output=True, text=True)
    same(f"exit status of bpftool ({result.stderr})", result.returncode, 0)
    return {program["id"] for program in json.loads(result.stdout)}


def test_sigterm_under_load(live):
    need("bpftool")
    _, port = start_nginx(live)
    agent = live.agent()
    command = ["wrk", "-t1", "-c50", "-d60s", f"http://127.0.0.1:{port}{live.prefix}/x"]
    wrk = live.start(command, stdout=subprocess.DEVNULL)
    until("lines", lambda: agent.out.stat().st_size > 1_000_000)
    own = programs_held(agent.process.pid)
    check(len(own) > 2 and own <= programs_loaded(), f"not the agent's programs: {own}")
    agent.stop()
    check(wrk.poll() is None, "wrk ended before the agent")
    check(agent.out.read_bytes().endswith(b"}\n"), "the last line is not whole")
    until("the programs to go", lambda: not programs_loaded() & own)


def test_end_that_nobody_reads(live):
    """Of a unix socket no hook tells the end unless it is read: then a roll call finds out."""
    agent = live.agent()
    before = connections(agent.metrics())
    ends = socket.socketpair()
    ends[0].sendall(f"GET {live.prefix} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    ends[1].recv(1000)
    ends[1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    ends[0].recv(1000)
    until("both ends", lambda: connections(agent.metrics()) == before + 2)
    for end in ends:
        end.close()
    until("the ends to be forgotten", lambda: connections(agent.metrics()) == before, 60)
    agent.stop()
