# SPDX-License-Identifier: Apache-2.0
"""A server in one thread that lets requests wait in their sockets before it reads them.

Writes `PATH BEFORE_NS AFTER_NS` to the log: around the call that read the request's first byte.
"""

import argparse
import os
import re
import selectors
import socket
import time


class Connection:
    def __init__(self, server, peer):
        self.server, self.peer, self.bytes = server, peer, b""
        peer.setblocking(False)

    def ready(self):
        time.sleep(self.server.wait)
        before = time.monotonic_ns()
        piece = self.peer.recv(self.server.piece)
        after = time.monotonic_ns()
        if not piece:
            self.server.selector.unregister(self.peer)
            self.peer.close()
            return
        if not self.bytes:
            self.around = before, after
        self.bytes += piece
        head, end, body = self.bytes.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) == int(length.group(1) if length else 0):
            self.bytes = b""
            path = head.split()[1].decode()
            os.write(self.server.log, f"{path} {self.around[0]} {self.around[1]}\n".encode())
            self.peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class Server:
    def __init__(self, options):
        self.wait, self.piece = options.wait / 1000, options.piece
        self.log = os.open(options.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.selector = selectors.DefaultSelector()
        if options.unix:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(options.unix)
            self.listener.listen()
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, options.lowat)
        self.selector.register(self.listener, selectors.EVENT_READ, self)
        print("ready" if options.unix else self.listener.getsockname()[1], flush=True)

    def ready(self):
        time.sleep(self.wait)
        connection = Connection(self, self.listener.accept()[0])
        self.selector.register(connection.peer, selectors.EVENT_READ, connection)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                key.data.ready()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--wait", type=float, default=0, help="ms before each accept and read")
    parser.add_argument("--piece", type=int, default=1 << 20, help="bytes of a read")
    parser.add_argument("--lowat", type=int, default=1, help="SO_RCVLOWAT")
    parser.add_argument("--unix", metavar="PATH")
    Server(parser.parse_args()).run()


if __name__ == "__main__":
    main()
