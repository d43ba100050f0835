# SPDX-License-Identifier: Apache-2.0
"""Parents without headers, against the truth in the paths: who serves a/N asks for b/N.

Requests for t/K are a timer's, those for after/N are made when the answer has gone: they have no
parent. A wrong one is never right to give; how many are found depends on the runtime, and each test
says its share.
"""

import collections
import contextlib
import shutil
import signal
import socket
import time
from concurrent import futures

from sonde_test import HERE, PYTHON, check, free_port, need, same, until

SERVERS = HERE / "servers"
AT_ONCE = (1, 8, 64)
COUNT = 200  # requests of each kind at each number at once
EVIDENCE = 60  # calls that a process may have to make before it is believed
IDLE = 10.5  # and the seconds that it is to be seen idle
TIMER = "0.02"


class Front:
    """A server that asks the origin, and what the log says of its requests."""

    def __init__(self, live, name, origin, timer=None):
        self.live, self.name, self.prefix = live, name, live.prefix + name
        self.asked = collections.Counter()
        self.temp = live.temp / name
        self.temp.mkdir()
        self.env = {"PREFIX": self.prefix, "ORIGIN": str(origin), "PYTHONPATH": str(SERVERS)}
        self.env |= {"PYTHONDONTWRITEBYTECODE": "1"} | ({"TIMER": timer} if timer else {})

    def prints_port(self, *command):
        self.port = self.live.server(*command, env=self.env)[1]
        return self

    def listens(self, *command):
        self.port = self.port if hasattr(self, "port") else free_port()
        words = [str(word).replace("@PORT@", str(self.port)) for word in command]
        self.live.start(words, env=self.env, stderr=self.temp / "err")
        until(self.name, self.is_open)
        return self

    def configured(self, conf, *command, **words):
        self.port = free_port()
        words |= {"TEMP": self.temp, "PORT": self.port, **self.env}
        text = (SERVERS / conf).read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        (self.temp / "conf").write_text(text)
        return self.listens(*command, self.temp / "conf")

    def is_open(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def ask(self, kind, count, at_once):
        """The numbers that were asked for."""
        first = sum(self.asked.values()) + 1
        self.asked[kind] += count
        numbers = range(first, first + count)
        command = [PYTHON, SERVERS / "askers.py", self.port, f"{self.prefix}/{kind}"]
        answers = self.live.run(*command, numbers[0], numbers[-1], at_once)
        same(f"good answers of {self.name}", int(answers), count)
        return numbers

    def lines(self, agent, role):
        """By kind and number, as strings."""
        lines = [line for line in agent.lines(role=role) if line["path"].startswith(self.prefix)]
        return {tuple(line["path"].split("/")[2:]): line for line in lines}

    def found(self, agent):
        """Those that have their parent; no other line may have one. (The parent's may be lost.)"""
        server, client = self.lines(agent, "server"), self.lines(agent, "client")
        asked = {number: line for (kind, number), line in server.items() if kind in self.asked}
        others = {line["span_id"] for line in asked.values()}
        found = {key for key, line in client.items() if line["parent_source"] != "none"}
        for of, number in found:
            line = client[of, number]
            check(of == "b", f"{self.name}: {of}/{number} is nobody's, and has a parent")
            same(f"{self.name}: source of {number}", line["parent_source"], "thread")
            ids = line["parent_span_id"], line["trace_id"]
            if number in asked:
                parent = asked[number]["span_id"], asked[number]["trace_id"]
                same(f"{self.name}: parent of {number}", ids, parent)
            else:
                check(ids[0] not in others, f"{self.name}: {number} has another one's parent")
        spans = collections.Counter(client[key]["parent_span_id"] for key in found)
        check(len(spans) == len(found), f"{self.name}: two have one parent: {spans.most_common(1)}")
        return found

    def share(self, agent, kind, numbers):
        """Of these, when the log has all of them."""
        asked = {(kind, str(number)) for number in numbers}
        wanted = {("after" if kind == "tail" else "b", number) for _, number in asked}
        until("log lines", lambda: wanted <= self.lines(agent, "client").keys())
        until("log lines", lambda: asked <= self.lines(agent, "server").keys())
        return len(self.found(agent) & wanted) / len(wanted)

    def measure(self, agent, kind="a"):
        """Shares that were found, by how many were asked for at once."""
        shares = {}
        for at_once in AT_ONCE:
            numbers = self.ask(kind, COUNT, at_once)
            shares[at_once] = self.share(agent, kind, numbers)
        text = ", ".join(f"{share:.0%} at {at_once}" for at_once, share in shares.items())
        print(f"# parents of {self.name}, {kind}: {text}", flush=True)
        return shares


def python_threads(front):
    return front.prints_port(PYTHON, SERVERS / "calls.py", "threads")


def polling_threads(front):
    return front.prints_port(PYTHON, SERVERS / "calls.py", "threads", 30)


def gunicorn(front, *options):
    need("gunicorn")
    return front.listens("gunicorn", "-b", "127.0.0.1:@PORT@", "-w", "2", *options, "calls:wsgi")


def gunicorn_threads(front):
    return gunicorn(front, "-k", "gthread", "--threads", "8")


def node(front):
    need("node")
    return front.prints_port("node", SERVERS / "calls.js")


def java(front):
    return front.prints_port("java", SERVERS / "Calls.java")


def uvicorn(front):
    command = [PYTHON, "-m", "uvicorn", "calls:asgi", "--log-level", "warning", "--port", "@PORT@"]
    return front.listens(*command)


def nginx(front):
    need("nginx")
    return front.configured("nginx_calls.conf", "nginx", "-e", front.temp / "error.log", "-c")


def apache(front, mpm):
    need("apache2")
    return front.configured("apache_calls.conf", "apache2", "-D", "FOREGROUND", "-f", MPM=mpm)


def apache_prefork(front):
    return apache(front, "prefork")


def apache_worker(front):
    return apache(front, "worker")


def start(live, servers, timer=None, options=()):
    """(agent, fronts); what is not installed and no package of ours is left out."""
    origin = live.server(PYTHON, SERVERS / "calls.py", "origin")[1]
    agent = live.agent(*options)
    if java in servers and not shutil.which("javac"):
        print("# no Java here")
        servers = [server for server in servers if server != java]
    return agent, [server(Front(live, server.__name__, origin, timer)) for server in servers]


def run_threads(live, server):
    """Threads that wait for their request's bytes are known at once, whatever else is done."""
    agent, fronts = start(live, [server], TIMER)
    for front in fronts:
        same("shares", front.measure(agent), {at_once: 1.0 for at_once in AT_ONCE})
        if server is python_threads:
            same("shares", front.measure(agent, "tail"), {at_once: 0.0 for at_once in AT_ONCE})
    agent.stop()


def test_python_threads(live):
    run_threads(live, python_threads)


def test_gunicorn_sync(live):
    run_threads(live, gunicorn)


def test_gunicorn_threads(live):
    run_threads(live, gunicorn_threads)


def test_java(live):
    run_threads(live, java)


def test_polling_threads(live):
    """Threads that poll are believed once enough of them had one each, beside others."""
    agent, [front] = start(live, [polling_threads], TIMER)
    shares = front.measure(agent)
    same("share, one at a time", shares[1], 0.0)
    check(shares[64] > 0.9, f"{shares[64]:.0%} found, 64 at a time")
    same("shares", front.measure(agent, "tail"), {at_once: 0.0 for at_once in AT_ONCE})
    agent.stop()


def stand_still(agent):
    """For long enough that the ring overflows; goes on in the middle of it all."""
    agent.process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    agent.process.send_signal(signal.SIGCONT)
    time.sleep(0.02)


def test_lost_records(live):
    """While the agent stands still, most records find no room: none may be taken for another."""
    agent, fronts = start(live, [python_threads, gunicorn], TIMER, ["--ring-size=64KiB"])
    for front in fronts:
        with futures.ThreadPoolExecutor() as pool:
            asked = pool.submit(front.ask, "a", 2000, 8)
            while not asked.done():
                stand_still(agent)
            asked.result()
        front.share(agent, "a", front.ask("a", 10, 1))
        lost = sum(front.asked.values()) - len(front.lines(agent, "client"))
        check(lost > 0, f"no record of {front.name} was lost")
        share = front.share(agent, "a", front.ask("a", 50, 1))
        same(f"share of {front.name} afterwards", share, 1.0)
    agent.stop()


def test_loops(live):
    """Event loops, pools and threads that poll: believed after a while, where only one is open."""
    agent, fronts = start(live, [node, uvicorn, nginx, apache_prefork, apache_worker])
    for front in fronts:
        numbers = front.ask("a", EVIDENCE, 1)
        same(f"share of {front.name} at once", front.share(agent, "a", numbers), 0.0)
    time.sleep(IDLE)
    for front in fronts:
        shares = front.measure(agent)
        if front.name in ("node", "uvicorn", "nginx"):
            check(shares[1] > 0.9, f"{front.name}: {shares[1]:.0%} found, one at a time")
        if front.name == "uvicorn":
            front.measure(agent, "sync")
    agent.stop()


def test_loops_with_a_timer(live):
    """A process that asks by itself is never believed."""
    agent, fronts = start(live, [node, uvicorn], TIMER)
    for front in fronts:
        front.ask("a", EVIDENCE, 1)
    time.sleep(IDLE)
    for front in fronts:
        same("shares", front.measure(agent), {at_once: 0.0 for at_once in AT_ONCE})
    agent.stop()


def test_loops_that_go_on(live):
    """Nor one that asks for a request that it has answered."""
    agent, fronts = start(live, [node, uvicorn])
    for front in fronts:
        front.ask("a", EVIDENCE, 1)
        front.ask("tail", 1, 1)
    time.sleep(IDLE)
    for front in fronts:
        same("shares", front.measure(agent), {at_once: 0.0 for at_once in AT_ONCE})
        front.measure(agent, "tail")
    agent.stop()
