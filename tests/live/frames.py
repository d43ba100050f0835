# SPDX-License-Identifier: Apache-2.0
"""The two ends of frames as objects, and what the agent says of WebSocket connections.

The ends' names for their counts are used for the agent's as well: `opened`, `close 1000 server`
(the code, and who began), `messages sent text`, `bytes received ping`, `round_trips`.
"""

import collections
import os
import random
import subprocess

from crowd import Tool, gauge, of_service, settle
from sonde_test import same, until

SEED = os.environ.get("FRAMES_SEED")
TRAFFIC = (("messages", "websocket_messages_total"), ("bytes", "websocket_message_bytes_total"))
MIRROR = {"sent": "received", "received": "sent"}
LOSSES = ("websocket_protocol_errors_total", "websocket_unseen_bytes_total")


class Frames:
    """A server and its clients, of some worker processes each."""

    def __init__(self, live, servers=2, clients=2, name=""):
        self.clients = clients
        self.seed = SEED or str(random.randrange(10**9))
        print(f"# FRAMES_SEED={self.seed}", flush=True)
        self.server = Tool(live, "frames", f"{live.word}{name}-server", "server", self.seed, servers)
        self.ports = self.server.first.split(",")
        options = ("client", self.seed, clients, live.prefix, self.server.first)
        self.client = Tool(live, "frames", f"{live.word}{name}-client", *options)
        self.tools = {"server": self.server, "client": self.client}

    def both(self, line):
        """Tells both ends; when both have answered nothing is on its way: {role: counts}."""
        for tool in self.tools.values():
            tool.tell(line)
        return {role: tool.hear() for role, tool in self.tools.items()}

    def open(self, connections, torn=""):
        """So many to each worker of the clients."""
        self.client.ask(f"open {connections} {torn}")
        until("the server", lambda: self.server.ask("")["opened"] == self.client.ask("")["opened"])

    def close_all(self):
        """By each end and in each way that frames.h says, but for those of the last worker."""
        for tool, line in (
            (self.client, "kill"),
            (self.client, "drop"),
            (self.server, "drop"),
            (self.client, "close"),
            (self.server, "close"),
        ):
            tool.ask(line)
        self.wait_closed()

    def leave(self):
        self.client.ask("leave")
        self.wait_closed()

    def wait_closed(self):
        ended = lambda counts: all(end["opened"] == end["closed"] for end in counts.values())
        until("both ends to close", lambda: ended(self.both("")))

    def counts(self):
        """Of both ends, which must be each other's image: {role: counts}."""
        said = {role: only_counted(counts) for role, counts in self.both("").items()}
        same("the ends' counts", common(mirrored(said["client"])), common(said["server"]))
        return said

    def check_counts(self, agent):
        """The agent's are those of both ends; returns how many messages of data there were."""
        said = self.counts()
        for role, tool in self.tools.items():
            question = lambda metrics: counted(metrics, role, tool.service)
            settle(agent, f"{role} counts of seed {self.seed}", question, said[role])
            same("losses", losses(agent.metrics(), tool.service), {})
        return sum(said["server"].get(f"messages {way} {what}", 0)
                   for way in MIRROR for what in ("text", "binary"))

    def check_gauge(self, agent, expected=None):
        """The gauges are what the kernel says of the ports, which has to be the expected number."""
        for role, side in (("server", "sport"), ("client", "dport")):
            there = lambda: established(side, self.ports)
            if expected is not None:
                until("the sockets", lambda: there() == expected)
            service = self.tools[role].service
            settle(agent, f"{role} gauge", lambda metrics: opened_now(metrics, role, service), there())


def only_counted(counts):
    """Without what is no count of the agent, and without zeros."""
    return {name: count for name, count in counts.items()
            if count and name != "closed" and not name.endswith("_ns")}


def common(counts):
    """What both ends must agree on. A reset is its sender's doing; the other end cannot know."""
    result = collections.Counter()
    for name, count in counts.items():
        result["close 1006" if name.startswith("close 1006") else name] += count
    result.pop("round_trips", None)
    return dict(result)


def mirrored(counts):
    swap = lambda name: " ".join(MIRROR.get(word, word) for word in name.split(" "))
    return {swap(name): count for name, count in counts.items()}


def established(side, ports):
    """Sockets by what `ss` says."""
    question = " or ".join(f"{side} = :{port}" for port in ports)
    command = ["ss", "-Htn", "state", "established", f"( {question} )"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return len(result.stdout.splitlines())


def of_end(role, service):
    return lambda labels: labels.get("service") == service and labels.get("role") == role


def counted(metrics, role, service):
    """The agent's counts under the names that the ends have for theirs."""
    keep = of_end(role, service)
    total = lambda family: metrics.counts(family, (), keep).get((), 0)
    said = {"opened": total("websocket_connections_opened_total")}
    said["round_trips"] = total("websocket_ping_rtt_seconds")
    closed = metrics.counts("websocket_connections_closed_total", ("close_code", "initiator"), keep)
    said.update({f"close {code} {end}": count for (code, end), count in closed.items()})
    for what, family in TRAFFIC:
        moved = metrics.counts(family, ("direction", "type"), keep)
        said.update({f"{what} {way} {kind}": count for (way, kind), count in moved.items()})
    return {name: count for name, count in said.items() if count}


def losses(metrics, service):
    """What was not walked: {(family, role, direction): count}."""
    result = {}
    for family in LOSSES:
        counts = metrics.counts(family, ("role", "direction"), of_service(service))
        result.update({(family, *key): count for key, count in counts.items() if count})
    return result


def opened_now(metrics, role, service):
    return metrics.counts("websocket_connections", (), of_end(role, service)).get((), 0)


def in_table(metrics):
    return gauge(metrics, "sonde_table_entries", table="websockets")
