# SPDX-License-Identifier: Apache-2.0
"""Frames that RFC 6455 forbids, and as many or as large ones as a connection can have.

Both ends are one process, which sends what it is told to; what has to be counted is said here.
"""

import json
import os
import random
import subprocess

from crowd import of_service, settle
from frames import counted, losses, mirrored, opened_now
from sonde_test import HERE, PYTHON, check, same

MASK = 128
WALKED = 512  # frames of a write, or of a read, that are walked for sure
OTHER = {"client": "server", "server": "client"}
NAMES = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


class Pair:
    """Two ends of a connection of a process of their own, and what should be counted of it."""

    def __init__(self, live, name):
        self.service = f"{live.word}-{name}"
        environment = {**os.environ, "OTEL_SERVICE_NAME": self.service}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        command = [PYTHON, HERE / "servers/frames_raw.py"]
        self.process = live.start(command, env=environment, **pipes)
        self.port = self.process.stdout.readline().strip()
        same("handshake", self._ask(f"{live.prefix}/raw"), "open")
        self.sent = {"client": {}, "server": {}}

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def send(self, sender, data, writes=(), reads=(), zeros=0):
        """Bytes that may be anything; the other end has them when this returns."""
        step = {"from": sender, "bytes": data.hex(), "writes": writes, "reads": reads}
        came = self._ask(json.dumps({**step, "zeros": zeros}))
        same("bytes that came", came, str(len(data) + zeros))

    def say(self, sender, opcode, payload=b"", times=1, **how):
        """Frames that count."""
        self.count(sender, opcode, len(payload), times)
        self.send(sender, frame(sender, opcode, payload) * times, **how)

    def count(self, sender, opcode, size, times=1):
        sent = self.sent[sender]
        for what, n in (("messages", times), ("bytes", size * times)):
            name = f"{what} sent {NAMES[opcode]}"
            sent[name] = sent.get(name, 0) + n

    def end(self, which, how="close"):
        return int(self._ask(json.dumps({how: which})))

    def expected(self, role):
        counts = {**self.sent[role], **mirrored(self.sent[OTHER[role]]), "opened": 1}
        return {name: count for name, count in counts.items() if count}

    def check_counts(self, agent, *closes, what=""):
        """By both ends; closes: `1006 client`, of all ends or of the server's and the client's."""
        for role, close in zip(("server", "client"), closes * 2):
            question = lambda metrics: counted(metrics, role, self.service)
            expected = {**self.expected(role), f"close {close}": 1}
            settle(agent, f"{what} {role} counts", question, expected)

    def check_gone(self, agent):
        for role in OTHER:
            settle(agent, "gauge", lambda metrics: opened_now(metrics, role, self.service), 0)


def frame(sender, opcode, payload=b"", first=None, length=None, masked=None):
    """One frame; whatever is given replaces what is right."""
    size = len(payload) if length is None else length
    masked = sender == "client" if masked is None else masked
    first = 128 | opcode if first is None else first
    bit = MASK if masked else 0
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 65536:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    key = random.randbytes(4)
    return head + key + bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))


INVALID = {
    "reserved opcode": lambda end: frame(end, 3, b"x"),
    "reserved control opcode": lambda end: frame(end, 11, b"x"),
    "masked by the wrong end": lambda end: frame(end, 1, b"x", masked=end == "server"),
    "fragmented ping": lambda end: frame(end, 9, b"x", first=9),
    "top bit of the length": lambda end: frame(end, 2, length=1 << 63 | 5) + b"xxxxx",
    "long ping": lambda end: frame(end, 9, b"x" * 126),
}


def run_invalid(live, agent, what, end, split):
    pair = Pair(live, f"{end}-{what}".replace(" ", "-"))
    other = OTHER[end]
    for sender in (end, other):
        pair.say(sender, 1, b"before")
    pair.count(end, 2, 3)
    data = frame(end, 2, b"abc") + INVALID[what](end) + 3 * frame(end, 1, b"never")
    sizes = [1] if split else []
    pair.send(end, data, writes=sizes, reads=sizes)
    pair.send(end, 3 * frame(end, 1, b"nor these"))
    pair.say(other, 9, b"still")
    pair.say(other, 8, b"\x03\xea")
    pair.end(other)
    pair.check_counts(agent, f"1002 {other}", what=f"{what} of the {end}:")
    errors = {key: n for key, n in losses(agent.metrics(), pair.service).items() if "errors" in key[0]}
    family = "websocket_protocol_errors_total"
    same(f"{what} of the {end}", errors, {(family, end, "sent"): 1, (family, other, "received"): 1})
    pair.check_gone(agent)


