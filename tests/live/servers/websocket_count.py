# SPDX-License-Identifier: Apache-2.0
"""What a WebSocket end has counted by itself, in flat names that both ends and the tests share.

The library's frames are counted as they are on the wire: a Tap stands last among a connection's
extensions, behind the one that compresses.
"""

import collections
import fcntl
import socket
import struct

from websockets.frames import Opcode

SIOCOUTQ = 0x5411
OTHER = {"server": "client", "client": "server"}
TYPES = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.CLOSE: "close",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
}


class Counts(collections.Counter):
    """`opened`, `open`, `failed`, `rtt`, `undelivered`, `closed CODE INITIATOR`,
    `messages DIRECTION TYPE`, `bytes DIRECTION TYPE`."""

    def add(self, direction, kind, size, last=True):
        self[f"bytes {direction} {kind}"] += size
        self[f"messages {direction} {kind}"] += last

    def end(self, close):
        """`close`: CODE INITIATOR of the first close frame, or None."""
        self["open"] -= 1
        self["closed " + (close or "1006")] += 1


class Tap:
    def __init__(self, counts, role):
        self.counts = counts
        self.role = role
        self.close = None
        self.kind = {}

    def encode(self, frame):
        self.see("sent", self.role, frame)
        return frame

    def decode(self, frame, *, max_size=None):
        self.see("received", OTHER[self.role], frame)
        return frame

    def see(self, direction, sender, frame):
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self.kind[direction] = TYPES[frame.opcode]
        kind = TYPES.get(frame.opcode) or self.kind[direction]
        self.counts.add(direction, kind, len(frame.data), frame.fin)
        if kind == "close" and not self.close:
            code = int.from_bytes(frame.data[:2], "big") if frame.data else 1005
            self.close = f"{code} {sender}"


class Counted:
    """Before a protocol class of websockets; `counts` and `user_timeout` are class attributes."""

    user_timeout = 0

    def connection_open(self):
        self.tap = Tap(self.counts, "client" if self.is_client else "server")
        self.extensions.append(self.tap)
        self.counts["opened"] += 1
        self.counts["open"] += 1
        if self.user_timeout:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.user_timeout)
        super().connection_open()

    def connection_lost(self, exc):
        if hasattr(self, "tap"):
            self.counts.end(self.tap.close)
            if not self.tap.close:
                self.counts["undelivered"] += self.unacknowledged
        super().connection_lost(exc)

    @property
    def socket(self):
        return self.transport.get_extra_info("socket")

    @property
    def unacknowledged(self):
        """Bytes that were written to the socket and that the other end has not confirmed."""
        return struct.unpack("i", fcntl.ioctl(self.socket.fileno(), SIOCOUTQ, bytes(4)))[0]
