# SPDX-License-Identifier: Apache-2.0
"""A FastAPI app for uvicorn that asks the service $BEHIND, and passes a traceparent on as it came.

/way/NUMBER asks for /way/NUMBER/back: `threads` on connections that threads keep, `loop` on new
ones from the event loop, several of which wait at once.
"""

import asyncio
import http.client
import os
import threading

import fastapi

PREFIX, BEHIND = os.environ["PREFIX"], os.environ["BEHIND"]
app = fastapi.FastAPI()
kept = threading.local()


def passed_on(request):
    parent = request.headers.get("traceparent")
    return {"traceparent": parent} if parent else {}


@app.get(PREFIX + "/threads/{number}")
def by_threads(number: int, request: fastapi.Request):
    if not hasattr(kept, "connection"):
        kept.connection = http.client.HTTPConnection(BEHIND, 80)
    path = f"{PREFIX}/threads/{number}/back"
    kept.connection.request("GET", path, headers=passed_on(request))
    return fastapi.Response(kept.connection.getresponse().read())


@app.get(PREFIX + "/loop/{number}")
async def by_loop(number: int, request: fastapi.Request):
    reader, writer = await asyncio.open_connection(BEHIND, 80)
    lines = [f"GET {PREFIX}/loop/{number}/back HTTP/1.1", "Host: x", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in passed_on(request).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    text = await reader.read()
    writer.close()
    return fastapi.Response(text.partition(b"\r\n\r\n")[2])
