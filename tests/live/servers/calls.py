# SPDX-License-Identifier: Apache-2.0
"""Servers that ask another one before they answer: GET PREFIX/a/N asks ORIGIN for PREFIX/b/N.

PREFIX/tail/N answers first and asks then. With TIMER=SECONDS they also ask for PREFIX/t/K, over
and over, for nobody. Which parent each of these requests has is told by its path alone.

    calls.py threads [SECONDS]        http.server with a thread a connection; its reads may time out
    calls.py origin                   answers everything, and asks nobody
    gunicorn calls:wsgi               one request at a time in a process
    uvicorn calls:asgi                an event loop with a client on it; PREFIX/sync/N in its pool
"""

import http.client
import http.server
import itertools
import os
import sys
import threading
import time

PREFIX, ORIGIN = os.environ.get("PREFIX"), int(os.environ.get("ORIGIN", 0))
TIMER = float(os.environ.get("TIMER", 0))
BODY = b"fine\n"
local = threading.local()


def ask(path):
    """Over a connection of this thread's own, as a pool would keep it for some time."""
    if time.monotonic() - getattr(local, "used", 0) > 5:
        local.origin = http.client.HTTPConnection("127.0.0.1", ORIGIN, timeout=30)
    local.used = time.monotonic()
    local.origin.request("GET", PREFIX + path)
    local.origin.getresponse().read()


def ask_for_nobody():
    for number in itertools.count():
        time.sleep(TIMER)
        ask(f"/t/{number}")


def start_timer():
    if TIMER:
        threading.Thread(target=ask_for_nobody, daemon=True).start()


def split(path):
    """("a", "17") of PREFIX/a/17"""
    kind, number = path.removeprefix(PREFIX + "/").split("/")
    return kind, number


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        kind, number = split(self.path)
        if kind != "tail":
            ask("/b/" + number)
        self.answer()
        if kind == "tail":
            ask("/after/" + number)

    def answer(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


class Origin(Handler):
    do_GET = Handler.answer


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass  # clients that have what they want


def wsgi(environ, start_response):
    ask("/b/" + split(environ["PATH_INFO"])[1])
    start_response("200 OK", [("Content-Length", str(len(BODY)))])
    return [BODY]


def make_asgi():
    import asyncio

    import fastapi
    import httpx

    app = fastapi.FastAPI()
    client = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=100))

    async def later(path):
        await client.get(f"http://127.0.0.1:{ORIGIN}{PREFIX}{path}")

    async def timer():
        for number in itertools.count():
            await asyncio.sleep(TIMER)
            await later(f"/t/{number}")

    @app.on_event("startup")
    async def start():
        if TIMER:
            app.state.timer = asyncio.create_task(timer())

    @app.get(PREFIX + "/a/{number}")
    async def on_the_loop(number: int):
        await later(f"/b/{number}")
        return "fine"

    @app.get(PREFIX + "/sync/{number}")
    def in_the_pool(number: int):
        ask(f"/b/{number}")
        return "fine"

    @app.get(PREFIX + "/tail/{number}")
    async def tail(number: int, tasks: fastapi.BackgroundTasks):
        tasks.add_task(later, f"/after/{number}")
        return "fine"

    return app


def main():
    handler = Origin if sys.argv[1] == "origin" else Handler
    handler.timeout = float(sys.argv[2]) if len(sys.argv) > 2 else None
    server = Server(("127.0.0.1", 0), handler)
    print(server.server_address[1], flush=True)
    start_timer()
    server.serve_forever()


if __name__ == "__main__":
    main()
elif "uvicorn" in sys.modules:
    asgi = make_asgi()
else:
    start_timer()
