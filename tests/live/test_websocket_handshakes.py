# SPDX-License-Identifier: Apache-2.0
"""How WebSocket connections begin: ids, subprotocols, refusals, and nginx as a proxy of it all."""

import signal

from sonde_test import HERE, PYTHON, need, same, until
from test_websocket import App, talk
from websocket_peers import SIZES, check_lines_of, check_mirror, killed, known, lines_of
from websocket_peers import node_peer, python_peer, settle, url_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
IDS = {
    "X-Request-ID": "handshake-1",
    "traceparent": f"00-{TRACE}-{SPAN}-01",
}
IN_LOG = {"request_id": "handshake-1", "trace_id": TRACE, "parent_span_id": SPAN}
IN_LOG.update(parent_source="header", request_id_source="header")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


def check_ids(agent, role, lines, wanted):
    """At open and at close, and the same as in the line of the handshake's request."""
    for line in lines:
        same("in the log", {key: line.get(key) for key in wanted}, wanted)
    handshake, = agent.lines(logger="sonde.http", role=role, status=101)
    same("in the handshake's line", {key: handshake.get(key) for key in IN_LOG}, IN_LOG)
    same("spans", {line["span_id"] for line in lines}, {handshake["span_id"]})


def test_ids(live):
    server = python_peer(live, "server", "--subprotocol=chat", "--subprotocol=news")
    client = python_peer(live, "client")
    agent = live.agent()
    url = url_of(live, server.port, "/rooms/12/members?token=secret")
    client.ask("open", url=url, headers=IDS, subprotocols=["sport", "news"])
    client.ask("talk", texts=[5])
    client.ask("close")
    server.ask("wait")
    for peer in (server, client):
        settle(agent, peer, peer.counts)
    agent.stop()
    for peer in (server, client):
        lines = [*lines_of(agent, "open", role=peer.role)]
        lines += lines_of(agent, "close", role=peer.role)
        same(f"{peer.role} lines", [line["event"] for line in lines], ["open", "close"])
        ends = {"path": live.prefix + "/rooms/12/members", "subprotocol": "news"}
        ends.update(route=live.prefix + "/rooms/{id}/members", service=peer.service)
        check_ids(agent, peer.role, lines, {**IN_LOG, **ends})
    same("secrets in the log", agent.out.read_text().count("secret"), 0)


def test_refused(live):
    """By Python's websockets and by Node's ws: 403 by the application, and what is no handshake."""
    server, node = python_peer(live, "server"), node_peer(live, "server", name="-node")
    client, other = python_peer(live, "client"), node_peer(live, "client", name="-node")
    agent = live.agent()
    for one in (client, other):
        for port in (server.port, node.port):
            one.ask("open", url=url_of(live, port, "/refused"), count=2)
    for peer in (server, node, client, other):
        same(f"own counts of {peer.service}", peer.ask("report"), {"failed": 4})
        settle(agent, peer, {"failed": 4})
    counts = {("GET", live.prefix + "/refused", "403"): 8}
    agent.finish(server=counts, client=counts)
    same("lines", agent.lines(logger="sonde.websocket"), [])


def test_refused_by_fastapi(live):
    app, client = App(live, "websockets"), python_peer(live, "client")
    agent = live.agent()
    client.ask("open", url=url_of(live, app.port, "/closed"), count=3)
    for peer, counts in ((app, app.counts), (client, client.counts)):
        same(f"own counts of {peer.service}", counts, {"failed": 3})
        settle(agent, peer, {"failed": 3})
    agent.expect("client", {("GET", live.prefix + "/closed", "403"): 3})
    agent.stop()


def curl(live, port, status, *headers):
    """Gone before the agent can look at it, so its service is `curl`."""
    command = ["curl", "-sS", "-o", live.temp / "body", "-w", "%{http_code}", "--max-time", "10"]
    for header in ("Connection: Upgrade", *headers):
        command += ["-H", header]
    url = f"http://127.0.0.1:{port}{live.prefix}/{status}"
    words = live.run(*command, url)
    same(f"status of {headers}", words, str(status))


