# SPDX-License-Identifier: Apache-2.0
"""A WebSocket server or client on Python's websockets, with compression if it is asked for.

It does what it is told on stdin, a JSON object a line, and answers each with its counts. A server
prints its port first, echoes what it gets, and refuses paths that end in /refused.
"""

import argparse
import asyncio
import http
import json
import sys

import websockets
from websockets.frames import Close
from websockets.legacy.client import WebSocketClientProtocol
from websockets.legacy.server import WebSocketServerProtocol

from websocket_count import Counted, Counts

COUNTS = Counts()
CLOSE_WITHOUT_CODE = 1005
LIMIT = 30  # seconds until an order counts as failed


class ServerProtocol(Counted, WebSocketServerProtocol):
    counts = COUNTS

    async def process_request(self, path, headers):
        return (http.HTTPStatus.FORBIDDEN, [], b"no\n") if path.endswith("/refused") else None

    def write_http_response(self, status, headers, body=None):
        self.counts["failed"] += status != 101
        super().write_http_response(status, headers, body)


class ClientProtocol(Counted, WebSocketClientProtocol):
    counts = COUNTS


class Peer:
    def __init__(self, options):
        self.options = options
        self.connections = {}  # connection: queue of the messages that it got
        self.tasks = set()
        self.shared = {
            "compression": "deflate" if options.compression else None,
            "max_size": None,
            "ping_interval": None,
            "ping_timeout": None,
            "subprotocols": options.subprotocol,
        }

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, connection):
        """Also the reader of a client's connection, which does not echo."""
        queue = self.connections.setdefault(connection, asyncio.Queue())
        try:
            async for message in connection:
                queue.put_nowait(message)
                if self.options.role == "server":
                    await connection.send(message)
        except websockets.ConnectionClosed:
            pass
        await connection.wait_closed()
        del self.connections[connection]

    async def do_open(self, url, count=1, headers=(), subprotocols=None, **_):
        """One after the other."""
        words = {**self.shared, "subprotocols": subprotocols or None}
        for _ in range(count):
            try:
                connection = await websockets.connect(
                    url, extra_headers=headers, create_protocol=ClientProtocol, **words
                )
            except (websockets.InvalidHandshake, websockets.InvalidMessage, EOFError):
                COUNTS["failed"] += 1
                continue
            self.connections[connection] = asyncio.Queue()
            self.spawn(self.serve(connection))

    async def do_talk(self, texts=(), binaries=(), pieces=1, pings=0, **_):
        """On each connection: says each, waits for its echo; pings stand between the pieces too."""
        bodies = ["t" * size for size in texts] + [b"b" * size for size in binaries]
        await asyncio.gather(*(self.talk(c, bodies, pieces, pings) for c in self.connections))

    async def talk(self, connection, bodies, pieces, pings):
        for body in bodies:
            await connection.send(self.cut(connection, body, pieces) if pieces > 1 else body)
            if await self.connections[connection].get() != body:
                raise SystemExit("the echo is not what was said")
        for _ in range(pings):
            await self.ping(connection)

    async def cut(self, connection, body, pieces):
        size = len(body) // pieces + 1
        for at in range(0, size * pieces, size):
            yield body[at : at + size]
            if at == size:
                await self.ping(connection)

    async def ping(self, connection):
        await (await connection.ping())
        COUNTS["rtt"] += 1

    async def do_ping(self, count=1, **_):
        for _ in range(count):
            await asyncio.gather(*(self.ping(connection) for connection in self.connections))

    async def do_push(self, count=1, size=1, **_):
        """Says without waiting for anything."""

        async def push(connection):
            try:
                for _ in range(count):
                    await connection.send("p" * size)
            except websockets.ConnectionClosed:
                pass

        for connection in self.connections:
            self.spawn(push(connection))

    async def do_say(self, text, count=None, **_):
        for connection in list(self.connections)[:count]:
            await connection.send(text)

    async def do_stall(self, **_):
        for connection in self.connections:
            connection.transport.pause_reading()

    async def do_close(self, code=1000, reason="", count=None, **_):
        chosen = list(self.connections)[:count]
        await asyncio.gather(*(self.close(connection, code, reason) for connection in chosen))
        await self.until(lambda: not self.connections.keys() & set(chosen))

    async def close(self, connection, code, reason):
        if code == CLOSE_WITHOUT_CODE:
            await connection.write_close_frame(Close(code, reason), b"")
        await connection.close(code, reason)

    async def do_terminate(self, count=None, **_):
        """Without a close frame."""
        chosen = list(self.connections)[:count]
        for connection in chosen:
            connection.transport.abort()
        await self.until(lambda: not self.connections.keys() & set(chosen))

    async def do_wait(self, open=0, **_):
        """Until so many are open."""
        await self.until(lambda: COUNTS["open"] == open == len(self.connections))

    async def do_report(self, **_):
        """The answer's counts are all."""

    async def until(self, question):
        while not question():
            await asyncio.sleep(0.005)

    def report(self):
        unacknowledged = sum(connection.unacknowledged for connection in self.connections)
        ports = sorted(connection.local_address[1] for connection in self.connections)
        return {"counts": +COUNTS, "unacknowledged": unacknowledged, "ports": ports}

    async def obey(self):
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        while line := await reader.readline():
            words = json.loads(line)
            await asyncio.wait_for(getattr(self, "do_" + words["do"])(**words), LIMIT)
            print(json.dumps(self.report()), flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("server", "client"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--compression", action="store_true")
    parser.add_argument("--subprotocol", action="append")
    parser.add_argument("--user-timeout", type=int, default=0)
    options = parser.parse_args()
    Counted.user_timeout = options.user_timeout
    peer = Peer(options)
    if options.role == "server":
        words = {"create_protocol": ServerProtocol, **peer.shared}
        server = await websockets.serve(peer.serve, options.host, options.port, **words)
        print(server.sockets[0].getsockname()[1], flush=True)
    await peer.obey()


asyncio.run(main())
