# SPDX-License-Identifier: Apache-2.0
"""WebSocket between real peers: Python's websockets, uvicorn with FastAPI, Node's ws, nginx.

Equal means equal: messages and bytes by direction and type, ends by code and initiator.
"""

import json
import re
import subprocess

from sonde_test import HERE, PYTHON, Skip, check, need, same, until
from websocket_peers import SIZES, check_lines_of, check_mirror, figures, lines_of, mirrored
from websocket_peers import node_peer, python_peer, settle, url_of, with_lasted

DATA = ("text", "binary")


def talk(live, server_port, client, name="/chat/1", **words):
    client.ask("open", url=url_of(live, server_port, name), count=3, **words)
    client.ask("talk", texts=SIZES, binaries=SIZES, pings=5)


def finish(live, agent, server, client, **more):
    """The metrics, the handshakes, and the log; `more` is what only the agent counts."""
    check_mirror(client.counts, server.counts)
    settle(agent, server, {**server.counts, **more})
    settle(agent, client, client.counts)
    handshakes = {("GET", live.prefix + "/chat/{id}", "101"): client.counts["opened"]}
    agent.finish(server=handshakes, client=handshakes)
    for peer in (server, client):
        check_lines_of(agent, peer.role, peer.service, peer.counts)


def run_pair(live, server, client):
    """All sizes and types and some pings; each end closes some, with and without a code.

    Three connections are followed by three more, and those by three more: six come back.
    """
    agent = live.agent()
    talk(live, server.port, client)
    client.ask("close", code=1000, count=1)
    client.ask("close", code=4001, reason="so be it", count=1)
    server.ask("wait", open=1)
    server.ask("close", code=1012, reason="restart")
    client.ask("wait")
    for code in (1001, 1005):
        talk(live, server.port, client)
        client.ask("close", code=code)
    server.ask("wait")
    finish(live, agent, server, client, reconnects=6)


def test_python(live):
    run_pair(live, python_peer(live, "server"), python_peer(live, "client"))


def test_python_compressed(live):
    """Bytes are those on the wire."""
    server = python_peer(live, "server", "--compression")
    client = python_peer(live, "client", "--compression")
    run_pair(live, server, client)
    size = client.counts["bytes sent text"]
    check(size < sum(SIZES), f"{size} bytes on the wire are not compressed")


def test_python_fragmented(live):
    """A message in pieces counts once; pings stand between its pieces."""
    server, client = python_peer(live, "server"), python_peer(live, "client")
    agent = live.agent()
    client.ask("open", url=url_of(live, server.port), count=2)
    client.ask("talk", texts=SIZES[1:], binaries=SIZES[1:], pieces=7)
    same("messages", client.counts["messages sent text"], 2 * len(SIZES[1:]))
    client.ask("close")
    server.ask("wait")
    finish(live, agent, server, client)


def test_python_pushed(live):
    """Nobody waits for anybody: some hundred messages in one read."""
    server, client = python_peer(live, "server"), python_peer(live, "client")
    agent = live.agent()
    client.ask("open", url=url_of(live, server.port), count=2)
    server.ask("push", count=3000, size=600)
    client.ask("push", count=1000, size=600)
    total = {"messages received text": 2 * 4000, "messages sent text": 2 * 1000}
    arrived = lambda: {k: v for k, v in client.ask("report").items() if k in total} == total
    until("the messages", arrived)
    client.ask("close")
    server.ask("wait")
    finish(live, agent, server, client)


def test_node(live):
    run_pair(live, node_peer(live, "server"), node_peer(live, "client"))


def test_node_server(live):
    run_pair(live, node_peer(live, "server"), python_peer(live, "client"))


def test_node_client(live):
    run_pair(live, python_peer(live, "server"), node_peer(live, "client"))


