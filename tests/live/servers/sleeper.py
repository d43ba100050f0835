# SPDX-License-Identifier: Apache-2.0
"""A raw socket server that times itself: from just after its read to just after its writes.

`/x/msN/...` sleeps N ms and answers in one send; `/x/download` sends a head, then 50 MB in pieces.
Writes `PATH FIRST_NS LAST_NS` to the log: until the first, and until the last write had returned.
"""

import os
import re
import socket
import sys
import threading
import time

SIZE = 50 * 1024 * 1024
PIECE = b"d" * 65536


def head(size):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()


def send_sleep(connection, milliseconds):
    time.sleep(milliseconds / 1000)
    connection.sendall(head(4) + b"done")
    return time.monotonic_ns()


def send_download(connection):
    connection.sendall(head(SIZE))
    first = time.monotonic_ns()
    for _ in range(SIZE // len(PIECE)):
        connection.sendall(PIECE)
    return first


def serve(connection, log):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        request = connection.recv(4096)
        start = time.monotonic_ns()
        if not request:
            return
        path = request.split()[1].decode()
        found = re.search(r"/ms(\d+)/", path)
        first = send_sleep(connection, int(found.group(1))) if found else send_download(connection)
        last = time.monotonic_ns()
        os.write(log, f"{path} {first - start} {last - start}\n".encode())


def main():
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, log), daemon=True).start()


if __name__ == "__main__":
    main()
