# SPDX-License-Identifier: Apache-2.0
"""The questions of the README, word for word, to the lines of a live agent.

Both ends of each conversation are this process. What it did is known, so is the answer to each
question; a question without an answer here, or an answer without a question, fails.
"""

import json
import os
import re
import socket
import subprocess
import time

from sonde_test import ROOT, need, same, until
from test_hostile import send
from test_raw import connected

SLOW = 0.6  # seconds; the question asks for more than half of one
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PUBLISH = "/v1.0/publish/kafka/tasks"

# question: what the answers are, without times, ports and ids
ANSWERS = {
    "tasks that could not be created": ["POST /api/tasks 422", "POST /api/tasks 500"],
    "events that could not be published, at the Dapr sidecar of their sender": [
        f"POST {PUBLISH} 503",
    ],
    "WebSockets that were cut off": ["backend /ws 1006", "backend /ws 1006"],
    "authentication failures": ["backend /api/tasks/1 401", "backend /api/tasks/2 403"],
    "requests of more than half a second, streams apart": ["GET /api/reports 200"],
    "what one user did": ["backend GET /api/tasks 200", "backend DELETE /api/tasks/7 204"],
    "one request, wherever it went": ["GET /api/tasks 200", "GET /api/tasks 200"],
}


def questions():
    """{what is asked: command} from the README."""
    blocks = re.findall(r"```sh\n(# .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "\njq " in block]
    parts = re.split(r"^# (.*)\n", block, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def ask(command, directory):
    result = subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, text=True)
    same(f"exit status of {command} ({result.stderr})", result.returncode, 0)
    return [bare(line) for line in result.stdout.splitlines()]


def bare(answer):
    """Without what differs from run to run: the time, the address, how long it took."""
    if answer.startswith("{"):
        line = json.loads(answer)
        return f"{line['method']} {line['path']} {line['status']}"
    words = answer.split()[1:]
    return " ".join(word for word in words if not re.search(r"ms$|^127\.", word))


class Talk:
    def __init__(self, live):
        self.listener = socket.create_server(("127.0.0.1", 0))
        live.at_end(self.listener.close)
        self.port = self.listener.getsockname()[1]

    def ends(self):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return client, self.listener.accept()[0]

    def exchange(self, ends, method, path, status, headers="", pause=0.0):
        client, server = ends
        send(client, server, f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        time.sleep(pause)
        length = "" if status == 204 else "Content-Length: 0\r\n"
        send(server, client, f"HTTP/1.1 {status} x\r\n{length}\r\n".encode())

    def requests(self):
        ends = self.ends()
        ann, bob = "X-User-ID: ann\r\n", "X-User-ID: bob\r\n"
        self.exchange(ends, "GET", "/api/tasks", 200, ann + "X-Request-ID: req-a1b2c3d4\r\n")
        self.exchange(ends, "GET", "/api/tasks", 200, bob + "X-Request-ID: req-a1b2c3d5\r\n")
        self.exchange(ends, "DELETE", "/api/tasks/7", 204, ann)
        for status in (201, 422, 500):
            self.exchange(ends, "POST", "/api/tasks", status, bob)
        self.exchange(ends, "GET", "/api/tasks/1", 401)
        self.exchange(ends, "POST", "/api/tasks/2", 403)
        self.exchange(ends, "GET", "/api/reports", 200, pause=SLOW)
        self.exchange(ends, "POST", PUBLISH, 204)
        self.exchange(ends, "POST", PUBLISH, 503)
        close(ends)

    def stream(self):
        client, server = ends = self.ends()
        send(client, server, b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        send(server, client, STREAM)
        time.sleep(SLOW)
        send(server, client, b"0\r\n\r\n")
        close(ends)

    def websocket(self, goodbye):
        client, server = ends = self.ends()
        send(client, server, f"GET /ws HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode())
        send(server, client, ACCEPT)
        if goodbye:
            send(client, server, b"\x88\x82\0\0\0\0\x03\xe8")
            send(server, client, b"\x88\x02\x03\xe8")
        close(ends)


def close(ends):
    for end in ends:
        end.close()


def own_lines(agent):
    """Those of this process that end; the scrapes of other tests are none of its."""
    text = agent.out.read_text()
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [line for line in lines if line["pid"] == os.getpid()]


def test_questions(live):
    need("jq")
    talk = Talk(live)
    agent = live.agent(f"--service={talk.port}=backend", "--user-id=header")
    with connected(talk.port) as client, talk.listener.accept()[0] as server:
        talk.exchange((client, server), "GET", "/", 200)  # names this process
    until("its lines", lambda: len(own_lines(agent)) == 2)
    talk.requests()
    talk.stream()
    for goodbye in (False, True):
        talk.websocket(goodbye)
    # each request and end; three lines a WebSocket and end, with that of its handshake
    count = 2 * (1 + 11 + 1 + 2 * 3)
    until("all lines", lambda: len(own_lines(agent)) >= count)
    agent.stop()
    directory = live.temp / "asked"
    directory.mkdir()
    text = "".join(json.dumps(line) + "\n" for line in own_lines(agent))
    (directory / "sonde.log").write_text(text)
    answers = {what: ask(command, directory) for what, command in questions().items()}
    same("answers", answers, ANSWERS)

