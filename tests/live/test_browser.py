# SPDX-License-Identifier: Apache-2.0
"""A browser's WebSockets, and Prometheus asked what the WebSocket dashboard asks.

The page takes orders and counts by itself what JavaScript sees of it. The browser's processes have
no name of their own in their environment, so as a client its service is `chromium`.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from prometheus import Prometheus
from sonde_test import HERE, LIMIT, PYTHON, Failure, need, same, until
from test_websocket_ends import steady
from websocket_peers import Peer, SIZES, check_lines_of, killed, mirrored, python_peer
from websocket_peers import settle, url_of

SERVICE = "chromium"
OPTIONS = "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
CONTROLS = ("ping", "pong")
MOVED = ("messages", "bytes")


class Browser(Peer):
    """A Chromium with the page, which is the peer."""

    def __init__(self, live, name=""):
        need("chromium", "pgrep")
        super().__init__(live, [PYTHON, HERE / "servers/websocket_page.py"], "server", "-page")
        page = f"http://127.0.0.1:{self.port}{live.prefix}/page"
        data = f"--user-data-dir={live.temp}/browser{name}"
        said = {"stdout": live.temp / "browser.out", "stderr": live.temp / "browser.err"}
        self.browser = live.start(["chromium", *OPTIONS.split(), data, page], **said)
        self.role, self.service = "client", SERVICE
        self.ask("report")

    def processes(self):
        command = ["pgrep", "-s", str(self.browser.pid)]
        return subprocess.run(command, capture_output=True, text=True).stdout.split()

    def kill(self):
        """All of its processes. They stop first: one that outlives the page says goodbye for it."""
        for order in (signal.SIGSTOP, signal.SIGKILL):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), order)
        self.browser.wait()
        until("the browser to go", lambda: not self.processes())


def of_both(server, browser):
    """The browser's own counts; JavaScript does not see pings, the server counted those."""
    moved = mirrored(server.counts)
    controls = {name: count for name, count in moved.items() if name.split()[2] in CONTROLS}
    own = {name: count for name, count in browser.counts.items() if name.split()[0] in MOVED}
    same("the browser's and the server's counts", {**own, **controls}, moved)
    return {**browser.counts, **controls}


def expect_handshakes(live, agent, *expected):
    """(path, status, count); the page's own requests are left out."""
    wanted = {("GET", live.prefix + path, status): count for path, status, count in expected}
    for role in ("server", "client"):
        got = lambda: {key: count for key, count in agent.counts(role).items() if key in wanted}
        until(f"handshakes of {role}", lambda: got() == wanted)


def test_browser(live):
    server = python_peer(live, "server", "--subprotocol=chat")
    agent = live.agent()
    browser = Browser(live)
    browser.ask("open", url=url_of(live, server.port), count=6, subprotocols=["chat"])
    browser.ask("open", url=url_of(live, server.port, "/refused"))
    browser.ask("talk", texts=SIZES, binaries=SIZES)
    server.ask("ping", count=3)
    browser.ask("close", code=1000, count=1)
    browser.ask("close", code=4001, reason="enough", count=1)
    browser.ask("close", count=1)
    server.ask("wait", open=3)
    server.ask("close", code=1012, reason="restart", count=1)
    browser.ask("wait", open=2)
    counts = {server: server.counts, browser: of_both(server, browser)}
    for peer in counts:
        settle(agent, peer, counts[peer])
    browser.kill()
    server.ask("wait")
    ends = {peer: killed(counts[peer], "client") for peer in counts}
    for peer in ends:
        settle(agent, peer, ends[peer])
    expect_handshakes(live, agent, ("/chat/{id}", "101", 6), ("/refused", "403", 1))
    agent.stop()
    for peer in ends:
        check_lines_of(agent, peer.role, peer.service, ends[peer])


