# SPDX-License-Identifier: Apache-2.0
"""Heads that want to break the log or to forge a line of it.

Every line must be read alike by every reader, tell what was sent as UTF-8 decoders see it, and have
no field that a request made up; and there is exactly one a request and end.
"""

import collections
import contextlib
import random
import socket

from sonde_test import check, same, until
from strict_json import read_lines
from test_hostile import send
from test_raw import connected

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Tenant: the-server's\r\n\r\n"
HEADERS = ["header_x_tenant", "header_x_other"]
PATH_MAX, HEADER_MAX, ID_MAX = 512, 256, 128

INJECTIONS = [
    b'","status":500,"forged":"1',
    b'\\","level":"ERROR","x":"\\',
    b'"}{"timestamp":"forged',
    b"\\u0022,\\u0022forged\\u0022:1",
    b"\\",
    b'"',
    b"\\n{}\\r\\n",
    b"%s%n%x%00%0d%0a%22",
    b"</script><!--",
    b"'; DROP TABLE logs; --",
]
BROKEN = [
    b"\x80",
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xc3(",
    b"\xc3",
    b"\xe2\x82",
    b"\xe2\x82/x",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xf0\x9f\x98",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xbf" * 40,
]
WHOLE = ["\x80\x85\x9f\xa0", "\u2028\u2029", "ä€😀", "\u202e", "\ufeff\ufffe\uffff", "\U0010ffff"]


def some_bytes(seed, count, refused):
    allowed = [byte for byte in range(256) if byte not in refused]
    return bytes(random.Random(seed).choices(allowed, k=count))


# What is no target: blanks and controls; what ends a path.
NOT_IN_PATHS = set(range(0x21)) | {0x7F, ord("?"), ord("#")}
NOT_IN_VALUES = {0, 10, 13}


def paths():
    """What stands behind the prefix."""
    yield from INJECTIONS
    yield from BROKEN
    yield from (text.encode() for text in WHOLE)
    yield from (bytes([byte]) for byte in range(256) if byte not in NOT_IN_PATHS)
    yield from (some_bytes(n, 5 * n, NOT_IN_PATHS) for n in range(60))
    yield from (b'"' * n for n in (479, 700))
    yield "€".encode() * 300


def values():
    """Of headers."""
    yield from INJECTIONS
    yield from BROKEN
    yield from (text.encode() for text in WHOLE)
    yield from (b"a" + bytes([byte]) + b"z" for byte in range(256) if byte not in NOT_IN_VALUES)
    yield from (b"a" + some_bytes(n, 5 * n, NOT_IN_VALUES) + b"z" for n in range(40))
    yield b"a\r\rb"
    yield b'"' * 300
    yield "€".encode() * 100


def text_of(raw, most):
    """As decoders have it; U+FFFD for each longest beginning of a character."""
    return raw[:most].decode("utf-8", "replace")


class Hostile:
    """One connection of this process with itself, and what was sent over it."""

    def __init__(self, live, *options):
        self.live = live
        self.sent = collections.Counter()
        self.listener = socket.create_server(("127.0.0.1", 0))
        live.at_end(self.listener.close)
        port = self.listener.getsockname()[1]
        self.agent = live.agent(
            f"--service={port}={live.word}",
            "--log-headers=X-Tenant,x-other",
            "--capture-bytes=4096",
            *options,
        )
        # from its first answer on this process has the service's name for what it asks, too
        with self.ends() as ends:
            self.exchange(ends, b"first")
        until("the first line", lambda: len(self.agent.lines(path=f"{live.prefix}/first")) == 2)
        self.sent.clear()

    @contextlib.contextmanager
    def ends(self):
        with connected(self.listener.getsockname()[1]) as client:
            with self.listener.accept()[0] as server:
                server.settimeout(30)
                yield client, server

    def exchange(self, ends, path, tenant=None, request_id=None, more=b""):
        """`more` stands in the head, before the headers that are looked for."""
        path = self.live.prefix.encode() + b"/" + path
        head = b"GET " + path + b" HTTP/1.1\r\n" + more
        if tenant is not None:
            head += b"X-TENANT: " + tenant + b"\r\n"
        if request_id is not None:
            head += b"X-Request-ID: " + request_id + b"\r\n"
        client, server = ends
        send(client, server, head + b"Host: x\r\n\r\n")
        send(server, client, OK)
        told = b"the-server's" if tenant is None else tenant
        request_id = request_id and text_of(request_id, ID_MAX)
        self.sent[text_of(path, PATH_MAX), text_of(told, HEADER_MAX), request_id] += 1

    def counted(self, role):
        family = f"http_{role}_request_duration_seconds"
        # the scrapes are this process's requests, too
        mine = lambda labels: (
            labels["service"] == self.live.word and labels["http_route"] != "/metrics"
        )
        return sum(self.agent.metrics().counts(family, ("http_route",), mine).values())

    def finish(self):
        """Counts in the metrics, then every line."""
        count = sum(self.sent.values())
        for role in ("server", "client"):
            first = role == "server"
            until(f"{count} {role} counts", lambda: self.counted(role) == count + first)
        self.agent.stop()
        lines = read_lines(self.agent.out, HEADERS)
        for role in ("server", "client"):
            same(f"{role} lines", self.told(lines, role), dict(self.sent))

    def told(self, lines, role):
        result = collections.Counter()
        for line in lines:
            mine = line.get("path", "").startswith(self.live.prefix + "/")
            if not mine or line["path"].endswith("/first") or line["role"] != role:
                continue
            same("service", line["service"], self.live.word)
            same("status", line["status"], 200)
            same("level", line["level"], "INFO")
            source = line.get("request_id_source")
            own = line["request_id"] if source == "header" else None
            result[line["path"], line["header_x_tenant"], own] += 1
        return dict(result)


def test_paths(live):
    hostile = Hostile(live)
    with hostile.ends() as ends:
        for path in paths():
            hostile.exchange(ends, path)
    hostile.finish()


def test_header_values(live):
    hostile = Hostile(live)
    with hostile.ends() as ends:
        for value in values():
            value = value.strip(b" \t")
            hostile.exchange(ends, b"value", tenant=value, request_id=value)
    hostile.finish()


def test_long_headers(live):
    """Of 8 KB, in front: what stands behind the capture is not known, and nothing else is hurt."""
    hostile = Hostile(live)
    with hostile.ends() as ends:
        for size in (255, 256, 257, 3000):
            hostile.exchange(ends, b"long", tenant=b"v" * size)
            hostile.exchange(ends, b"long", tenant=b"v", more=b"X-Long: " + b'"' * size + b"\r\n")
        for byte in (b'"', b"\x01", b"\xff"):
            more = b"X-Tenant: before\r\nX-Long: " + byte * 8192 + b"\r\n"
            hostile.exchange(ends, b"long", more=more)
            hostile.sent = rename(hostile.sent, "the-server's", "before")
    hostile.finish()


def rename(sent, old, new):
    result = collections.Counter()
    for (path, tenant, request_id), count in sent.items():
        result[path, new if tenant == old else tenant, request_id] += count
    return result


def test_line_ends_in_heads(live):
    """A value on two lines is none, what stands on a line of its own is a header of its own."""
    hostile = Hostile(live)
    cases = [
        (b"X-Other: a\r\n X-Tenant: forged\r\n", None),
        (b"X-Other: a\r\n\tX-Tenant: forged\r\n", None),
        (b"X-Tenant: a\r\n b\r\n", None),
        (b"X-Tenant: one\nX-Other: two\n", "one"),
        (b"X-Other: a\rX-Tenant: forged\r\n", None),
        (b'"X-Tenant": forged\r\n', None),
        (b"X-Tenant:\r\nX-Tenant: second\r\n", "second"),
        (b"X-Tenant: one\r\nX-Tenant: two\r\n", "one"),
    ]
    with hostile.ends() as ends:
        for more, tenant in cases:
            hostile.exchange(ends, b"lines", more=more)
            if tenant:
                path = f"{live.prefix}/lines"
                hostile.sent[path, "the-server's", None] -= 1
                hostile.sent[path, tenant, None] += 1
    hostile.sent = +hostile.sent
    hostile.finish()


# No request by RFC 9112, though it begins like one.
REFUSED = [
    b"GET /%s\x00forged HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%s\x1b[31mforged HTTP/1.1\r\nHost: x\r\n\r\n",
    b'GET /%s\r{"timestamp":"forged"} HTTP/1.1\r\nHost: x\r\n\r\n',
    b'GET /%s\n{"timestamp":"forged"}\n HTTP/1.1\r\nHost: x\r\n\r\n',
    b"GET /%s HTTP/1.1\r\n: forged\r\n\r\n",
    b"GET /%s HTTP/1.1\r\nX-Tenant : forged\r\n\r\n",
    b"GET /%s HTTP/1.1\r\nX-Tenant: a\x00forged\r\n\r\n",
    b"G\"E\\T /%s HTTP/1.1\r\nX-Tenant: forged\r\n\r\n",
    b"GET /%s HTTP/9.9\r\nX-Tenant: forged\r\n\r\n",
    b"\x16\x03\x01GET /%s HTTP/1.1\r\nX-Tenant: forged\r\n\r\n",
]


def test_what_is_no_request(live):
    """Nothing of it stands in a line, and a request after it is seen as ever."""
    hostile = Hostile(live)
    for head in REFUSED:
        with hostile.ends() as (client, server):
            send(client, server, head.replace(b"%s", live.word.encode()))
            send(server, client, OK)
    with hostile.ends() as ends:
        hostile.exchange(ends, b"plain", tenant=b"true")
    until("the plain one", lambda: len(hostile.agent.lines(path=f"{live.prefix}/plain")) == 2)
    hostile.agent.stop()
    for line in read_lines(hostile.agent.out, HEADERS):
        check("forged" not in str(line), f"forged: {line}")
