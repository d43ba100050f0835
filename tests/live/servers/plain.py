# SPDX-License-Identifier: Apache-2.0
"""A server on Python's http.server: any method; /status/N answers N, /close leaves the length out,
/events/N is a stream of N events, with ?hold=1 until its client leaves.

Its access log gets `METHOD PATH STATUS` before the answer goes out, so that a client that has its
answer finds the line there.
"""

import argparse
import http.server
import os
import re
import socket
import socketserver


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self):
        size = self.read_body()
        found = re.search(r"/status/(\d+)", self.path)
        status = int(found.group(1)) if found else 200
        os.write(self.server.log, f"{self.command} {self.path} {status} {size}\n".encode())
        self.send_response(status)
        found = re.search(r"/events/(\d+)", self.path)
        if found:
            return self.send_events(int(found.group(1)))
        body = f"{self.command} took {size}\n".encode()
        if status in (204, 304):
            body = b""
        elif self.path.endswith("/close"):
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_events(self, count):
        self.close_connection = True
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if self.command == "HEAD":
            return
        for n in range(count):
            self.wfile.write(f"data: {n}\n\n".encode())
        if self.path.endswith("?hold=1"):
            self.connection.settimeout(None)
            self.rfile.read(1)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self.read_chunks()
        left = size = int(self.headers.get("Content-Length", 0))
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        return size

    def read_chunks(self):
        size = 0
        while True:
            chunk = int(self.rfile.readline().split(b";")[0], 16)
            self.rfile.read(chunk)
            self.rfile.readline()
            if not chunk:
                return size
            size += chunk

    def log_message(self, *args):
        pass

    def address_string(self):
        return "local"


class Quiet:
    def handle_error(self, request, client_address):
        pass  # clients that leave in the middle are part of the tests


class UnixServer(Quiet, socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Server4(Quiet, http.server.ThreadingHTTPServer):
    pass


class Server6(Server4):
    address_family = socket.AF_INET6


def make_server(options):
    if options.unix:
        return UnixServer(options.unix, Handler)
    if options.ipv6:
        return Server6(("::1", 0), Handler)
    return Server4(("127.0.0.1", 0), Handler)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--unix")
    parser.add_argument("--ipv6", action="store_true")
    parser.add_argument("--http", default="1.1")
    options = parser.parse_args()
    Handler.protocol_version = "HTTP/" + options.http
    Handler.disable_nagle_algorithm = not options.unix
    server = make_server(options)
    server.log = os.open(options.log, os.O_WRONLY | os.O_APPEND)
    print("ready" if options.unix else server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
