# SPDX-License-Identifier: Apache-2.0
"""WebSocket peers as objects, what they counted, and what the agent says of the same connections.

Both are flat dicts of the same names (servers/websocket_count.py), without zeros. Each peer has a
service name of its own, by which the agent's series are found.
"""

import json
import os
import subprocess

from sonde_test import HERE, LIMIT, PYTHON, Failure, Skip, check, need, same, until

OTHER = {"server": "client", "client": "server"}
MIRRORED = {"sent": "received", "received": "sent"}
NODE_MODULES = "/usr/share/nodejs"  # where Debian's node-ws is, whoever built node
SIZES = (0, 1, 125, 126, 127, 65535, 65536, 200000)
FAMILIES = {  # name in the counts: (family, labels)
    "opened": ("connections_opened_total", ()),
    "open": ("connections", ()),
    "failed": ("handshake_failures_total", ()),
    "closed": ("connections_closed_total", ("close_code", "initiator")),
    "messages": ("messages_total", ("direction", "type")),
    "bytes": ("message_bytes_total", ("direction", "type")),
    "rtt": ("ping_rtt_seconds", ()),
    "lasted": ("connection_duration_seconds", ()),
    "invalid": ("protocol_errors_total", ("direction",)),
    "unseen": ("unseen_bytes_total", ("direction",)),
    "undelivered": ("undelivered_bytes_total", ()),
    "reconnects": ("reconnects_total", ()),
}


class Peer:
    """A program that takes JSON objects on stdin and answers each with its counts."""

    def __init__(self, live, command, role, name="", env=None):
        self.role = role
        self.service = f"{live.word}{name}-{role}"
        environment = {**os.environ, "OTEL_SERVICE_NAME": self.service, **(env or {})}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = live.start(command, env=environment, **pipes)
        self.port = int(self.process.stdout.readline() or 0) if role == "server" else 0
        check(self.port or role == "client", f"{command} did not start")

    def ask(self, do, **words):
        self.process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        check(answer, f"{self.service} ended at {do} {words}")
        self.answer = json.loads(answer)
        return self.counts

    @property
    def counts(self):
        """Of the last answer, with `lasted`: the closed ones."""
        return with_lasted(self.answer["counts"])

    def kill(self):
        self.process.kill()
        self.process.wait()


def with_lasted(counts):
    result = {name: count for name, count in counts.items() if count}
    closed = sum(count for name, count in counts.items() if name.startswith("closed "))
    return {**result, "lasted": closed} if closed else result


def python_peer(live, role, *options, name=""):
    probe = [PYTHON, "-c", "import websockets"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode:
        raise Skip("python3-websockets is not installed")
    return Peer(live, [PYTHON, HERE / "servers/websocket_peer.py", role, *options], role, name)


def node_peer(live, role, *options, name=""):
    need("node")
    env = {"NODE_PATH": NODE_MODULES}
    probe = ["node", "-e", "require('ws')"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, env={**os.environ, **env}).returncode:
        raise Skip("node-ws is not installed")
    return Peer(live, ["node", HERE / "servers/websocket_peer.js", role, *options], role, name, env)


def url_of(live, port, path="/chat/1"):
    return f"ws://127.0.0.1:{port}{live.prefix}{path}"


def figures(metrics, role, service):
    """What the agent says of a service in a role, in the peers' names."""
    keep = lambda labels: labels.get("service") == service and labels.get("role", role) == role
    result = {}
    for name, (family, by) in FAMILIES.items():
        for key, count in metrics.counts("websocket_" + family, by, keep).items():
            result[" ".join((name, *key))] = count
    return {name: count for name, count in result.items() if count}


def settle(agent, peer, expected, role=None):
    """Waits until the agent's figures of a peer are the expected ones, or says how they differ."""
    role = role or peer.role
    service = getattr(peer, "service", peer)
    try:
        until("figures", lambda: figures(agent.metrics(), role, service) == expected, 2 * LIMIT)
    except Failure:
        same(f"{role} {service}", figures(agent.metrics(), role, service), expected)


def known(agent, *peers):
    """Waits until the agent has looked at processes that are about to be killed: their names are
    in their environment, which goes with them."""
    opened = lambda peer: figures(agent.metrics(), peer.role, peer.service).get("opened")
    for peer in peers:
        until(f"{peer.service} to be known", lambda: opened(peer) == peer.counts.get("opened"))


def mirrored(counts, *names):
    """The messages and bytes of a peer as the other end has to have them."""
    result = {}
    for name, count in counts.items():
        words = name.split()
        if words[0] in (names or ("messages", "bytes")):
            result[" ".join((words[0], MIRRORED[words[1]], words[2]))] = count
    return result


def check_mirror(one, two):
    """What one end sent is what the other got."""
    same("the peers' own counts", mirrored(one), mirrored(mirrored(two)))


def killed(counts, initiator, open=0):
    """Counts of a peer whose connections end, or ended, without a close frame by an initiator."""
    result = dict(counts)
    left = result.pop("open", 0)
    result["closed 1006 " + initiator] = result.pop("closed 1006", 0) + left - open
    result["open"] = open
    result.pop("lasted", None)
    return with_lasted(result)


def lines_of(agent, what, **wanted):
    """This test's log lines of WebSockets, `what` is open or close."""
    return agent.lines(logger="sonde.websocket", event=what, **wanted)


def check_lines_of(agent, role, service, counts):
    """The lines of a service say the same as its counts, connection by connection summed."""
    opened = lines_of(agent, "open", role=role, service=service)
    closed = lines_of(agent, "close", role=role, service=service)
    same(f"{role} lines at open", len(opened), counts.get("opened", 0))
    same(f"{role} lines at close", len(closed), counts.get("lasted", 0))
    ends = {}
    for line in closed:
        name = f"closed {line['close_code']} {line['initiator']}"
        ends[name] = ends.get(name, 0) + 1
        same(f"level at {line['close_code']}", line["level"], level_of(line["close_code"]))
    same("ends in the log", ends, {k: v for k, v in counts.items() if k.startswith("closed ")})
    for name in ("messages", "bytes"):
        for direction in MIRRORED:
            total = sum(line.get(f"{name}_{direction}", 0) for line in closed)
            data = [counts.get(f"{name} {direction} {kind}", 0) for kind in ("text", "binary")]
            same(f"{role} {name} {direction} in the log", total, sum(data))


def level_of(code):
    return "WARN" if code == 1006 or 1011 <= code <= 1015 or 4000 <= code <= 4999 else "INFO"
