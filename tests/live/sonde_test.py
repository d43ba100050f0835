# SPDX-License-Identifier: Apache-2.0
"""The harness of the live tests: the agent, servers and clients as processes, and comparisons.

Each test function gets a Live. It has a temporary directory, a path prefix that no other test or
program uses (so that other traffic on the machine cannot disturb a count), and it ends what it
started, also when the test fails. Waits have a limit in seconds; the limit is never an assertion.
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import promtext

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
SONDE = os.environ.get("SONDE", str(ROOT / ".output/sonde"))
LOGLINES = os.environ.get("LOGLINES", str(ROOT / ".output/tests/loglines"))
PYTHON = "/usr/bin/python3"
LIMIT = float(os.environ.get("LIVE_LIMIT", 15))  # seconds until a wait counts as failed
READY = re.compile(r"metrics on (http://[^/ ]+:(\d+))/metrics")
METHODS = "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH".split()
BY = ("http_request_method", "http_route", "http_response_status_code")
UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
ID = re.compile(rf"(?<=/)(\d+|{UUID}|[0-9a-fA-F]{{16,}})(?=/|$)")


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def until(what, question, limit=LIMIT):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"waited {limit} s in vain for {what}")
        time.sleep(0.02)


def check(condition, message):
    if not condition:
        raise Failure(message)


def same(what, got, expected):
    """Fails with the differing entries only."""
    if got == expected:
        return
    if isinstance(got, dict) and isinstance(expected, dict):
        keys = sorted(set(got) | set(expected), key=str)
        pairs = [(k, got.get(k), expected.get(k)) for k in keys if got.get(k) != expected.get(k)]
        text = "; ".join(f"{k}: got {g}, expected {e}" for k, g, e in pairs[:8])
        raise Failure(f"{what}: {text}")
    raise Failure(f"{what}: got {got!r}, expected {expected!r}")


def route_of(path):
    """The route rule, said a second time: numbers, UUIDs and long hex become {id}."""
    return ID.sub("{id}", path.split("?")[0])


def tally(lines):
    """{(method, route, status): count} from lines `METHOD PATH STATUS`; status 0: none."""
    result = collections.Counter()
    for line in lines:
        method, path, status = line.split()[:3]
        result[method, route_of(path), "" if status == "0" else status] += 1
    return dict(result)


def with_other(counts):
    """As the metrics have it: methods that HTTP does not know share one label."""
    result = collections.Counter()
    for (method, *rest), count in counts.items():
        result[(method if method in METHODS else "_OTHER", *rest)] += count
    return dict(result)


class Agent:
    """One life of the agent; its stdout goes to a file, or where the test says."""

    def __init__(self, live, options, env=None, stdout=None):
        self.live = live
        self.out = live.temp / f"agent{len(live.agents)}.out"
        self.err = live.temp / f"agent{len(live.agents)}.err"
        command = [SONDE, *options]
        self.process = live.start(command, env=env, stdout=stdout or self.out, stderr=self.err)
        match = until("the agent to be ready", self._ready)
        self.url, self.port = match.group(1), int(match.group(2))

    def _ready(self):
        text = self.err.read_text()
        if self.process.poll() is not None:
            raise Failure(f"the agent ended with {self.process.returncode}: {text[-800:]}")
        return READY.search(text)

    def get(self, path, headers=None):
        request = urllib.request.Request(self.url + path, headers=headers or {})
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return answer.status, answer.headers, answer.read()

    def metrics(self):
        return promtext.Metrics(self.get("/metrics")[2].decode())

    def backend(self):
        (name,) = self.metrics().counts("sonde_backend", ("name",))
        return name[0]

    def counts(self, role, by=BY):
        """Requests of this test by labels, from the duration histogram of a role."""
        keep = lambda labels: labels.get("http_route", "").startswith(self.live.prefix)
        return self.metrics().counts(f"http_{role}_request_duration_seconds", by, keep)

    def expect(self, role, expected, by=BY):
        """Waits until the counts are the expected ones; at the limit says how they differ."""
        try:
            until("counts", lambda: self.counts(role, by) == expected)
        except Failure:
            losses = f"; the agent's losses: {losses_of(self.metrics())}"
            same(f"{role} counts{losses}", self.counts(role, by), expected)

    def lines(self, **wanted):
        """This test's log lines as objects, complete ones only."""
        text = self.out.read_text()
        text = text[: text.rfind("\n") + 1]
        objects = [json.loads(line) for line in text.splitlines() if self.live.word in line]
        return [o for o in objects if all(o.get(k) == v for k, v in wanted.items())]

    def logged(self, role):
        result = collections.Counter()
        for line in self.lines(role=role, logger="sonde.http"):
            status = str(line["status"]) if "status" in line else ""
            result[line["method"], line["route"], status] += 1
        return dict(result)

    def stop(self, status=0):
        """SIGTERM; the exit status must be 0 and each line on stdout valid."""
        self.process.send_signal(signal.SIGTERM)
        same("exit status of the agent", self.process.wait(LIMIT), status)
        return check_lines(self.out)

    def finish(self, server=None, client=None, may_lose=()):
        """Compares metrics with the expected counts, ends the agent, compares the log too.

        may_lose: reasons for which the agent may have lost requests, as long as it says so.
        """
        expected = {"server": server, "client": client}
        expected = {role: counts for role, counts in expected.items() if counts is not None}
        for role, counts in expected.items():
            self.expect(role, with_other(counts))
        check_no_loss(self.metrics(), may_lose)
        self.stop()
        for role, counts in expected.items():
            same(f"{role} lines of the log", self.logged(role), counts)