def test_invalid_frames(live):
    """Each is one protocol error of that direction, in which nothing is counted any more."""
    agent = live.agent()
    for what in INVALID:
        for end in OTHER:
            run_invalid(live, agent, what, end, split=False)
    agent.stop()


def test_invalid_frames_byte_by_byte(live):
    agent = live.agent()
    for what in INVALID:
        for end in OTHER:
            run_invalid(live, agent, what, end, split=True)
    agent.stop()


def test_many_frames_in_one_write(live):
    """512 of them, which are one read as well."""
    agent = live.agent()
    pair = Pair(live, "many")
    for end in OTHER:
        for opcode, payload in ((1, b"x"), (2, b""), (1, b"xy")):
            pair.say(end, opcode, payload, times=WALKED)
    pair.end("client")
    pair.check_counts(agent, "1006 client")
    same("losses", losses(agent.metrics(), pair.service), {})
    agent.stop()


def test_more_frames_than_are_walked(live):
    """Beyond that they are counted, or their bytes are as unseen; and those after them are counted.
    """
    agent = live.agent()
    pair = Pair(live, "more")
    sizes, times = {"client": 7, "server": 3}, 20_000
    for end in OTHER:
        pair.send(end, frame(end, 1, b"x") * times)
        pair.say(end, 2, b"yz", times=10)
        pair.say(end, 9, b"")
    pair.say("client", 8, b"\x03\xe8")
    pair.end("client")
    names = [f"{what} {way} text" for what in ("messages", "bytes") for way in ("sent", "received")]
    rest = lambda said: {name: count for name, count in said.items() if name not in names}
    for role in OTHER:
        expected = {**pair.expected(role), "close 1000 client": 1}
        settle(agent, role, lambda m: rest(counted(m, role, pair.service)), expected)
        metrics = agent.metrics()
        said, unseen = counted(metrics, role, pair.service), losses(metrics, pair.service)
        for way, end in (("sent", role), ("received", OTHER[role])):
            messages = said.get(f"messages {way} text", 0)
            lost = unseen.get(("websocket_unseen_bytes_total", role, way), 0)
            check(messages >= WALKED, f"{role} {way}: only {messages} were walked")
            same(f"{role} {way}: bytes", messages * sizes[end] + lost, times * sizes[end])
    pair.check_gone(agent)
    agent.stop()


def test_large_frames(live):
    """64 MB in thousands of writes, and what stands right behind them."""
    agent = live.agent()
    pair = Pair(live, "large")
    for end, size in (("server", 64_000_000), ("client", 1 << 20)):
        pair.count(end, 2, size)
        pair.send(end, frame(end, 2, length=size), zeros=size)
        pair.say(end, 1, b"behind it")
    pair.end("client", "reset")
    pair.check_counts(agent, "1006 network", "1006 client")
    pair.check_gone(agent)
    agent.stop()


def test_frame_split_at_every_byte(live):
    """Heads of all lengths, in two writes and two reads."""
    agent = live.agent()
    pair = Pair(live, "split")
    for end in OTHER:
        for size in (0, 1, 125, 126, 127, 65535, 65536):
            one = frame(end, 2, bytes(size))
            head = len(one) - size
            for cut in range(1, head + 1):
                pair.count(end, 2, size)
                pair.count(end, 10, 4)
                sizes = [cut, 40_000] if cut < len(one) else []
                pair.send(end, one + frame(end, 10, b"next"), writes=sizes, reads=sizes)
    pair.end("server")
    pair.check_counts(agent, "1006 server")
    same("losses", losses(agent.metrics(), pair.service), {})
    agent.stop()


def test_undelivered(live):
    """What one end has written and the other's system never acknowledged, as the socket says."""
    agent = live.agent()
    for end in OTHER:
        pair = Pair(live, f"filled-by-{end}")
        pair.send(end, frame(end, 2, length=1 << 30))
        left = pair.end(end, "fill")
        check(left > 0, "nothing was left")
        pair.end(OTHER[end])
        pair.check_gone(agent)
        family = "websocket_undelivered_bytes_total"
        counts = agent.metrics().counts(family, (), of_service(pair.service))
        same("undelivered", counts.get(()), left)
        pair.process.stdin.close()
    agent.stop()
