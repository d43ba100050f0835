# SPDX-License-Identifier: Apache-2.0
"""What the load sent and what Prometheus counted, in the same words, a count each.

`SERVICE METHOD ROUTE STATUS` for requests, `SERVICE websocket WHAT` for the rest. Requests that got
no answer are in neither: whether a service that was killed had heard of one, nobody can know.
"""

import contextlib
import time

from services import NAMES
from shop import NAMESPACE
from sonde_test import Failure, until

LIMIT = 60  # seconds until Prometheus has it
REQUESTS = "http_server_request_duration_seconds_count"
BY = ("service", "http_request_method", "http_route", "http_response_status_code")
ROW = "{:45} {:7} {:>8} {:>11}".format


def answered(counts):
    return {name: count for name, count in counts.items() if count and not name.endswith(" 0")}


class Counts:
    """of: which series are those of the five, and not of others on this machine."""

    def __init__(self, prometheus, load, clock, pods):
        self.prometheus, self.load, self.interval = prometheus, load, clock.interval
        self.of = f'namespace="{NAMESPACE}"' if pods else f'service=~"{"|".join(NAMES)}"'
        self.window = clock.rules("[5m]")

    def ask(self, expression, *labels):
        """{label values: value} of a sum by labels."""
        asked = f"sum by ({','.join(labels)}) ({expression})"
        data = self.prometheus.ask("query", query=asked) or {"result": []}
        return {
            tuple(series["metric"].get(label, "0") for label in labels): float(series["value"][1])
            for series in data["result"]
        }

    def rates(self):
        return self.ask(f"rate({REQUESTS}{{{self.of}}}{self.window}) > 0", "service")

    def counted(self):
        messages = f'websocket_messages_total{{{self.of},role="server",type="text"}}'
        opened = f'websocket_connections_opened_total{{{self.of},role="server"}}'
        result = {" ".join(key): n for key, n in self.ask(f"{REQUESTS}{{{self.of}}}", *BY).items()}
        for (service, direction), count in self.ask(messages, "service", "direction").items():
            result[f"{service} websocket {direction}"] = count
        for (service,), count in self.ask(opened, "service").items():
            result[f"{service} websocket opened"] = count
        return answered({name: int(count) for name, count in result.items()})

    def sent(self):
        return answered(self.load.ask("counts"))

    def wait(self, what, question):
        """Asks once a scrape: more would be traffic of its own, which the agent sees."""

        def ask():
            time.sleep(self.interval)
            return question()

        until(what, ask, LIMIT)

    def compare(self):
        """A table of both, while no request is sent; waits for what is on its way."""
        with contextlib.suppress(Failure):
            self.wait("equal counts", lambda: self.counted() == self.sent())
        sent, counted = self.sent(), self.counted()
        rows = [(name, sent.get(name, 0), counted.get(name, 0)) for name in sorted(sent | counted)]
        rows.append(("all", sum(sent.values()), sum(counted.values())))
        yield ROW("", "", "sent", "Prometheus")
        for name, one, other in rows:
            yield ROW(name, "same" if one == other else "DIFFERS", one, other)
