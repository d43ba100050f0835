# SPDX-License-Identifier: Apache-2.0
"""Serves the page that is a WebSocket client, and passes orders from stdin to it.

Prints its port, then one line an order: what the page answers. The page asks for an order by POST
and brings the answer to the last one with it.
"""

import http.server
import pathlib
import queue
import sys
import threading

PAGE = pathlib.Path(__file__).with_suffix(".html").read_bytes()
ORDERS = queue.Queue()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(PAGE, "text/html")

    def do_POST(self):
        answer = self.rfile.read(int(self.headers["Content-Length"]))
        if answer:
            print(answer.decode(), flush=True)
        self.reply(ORDERS.get(), "application/json")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
for line in sys.stdin:
    ORDERS.put(line.encode())