class Dashboard:
    """A Prometheus that scrapes the agent."""

    def __init__(self, live, agent):
        need("prometheus")
        self.url = Prometheus(live, agent, interval="500ms").url
        self.expect("a scrape", f'up{{instance="127.0.0.1:{agent.port}"}}', {(): 1.0})

    def ask(self, expression, *by):
        """{labels: value} of an instant query."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(self.url + path, timeout=LIMIT) as answer:
                result = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as fault:
            raise Failure(f"{expression}: {fault.read()[:300]}") from None
        return {tuple(x["metric"].get(k, "") for k in by): float(x["value"][1]) for x in result}

    def expect(self, what, expression, expected, *by):
        try:
            until(what, lambda: self.ask(expression, *by) == expected, 30)
        except Failure:
            same(f"{what}: {expression}", self.ask(expression, *by), expected)

def moved_of(counts, word):
    """{(direction, type): number} of counts."""
    names = {name: count for name, count in counts.items() if name.split()[0] == word}
    return {tuple(name.split()[1:]): float(count) for name, count in names.items()}


def ask_rate(dashboard, server, act):
    """Message rate: what went by between two looks, over the time between them."""
    messages = f'websocket_messages_total{{service="{server.service}"}}'
    by = ("direction", "type")
    total = f"sum by (direction, type) ({messages})"
    looks = []
    for step in (lambda: None, act):
        step()
        counts = server.ask("report")
        dashboard.expect("messages", total, moved_of(counts, "messages"), *by)
        looks.append((round(time.time(), 3), moved_of(counts, "messages")))
    (first, early), (last, late) = looks
    difference = f"sum by (direction, type) ({messages} @ {last} - {messages} @ {first})"
    gained = {key: count - early[key] for key, count in late.items()}
    dashboard.expect("messages between", difference, gained, *by)
    rate = f"sum ({messages} @ {last} - {messages} @ {first}) / ({last} - {first})"
    expected = sum(gained.values()) / (last - first)
    same("message rate", round(dashboard.ask(rate)[()] / expected, 6), 1.0)


def ask_delivery(dashboard, server, browser):
    """What the server sent has come, by type; nothing was lost."""
    sender = f'{{service="{server.service}",direction="sent"}}'
    receiver = f'{{service="{SERVICE}",direction="received"}}'
    for family, name in (("messages", "messages"), ("message_bytes", "bytes")):
        ends = [f"sum by (type) (websocket_{family}_total{end})" for end in (sender, receiver)]
        sent = moved_of(server.counts, name)
        kinds = {(kind,): 1.0 for (direction, kind), n in sent.items() if direction == "sent" and n}
        dashboard.expect("delivery", f"{ends[1]} / {ends[0]}", kinds, "type")
    lost = f'sum(websocket_undelivered_bytes_total{{service="{server.service}"}}) or vector(0)'
    dashboard.expect("undelivered", lost, {(): 0.0})


def test_dashboard(live):
    """Connections, message rate, delivery, reconnects: each question has one right answer."""
    server = python_peer(live, "server", "--subprotocol=chat")
    agent = live.agent()
    browser = Browser(live)
    dashboard = Dashboard(live, agent)
    url, chat = url_of(live, server.port), {"subprotocols": ["chat"]}
    ends = f'{{service=~"{server.service}|{SERVICE}"}}'
    connections = f"sum by (role) (websocket_connections{ends})"
    browser.ask("open", url=url, count=5, **chat)
    browser.ask("talk", texts=[5], binaries=[70])
    dashboard.expect("connections", connections, {("server",): 5.0, ("client",): 5.0}, "role")
    ask_rate(dashboard, server, lambda: browser.ask("talk", texts=[1] * 40, binaries=[3000] * 30))
    ask_delivery(dashboard, server, browser)
    browser.kill()
    server.ask("wait")
    dashboard.expect("connections", connections, {("server",): 0.0, ("client",): 0.0}, "role")
    closed = f"sum by (role, close_code, initiator) (websocket_connections_closed_total{ends})"
    both = {(role, "1006", "client"): 5.0 for role in ("server", "client")}
    dashboard.expect("disconnections", closed, both, "role", "close_code", "initiator")
    again = Browser(live, "2")
    again.ask("open", url=url, count=3, **chat)
    dashboard.expect("connections", connections, {("server",): 3.0, ("client",): 3.0}, "role")
    reconnects = f'sum(websocket_reconnects_total{{service="{server.service}"}})'
    dashboard.expect("reconnects", reconnects, {(): 3.0})
    again.kill()
    server.ask("wait")
    ask_undelivered(live, dashboard, server, url)
    agent.stop()


def ask_undelivered(live, dashboard, server, url):
    """A client that has stopped reading is killed: delivery has to say how much it missed."""
    client = python_peer(live, "client")
    client.ask("open", url=url)
    client.ask("stall")
    server.ask("push", count=200, size=100000)
    steady(server)
    client.kill()
    undelivered = server.ask("wait")["undelivered"]
    lost = f'sum(websocket_undelivered_bytes_total{{service="{server.service}"}})'
    dashboard.expect("undelivered", lost, {(): float(undelivered)})