def check_lines(path):
    """Every line through jansson; returns what loglines said."""
    with open(path, "rb") as source:
        result = subprocess.run([LOGLINES], stdin=source, capture_output=True, text=True)
    check(result.returncode == 0, f"log line refused: {result.stderr.strip()[:500]}")
    return result.stdout


def losses_of(metrics):
    lost = {}
    for family in ("sonde_transactions_lost_total", "sonde_records_lost_total"):
        lost.update(metrics.counts(family, ("protocol", "reason")))
    return {key: count for key, count in lost.items() if count}


def check_no_loss(metrics, may_lose=()):
    losses = losses_of(metrics)
    same("losses", {key: count for key, count in losses.items() if key[1] not in may_lose}, {})
    check("sonde_transactions_seen_total" in metrics.types, "no sonde_transactions_seen_total")


class Live:
    def __init__(self):
        self.word = "".join(random.choices("ghijklmnopqrstuvwyz", k=10))
        self.prefix = "/" + self.word
        self.agents = []
        self._stack = contextlib.ExitStack()
        temp = tempfile.TemporaryDirectory(prefix="live-")
        self.temp = pathlib.Path(self._stack.enter_context(temp))
        self.temp.chmod(0o755)

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self._stack.close()

    def at_end(self, function, *arguments):
        self._stack.callback(function, *arguments)

    def agent(self, *options, listen="--listen=127.0.0.1:0", **more):
        agent = Agent(self, ([listen] if listen else []) + list(options), **more)
        self.agents.append(agent)
        return agent

    def start(self, command, env=None, stdout=None, stderr=None, **more):
        """A process in a session of its own that ends with the test, children included."""
        with contextlib.ExitStack() as files:
            opened = {
                name: files.enter_context(open(to, "wb")) if isinstance(to, pathlib.Path) else to
                for name, to in (("stdout", stdout), ("stderr", stderr))
            }
            process = subprocess.Popen(
                [str(word) for word in command],
                env={**os.environ, **(env or {})},
                start_new_session=True,
                **opened,
                **more,
            )
        self._stack.callback(end_process, process)
        return process

    def server(self, *command, env=None, **more):
        """Starts a server that prints its port (or `ready`) as its first line."""
        process = self.start(command, env=env, stdout=subprocess.PIPE, text=True, **more)
        word = process.stdout.readline().strip()
        check(word, f"{command} did not start")
        return process, int(word) if word.isdigit() else word

    def plain(self, *options, env=None):
        """The plain Python server; returns (port, function that reads its access log)."""
        log = self.temp / f"access{random.randrange(10**9)}.log"
        log.touch()
        _, port = self.server(PYTHON, HERE / "servers/plain.py", "--log", log, *options, env=env)
        return port, lambda: log.read_text().splitlines()

    def nginx(self, conf, **words):
        """nginx in the foreground with a private config; fills @TEMP@, @PORT@ and further words."""
        port = free_port()
        text = conf.read_text()
        for word, value in {"TEMP": self.temp, "PORT": port, **words}.items():
            text = text.replace(f"@{word}@", str(value))
        (self.temp / "nginx.conf").write_text(text)
        command = ["nginx", "-c", self.temp / "nginx.conf", "-e", self.temp / "error.log"]
        process = self.start(command)
        pid = self.temp / "nginx.pid"
        until("nginx", lambda: process.poll() is None and pid.exists() and pid.read_text())
        return process, port

    def run(self, *command, env=None, status=0, data=None):
        """Runs a client to its end and returns its stdout."""
        result = subprocess.run(
            [str(word) for word in command],
            env={**os.environ, **(env or {})},
            input=data,
            capture_output=True,
            text=True,
            timeout=60,
        )
        words = (result.stderr or result.stdout)[-500:]
        same(f"exit status of {command[0]} ({words})", result.returncode, status)
        return result.stdout

    def client(self, mode, port, requests, env=None):
        """The Python client; returns its own word, `METHOD PATH STATUS` a line."""
        data = json.dumps([list(request) for request in requests])
        return self.run(
            PYTHON, HERE / "servers/client.py", mode, port, env=env, data=data
        ).splitlines()


def end_process(process):
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdout:
        process.stdout.close()


def exit_on_sigterm():
    """So that a run that is ended from outside also ends what it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
