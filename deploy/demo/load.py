# SPDX-License-Identifier: Apache-2.0
"""The demo's load: requests to five services at a steady rate, and people who hold WebSockets.

Takes JSON objects on stdin, one a line, and answers each with all that it counted so far:
`SERVICE METHOD ROUTE STATUS` (status 0: no answer) and `SERVICE websocket WHAT`, as the services
must have it. {"do": "go", "rate": N}; {"do": "pause"} waits for what is under way;
{"do": "fault", "service": NAME, "errors": SHARE, "slow": SECONDS}; {"do": "counts"}.
"""

import asyncio
import collections
import itertools
import json
import os
import random
import sys

import httpx
import websockets

PEERS = json.loads(os.environ["PEERS"])
PEOPLE = 24  # who hold a WebSocket
SAY = 4  # seconds between what one of them says
MIX = (  # one round: 10 requests, and 4 that the backend sends for the POST
    ("backend", "GET", "/api/tasks"),
    ("backend", "POST", "/api/tasks"),
    ("recurring", "GET", "/api/recurring"),
    ("backend", "GET", "/api/tasks/{id}"),
    ("notification", "GET", "/api/reminders"),
    ("backend", "GET", "/api/tasks"),
    ("sync", "GET", "/api/presence"),
    ("backend", "GET", "/api/tasks/{id}"),
    ("audit", "GET", "/api/audit"),
    ("backend", "GET", "/api/tasks"),
)


class Load:
    def __init__(self):
        self.counts = collections.Counter()
        self.client = httpx.AsyncClient(timeout=10, limits=httpx.Limits(keepalive_expiry=30))
        self.rate, self.last_task = 0, 1
        self.under_way, self.tasks = 0, set()

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def request(self, service, method, route, body=None):
        self.under_way += 1
        headers = {"Host": f"{service}:{PEERS[service].split(':')[1]}"}
        headers["X-User-ID"] = f"user-{random.randrange(PEOPLE)}"
        url = f"http://{PEERS[service]}{route.replace('{id}', str(self.last_task))}"
        try:
            answer = await self.client.request(method, url, json=body, headers=headers)
            self.counts[f"{service} {method} {route} {answer.status_code}"] += 1
            if answer.status_code == 201:
                self.count_task(answer.json())
        except httpx.HTTPError:
            self.counts[f"{service} {method} {route} 0"] += 1
        finally:
            self.under_way -= 1

    def count_task(self, answer):
        self.last_task = answer["id"]
        for service, status in answer["published"].items():
            self.counts[f"{service} POST /events/tasks {status}"] += 1

    async def send_requests(self):
        for service, method, route in itertools.cycle(MIX):
            while not self.rate or self.under_way > 100:
                await asyncio.sleep(0.05)
            body = {"title": "water the plants"} if method == "POST" else None
            self.spawn(self.request(service, method, route, body))
            await asyncio.sleep(1 / self.rate)

    async def hold_socket(self):
        """Again and again, a second after it broke off or was refused."""
        while True:
            try:
                async with websockets.connect(f"ws://{PEERS['sync']}/ws") as socket:
                    self.counts["sync GET /ws 101"] += 1
                    self.counts["sync websocket opened"] += 1
                    await asyncio.gather(self.hear(socket), self.say(socket))
            except (OSError, websockets.WebSocketException):
                await asyncio.sleep(1)

    async def hear(self, socket):
        async for _ in socket:
            self.counts["sync websocket sent"] += 1

    async def say(self, socket):
        await asyncio.sleep(random.random() * SAY)
        while socket.open:
            if self.rate:
                await socket.send("here I am")
                self.counts["sync websocket received"] += 1
            await asyncio.sleep(SAY)

    async def obey(self, order):
        if order["do"] == "go":
            self.rate = order["rate"]
        elif order["do"] == "fault":
            faults = {"errors": order["errors"], "slow": order["slow"]}
            await self.request(order["service"], "PUT", "/faults", faults)
        elif order["do"] == "pause":
            self.rate = 0
            while self.under_way:
                await asyncio.sleep(0.05)


async def main():
    load = Load()
    load.spawn(load.send_requests())
    for _ in range(PEOPLE):
        load.spawn(load.hold_socket())
    orders = asyncio.StreamReader()
    reader = asyncio.StreamReaderProtocol(orders)
    await asyncio.get_running_loop().connect_read_pipe(lambda: reader, sys.stdin)
    while line := await orders.readline():
        await load.obey(json.loads(line))
        print(json.dumps({"counts": load.counts}), flush=True)


asyncio.run(main())
