# SPDX-License-Identifier: Apache-2.0
"""Routes: many shapes of paths, a scan, rules; counts by route equal the client's own."""

import json
import pathlib
import subprocess
import sys

from crowd import check_funnel, of_service, resident, settle
from sonde_test import HERE, PYTHON, check, same

sys.path.append(str(HERE / "servers"))
import paths

SHAPES, GUESSES, CLIENTS = 100_000, 200_000, 2
RESIDENT = 24 << 20
GROWTH = 3 << 20  # resident bytes that the shapes and the scan may add
LABELS = ("http_route", "http_response_status_code")


class Paths:
    """The server of paths and what it was asked for, in all."""

    def __init__(self, live):
        self.live = live
        self.services = {"server": f"{live.word}-server", "client": f"{live.word}-client"}
        command = (PYTHON, HERE / "servers/paths.py", "serve", live.prefix)
        _, self.port = live.server(*command, env={"OTEL_SERVICE_NAME": self.services["server"]})
        self.counts = {}

    def ask(self, shapes, guesses, clients=1):
        command = [PYTHON, HERE / "servers/paths.py", "ask", self.port, self.live.prefix]
        env = {"OTEL_SERVICE_NAME": self.services["client"]}
        each = [
            self.live.start(
                [*command, seed, shapes // clients, guesses // clients],
                env=env,
                stdout=subprocess.PIPE,
                text=True,
            )
            for seed in range(clients)
        ]
        for process in each:
            for what, count in json.loads(process.communicate()[0]).items():
                self.counts[what] = self.counts.get(what, 0) + count

    def expected(self, rules=()):
        """{(route, status): count}; rules: (shape, route) that somebody wrote."""
        routes = {**paths.SHAPES, **dict(rules)}
        result = {}
        for what, count in self.counts.items():
            shape, status = what.split(" ")
            route = self.live.prefix + routes[shape] if shape else "other"
            result[route, status] = result.get((route, status), 0) + count
        return result

    def check(self, agent, role, expected):
        family = f"http_{role}_request_duration_seconds"
        keep = of_service(self.services[role])
        counts = lambda metrics: metrics.counts(family, LABELS, keep)
        settle(agent, f"routes of the {role}", counts, expected)


def test_twenty_shapes_and_a_scan(live):
    both = Paths(live)
    rule = "/shop/<name>/orders/<number>", "/shop/{name}/orders/{order}"
    config = live.temp / "sonde.json"
    pattern = f"GET {live.prefix}{rule[1]}"
    config.write_text(json.dumps({"route": {both.services["server"]: [pattern]}}))
    # lines would be 300 MB of them
    agent = live.agent(f"--config={config}", "--log-sample=0", "--log-slow=1m")
    before = resident(agent.metrics())
    both.ask(SHAPES, GUESSES, CLIENTS)
    same("requests", sum(both.counts.values()), SHAPES + GUESSES)
    both.check(agent, "server", both.expected([rule]))
    both.check(agent, "client", both.expected())
    size = resident(agent.metrics())
    print(f"# {size / 2**20:.1f} MiB resident, {(size - before) / 2**20:.1f} MiB more than before")
    check(size < RESIDENT and size - before < GROWTH, f"{before} bytes grew to {size}")
    check_funnel(agent)
    agent.stop()


def test_rules_and_lines(live):
    """Rules from the command line; lines have the route that was known when they were written."""
    both = Paths(live)
    rules = [
        ("/people/<name>", "/people/{who}"),
        ("/people/<name>/posts/<slug>", "/people/{*}"),
        ("/shop/<name>/orders/<number>", "/shop/{name}/orders/{order}"),
    ]
    patterns = ",".join(live.prefix + route for _, route in rules)
    agent = live.agent(f"--route={patterns}", f"--route=POST {live.prefix}/{{any}}")
    both.ask(2000, 500)
    for role in both.services:
        both.check(agent, role, both.expected(rules))
    agent.stop()
    lines = [json.loads(line) for line in pathlib.Path(agent.out).read_text().splitlines()]
    lines = [line for line in lines if line.get("service") == both.services["server"]]
    same("lines", len(lines), 2500)
    for shape, route in rules:
        got = sum(line["route"] == live.prefix + route for line in lines)
        same(f"lines of {route}", got, both.counts[f"{shape} 200"])
    failed = {line["route"] for line in lines if line["status"] == 404} - {"other"}
    check(len(failed) <= 32, f"{len(failed)} routes of paths that failed in the lines")
