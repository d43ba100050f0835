# SPDX-License-Identifier: Apache-2.0
"""A reader of log lines that forgives nothing: what it takes, any reader takes alike."""

import json
import re

from sonde_test import check, same

LINE_MAX = 16_000
ALWAYS = ["timestamp", "level", "logger", "message"]
KNOWN = set(
    ALWAYS
    + """request_id user_id trace_id span_id parent_span_id parent_source request_id_source service
    namespace pod container node role protocol method path route status error stream duration_ms
    ttfb_ms request_bytes response_bytes queue_ms peer pid""".split()
)
# Controls (C0, DEL, C1) and what some readers take for the end of a line.
UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def refuse(what):
    raise ValueError(what)


def unique(pairs):
    fields = dict(pairs)
    same("fields of a line that come twice", len(pairs) - len(fields), 0)
    return fields


def read_line(raw, headers=()):
    """The object in the bytes of one line, without its newline."""
    check(len(raw) + 1 < LINE_MAX, f"a line of {len(raw)} bytes")
    text = raw.decode("utf-8", "strict")
    check(not UNWANTED.search(text), f"raw controls in {raw!r}")
    line = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    check(isinstance(line, dict), f"not an object: {raw!r}")
    same("first fields", list(line)[:4], ALWAYS)
    strange = set(line) - KNOWN - set(headers)
    check(not strange, f"fields that nobody knows: {strange} in {raw!r}")
    nested = [key for key, value in line.items() if isinstance(value, (dict, list))]
    check(not nested, f"not flat: {nested} in {raw!r}")
    return line


def read_lines(path, headers=()):
    """All lines of a file; each has to end, and none may be empty."""
    raw = path.read_bytes()
    check(raw.endswith(b"\n") or not raw, f"the last line has no end: {raw[-200:]!r}")
    return [read_line(line, headers) for line in raw.split(b"\n")[:-1]]