def test_refused_by_the_library(live):
    """A handshake without a key, of another version, and one that asks for no WebSocket at all."""
    server = python_peer(live, "server")
    agent = live.agent()
    version = "Sec-WebSocket-Version: "
    curl(live, server.port, 400, "Upgrade: websocket", version + "13")
    curl(live, server.port, 400, "Upgrade: websocket", version + "8", KEY)
    same("the server's own count", server.ask("report"), {"failed": 2})
    curl(live, server.port, 426, "Upgrade: other")
    settle(agent, server, {"failed": 2})
    settle(agent, "curl", {"failed": 2}, "client")
    counts = {("GET", live.prefix + "/{id}", word): n for word, n in (("400", 2), ("426", 1))}
    agent.finish(server=counts, client=counts)


def test_wrong_answers(live):
    """101 with a wrong key, without one, with another protocol: no WebSocket, whatever follows."""
    service = f"{live.word}-wrong"
    server = [PYTHON, HERE / "servers/websocket_wrong.py"]
    _, port = live.server(*server, env={"OTEL_SERVICE_NAME": service})
    client = python_peer(live, "client")
    agent = live.agent()
    for word in ("wrong-key", "no-key", "other", "200"):
        client.ask("open", url=url_of(live, port, "/" + word))
    same("the client's own count", client.counts, {"failed": 4})
    settle(agent, client, {"failed": 4})
    settle(agent, service, {"failed": 4}, "server")
    client.ask("open", url=url_of(live, port, "/right"))
    until("the frame", lambda: client.ask("report").get("messages received text"))
    sent = {"opened": 1, "open": 1, "messages sent text": 1, "bytes sent text": 5}
    settle(agent, service, {"failed": 4, **sent}, "server")
    settle(agent, client, client.counts)
    agent.stop()


def test_nginx(live):
    """The same frames at four ends; nginx is a server to the client and a client to the backend."""
    need("nginx")
    server, client = python_peer(live, "server"), python_peer(live, "client")
    _, port = live.nginx(HERE / "servers/nginx_websocket.conf", ORIGIN=server.port)
    name = f"{live.word}-nginx"
    agent = live.agent(f"--service={port}={name}")
    talk(live, port, client, headers=IDS)
    server.ask("push", count=20, size=300)
    texts = 3 * (len(SIZES) + 20)
    until("the pushed", lambda: client.ask("report")["messages received text"] == texts)
    client.ask("close", code=4321, count=1)
    server.ask("wait", open=2)  # nginx has passed it on; else both may take the same one
    server.ask("close", code=1001, reason="away", count=1)
    client.ask("wait", open=1)
    check_mirror(client.counts, server.ask("wait", open=1))
    known(agent, client, server)
    client.kill()
    server.ask("wait")
    ends = {"client": killed(client.counts, "client"), "server": killed(server.counts, "client")}
    for peer in (server, client):
        settle(agent, peer, ends[peer.role])
    settle(agent, name, ends["server"], "server")
    agent.stop()
    check_lines_of(agent, "server", name, ends["server"])
    legs = {line["service"] for line in lines_of(agent, "close", role="client")} - {client.service}
    same("services of nginx as a client", len(legs), 1)
    check_lines_of(agent, "client", legs.pop(), ends["client"])
    for line in lines_of(agent, "open"):
        same("trace", line.get("trace_id"), TRACE)


def test_nginx_killed(live):
    """To its clients it is the server that ended, to its backend the client."""
    need("nginx")
    server, client = python_peer(live, "server"), python_peer(live, "client")
    nginx, port = live.nginx(HERE / "servers/nginx_websocket.conf", ORIGIN=server.port)
    agent = live.agent()
    client.ask("open", url=url_of(live, port), count=4)
    client.ask("talk", binaries=SIZES)
    server.ask("report")
    nginx.send_signal(signal.SIGTERM)
    client.ask("wait")
    server.ask("wait")
    settle(agent, client, killed(client.counts, "server"))
    settle(agent, server, killed(server.counts, "client"))
    agent.stop()
