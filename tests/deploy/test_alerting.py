# SPDX-License-Identifier: Apache-2.0
"""From a fault that the agent sees to the receiver's door, with the shipped files all the way.

Only what would take long is cut down in the copies: scrape and evaluation intervals, `for:` of the
rules, and how long Alertmanager waits for more of a group. Windows of rates stay as they are.
"""

import http.client
import re

from cluster import PERIODS, Alertmanager, Receiver, pod_of_agent, start_prometheus
from deploy import need_agent
from sonde_test import check, need, same, until

RUNBOOK = "https://runbooks.example.com/sonde/service.md#serviceerrorratiocritical"


class Service:
    """A server with a name of its own, and what it was asked."""

    def __init__(self, live, name):
        self.name, self.prefix = live.word + name, live.prefix
        self.port, self.log = live.plain(env={"OTEL_SERVICE_NAME": self.name})

    def get(self, *statuses):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for status in statuses:
            connection.request("GET", f"{self.prefix}/status/{status}")
            connection.getresponse().read()
        connection.close()


def watch(live):
    """(agent, Prometheus, receiver): all at work."""
    need_agent()
    need("prometheus", "prometheus-alertmanager", "openssl")
    agent = live.agent()
    receiver = Receiver(live)
    alertmanager = Alertmanager(live, receiver)
    pairs = (*PERIODS, ("alertmanager:9093", alertmanager.address))
    found = {"pod": [pod_of_agent(agent)]}
    at_once = lambda text: re.sub(r"for: \w+", "for: 0s", text)
    prometheus = start_prometheus(live, found, *pairs, rules=at_once)
    until("a scrape", lambda: prometheus.query("up{job='sonde'}") == "1", 30)
    return agent, prometheus, receiver


def said_after(what, ask, *rounds):
    """Sends rounds of requests until the receiver was told."""

    def told():
        for service, statuses in rounds:
            service.get(*statuses)
        return ask()

    return until(what, told, 60)


def test_fault_reaches_its_receivers(live):
    agent, prometheus, receiver = watch(live)
    failing, shut, limited = (Service(live, name) for name in ("failing", "shut", "limited"))
    rounds = [(failing, [500, 200]), (shut, [401] * 5 + [200] * 10), (limited, [429] + [200] * 9)]

    paged = lambda: receiver.pagerduty(f"ErrorRatioCritical {failing.name}")
    page = said_after("a page", paged, *rounds)[0]
    same("routing key", page["routing_key"], "the routing key")
    same("severity", page["payload"]["severity"], "critical")
    same("component", page["payload"]["component"], failing.name)
    same("links", [link["href"] for link in page["links"]], [RUNBOOK])
    check("500 or more" in page["payload"]["custom_details"]["firing"], page)
    said_after("#incidents", lambda: receiver.slack("#incidents", failing.name), *rounds)
    said_after("#alerts", lambda: receiver.slack("#alerts", f"AuthFailures {shut.name}"), *rounds)
    said_after("#monitoring", lambda: receiver.slack("#monitoring", limited.name), *rounds)
    for service in (shut, limited):
        pages = [page["payload"]["summary"] for page in receiver.pagerduty(service.name)]
        same(f"pages of {service.name}", pages, [])
    same("muted", receiver.slack("#alerts", f"ErrorRatioHigh {failing.name}"), [])

    resolved = lambda: receiver.pagerduty(f"ErrorRatioCritical {failing.name}", "resolve")
    end = said_after("the end", resolved, (failing, [200] * 200))[0]
    same("the same incident", end["dedup_key"], page["dedup_key"])
    for service in (failing, shut, limited):
        count = f'sum(http_server_request_duration_seconds_count{{service="{service.name}"}})'
        asked = str(len(service.log()))
        until(f"{asked} requests in Prometheus", lambda: prometheus.query(count) == asked)
    agent.stop()


def test_end_of_the_agent_is_told(live):
    agent, _, receiver = watch(live)
    same("pages", receiver.pagerduty("SondeDown"), [])
    agent.stop()
    page = until("a page", lambda: receiver.pagerduty("SondeDown"), 30)[0]
    check("on node-a" in page["payload"]["custom_details"]["firing"], page)


def test_rules_hold_on_what_the_agent_says(live):
    """No rule fails to be evaluated, and what is recorded of requests is what was asked."""
    agent, prometheus, _ = watch(live)
    service = Service(live, "served")
    name = "service:http_server_error_ratio:rate5m"

    def ratio():
        service.get(*[500] + [200] * 3)
        return prometheus.query(f'{name}{{service="{service.name}"}}')

    share = until("a share of errors", lambda: float(ratio() or 0), 30)
    check(0.1 < share < 0.4, f"{share} of 0.25")
    groups = prometheus.ask("rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    same("errors", {r["name"]: r["lastError"] for r in found if r["health"] != "ok"}, {})
    check(len(found) > 90, f"only {len(found)} rules")
    agent.stop()
