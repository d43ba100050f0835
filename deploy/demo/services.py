# SPDX-License-Identifier: Apache-2.0
"""The five services of the demo: services.py NAME ADDRESS PORT, with PEERS='{"NAME": "HOST:PORT"}'.

None of them knows of metrics, logs or Sonde. The backend keeps tasks and tells the others of each
new one, as a pub/sub sidecar would; its answer says how each of them answered, so that who made
the task can count these requests too. PUT /faults makes a service slow, or fail at times.
"""

import asyncio
import itertools
import json
import os
import random
import sys

import fastapi
import httpx
import uvicorn

NAMES = ("backend", "recurring", "notification", "sync", "audit")
KEEP = 1000  # tasks, events
PEERS = json.loads(os.environ.get("PEERS", "{}"))
LISTS = {"recurring": "/api/recurring", "notification": "/api/reminders", "audit": "/api/audit"}


def add_faults(app):
    faults = {"errors": 0.0, "slow": 0.0}

    @app.middleware("http")
    async def suffer(request, call_next):
        if request.url.path != "/faults":
            await asyncio.sleep(faults["slow"])
            if random.random() < faults["errors"]:
                return fastapi.Response(status_code=500)
        return await call_next(request)

    @app.put("/faults", status_code=204, response_class=fastapi.Response)
    async def set_faults(wanted: dict):
        faults.update(wanted)

    @app.get("/health")
    async def health():
        return {"status": "ok"}


def keep(things, thing):
    things.append(thing)
    del things[:-KEEP]


def add_backend(app):
    tasks, ids = [], itertools.count(1)
    client = httpx.AsyncClient(timeout=5, limits=httpx.Limits(keepalive_expiry=30))

    async def publish(name, task):
        """The status of the answer, or 0."""
        host = {"Host": f"{name}:{PEERS[name].split(':')[1]}"}
        try:
            url = f"http://{PEERS[name]}/events/tasks"
            return (await client.post(url, json=task, headers=host)).status_code
        except httpx.HTTPError:
            return 0

    @app.get("/api/tasks")
    async def list_tasks():
        return tasks[-20:]

    @app.post("/api/tasks", status_code=201)
    async def create_task(task: dict):
        task["id"] = next(ids)
        keep(tasks, task)
        others = [name for name in PEERS if name != "backend"]
        answers = await asyncio.gather(*(publish(name, task) for name in others))
        return {"id": task["id"], "published": dict(zip(others, answers))}

    @app.get("/api/tasks/{number}")
    async def get_task(number: int):
        found = [task for task in tasks if task["id"] == number]
        if not found:
            raise fastapi.HTTPException(404)
        return found[0]


def add_consumer(app, path):
    events = []

    @app.post("/events/tasks", status_code=204, response_class=fastapi.Response)
    async def take(event: dict):
        keep(events, event)

    @app.get(path)
    async def list_events():
        return events[-20:]


def add_sync(app):
    """Tells each event to all who hold a WebSocket; what they say themselves is echoed."""
    sockets = set()

    @app.post("/events/tasks", status_code=204, response_class=fastapi.Response)
    async def tell(event: dict):
        sent = (socket.send_json(event) for socket in list(sockets))
        await asyncio.gather(*sent, return_exceptions=True)

    @app.get("/api/presence")
    async def presence():
        return {"connected": len(sockets)}

    @app.websocket("/ws")
    async def talk(socket: fastapi.WebSocket):
        await socket.accept()
        sockets.add(socket)
        try:
            async for text in socket.iter_text():
                await socket.send_text(text)
        finally:
            sockets.discard(socket)


def make_app(name):
    app = fastapi.FastAPI()
    add_faults(app)
    if name == "backend":
        add_backend(app)
    elif name == "sync":
        add_sync(app)
    else:
        add_consumer(app, LISTS[name])
    return app


if __name__ == "__main__":
    service, address, port = sys.argv[1:]
    options = {"log_level": "warning", "timeout_keep_alive": 60}
    uvicorn.run(make_app(service), host=address, port=int(port), **options)
