# SPDX-License-Identifier: Apache-2.0
"""crowd and crowd_server as objects, and what the agent says of them and of its losses.

The counts of a crowd are compared by service, not by path: what the kernel half counted has none.
"""

import os
import subprocess

from sonde_test import LIMIT, ROOT, Failure, check, losses_of, same, until

TOOLS = ROOT / ".output/tests"
LABELS = ("http_request_method", "http_response_status_code")
TERMS = ("counted_total", "shed_total", "open", "lost_total")
EPSILON = 1e-6  # of a sum, as it is printed
ROLL_CALLS = 45  # seconds: some ends are known only by two roll calls; until they are believed
OTHERS = 64  # connections that other programs may have opened meanwhile


class Tool:
    """A program that takes lines on stdin and answers each with its counts."""

    def __init__(self, live, name, service, *arguments):
        check(os.access(TOOLS / name, os.X_OK), f"{TOOLS / name} is not built")
        self.service = service
        environment = {**os.environ, "OTEL_SERVICE_NAME": service}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = live.start([TOOLS / name, *arguments], env=environment, **pipes)
        self.first = self.process.stdout.readline().strip()
        check(self.first, f"{name} did not start")

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        """{name: count} since the start."""
        words = self.process.stdout.readline().strip()
        check(words, f"{self.service} ended")
        pairs = (word.split("=") for word in words.split(","))
        return {name: int(count) for name, count in pairs}

    def ask(self, line):
        self.tell(line)
        return self.hear()


class Crowd:
    """A server and its clients, of some worker processes each."""

    def __init__(self, live, servers=2, clients=2, name=""):
        self.clients = clients
        self.server = Tool(live, "crowd_server", f"{live.word}{name}-server", servers)
        options = (live.prefix, clients, self.server.first)
        self.client = Tool(live, "crowd", f"{live.word}{name}-client", *options)

    def ends(self):
        return {"server": self.server.service, "client": self.client.service}

    def ask(self, line):
        """A command to its end: (the clients' counts, the servers')."""
        return self.client.ask(line), self.server.ask("")

    def end(self):
        for tool in (self.client, self.server):
            tool.process.stdin.close()
            tool.process.wait(LIMIT)

    def check_counts(self, agent):
        """Both ends' counts are the agent's, by method and status; returns how many requests."""
        client, server = self.ask("ask 0")
        same("the ends' counts", requests_of(server), requests_of(client))
        expect(agent, "server", self.server.service, requests_of(server))
        expect(agent, "client", self.client.service, requests_of(client))
        return sum(requests_of(server).values())

    def check_closed(self, agent):
        """The tool's ends are closed, each was seen to open once, and none has a request open."""
        client, server = self.ask("close")
        until("the servers to close", lambda: all_closed(self.server.ask("")))
        same("connections", server["opened"], client["opened"])
        got = agent.metrics().counts("tcp_connections_opened_total", ("role", "service"))
        for role, service in self.ends().items():
            same(f"connections of the {role}", got.get((role, service)), client["opened"])
        self.check_idle(agent)

    def check_idle(self, agent):
        settle(agent, "active", lambda metrics: active(metrics, self.server.service), 0)


def all_closed(counts):
    return counts["opened"] == counts["closed"]


def requests_of(counts):
    """{(method, status): count} of a tool's counts; status "" without an answer."""
    pairs = ((tuple(name.split(" ")), count) for name, count in counts.items() if " " in name)
    return {(m, s.strip("-")): count for (m, s), count in pairs if count}


def of_service(service):
    return lambda labels: labels.get("service") == service


def counted(metrics, role, service, by=LABELS):
    family = f"http_{role}_request_duration_seconds"
    got = metrics.counts(family, by, of_service(service))
    return {key: count for key, count in got.items() if count}


def settle(agent, what, question, expected, limit=LIMIT + ROLL_CALLS):
    """Waits until the metrics answer so; at the limit says how they differ, and what was lost."""
    try:
        until(what, lambda: question(agent.metrics()) == expected, limit)
    except Failure:
        metrics = agent.metrics()
        skipped = metrics.counts("sonde_probe_misses_total", ("program",))
        losses = f"{losses_of(metrics)}; funnel: {funnel(metrics)}"
        losses += f"; skipped: { {key: count for key, count in skipped.items() if count} }"
        same(f"{what}; losses: {losses}", question(metrics), expected)


def expect(agent, role, service, expected):
    settle(agent, f"{role} counts", lambda metrics: counted(metrics, role, service), expected)


def active(metrics, service):
    family = "http_server_active_requests"
    return metrics.counts(family, ("service",), of_service(service)).get((service,), 0)


def gauge(metrics, name, **labels):
    """The one value of a gauge or counter."""
    key = tuple(labels.values())
    return metrics.counts(name, tuple(labels)).get(key, 0)


def connections(metrics):
    return gauge(metrics, "sonde_table_entries", table="connections")


def resident(metrics):
    return gauge(metrics, "process_resident_memory_bytes")


def funnel(metrics):
    """{term: count} over all protocols; `unexplained` is 0 when the sum closes."""
    total = lambda term: sum(metrics.counts(f"sonde_transactions_{term}", ()).values())
    terms = {term.removesuffix("_total"): total(term) for term in ("seen_total", *TERMS)}
    terms["unexplained"] = terms["seen"] - sum(terms[t.removesuffix("_total")] for t in TERMS)
    return terms


def check_sums(metrics, role, service, most_seconds):
    """Each series' sum lies where its buckets say; all sums together are at most most_seconds."""
    family = f"http_{role}_request_duration_seconds"
    series, total = {}, 0.0
    for name, labels, value in metrics.samples.get(family, []):
        if labels.get("service") == service:
            rest = tuple(sorted((key, word) for key, word in labels.items() if key != "le"))
            at = series.setdefault(rest, {"buckets": []})
            if name.endswith("_bucket"):
                at["buckets"].append((float(labels["le"]), value))
            elif name.endswith("_sum"):
                at["sum"] = value
    for rest, at in series.items():
        check_sum(f"{family}{dict(rest)}", at["buckets"], at["sum"])
        total += at["sum"]
    check(0 < total <= most_seconds, f"{family}: {total} s in all, of at most {most_seconds}")


def check_sum(what, buckets, total):
    least = most = below = 0.0
    for (bound, count), (previous, _) in zip(buckets, [(0.0, 0), *buckets]):
        least += (count - below) * previous
        most += (count - below) * bound if count > below else 0
        below = count
    check(least * (1 - EPSILON) <= total <= most * (1 + EPSILON), f"{what}: {least} {total} {most}")


def check_funnel(agent):
    """Waits until the sum closes, as other programs' requests may be on their way; returns it."""
    settle(agent, "unexplained", lambda metrics: funnel(metrics)["unexplained"], 0)
    return funnel(agent.metrics())


def check_no_leak(agent, before):
    """Connections that are gone have left the table."""
    settle(agent, "leak", lambda metrics: max(0, connections(metrics) - before - OTHERS), 0)
