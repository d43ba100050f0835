#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints chains of requests from Sonde's log alone: tests/live/chain.py [WORD] < LOG

One tree a chain, one line a hop: who asked whom for what, how it ended, how long it took at both
ends, the request's id. The log may be that of one node, or of several one behind the other. With a
WORD (an id, a path) only the chains are shown that have it.

The two lines of a hop have the same request_id. A hop is below another one if its parent_span_id
says so, or if both carry a trace from a header and only one request was open in that process then.
What the log does not know to be below something stands for itself.
"""

import collections
import datetime
import json
import sys

HERE = "service", "pod", "container", "node", "pid"  # who a process is
HOP_KEYS = "method", "path"


class Hop:
    def __init__(self, client=None, server=None):
        self.client, self.server = client, server
        self.below = []

    @property
    def any(self):
        return self.client or self.server


def times_of(line):
    end = datetime.datetime.fromisoformat(line["timestamp"]).timestamp()
    return end - line.get("duration_ms", 0) / 1000, end


def read_lines(source):
    lines = []
    for text in source:
        try:
            line = json.loads(text)
        except ValueError:
            continue  # the end of a line that is still being written
        if line.get("logger") == "sonde.http":
            line["from"], line["to"] = times_of(line)
            lines.append(line)
    return sorted(lines, key=lambda line: line["from"])


def same(keys, one, other):
    return all(one.get(key) == other.get(key) for key in keys)


def hops_of(lines):
    """Where services pass an id on, several hops have it: a server's client is the last one."""
    hops, waiting = [], collections.defaultdict(list)
    for line in sorted(lines, key=lambda line: (line["request_id"], line["from"])):
        if line["role"] == "client":
            hops.append(Hop(client=line))
            waiting[line["request_id"]].append(hops[-1])
    for line in lines:
        if line["role"] == "server":
            callers = waiting[line["request_id"]]
            fitting = [hop for hop in callers if same(HOP_KEYS, hop.client, line)]
            early = [hop for hop in fitting if hop.client["from"] <= line["from"]]
            if len(fitting) == 1 or early:
                hop = (early or fitting)[-1]
                callers.remove(hop)
                hop.server = line
            else:
                hops.append(Hop(server=line))
    return sorted(hops, key=lambda hop: hop.any["from"])


class Servers:
    """The requests that were served, to be found by who called while they were open."""

    def __init__(self, hops):
        self.by_span, self.by_trace = {}, collections.defaultdict(list)
        for hop in hops:
            if hop.server and "span_id" in hop.server:
                self.by_span[hop.server["span_id"]] = hop
                self.by_trace[hop.server["trace_id"]].append(hop)

    def above(self, line):
        """The hop in which this client line was caused; None if that is not known."""
        found = self.by_span.get(line.get("parent_span_id"))
        if found or line.get("parent_source") != "header":
            return found
        open_then = [
            hop
            for hop in self.by_trace[line["trace_id"]]
            if same(HERE, hop.server, line)
            and hop.server["from"] <= line["from"] <= hop.server["to"]
        ]
        return open_then[0] if len(open_then) == 1 else None


def chains_of(lines):
    """The hops on top of each chain; the others stand below them."""
    hops = hops_of([line for line in lines if "request_id" in line])
    servers, tops = Servers(hops), []
    for hop in hops:
        above = servers.above(hop.client) if hop.client else None
        (above.below if above and above is not hop else tops).append(hop)
    return tops


def name_of(line):
    return line.get("service") or f"pid {line['pid']}" if line else "?"


def duration_of(hop):
    durations = [line.get("duration_ms") for line in (hop.client, hop.server) if line]
    return " / ".join(f"{ms:.1f} ms" for ms in durations if ms is not None)


def write(hop, out, depth=0):
    line = hop.any
    what = [line["method"], line.get("path", ""), str(line.get("status", line.get("error", "")))]
    who = f"{name_of(hop.client)} -> {name_of(hop.server)}"
    words = who, " ".join(what), duration_of(hop), line["request_id"]
    print("  " * depth + "  ".join(words), file=out)
    for below in hop.below:
        write(below, out, depth + 1)


def has(hop, word):
    lines = [line for line in (hop.client, hop.server) if line]
    texts = [str(value) for line in lines for value in line.values()]
    return any(word in text for text in texts) or any(has(below, word) for below in hop.below)


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    for top in chains_of(read_lines(sys.stdin)):
        if has(top, word):
            write(top, sys.stdout)


if __name__ == "__main__":
    main()
