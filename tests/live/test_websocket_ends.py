# SPDX-License-Identifier: Apache-2.0
"""How WebSocket connections end: kills, resets, a cut network; and who comes back, was here before.

A gauge that once has drifted stays wrong, so after each of these it is compared with the peers' own
count, and after chaos with what ss says.
"""

import contextlib
import random
import subprocess
import time

from sonde_test import HERE, PYTHON, Failure, check, need, same, until
from websocket_peers import Peer, check_lines_of, figures, killed, known, lines_of, python_peer
from websocket_peers import settle, url_of

CHAOS = 4  # seconds
TIMEOUT = 400  # ms until an end gives up on bytes that nobody acknowledges


def connect(live, count=3, *options):
    """(server, client, agent) with connections that have talked."""
    server, client = python_peer(live, "server", *options), python_peer(live, "client")
    agent = live.agent()
    client.ask("open", url=url_of(live, server.port), count=count)
    client.ask("talk", texts=[10, 1000], binaries=[200000])
    server.ask("report")
    known(agent, server, client)
    return server, client, agent


def finish(agent, ends):
    """ends: {peer: expected}"""
    for peer, expected in ends.items():
        settle(agent, peer, expected)
    agent.stop()
    for peer, expected in ends.items():
        check_lines_of(agent, peer.role, peer.service, expected)


def test_client_killed(live):
    server, client, agent = connect(live)
    client.kill()
    server.ask("wait")
    finish(agent, {peer: killed(peer.counts, "client") for peer in (server, client)})


def test_server_killed(live):
    server, client, agent = connect(live)
    server.kill()
    client.ask("wait")
    finish(agent, {peer: killed(peer.counts, "server") for peer in (server, client)})


def steady(peer):
    """Waits until nothing moves, and returns the bytes that are written and not acknowledged."""
    last = []

    def asked():
        last.append(peer.ask("report") and peer.answer["unacknowledged"])
        return last[-1] and len(last) > 10 and len(set(last[-10:])) == 1 and last[-1]

    return until("nothing to move", asked)


def test_killed_with_bytes_unread(live):
    """A client that does not read and is killed: a reset, and the server knows what is lost."""
    server, client, agent = connect(live, 2)
    client.ask("stall")
    server.ask("push", count=300, size=100000)
    known(agent, server, client)
    steady(server)
    client.kill()
    undelivered = server.ask("wait")["undelivered"]
    wanted = {"opened": 2, "closed 1006 network": 2, "lasted": 2, "undelivered": undelivered}
    got = lambda: figures(agent.metrics(), "server", server.service)
    until("the ends", lambda: got().get("lasted") == 2)
    same("the server's ends", {key: got().get(key) for key in wanted}, wanted)
    same("open", got().get("open"), None)
    agent.stop()
    lines = lines_of(agent, "close", role="server", service=server.service)
    same("in the log", sum(line["undelivered_bytes"] for line in lines), undelivered)


def ip(*words):
    command = ["ip", *words]
    result = subprocess.run(command, capture_output=True, text=True)
    same(f"{' '.join(command)}: {result.stderr.strip()}", result.returncode, 0)


class Network:
    """A namespace behind a pair of interfaces, and its end."""

    def __init__(self, live):
        need("ip")
        self.name = live.word
        self.link = live.word[:8]
        network = f"198.18.{random.randrange(256)}"
        self.near, self.far = network + ".1", network + ".2"
        ip("netns", "add", self.name)
        live.at_end(lambda: subprocess.run(["ip", "netns", "del", self.name], check=False))
        inside = ["name", self.link + "-i", "netns", self.name]
        ip("link", "add", self.link + "-o", "type", "veth", "peer", *inside)
        for where, end, address in (([], "-o", self.near), (["-n", self.name], "-i", self.far)):
            ip(*where, "address", "add", address + "/30", "dev", self.link + end)
            ip(*where, "link", "set", self.link + end, "up")

    def cut(self):
        """What either end sends goes to an address that nobody has; the links stay up."""
        nobody = ["lladdr", "02:00:00:00:00:99", "nud", "permanent"]
        ip("neighbour", "replace", self.far, *nobody, "dev", self.link + "-o")
        ip("-n", self.name, "neighbour", "replace", self.near, *nobody, "dev", self.link + "-i")

    def python_client(self, live):
        command = ["ip", "netns", "exec", self.name, PYTHON, HERE / "servers/websocket_peer.py"]
        return Peer(live, [*command, "client", f"--user-timeout={TIMEOUT}"], "client")


def test_network_cut(live):
    """Both ends write into the void until they give up: the network's end, and what it lost."""
    network = Network(live)
    timeout = f"--user-timeout={TIMEOUT}"
    server = python_peer(live, "server", f"--host={network.near}", timeout)
    client = network.python_client(live)
    agent = live.agent()
    client.ask("open", url=f"ws://{network.near}:{server.port}{live.prefix}/chat", count=2)
    client.ask("talk", texts=[10, 1000])
    for peer in (server, client):
        all_there = lambda: peer.ask("report") and not peer.answer["unacknowledged"]
        until("the last acknowledgement", all_there)
    network.cut()
    undelivered = {server: 2 * 3 * 1004, client: 2 * 2 * 508}
    for peer, count, size in ((server, 3, 1000), (client, 2, 500)):
        peer.ask("push", count=count, size=size)
        same("unacknowledged", steady(peer), undelivered[peer])
    for peer in (server, client):
        peer.ask("wait")
        same("undelivered", peer.counts["undelivered"], undelivered[peer])
    finish(agent, {peer: killed(peer.counts, "network") for peer in (server, client)})


