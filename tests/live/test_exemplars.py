# SPDX-License-Identifier: Apache-2.0
"""Exemplars: a bucket names a trace, the log and the sender know it too, Prometheus keeps it."""

import http.client
import random
import re
import time

import promtext
from prometheus import Prometheus
from sonde_test import HERE, PYTHON, check, need, same, until

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
NUMBER = r"[0-9.]+(?:e[+-]?[0-9]+)?"
EXEMPLAR = re.compile(rf"(.*) # (\{{[^}}]*\}}) ({NUMBER}) ({NUMBER})")
DURATIONS = (1, 20, 100)  # ms
FAMILY = "http_server_request_duration_seconds"


class Exemplar:
    """One line of the exposition that has an exemplar, taken apart."""

    def __init__(self, line, below):
        sample, labels, value, when = EXEMPLAR.fullmatch(line).groups()
        self.name, self.of, _ = promtext.split_sample(sample)
        self.labels = promtext.labels_of(labels[1:-1])
        self.value, self.time = float(value), float(when)
        self.fits = below < self.value <= float(self.of["le"])
        same("an exemplar's labels", list(self.labels), ["trace_id"])
        self.trace_id = self.labels["trace_id"]


def exemplars_of(agent):
    """Those of this test's requests; each must lie in its bucket."""
    found = []
    below = 0.0
    for line in agent.get("/metrics", OPENMETRICS)[2].decode().splitlines():
        le = re.search(r'[,{]le="([^"]+)"\}', line)
        if " # " in line and agent.live.word in line:
            found.append(Exemplar(line, below))
        below = float(le.group(1)) if le and le.group(1) != "+Inf" else 0.0
    check(all(e.fits for e in found), [(e.of["le"], e.value) for e in found if not e.fits])
    check(all(e.name.endswith("_duration_seconds_bucket") for e in found), "not of a bucket")
    return found


def send(live, traced=True):
    """A request of each duration; returns {duration: trace id}."""
    _, port = live.server(PYTHON, HERE / "servers/sleeper.py", live.temp / "times.log")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    ids = {}
    for duration in DURATIONS:
        ids[duration] = f"{random.getrandbits(128) | 1:032x}"
        headers = {"traceparent": f"00-{ids[duration]}-00f067aa0ba902b7-01"} if traced else {}
        connection.request("GET", f"{live.prefix}/ms{duration}/x", headers=headers)
        connection.getresponse().read()
    connection.close()
    return ids


def has_lines(agent):
    return lambda: len(agent.lines()) == 2 * len(DURATIONS)


def counts_of(live):
    return {("GET", f"{live.prefix}/ms{duration}/x", "200"): 1 for duration in DURATIONS}


def test_name_what_the_sender_sent(live):
    agent = live.agent()
    before = time.time()
    ids = send(live)
    agent.expect("server", counts_of(live))
    agent.expect("client", counts_of(live))
    found = exemplars_of(agent)
    same("exemplars", len(found), 2 * len(DURATIONS))
    until("the lines", has_lines(agent))
    durations = {(x["role"], x["trace_id"]): x["duration_ms"] for x in agent.lines()}
    for e in found:
        role = e.name.split("_")[1]
        duration = int(re.search(r"/ms(\d+)/", e.of["http_route"]).group(1))
        same("the trace", e.trace_id, ids[duration])
        same("ms", round(e.value * 1000, 3), durations[role, e.trace_id])
        check(before - 1 < e.time < time.time() + 1, f"at {e.time}, sent after {before}")
    agent.stop()


def test_only_in_openmetrics(live):
    agent = live.agent()
    send(live)
    agent.expect("server", counts_of(live))
    check(exemplars_of(agent), "no exemplars in OpenMetrics")
    for accept in ("text/plain; version=0.0.4", "*/*"):
        text = agent.get("/metrics", {"Accept": accept})[2].decode()
        check(" # " not in text, "the text format has none")
    agent.stop()


def test_lead_somewhere(live):
    """Without headers there is no exemplar, or one of a trace that has lines here."""
    agent = live.agent()
    send(live, traced=False)
    agent.expect("server", counts_of(live))
    until("the lines", has_lines(agent))
    lines = {line["trace_id"] for line in agent.lines() if "trace_id" in line}
    found = {e.trace_id for e in exemplars_of(agent)}
    check(found <= lines, f"no line of {found - lines}")
    same("some are named", bool(found), bool(lines))
    agent.stop()


def test_need_a_line_or_a_header(live):
    agent = live.agent("--log-sample=0")
    send(live, traced=False)
    agent.expect("server", counts_of(live))
    same("exemplars of what nobody keeps", [e.trace_id for e in exemplars_of(agent)], [])
    ids = send(live)
    agent.expect("server", {key: 2 for key in counts_of(live)})
    same("traces of headers", {e.trace_id for e in exemplars_of(agent)}, set(ids.values()))
    agent.stop()


def test_prometheus_keeps_them(live):
    need("prometheus")
    agent = live.agent()
    ids = send(live)
    agent.expect("server", counts_of(live))
    prometheus = Prometheus(live, agent, "--enable-feature=exemplar-storage")
    query = f'{FAMILY}_bucket{{http_route=~"{live.prefix}/.*"}}'
    around = {"start": time.time() - 600, "end": time.time() + 600}
    ask = lambda: prometheus.ask("query_exemplars", query=query, **around)
    data = until("exemplars in Prometheus", ask, 30)
    found = {e["labels"]["trace_id"]: float(e["value"]) for s in data for e in s["exemplars"]}
    same("traces", set(found), set(ids.values()))
    for duration, trace in ids.items():
        check(duration / 1000 <= found[trace], f"{duration} ms: {found[trace]} s")
    names = {s["seriesLabels"]["__name__"] for s in data}
    same("of", names, {f"{FAMILY}_bucket"})
    agent.stop()
