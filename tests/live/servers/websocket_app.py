# SPDX-License-Identifier: Apache-2.0
"""A FastAPI app for uvicorn with WebSocket routes; GET /counts tells what the app counted.

It echoes, closes with CODE when it is told `close CODE`, and refuses PREFIX/closed.
"""

import os

import fastapi

from websocket_count import Counts

PREFIX = os.environ["PREFIX"]
COUNTS = Counts()
app = fastapi.FastAPI()


@app.get("/counts")
def counts():
    return +COUNTS


@app.websocket(PREFIX + "/closed")
async def closed(socket: fastapi.WebSocket):
    COUNTS["failed"] += 1
    await socket.close()


async def answer(socket, message):
    """False if that was the last."""
    kind, body = ("text", message.get("text")) if message.get("text") is not None else (
        "binary",
        message["bytes"],
    )
    COUNTS.add("received", kind, len(body))
    if kind == "text" and body.startswith("close "):
        code = int(body.split()[1])
        await socket.close(code)
        COUNTS.end(f"{code} server")
        return False
    await socket.send({"type": "websocket.send", {"binary": "bytes"}.get(kind, kind): body})
    COUNTS.add("sent", kind, len(body))
    return True


@app.websocket(PREFIX + "/rooms/{room}/members/{member}")
async def room(socket: fastapi.WebSocket, room: int, member: str):
    await socket.accept(subprotocol="chat" if "chat" in socket.scope["subprotocols"] else None)
    COUNTS["opened"] += 1
    COUNTS["open"] += 1
    while (message := await socket.receive())["type"] == "websocket.receive":
        if not await answer(socket, message):
            return
    COUNTS.end(f"{message['code']} client")
