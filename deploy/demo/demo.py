# SPDX-License-Identifier: Apache-2.0
"""The demo as an object: starts everything, says where to look, obeys orders."""

import os

from clock import Clock
from cluster import Alertmanager, Receiver, pod_of_agent, start_prometheus
from counts import REQUESTS, Counts
from services import NAMES
from shop import HERE, Shop
from sonde_test import PYTHON, SONDE, Failure, need
from websocket_peers import Peer

LIMITS = {"errors": 1.0, "slow": 2.0}  # of a fault; seconds over which the backend would give up
QUERIES = """  sum by (namespace, pod, container, service) (rate({requests}{{{of}}}{window}))
  histogram_quantile(0.95, sum by (service, le)
    (rate(http_server_request_duration_seconds_bucket{{{of}}}{window})))
  sum by (service) (websocket_connections{{{of},role="server"}})
  ALERTS{{alertstate="firing"}}"""
HELP = """  kill SERVICE          its alerts appear here; `start SERVICE` mends
  errors SERVICE 0.3    three of ten requests are answered with 500; 0 mends
  slow SERVICE 0.8      each request takes 0.8 s longer; 0 mends
  rate 50               requests a second; `rate 0` is a pause
  compare               what was sent and what Prometheus counted, to the last request
  status, help, quit"""
ROW = "{:13} {:34} {:15} {:>7} {}".format


class Demo:
    def __init__(self, live, say, wanted):
        need("prometheus", "prometheus-alertmanager", "openssl", SONDE)
        self.live, self.say = live, say
        self.rate, self.told = wanted.rate, 0
        self.log, self.log_size = live.temp / "agent.log", wanted.log_size * 2**20
        self.faults = {name: dict.fromkeys(LIMITS, 0.0) for name in NAMES}
        self.clock = Clock(wanted.speed)
        self.shop = Shop(live, say)
        self.watch()
        self.start_load()
        self.introduce()
        self.load.ask("go", rate=self.rate)
        self.counts.wait("five services", lambda: len(self.counts.rates()) == len(NAMES))
        self.say("ready: Prometheus has rates of all five services")

    def watch(self):
        """The agent, and what watches through it."""
        logs = [f"--kube-logs={self.shop.cluster.logs}"] if self.shop.cluster else []
        with open(self.log, "ab") as lines:
            self.agent = self.live.agent(*logs, env={"NODE_NAME": "node-a"}, stdout=lines)
        self.receiver = Receiver(self.live)
        self.alertmanager = Alertmanager(self.live, self.receiver, self.clock.routes)
        words = (*self.clock.scrapes(), ("alertmanager:9093", self.alertmanager.address))
        found = {"pod": [pod_of_agent(self.agent)]}
        self.prometheus = start_prometheus(self.live, found, *words, rules=self.clock.rules)

    def start_load(self):
        command = self.shop.command("people", PYTHON, HERE / "load.py")
        env = {**self.shop.env, "OTEL_SERVICE_NAME": "people"}
        self.load = Peer(self.live, command, "client", "people", env)
        self.counts = Counts(self.prometheus, self.load, self.clock, self.shop.cluster)

    def introduce(self):
        hour = 3600 / self.clock.speed
        self.say(f"\n{self.rate:g} requests a second; an hour of the rules takes {hour:g} s\n")
        self.status()
        self.say(f"\nAgent         {self.agent.url}/")
        self.say(f"its log       {self.log}")
        self.say(f"Prometheus    {self.prometheus.url}/alerts")
        self.say(f"Alertmanager  http://{self.alertmanager.address}/")
        self.say(f"receiver      {self.receiver.url}/  what Slack and PagerDuty would have got")
        words = {"requests": REQUESTS, "of": self.counts.of, "window": self.counts.window}
        self.say(f"\nAsk Prometheus:\n{QUERIES.format(**words)}\n\nTry:\n{HELP}\n")

    def status(self):
        self.say(ROW("service", "pod", "address", "pid", "").rstrip())
        for name in NAMES:
            pod, (address, port) = self.shop.pods[name], self.shop.addresses[name]
            state = "" if pod.process.poll() is None else "dead"
            self.say(ROW(name, pod.name, f"{address}:{port}", pod.process.pid, state).rstrip())
        if self.shop.nodes:
            self.say(f"in network namespaces: ip netns exec {self.shop.word}-backend ss -tn")

    def look(self):
        """Says what came to the receiver; sees to what must not end, or grow."""
        posts = self.receiver.posts[self.told :]
        for path, post in posts:
            self.say(words_of(path, post))
        self.told += len(posts)
        if self.log.stat().st_size > self.log_size:
            os.truncate(self.log, 0)
        for name, process in (("the agent", self.agent.process), ("the load", self.load.process)):
            if process.poll() is not None:
                raise Failure(f"{name} ended with {process.returncode}")

    def obey(self, words):
        """One order; one that is not understood is answered with the help."""
        match words:
            case ["kill", service] if service in NAMES:
                self.shop.kill(service)
                self.say(f"{service} is dead")
            case ["start", service] if service in NAMES:
                self.shop.restart(service)
                self.say(f"{service} is {self.shop.pods[service].name}")
            case ["errors" | "slow" as fault, service, much] if service in NAMES and number(much):
                self.set_fault(service, fault, float(much))
            case ["rate", rate] if number(rate):
                self.set_rate(float(rate))
            case ["compare"]:
                self.load.ask("pause")
                self.say("\n".join(self.counts.compare()))
                self.set_rate(self.rate)
            case ["status"]:
                self.status()
            case []:
                pass
            case _:
                self.say(HELP)

    def set_fault(self, service, fault, much):
        self.faults[service][fault] = min(much, LIMITS[fault])
        self.load.ask("fault", service=service, **self.faults[service])
        self.say(f"{service}: {self.faults[service]}")

    def set_rate(self, rate):
        self.rate = rate
        order = {"do": "go", "rate": rate} if rate else {"do": "pause"}
        self.load.ask(**order)
        self.say(f"{rate:g} requests a second")


def number(text):
    return text.replace(".", "", 1).isdigit()


def words_of(path, post):
    """One line of what was posted to the receiver."""
    if path == "/pagerduty":
        links = " ".join(link["href"] for link in post.get("links", []))
        return f"PagerDuty {post['event_action']}: {post['payload']['summary']} {links}"
    note = post["attachments"][0]
    return f"Slack {post['channel']}: {note['title']} {note.get('title_link', '')}"
