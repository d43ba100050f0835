# SPDX-License-Identifier: Apache-2.0
"""The endpoint: formats, compression, health, refusals, and a real Prometheus that scrapes it."""

import gzip
import subprocess
import urllib.error
import urllib.request

import promtext
from prometheus import Prometheus
from sonde_test import LIMIT, check, need, same, tally, until

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def with_traffic(live, count=7):
    port, access = live.plain()
    agent = live.agent(f"--service={port}={live.word}")
    for n in range(count):
        url = f"http://127.0.0.1:{port}{live.prefix}/{n}"
        live.run("curl", "-sS", url)
    agent.expect("server", tally(access()))
    return agent


def ask(agent, path, method="GET", headers=None):
    """(status, headers, body), also of refusals."""
    request = urllib.request.Request(agent.url + path, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def test_text(live):
    agent = with_traffic(live)
    status, headers, body = ask(agent, "/metrics")
    same("status", status, 200)
    check(headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers["Content-Type"])
    metrics = promtext.Metrics(body.decode())
    for family in ("sonde_build_info", "process_resident_memory_bytes", "sonde_programs_attached"):
        check(family in metrics.types, f"no {family}")
    agent.stop()


def test_openmetrics(live):
    agent = with_traffic(live)
    _, headers, body = ask(agent, "/metrics", headers={"Accept": OPENMETRICS})
    kind = headers["Content-Type"]
    check(kind.startswith("application/openmetrics-text"), kind)
    text = body.decode()
    check(text.endswith("\n# EOF\n"), "no # EOF")
    same("# EOF", text.count("# EOF"), 1)
    types = [line.split() for line in text.splitlines() if line.startswith("# TYPE")]
    wrong = [name for _, _, name, kind in types if kind == "counter" and name.endswith("_total")]
    same("counter families that end in _total", wrong, [])
    histogram = "# TYPE http_server_request_duration_seconds histogram"
    check(histogram.split() in types, "no histogram")
    agent.stop()


def test_gzip(live):
    agent = with_traffic(live)
    _, headers, body = ask(agent, "/metrics", headers={"Accept-Encoding": "gzip"})
    same("encoding", headers["Content-Encoding"], "gzip")
    metrics = promtext.Metrics(gzip.decompress(body).decode())
    check("http_server_request_duration_seconds" in metrics.types, "no requests in it")
    _, headers, _ = ask(agent, "/metrics", headers={"Accept-Encoding": "identity"})
    same("encoding when not asked for", headers["Content-Encoding"], None)
    agent.stop()


def test_paths(live):
    agent = live.agent()
    for path in ("/healthz", "/livez", "/health", "/-/healthy", "/readyz", "/-/ready", "/"):
        status, headers, _ = ask(agent, path)
        same(f"status of {path}", status, 200)
        check(headers["Content-Type"], f"{path} has no Content-Type")
    for path in ("/metricsx", "/nothing", "/metrics/x", "//"):
        same(f"status of {path}", ask(agent, path)[0], 404)
    for method in ("POST", "PUT", "DELETE"):
        status, headers, _ = ask(agent, "/metrics", method)
        same(f"status of {method}", status, 405)
        check("GET" in (headers["Allow"] or ""), "405 without Allow")
    status, headers, body = ask(agent, "/metrics", "HEAD")
    same("HEAD", (status, body), (200, b""))
    agent.stop()


def test_never_traces_itself(live):
    agent = live.agent()
    for _ in range(20):
        ask(agent, f"/metrics?{live.word}")
    servers = agent.metrics().counts("http_server_request_duration_seconds", ("service",))
    check(("sonde",) not in servers, "the agent counts its own endpoint")
    check(not agent.lines(role="server"), "the agent logs its own endpoint")
    agent.stop()


def test_promtool(live):
    need("promtool")
    agent = with_traffic(live)
    text = ask(agent, "/metrics")[2]
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    same("promtool", (result.returncode, (result.stdout + result.stderr).decode()), (0, ""))
    agent.stop()


def test_prometheus(live):
    need("prometheus")
    agent = with_traffic(live, 23)
    prometheus = Prometheus(live, agent)
    selector = f'{{service="{live.word}",http_route="{live.prefix}/{{id}}"}}'
    count = f"sum(http_server_request_duration_seconds_count{selector})"
    same("count", until("a scrape", lambda: prometheus.query(count), 30), "23")
    same("up", prometheus.query('up{job="sonde"}'), "1")
    quantile = f"histogram_quantile(0.5, http_server_request_duration_seconds_bucket{selector})"
    check(0 < float(prometheus.query(quantile)) < 10, "no median")
    agent.stop()