def test_node_compressed(live):
    """Node counts bytes before compression, so only its messages are compared."""
    server, client = (node_peer(live, role, "compression") for role in ("server", "client"))
    agent = live.agent()
    talk(live, server.port, client)
    client.ask("close")
    server.ask("wait")
    without_bytes = lambda counts: {k: v for k, v in counts.items() if not k.startswith("bytes")}
    for peer in (server, client):
        got = lambda: without_bytes(figures(agent.metrics(), peer.role, peer.service))
        until("messages", lambda: got() == without_bytes(peer.counts))
        wire = figures(agent.metrics(), peer.role, peer.service)["bytes sent text"]
        check(0 < wire < sum(SIZES), f"{wire} bytes on the wire are not compressed")
    agent.stop()


class App:
    """FastAPI under uvicorn, as a peer."""

    role = "server"

    def __init__(self, live, implementation, compression=False):
        words = f"import fastapi, uvicorn, {implementation}"
        if subprocess.run([PYTHON, "-c", words], stderr=subprocess.DEVNULL).returncode:
            raise Skip(f"fastapi, uvicorn and {implementation} are not installed")
        self.live = live
        self.service = f"{live.word}-app"
        command = [PYTHON, "-m", "uvicorn", "websocket_app:app", "--app-dir", HERE / "servers"]
        command += ["--port", "0", "--ws", implementation]
        command += ["--ws-per-message-deflate", str(compression).lower()]
        env = {"PREFIX": live.prefix, "OTEL_SERVICE_NAME": self.service}
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        said = live.temp / "uvicorn.err"
        live.start(command, env=env, stdout=subprocess.DEVNULL, stderr=said)
        running = re.compile(r"running on http://[\d.]+:(\d+)")
        self.port = int(until("uvicorn", lambda: running.search(said.read_text())).group(1))

    @property
    def counts(self):
        url = f"http://127.0.0.1:{self.port}/counts"
        return with_lasted(json.loads(self.live.run("curl", "-sS", url)))


def run_app(live, implementation, compression=False, closes=True):
    """The app counts texts and binaries; the client's frames tell the rest of both.

    closes: the app closes one; uvicorn on wsproto does not stay for the answer, so what becomes of
    that is chance.
    """
    app = App(live, implementation, compression)
    client = python_peer(live, "client", *(["--compression"] if compression else []))
    agent = live.agent()
    talk(live, app.port, client, "/rooms/7/members/ann?token=secret", subprotocols=["news", "chat"])
    if closes:
        client.ask("say", text="close 4002", count=1)
        client.ask("wait", open=2)
    client.ask("close", code=4000, count=1)
    client.ask("close", code=1000)
    until("the app", lambda: not app.counts.get("open"))
    names = ("messages",) if compression else ("messages", "bytes")
    data = {k: v for k, v in mirrored(client.counts, *names).items() if k.split()[2] in DATA}
    same("the app's and the client's counts", {k: app.counts.get(k) for k in data}, data)
    ends = {k: v for k, v in app.counts.items() if k.split()[0] not in ("messages", "bytes")}
    app.ends = {**ends, **mirrored(client.counts)}
    settle(agent, app, app.ends)
    settle(agent, client, client.counts)
    handshakes = {("GET", live.prefix + "/rooms/{id}/members/ann", "101"): 3}
    agent.expect("server", handshakes)
    agent.finish(client=handshakes)
    check("secret" not in agent.out.read_text(), "the query is in the log")
    check_lines_of(agent, "server", app.service, app.ends)
    check_lines_of(agent, "client", client.service, client.counts)
    check_subprotocols(agent, app, client)


def check_subprotocols(agent, *peers):
    for peer in peers:
        lines = lines_of(agent, "close", service=peer.service)
        same("subprotocols", {line.get("subprotocol") for line in lines}, {"chat"})


def test_fastapi(live):
    run_app(live, "websockets")


def test_fastapi_compressed(live):
    run_app(live, "websockets", compression=True)


def test_fastapi_wsproto(live):
    run_app(live, "wsproto", closes=False)
