# SPDX-License-Identifier: Apache-2.0
"""The shipped Prometheus and Alertmanager at work, on files that are copies but for a few words.

What a test must change is replaced in the text, and must stand there: how targets are found
(Debian's Prometheus knows no Kubernetes; a file with the same __meta_ labels takes its place),
paths of secrets, addresses, and intervals. Receivers are one web server that keeps what it gets.
"""

import http.server
import json
import re
import shutil
import threading
import urllib.parse
import urllib.request

from deploy import DEPLOY
from prometheus import Prometheus
from sonde_test import LIMIT, check, free_port, until

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PERIODS = (
    ("scrape_interval: 15s", "scrape_interval: 1s"),
    ("scrape_timeout: 10s", "scrape_timeout: 1s"),
    ("evaluation_interval: 15s", "evaluation_interval: 1s"),
)
DISCOVERY = re.compile(r"kubernetes_sd_configs:\n      - role: (pod|endpoints|node)\n")


def replaced(text, *pairs):
    for old, new in pairs:
        check(old in text, f"{old!r} does not stand there any more")
        text = text.replace(old, new)
    return text


def prometheus_files(live, found, pairs, rules):
    """A copy of deploy/prometheus whose targets are `found`: {role: [(address, labels)]}."""
    folder = live.temp / "prometheus"
    shutil.copytree(DEPLOY / "prometheus", folder)
    for role in ("pod", "endpoints", "node"):
        items = [target(address, labels) for address, labels in found.get(role, [])]
        (folder / f"{role}.json").write_text(json.dumps(items))
    authority(live, folder)
    path = folder / "prometheus.yml"
    text = replaced(path.read_text(), (ACCOUNT, str(folder)), *pairs)
    text = DISCOVERY.sub(rf"file_sd_configs:\n      - files: [{folder}/\1.json]\n", text)
    check("kubernetes_sd" not in text, "a way to find targets that the tests do not know")
    path.write_text(text)
    for rule_file in folder.glob("rules/*.yml"):
        rule_file.write_text(rules(rule_file.read_text()))
    return path


def target(address, labels):
    named = {f"__meta_kubernetes_{name}": value for name, value in labels.items()}
    return {"targets": [address], "labels": named}


def authority(live, folder):
    """A token and a certificate, where a pod has those of its service account."""
    (folder / "token").write_text("none")
    made = ["-keyout", folder / "ca.key", "-out", folder / "ca.crt"]
    live.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", *made)


def pod_of_agent(agent):
    """What Kubernetes would say of its pod."""
    labels = {
        "pod_label_app_kubernetes_io_name": "sonde",
        "pod_container_port_name": "metrics",
        "pod_phase": "Running",
        "pod_node_name": "node-a",
        "namespace": "sonde",
        "pod_name": "sonde-x7k2p",
    }
    return f"127.0.0.1:{agent.port}", labels


def start_prometheus(live, found, *pairs, rules=lambda text: text):
    """pairs: words of prometheus.yml to replace; rules: what becomes of the text of a rule file."""
    return Prometheus(live, config=prometheus_files(live, found, pairs, rules))


class Receiver:
    """Slack and PagerDuty: [(path, object)] of all that was posted."""

    def __init__(self, live):
        self.posts = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((self.path, json.loads(body)))
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}" if self.path == "/pagerduty" else b"ok")

            def do_GET(self):
                """All of it, for those who look."""
                body = json.dumps(receiver.posts, indent=1).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        live.at_end(self.server.shutdown)

    def slack(self, channel, word):
        """Messages to a channel that hold a word."""
        sent = [post for path, post in self.posts if path == "/slack"]
        return [post for post in sent if post["channel"] == channel and word in json.dumps(post)]

    def pagerduty(self, word, action="trigger"):
        sent = [post for path, post in self.posts if path == "/pagerduty"]
        sent = [post for post in sent if post["event_action"] == action]
        return [post for post in sent if word in json.dumps(post)]


def quick_routes(text):
    return replaced(
        text, ("group_wait: 30s", "group_wait: 1s"), ("group_interval: 5m", "group_interval: 1s")
    )


class Alertmanager:
    def __init__(self, live, receiver, routes=quick_routes):
        """routes: what becomes of the text of its configuration."""
        folder = live.temp / "alertmanager"
        shutil.copytree(DEPLOY / "alertmanager", folder)
        (folder / "slack_api_url").write_text(f"{receiver.url}/slack")
        (folder / "pagerduty_routing_key").write_text("the routing key")
        config = folder / "alertmanager.yml"
        words = (
            ("/etc/alertmanager/secrets", str(folder)),
            ("https://events.pagerduty.com/v2/enqueue", f"{receiver.url}/pagerduty"),
        )
        config.write_text(routes(replaced(config.read_text(), *words)))
        self.address = f"127.0.0.1:{free_port()}"
        options = [f"--config.file={config}", f"--web.listen-address={self.address}"]
        options += [f"--storage.path={folder}/data", "--cluster.listen-address="]
        live.start(["prometheus-alertmanager", *options], stderr=live.temp / "alertmanager.err")
        until("Alertmanager to be ready", lambda: self.ask("status"), 2 * LIMIT)

    def ask(self, path, **parameters):
        url = f"http://{self.address}/api/v2/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                return json.load(answer)
        except OSError:
            return None

    def post(self, alerts):
        """As Prometheus does: [labels]."""
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.address}/api/v2/alerts", body, headers)
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            check(answer.status == 200, f"{answer.status}")

    def states(self):
        """{labels: active or suppressed} of all alerts."""
        return {
            tuple(sorted(alert["labels"].items())): alert["status"]["state"]
            for alert in self.ask("alerts") or []
        }
