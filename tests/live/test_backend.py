# SPDX-License-Identifier: Apache-2.0
"""The ways to hook the kernel: what the agent says of them, and state that is kept by address."""

import os
import socket
import threading

from sonde_test import check, same, until

BACKENDS = ("sock", "fexit", "syscall")  # in order of preference
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


def asked_for():
    return os.environ.get("SONDE_BACKEND", "auto")


def test_said(live):
    """The log says what was chosen and why no better one was; /metrics has it too."""
    agent = live.agent()
    chosen = agent.backend()
    said = [line for line in agent.err.read_text().splitlines() if f"backend {chosen}" in line]
    same("lines that say it", len(said), 1)
    if asked_for() != "auto":
        same("backend", chosen, asked_for())
        return
    for better in BACKENDS[: BACKENDS.index(chosen)]:
        check(f"{better}: " in said[0], f"why not {better}? {said[0]}")


class UnixServer:
    """Reads a request of each connection; answers those whose path says so, and closes."""

    def __init__(self, live, answer=ANSWER):
        self.answer = answer
        self.path = str(live.temp / "unix")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.answered = self.left = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            with connection:
                if b"/answered" in connection.recv(1000):
                    connection.sendall(self.answer)
                    self.answered += 1
                else:
                    self.left += 1


def test_addresses_used_again(live):
    """Unix sockets one after the other, at the same few addresses; every other one is left open.

    What the one before had left open must not be taken for the next one's.
    """
    server = UnixServer(live)
    agent = live.agent()
    got = 0
    for number in range(400):
        kind = ("answered", "left")[number % 2]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.path)
            client.sendall(f"GET {live.prefix}/{kind} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            got += client.recv(1000) == ANSWER
    same("answers", got, 200)
    until("the last one", lambda: server.answered + server.left == 400)
    route = live.prefix + "/"
    answered = ("GET", route + "answered", "204")
    for role in ("server", "client"):
        until(role, lambda: agent.counts(role).get(answered) == 200)
        left = {key: n for key, n in agent.counts(role).items() if key != answered}
        check(all("left" in route for _, route, _ in left), f"{role}: {left}")
        check(not any(status for _, _, status in left), f"{role}: {left}")


ENDS = {  # ways to read the end of a stream
    "recv": lambda client: client.recv(1000),
    "recvfrom": lambda client: client.recvfrom(1000)[0],
    "recvmsg": lambda client: client.recvmsg(1000)[0],
    "read": lambda client: os.read(client.fileno(), 1000),
    "readv": lambda client: b"." * os.readv(client.fileno(), [bytearray(500), bytearray(500)]),
}


def test_end_of_a_unix_stream(live):
    """Where the answer has no length, its end is that of the stream, however that is read."""
    server = UnixServer(live, answer=b"HTTP/1.0 200 OK\r\n\r\nbody")
    agent = live.agent()
    clients = []
    for read in ENDS:
        client = socket.socket(socket.AF_UNIX)
        clients.append(client)  # open, so that nothing else tells
        client.connect(server.path)
        client.sendall(f"GET {live.prefix}/answered/{read} HTTP/1.0\r\n\r\n".encode())
        while ENDS[read](client):
            pass
    own = {("GET", f"{live.prefix}/answered/{read}", "200"): 1 for read in ENDS}
    agent.expect("client", own)
    for client in clients:
        client.close()
