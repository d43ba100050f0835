# SPDX-License-Identifier: Apache-2.0
"""deploy/prometheus/prometheus.yml: which pods it takes, and what labels they get.

Prometheus is real; what Kubernetes would tell it comes from a file (see cluster.py).
"""

import contextlib
import http.server
import json
import threading
import urllib.request

import schema
from cluster import PERIODS, pod_of_agent, replaced, start_prometheus
from deploy import DEPLOY, load, need_agent
from sonde_test import LIMIT, free_port, need, same, until

SIDECAR = """# TYPE dapr_component_pubsub_ingress_count counter
dapr_component_pubsub_ingress_count{app_id="backend",namespace="prod",process_status="drop"} 3
"""


class Sidecar(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(SIDECAR)))
        self.end_headers()
        self.wfile.write(SIDECAR.encode())

    def log_message(self, *args):
        pass


def sidecar(live):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sidecar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    live.at_end(server.shutdown)
    return server.server_port


def pod(name, container, port_name, **more):
    return {
        "namespace": "prod",
        "pod_name": name,
        "pod_ip": "127.0.0.1",
        "pod_phase": "Running",
        "pod_node_name": "node-a",
        "pod_container_name": container,
        "pod_container_port_name": port_name,
        **more,
    }


def dapr_pod(name, container, port_name, **more):
    return pod(name, container, port_name, pod_annotation_dapr_io_enabled="true", **more)


def service(name, port_name):
    return {"service_label_app_kubernetes_io_name": name, "endpoint_port_name": port_name}


def found(agent, port):
    """What Kubernetes lists, and much that is not to be scraped."""
    own = {"pod_annotation_dapr_io_metrics_port": str(port)}
    ended = {"pod_annotation_dapr_io_metrics_port": "1", "pod_phase": "Succeeded"}
    silent = {"pod_annotation_dapr_io_enable_metrics": "false"}
    return {
        "pod": [
            pod_of_agent(agent),
            ("127.0.0.1:1", pod("backend-1", "backend", "http")),
            ("127.0.0.1:8000", dapr_pod("backend-1", "backend", "http", **own)),
            ("127.0.0.1:3500", dapr_pod("backend-1", "daprd", "dapr-http", **own)),
            ("127.0.0.1:50001", dapr_pod("backend-1", "daprd", "dapr-grpc", **own)),
            ("127.0.0.1", dapr_pod("audit-1", "daprd", "dapr-http", pod_ip="127.0.0.9")),
            ("127.0.0.8:8000", dapr_pod("bare-1", "bare", "http", pod_ip="127.0.0.8")),
            ("127.0.0.1", dapr_pod("job-1", "daprd", "dapr-http", **ended)),
            ("127.0.0.1", dapr_pod("quiet-1", "daprd", "dapr-http", **silent)),
        ],
        "endpoints": [
            ("127.0.0.1:2", service("kafka-exporter", "metrics")),
            ("127.0.0.1:3", service("kube-state-metrics", "http")),
            ("127.0.0.1:4", service("kube-state-metrics", "telemetry")),
            ("127.0.0.1:5", service("backend", "http")),
        ],
        "node": [("127.0.0.1:6", {"node_name": "node-a"})],
    }


def test_targets(live):
    need_agent()
    need("prometheus", "openssl")
    agent, port = live.agent(), sidecar(live)
    prometheus = start_prometheus(live, found(agent, port))
    targets = until("targets", lambda: prometheus.ask("targets")["activeTargets"], 30)
    got = {(t["labels"]["job"], t["labels"]["instance"]): t["labels"] for t in targets}
    same("number of targets", len(targets), len(got))
    address = f"127.0.0.1:{agent.port}"
    dapr = {"namespace": "prod"}
    wanted = {
        ("sonde", address): {"node": "node-a"},
        ("dapr", f"127.0.0.1:{port}"): {**dapr, "pod": "backend-1"},
        ("dapr", "127.0.0.9:9090"): {**dapr, "pod": "audit-1"},
        ("kafka-exporter", "127.0.0.1:2"): {},
        ("kube-state-metrics", "127.0.0.1:3"): {},
        ("cadvisor", "127.0.0.1:6"): {"node": "node-a"},
    }
    same("targets", got, {k: {"job": k[0], "instance": k[1], **v} for k, v in wanted.items()})
    agent.stop()


def test_labels_of_what_is_scraped(live):
    """A service outside pods must not look like the agent's pod."""
    need_agent()
    need("prometheus", "openssl")
    agent, port = live.agent(), sidecar(live)
    asked, _ = live.plain(env={"OTEL_SERVICE_NAME": live.word})
    live.client("keep", asked, [("GET", f"{live.prefix}/a")])
    prometheus = start_prometheus(live, found(agent, port), *PERIODS)
    labels_of = lambda query: [s["metric"] for s in prometheus.ask("query", query=query)["result"]]
    asking = f'http_server_active_requests{{service="{live.word}"}}'
    series = until("requests in Prometheus", lambda: labels_of(asking), 30)[0]
    wanted = {"job": "sonde", "instance": f"127.0.0.1:{agent.port}", "node": "node-a"}
    del series["__name__"]
    same("labels", series, {"service": live.word, **wanted})
    drops = until("drops", lambda: labels_of("dapr_component_pubsub_ingress_count"), 30)[0]
    wanted = {"namespace": "prod", "app_id": "backend", "pod": "backend-1"}
    same("labels of Dapr", {name: drops.get(name) for name in wanted}, wanted)
    same("renamed", [name for name in drops if name.startswith("exported_")], [])
    agent.stop()


def test_arguments(live):
    """prometheus.args as it is, but for paths: Prometheus starts with it and keeps data 30 days."""
    need("prometheus")
    config = live.temp / "none.yml"
    config.write_text("{}")
    text = (DEPLOY / "prometheus/prometheus.args").read_text()
    text = replaced(text, ("/etc/prometheus/prometheus.yml", str(config)))
    text = replaced(text, ("=/prometheus\n", f"={live.temp}/tsdb\n"))
    address = f"127.0.0.1:{free_port()}"
    arguments = live.temp / "prometheus.args"
    arguments.write_text(text)
    command = ["prometheus", f"@{arguments}", f"--web.listen-address={address}"]
    live.start(command, stderr=live.temp / "prometheus.err")
    url = f"http://{address}/api/v1/status/runtimeinfo"

    def retention():
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=LIMIT) as answer:
            return json.load(answer)["data"]["storageRetention"]

    same("retention", until("Prometheus to be ready", retention, 30), "30d or 40GiB")


def test_service_monitor_finds_what_dapr_makes(live):
    """Port and label are those of the Service that Dapr makes for an app."""
    monitor = load(DEPLOY / "prometheus/dapr-servicemonitor.yaml")
    same("ServiceMonitor", schema.faults(monitor), [])
    same("labels", monitor["spec"]["selector"], {"matchLabels": {"dapr.io/enabled": "true"}})
    endpoint = monitor["spec"]["endpoints"][0]
    wanted = {"port": "dapr-metrics", "interval": "15s", "honorLabels": True}
    same("endpoint", {name: endpoint.get(name) for name in wanted}, wanted)
