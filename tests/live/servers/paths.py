# SPDX-License-Identifier: Apache-2.0
"""Paths by the ten thousand, and both ends of their connections.

paths.py serve PREFIX: prints its port, answers 200 under the prefix and 404 else.
paths.py ask PORT PREFIX SEED SHAPES GUESSES: asks for so many paths of the shapes and so many random
ones, mixed; prints {"SHAPE STATUS": count} as JSON, with SHAPE "" for the random ones.
"""

import collections
import json
import random
import socket
import string
import sys
import threading
import uuid

HEX = "0123456789abcdef"
BASE64 = string.ascii_letters + string.digits + "-_"
ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SHAPES = {
    "/": "/",
    "/v2/oauth2/token": "/v2/oauth2/token",
    "/api/tasks": "/api/tasks",
    "/api/tasks/<number>": "/api/tasks/{id}",
    "/api/tasks/<number>/comments/<number>": "/api/tasks/{id}/comments/{id}",
    "/api/users/<uuid>": "/api/users/{id}",
    "/api/users/<uuid>/avatar": "/api/users/{id}/avatar",
    "/blobs/<hex32>": "/blobs/{id}",
    "/commits/<hex7>": "/commits/{id}",
    "/files/<base64>": "/files/{id}",
    "/events/<ulid>": "/events/{id}",
    "/reports/<date>": "/reports/{date}",
    "/accounts/<email>": "/accounts/{email}",
    "/reactions/<emoji>": "/reactions/{text}",
    "/search/<encoded>": "/search/{text}",
    "/people/<name>": "/people/{*}",
    "/people/<name>/posts/<slug>": "/people/{*}/posts/{*}",
    "/blog/2026/11/<slug>": "/blog/{id}/{id}/{*}",
    "/static/js/<file>": "/static/{*}",
    "/shop/<name>/orders/<number>": "/shop/{*}/orders/{id}",
}
IDS = {
    "number": lambda: str(random.randrange(10**7)),
    "uuid": lambda: str(uuid.UUID(int=random.getrandbits(128), version=4)),
    "hex32": lambda: letters(HEX, 32),
    "hex7": lambda: letters(HEX, 7),
    "base64": lambda: letters(BASE64, 22),
    "ulid": lambda: letters(ULID, 26),
    "date": lambda: f"20{letters(string.digits, 2)}-{random.randint(10, 12)}-{random.randint(10, 28)}",
    "email": lambda: f"{name()}.{random.randrange(99)}@example.com",
    "emoji": lambda: chr(random.randrange(0x1F600, 0x1F640)),
    "encoded": lambda: f"{name()}%20{name()}",
    "name": lambda: name(),
    "slug": lambda: f"{name()}-{name()}",
    "file": lambda: f"{name()}.{letters(HEX, 8)}.js",
}
ANSWERS = {
    200: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    404: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
}


def letters(alphabet, count):
    return "".join(random.choices(alphabet, k=count))


def name():
    return letters(string.ascii_lowercase, random.randint(3, 8))


def path_of(shape):
    parts = shape.replace(">", "<").split("<")
    return "".join(IDS[part]() if i % 2 else part for i, part in enumerate(parts))


def guess():
    """As scanners do: anything, also under names that servers like to have."""
    first = random.choice(("", "", "/api", "/users", "/.git", "/static", "//", "/..", "/wp-admin"))
    rest = "".join("/" + random.choice(list(IDS.values()))() for _ in range(random.randint(1, 4)))
    return first + rest


def answer(connection, good):
    with connection:
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                piece = connection.recv(4096)
                if not piece:
                    return
                head += piece
            connection.sendall(ANSWERS[200 if head.startswith(good) else 404])


def serve(prefix):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            arguments = (connection, b"GET " + prefix.encode())
            threading.Thread(target=answer, args=arguments, daemon=True).start()


def ask(port, prefix, seed, shapes, guesses):
    random.seed(int(seed))
    counts = collections.Counter()
    turns = [True] * int(shapes) + [False] * int(guesses)
    random.shuffle(turns)
    names = list(SHAPES)
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for turn in turns:
            shape = random.choice(names) if turn else ""
            path = prefix + path_of(shape) if turn else guess()
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: paths\r\n\r\n".encode())
            status = connection.recv(4096)[9:12].decode()
            counts[f"{shape} {status}"] += 1
    print(json.dumps(counts))


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
