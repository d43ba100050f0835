#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both ends of one WebSocket connection, which send whatever they are told to.

Prints the server's port. Then a JSON object a line on stdin is a step, answered by the number of
bytes that came to the other end:

    {"from": "client", "bytes": "8100", "writes": [1, 1], "reads": [2], "zeros": 0}

Sizes of writes and reads are used in turn, the last one again and again; without them it goes in
pieces of 32 KiB. A read waits until so many bytes have come. `zeros` follow the bytes. {"close": "client"}
closes an end, {"reset": "client"} resets it, and the other one follows. {"fill": "client"} sends
zeros until no more can be sent; its answer is how many bytes were not acknowledged.
"""

import fcntl
import json
import socket
import sys
import termios

ALL = 1 << 15  # what a socket takes while nobody reads
ASK = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
OTHER = {"client": "server", "server": "client"}


def pieces(total, sizes):
    sizes = list(sizes) or [ALL]
    while total:
        size = min(total, sizes.pop(0) if len(sizes) > 1 else sizes[0])
        yield size
        total -= size


def read_some(end, size):
    """In one read if the kernel can hold so much: it is told to wait for that."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(size, 65536))
    return len(end.recv(size))


def move(ends, step):
    sender, receiver = ends[step["from"]], ends[OTHER[step["from"]]]
    data = bytes.fromhex(step.get("bytes", "")) + bytes(step.get("zeros", 0))
    reads = list(step.get("reads", []))
    waiting = got = at = 0
    for size in pieces(len(data), step.get("writes", [])):
        sender.sendall(data[at : at + size])
        at += size
        waiting += size
        while waiting and (at == len(data) or not reads or waiting >= reads[0]):
            want = min(waiting, reads[0]) if reads else waiting
            some = read_some(receiver, want)
            reads = reads[1:] if len(reads) > 1 else reads
            waiting -= some
            got += some
    return got


def end(ends, which, reset):
    if reset:
        linger = (1).to_bytes(4, sys.byteorder) + bytes(4)
        ends[which].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    ends[which].close()
    try:
        left = ends[OTHER[which]].recv(ALL)
    except ConnectionResetError:
        left = b""
    ends[OTHER[which]].close()
    return len(left)


def unsent(end):
    return int.from_bytes(fcntl.ioctl(end, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def fill(end):
    """Until neither of both buffers takes anything for a while."""
    end.settimeout(0.5)
    try:
        while True:
            end.send(bytes(ALL))
    except TimeoutError:
        end.settimeout(None)
    return unsent(end)


def obey(ends, step):
    if "fill" in step:
        return fill(ends[step["fill"]])
    for word in ("close", "reset"):
        if word in step:
            return end(ends, step[word], word == "reset")
    return move(ends, step)


def main():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        path = sys.stdin.readline().strip()
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(ASK.format(path=path).encode())
        server.recv(ALL)
        server.sendall(ANSWER.encode())
        client.recv(len(ANSWER))
        print("open", flush=True)
        for line in sys.stdin:
            print(obey({"client": client, "server": server}, json.loads(line)), flush=True)


main()
