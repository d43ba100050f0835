# SPDX-License-Identifier: Apache-2.0
"""Node's http at both ends: every way to end a body, bodies in pieces, keep-alive."""

import json

from sonde_test import HERE, need, same, tally

ENV = {"OTEL_SERVICE_NAME": "live-node"}


def start_node(live, env=None):
    need("node")
    log = live.temp / "node.log"
    _, port = live.server("node", HERE / "servers/server.js", log, env=env)
    return port, lambda: log.read_text().splitlines()


def node_requests(prefix):
    for word in ("length", "chunked", "204", "304", "close", "404", "500"):
        for n in range(3):
            yield "GET", f"{prefix}/{word}/{n}", 0
        yield "HEAD", f"{prefix}/{word}/x", 0
        yield "POST", f"{prefix}/{word}/body", 5
    yield "PUT", f"{prefix}/chunked/body", 1
    yield "OPTIONS", f"{prefix}/204/x", 0


def test_node_client(live):
    port, access = start_node(live, ENV)
    agent = live.agent()
    requests = list(node_requests(live.prefix))
    words = live.run("node", HERE / "servers/client.js", port, json.dumps(requests)).splitlines()
    same("answers", len(words), len(requests))
    same("the client's and the server's counts", tally(words), tally(access()))
    agent.expect("server", {("live-node",): len(words)}, by=("service",))
    agent.expect("client", {("client",): len(words)}, by=("service",))
    agent.finish(server=tally(access()), client=tally(words))


def test_node_python_client(live):
    port, access = start_node(live, ENV)
    agent = live.agent()
    requests = [(method, path, 16) for method, path, writes in node_requests(live.prefix) if writes]
    words = live.client("keep", port, requests)
    same("the client's and the server's counts", tally(words), tally(access()))
    agent.finish(server=tally(access()), client=tally(words))


def test_service_by_script(live):
    port, access = start_node(live)
    agent = live.agent()
    live.run("curl", "-sS", f"http://127.0.0.1:{port}{live.prefix}/length")
    agent.expect("server", {("server",): 1}, by=("service",))
    agent.finish(server=tally(access()), client=tally(access()))