def test_reconnects(live):
    """A client that comes back counts once for each connection that it had lost."""
    server = python_peer(live, "server", "--subprotocol=chat", "--subprotocol=news")
    client = python_peer(live, "client")
    agent = live.agent()
    rounds = (  # (connections, their subprotocol, reconnects so far when they are open)
        (2, "chat", 0),
        (3, "chat", 2),
        (1, "news", 2),
        (1, "chat", 3),
        (3, None, 3),
        (1, "chat", 4),
        (4, "news", 5),
        (1, None, 6),
    )
    for count, subprotocol, reconnects in rounds:
        wanted = [subprotocol] if subprotocol else None
        client.ask("open", url=url_of(live, server.port), count=count, subprotocols=wanted)
        expected = {**server.ask("report"), **({"reconnects": reconnects} if reconnects else {})}
        settle(agent, server, expected)
        client.ask("close", code=1001)
        server.ask("wait")
    agent.stop()
    for role, expected in (("server", rounds[-1][2]), ("client", 0)):
        marked = lines_of(agent, "open", role=role, reconnect=True)
        same(f"reconnects in the log of {role}s", len(marked), expected)


def test_reconnect_too_late(live):
    server, client = python_peer(live, "server"), python_peer(live, "client")
    agent = live.agent("--websocket-reconnect-window=1ms")
    for _ in range(3):
        client.ask("open", url=url_of(live, server.port))
        client.ask("close")
        settle(agent, server, server.ask("wait"))
    agent.stop()


def difference(late, early):
    result = {name: count - early.get(name, 0) for name, count in late.items()}
    return {name: count for name, count in result.items() if count}


def test_older_than_agent(live):
    """Known after a few frames; from then on each message counts."""
    server, client = python_peer(live, "server"), python_peer(live, "client")
    client.ask("open", url=url_of(live, server.port), count=3)
    client.ask("talk", texts=[10, 70000], binaries=[300], pings=1)
    agent = live.agent()
    seen = lambda peer: figures(agent.metrics(), peer.role, peer.service)

    def known():
        client.ask("talk", texts=[10])
        return all(seen(peer).get("open") == 3 for peer in (server, client))

    until("the connections to be known", known)
    settled = {}
    for peer in (server, client):
        settled[peer] = (peer.ask("report"), seen(peer))
        for name, count in settled[peer][1].items():
            check(count <= settled[peer][0].get(name, 0), f"{name}: {count} were not there")
    client.ask("talk", texts=[1, 200, 66000], binaries=[125, 126], pings=3)
    client.ask("close", code=4100)
    server.ask("wait")
    for peer in (server, client):
        counts, first = settled[peer]
        added = difference(peer.counts, counts)
        until("figures", lambda: difference(seen(peer), first) == added)
        same("opened", seen(peer)["opened"], 3)
    agent.stop()
    for peer in (server, client):
        for event in ("open", "close"):
            lines = lines_of(agent, event, role=peer.role, service=peer.service)
            same(f"{event} lines", [line.get("resumed") for line in lines], [True] * 3)
            same("peers", all("peer" in line for line in lines), True)


def established(port, side):
    """What ss says: connections of a port on this host, by one of their sides."""
    command = ["ss", "-Htn", "state", "established", f"( {side} = :{port} )"]
    return len(subprocess.run(command, capture_output=True, text=True).stdout.splitlines())


class Chaos:
    """A server that comes back on its port, and clients that are replaced; all orders are done
    when they return, so what a killed one had counted is known."""

    def __init__(self, live, agent):
        self.live = live
        self.agent = agent
        self.server = python_peer(live, "server")
        self.port = self.server.port
        self.clients = [self.client() for _ in range(3)]
        self.opened = 0

    def client(self):
        return python_peer(self.live, "client")

    def kill_client(self):
        self.settle()
        victim = self.clients.pop(0)
        self.opened += victim.counts.get("opened", 0)
        victim.kill()
        self.clients.append(self.client())

    def kill_server(self):
        self.settle()
        self.server.kill()
        for client in self.clients:
            client.ask("wait")
        self.server = python_peer(self.live, "server", f"--port={self.port}")

    def some(self, do, **words):
        random.choice(self.clients).ask(do, **words)

    def run(self, seconds):
        acts = [lambda: self.some("open", url=url_of(self.live, self.port), count=8)] * 4
        acts += [lambda: self.some("talk", texts=[1, 300], binaries=[70000])] * 3
        acts += [lambda: self.some("close", code=1000, count=3)] * 2
        acts += [lambda: self.some("terminate", count=3)]
        acts += [self.kill_client, self.kill_server]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            random.choice(acts)()

    def settle(self):
        """Opened, open and ended as the peers say; also, who is killed next has been looked at."""
        still = self.sum("open")
        self.server.ask("wait", open=still)
        opened = self.opened + self.sum("opened")
        wanted = {"opened": opened, "open": still, "lasted": opened - still}
        for peer in (self.server, self.clients[0]):
            got = lambda: figures(self.agent.metrics(), peer.role, peer.service)
            only = lambda: {name: got().get(name, 0) for name in wanted}
            with contextlib.suppress(Failure):
                until("the gauge", lambda: only() == wanted)
            same(f"{peer.role}s", only(), wanted)

    def sum(self, name):
        return sum(client.ask("report").get(name, 0) for client in self.clients)


def test_gauge_after_chaos(live):
    need("ss")
    agent = live.agent()
    chaos = Chaos(live, agent)
    chaos.run(CHAOS)
    chaos.some("open", url=url_of(live, chaos.port), count=5)
    chaos.settle()
    for side in ("sport", "dport"):
        same(f"ss by {side}, and the peers", established(chaos.port, side), chaos.sum("open"))
    for client in chaos.clients:
        client.ask("close")
    chaos.settle()
    same("open", chaos.sum("open"), 0)
    agent.stop()
