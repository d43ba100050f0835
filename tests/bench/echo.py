# SPDX-License-Identifier: Apache-2.0
"""A WebSocket echo server on uvicorn, as FastAPI's users run it. Prints its port."""

import socket
import sys

import uvicorn


async def echo(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        words = {key: message[key] for key in ("text", "bytes") if message.get(key) is not None}
        await send({"type": "websocket.send", **words})


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(echo, log_level="error", lifespan="off", ws_per_message_deflate=False)
sys.exit(uvicorn.Server(config).run(sockets=[listener]))
