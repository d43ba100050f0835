# SPDX-License-Identifier: Apache-2.0
"""A FastAPI app for uvicorn: writes `METHOD ROUTE STATUS` by the framework's own route template."""

import asyncio
import os
import re
import uuid

import fastapi
import fastapi.responses

PREFIX = os.environ["PREFIX"]
LOG = os.open(os.environ["ACCESS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
router = fastapi.APIRouter(prefix=PREFIX + "/api")


@router.get("/tasks")
def list_tasks():
    return [{"id": n} for n in range(50)]


@router.post("/tasks", status_code=201)
def create_task(task: dict):
    return task


@router.get("/tasks/{task_id}")
def get_task(task_id: int):
    if task_id > 900:
        raise fastapi.HTTPException(404)
    return {"id": task_id}


@router.delete("/tasks/{task_id}", status_code=204)
def delete_task(task_id: int):
    return fastapi.Response(status_code=204)


@router.put("/users/{user}/orders/{number}")
async def put_order(user: uuid.UUID, number: int, order: dict):
    return {"user": user, "number": number, **order}


@router.get("/broken")
def broken():
    raise fastapi.HTTPException(503)


async def events(count, hold):
    """Then it waits, if so told, until its client leaves."""
    for n in range(count):
        yield f"event: task\r\ndata: {n}\r\n\r\n"
    while hold:
        await asyncio.sleep(3600)


@router.get("/events/{count}")
def task_events(count: int, hold: bool = False):
    return fastapi.responses.StreamingResponse(events(count, hold), media_type="text/event-stream")


class AccessLog:
    """Outermost, so that it also sees what the framework itself answers."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def logged(message):
            if message["type"] == "http.response.start":
                template = scope["route"].path if "route" in scope else scope["path"]
                route = re.sub(r"\{[^}]*\}", "{id}", template)
                os.write(LOG, f"{scope['method']} {route} {message['status']}\n".encode())
            await send(message)

        await self.app(scope, receive, logged)


api = fastapi.FastAPI()
api.include_router(router)
app = AccessLog(api)
