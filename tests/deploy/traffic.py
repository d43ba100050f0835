# SPDX-License-Identifier: Apache-2.0
"""Traffic of all kinds that dashboards show: requests, errors, ends, streams, calls, WebSockets."""

import http.client
import random
import socket
import threading

from sonde_test import LIMIT, check, free_port, until
from websocket_peers import python_peer, url_of

PATHS = (  # (method, path behind the test's own prefix or, where it begins with a dot, as it is)
    ("GET", "/api/tasks/1"),
    ("POST", "/api/tasks"),
    ("GET", "/status/404"),
    ("GET", "/status/401"),
    ("GET", "/status/503"),
    ("POST", "./v1.0/publish/pubsub/tasks"),
    ("POST", "./v1.0/publish/pubsub/tasks/status/500"),
    ("POST", "./events/tasks"),
    ("POST", "./events/tasks/status/500"),
    ("GET", "/events/3"),
)


class Traffic:
    """go() is a round of it all, and waits until Prometheus has seen it."""

    def __init__(self, live, agent, server):
        self.live, self.agent, self.server = live, agent, server
        self.word = live.word
        self.rounds = 0
        self.http, _ = live.plain(env={"OTEL_SERVICE_NAME": "tasks"})
        self.socket_server, self.socket_client = (
            python_peer(live, role) for role in ("server", "client")
        )

    def go(self):
        self.rounds += 1
        for _ in range(3):
            for method, path in PATHS:
                self.request(method, path[1:] if path[0] == "." else self.live.prefix + path)
        self.break_off()
        refuse()
        self.talk()
        self.seen()

    def request(self, method, path):
        """Of a trace of its own, so that it has an exemplar, and sometimes with an odd id."""
        trace = f"{random.getrandbits(128) | 1:032x}"
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-User-ID": "user-1"}
        if path.endswith("/404"):
            headers["traceparent"] = "odd"
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=LIMIT)
        connection.request(method, path, b"x" * 100 if method == "POST" else None, headers)
        connection.getresponse().read()
        connection.close()

    def break_off(self):
        """A server that reads a request and leaves; both ends are this process."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            leaver = threading.Thread(target=read_and_leave, args=(listener,))
            leaver.start()
            with socket.create_connection(listener.getsockname(), LIMIT) as client:
                head = f"GET {self.live.prefix}/broken HTTP/1.1\r\nHost: x\r\n\r\n"
                client.sendall(head.encode())
                check(not client.recv(100), "an answer from a server that leaves")
            leaver.join(LIMIT)

    def talk(self):
        """Closes and opens again: a reconnect; one is refused, one ends with 1011."""
        url = url_of(self.live, self.socket_server.port)
        client = self.socket_client
        client.ask("open", url=url, count=2)
        client.ask("talk", texts=[5, 1000], binaries=[200000], pings=2)
        self.socket_server.ask("ping", count=2)
        client.ask("close", code=1011, count=1)
        client.ask("close")
        self.socket_server.ask("wait")
        client.ask("open", url=url_of(self.live, self.socket_server.port, "/refused"))
        client.ask("open", url=url)

    def seen(self):
        """Until Prometheus has twice scraped what there is now."""
        route, service = self.live.prefix + "/api/tasks", self.socket_server.service
        for what in (
            f'http_server_request_duration_seconds_count{{http_route="{route}"}}',
            f'websocket_connections_opened_total{{service="{service}"}}',
        ):
            seen = lambda: float(self.server.query(f"sum({what} offset 1s)") or 0)
            until(what, lambda: seen() >= 3 * self.rounds, 2 * LIMIT)


def read_and_leave(listener):
    connection, _ = listener.accept()
    with connection:
        connection.recv(1000)


def refuse():
    """Nobody listens there."""
    with socket.socket() as client:
        check(client.connect_ex(("127.0.0.1", free_port())), "somebody listens")
