# SPDX-License-Identifier: Apache-2.0
"""A server that breaks the WebSocket handshake as the path says, then sends a frame all the same.

Prints its port. Reads on until the other end closes.
"""

import base64
import hashlib
import re
import socket
import threading

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FRAME = b"\x81\x05hello"


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def answer_to(path, key):
    words = {
        "right": ("101 Switching Protocols", "websocket", accept_of(key)),
        "wrong-key": ("101 Switching Protocols", "websocket", accept_of(key + "x")),
        "no-key": ("101 Switching Protocols", "websocket", None),
        "other": ("101 Switching Protocols", "other/1.0", None),
        "200": ("200 OK", "websocket", accept_of(key)),
    }
    status, upgrade, accept = words[path.split("/")[2]]
    head = [f"HTTP/1.1 {status}", f"Upgrade: {upgrade}", "Connection: Upgrade"]
    if accept:
        head.append(f"Sec-WebSocket-Accept: {accept}")
    if status.startswith("200"):
        head.append("Content-Length: 0")
    return "\r\n".join([*head, "", ""]).encode()


def serve(connection):
    with connection:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += connection.recv(4096)
        path = request.decode().split()[1]
        key = re.search(r"(?i)^Sec-WebSocket-Key: *(\S+)", request.decode(), re.M)
        answer = answer_to(path, key.group(1) if key else "")
        connection.sendall(answer + FRAME * answer.startswith(b"HTTP/1.1 101"))
        try:
            while connection.recv(4096):
                pass
        except ConnectionError:
            pass


with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
