# SPDX-License-Identifier: Apache-2.0
"""deploy/demo as its users have it: its own program, orders on stdin, Ctrl-C.

An hour of the rules takes half a minute here, by the demo's own option. What the load sent is what
the demo prints; what Prometheus has is asked of Prometheus.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request

from deploy import DEPLOY, RULES, RUNBOOKS, accepts, need_agent
from kubelet import hierarchies
from sonde_test import LIMIT, SONDE, Failure, check, need, same, until

sys.path.insert(0, str(DEPLOY / "demo"))
from clock import Clock
from services import NAMES

COUNT = 'http_server_request_duration_seconds_count{namespace="shop",http_route!="/faults"}'
RATE = "service:http_server_requests:rate5m"
LABELS = ("namespace", "pod", "container", "service")
SPEED = 120
HOUR = 3600 / SPEED


class Run:
    """One life of the demo."""

    def __init__(self, live, *before, options=()):
        need_agent()
        need("prometheus", "prometheus-alertmanager", "openssl", "ip")
        self.out, self.err = live.temp / "demo.out", live.temp / "demo.err"
        command = [*before, DEPLOY / "demo/run", f"--speed={SPEED}", *options]
        files = {"stdin": subprocess.PIPE, "stdout": self.out, "stderr": self.err}
        self.process = live.start(command, text=True, **files)
        self.wait("ready: ")
        self.urls = dict(re.findall(r"(?m)^(\w+) +(http://[\d.:]+)/", self.text()))
        self.pods = {}
        for name, pod, pid in re.findall(r"(?m)^(\w+) +(\S+) +[\d.]+:\d+ +(\d+)$", self.text()):
            self.pods[name] = pod, int(pid)
        same("services", list(self.pods), list(NAMES))
        self.word = next(iter(re.findall(r"netns exec (\S+)-backend", self.text())), None)

    def text(self):
        return self.out.read_text()

    def wait(self, word, limit=60):
        def there():
            if self.process.poll() is not None:
                raise Failure(f"the demo ended: {self.err.read_text()[-600:]}")
            return word in self.text()

        until(f"the demo to say {word!r}", there, limit)

    def order(self, text, answer):
        """What it says from then on, up to its answer."""
        start = len(self.text())
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        until(f"an answer to {text}", lambda: answer in self.text()[start:], 70)
        return self.text()[start:]

    def sent(self):
        """The load's own counts: {name: count}, after the last request was answered."""
        table = self.order("compare", "\nall ")
        rows = re.findall(r"(?m)^(\w+ \S.*?)  +\w+ +(\d+) +\d+$", table)
        return {name: int(count) for name, count in rows}

    def get(self, what, path):
        with urllib.request.urlopen(self.urls[what] + path, timeout=LIMIT) as answer:
            return json.load(answer)

    def ask(self, expression, *labels):
        """{label values: value} of what Prometheus says."""
        words = urllib.parse.urlencode({"query": expression})
        found = self.get("Prometheus", f"/api/v1/query?{words}")["data"]["result"]
        key = lambda metric: tuple(metric.get(label, "") for label in labels)
        return {key(series["metric"]): float(series["value"][1]) for series in found}

    def end(self, signal_number, status=0):
        self.process.send_signal(signal_number)
        same("exit status", self.process.wait(30), status)


def descendants(pid):
    children = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = path.read_text().rsplit(") ", 1)[1].split()[1]
            children.setdefault(int(parent), []).append(int(path.parent.name))
    found = [pid]
    for one in found:  # which grows
        found += children.get(one, [])
    return found[1:]


def leavings(word, folder, pids):
    """What is there of a demo: namespaces, cgroups, its folder, processes."""
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    found = [f"namespace {name}" for name in names if name.startswith(word)]
    found += [f"cgroup {f / word}" for f in hierarchies().values() if (f / word).exists()]
    found += [f"folder {folder}"] if folder.exists() else []
    return found + [f"process {pid}" for pid in pids if os.path.exists(f"/proc/{pid}")]


def log_of(run):
    return pathlib.Path(re.search(r"(?m)^its log +(\S+)", run.text()).group(1))


def check_clean(run, end):
    """Everything is there, then the end, then nothing is."""
    what = run.word, log_of(run).parent, descendants(run.process.pid)
    there = leavings(*what)
    for kind, least in (("namespace", 7), ("cgroup", 1), ("folder", 1), ("process", 8)):
        check(sum(kind in name for name in there) >= least, f"{kind}: only {there}")
    end()
    same("left", leavings(*what), [])


def requests_in(counts):
    """{service: requests} of the load's counts."""
    result = dict.fromkeys(NAMES, 0)
    for name, count in counts.items():
        if " websocket " not in name:
            result[name.split()[0]] += count
    return result


def check_counts(run, services):
    """To the last request, with the names of the pods."""
    run.order("rate 0", "0 requests a second")
    sent = requests_in(run.sent())
    got = run.ask(f"sum by (namespace, pod, container, service) ({COUNT})", *LABELS)
    names = {service: ("shop", run.pods[service][0], service, service) for service in services}
    expected = {names[service]: sent[service] for service in services}
    same("requests", {key: n for key, n in got.items() if key[3] in services}, expected)
    check(min(expected.values()) > 10, f"only {expected}")
    run.order("rate 20", "20 requests a second")


def check_rates(run):
    """The backend gets three times what each of the others gets."""
    rates = run.ask(f"sum by (service) (rate({COUNT}[{HOUR:g}s]))", "service")
    same("services with a rate", sorted(key[0] for key in rates), sorted(NAMES))
    for name in set(NAMES) - {"backend"}:
        share = rates["backend",] / rates[name,]
        check(2 < share < 4, f"{share} times the rate of {name}")


def check_page(run, service, alert, page):
    """What PagerDuty got, and what Alertmanager has of the same alert."""
    payload = page["payload"]
    got = [payload[key] for key in ("severity", "class", "component", "group")]
    same("page", got, ["critical", alert, service, "main"])
    section = f"service.md#{alert.lower()}"
    same("links", [link["href"].split("/sonde/")[1] for link in page["links"]], [section])
    check(f"## {alert}" in (RUNBOOKS / "service.md").read_text(), "no such runbook")
    words = urllib.parse.urlencode({"filter": f"alertname={alert}"})
    alerts = run.get("Alertmanager", f"/api/v2/alerts?{words}")
    labels = {"alertname": alert, "namespace": "shop", "service": service}
    labels |= {"cluster": "main", "severity": "critical"}
    check(labels in [found["labels"] for found in alerts], f"{labels} not in {alerts}")


def test_five_services(live):
    """Counts, rates, the end of one of them, and what is left of it all: nothing."""
    run = Run(live)
    check_counts(run, NAMES)
    series = f'{RATE}{{namespace="shop",service="notification"}}'
    past = f"{series} offset {HOUR:g}s > 0 and avg_over_time({series}[{HOUR:g}s] offset 5s) > 1"
    until("an hour", lambda: run.ask(past), 70)
    check_rates(run)
    run.order("kill notification", "is dead")

    def paged():
        for path, post in run.get("receiver", "/"):
            if path == "/pagerduty" and post["event_action"] == "trigger":
                if "ServiceNoTraffic notification" in post["payload"]["summary"]:
                    return post

    check_page(run, "notification", "ServiceNoTraffic", until("a page", paged, 60))
    check_counts(run, set(NAMES) - {"notification"})
    check_clean(run, lambda: run.end(signal.SIGINT))


def test_faults_and_a_new_pod(live):
    """A share of errors is counted as such; a service that is started again is another pod."""
    run = Run(live, options=["--log-size=0.1"])
    run.order("errors audit 1", "audit: ")
    failed = COUNT.replace("}", ',service="audit",error_type="500"}')
    until("errors", lambda: run.ask(f"sum({failed}) > 3"), 40)
    run.order("errors audit 0", "audit: ")
    size = lambda: log_of(run).stat().st_size
    until("lines", lambda: size() > 2**16, 40)
    until("lines to begin anew", lambda: 0 < size() < 2**16, 40)
    run.order("rate 0", "0 requests a second")  # with nothing under way that nobody would answer
    said = run.order("start sync", "sync is ")
    run.order("rate 20", "20 requests a second")
    new = re.search(r"sync is (\S+)", said).group(1)
    same("pods of one ReplicaSet", new.rsplit("-", 1)[0], run.pods["sync"][0].rsplit("-", 1)[0])
    of_new = f'sum(http_server_request_duration_seconds_count{{pod="{new}"}}) > 5'
    until("requests of the new pod", lambda: run.ask(of_new), 40)
    table = run.order("compare", "\nall ")
    check("DIFFERS" not in table and "audit GET /api/audit 500" in table, table)
    check_clean(run, lambda: run.end(signal.SIGTERM, 1))


def test_failure_leaves_nothing(live):
    run = Run(live)
    agents = [p for p in descendants(run.process.pid) if os.readlink(f"/proc/{p}/exe") == SONDE]
    same("agents", len(agents), 1)

    def end():
        os.kill(agents[0], signal.SIGKILL)
        same("exit status", run.process.wait(30), 1)

    check_clean(run, end)
    check("the agent ended" in run.err.read_text(), run.err.read_text())


def test_where_much_is_refused(live):
    """Without namespaces and cgroups: a line for each, and rates of five services all the same."""
    need("unshare", "setpriv")
    mounts = [str(folder) for folder in hierarchies().values()]
    bind = "".join(f"mount --bind {m} {m} && mount -o remount,bind,ro {m} && " for m in mounts)
    enter = ["unshare", "-m", "sh", "-c", f'{bind}exec "$@"', "sh"]
    run = Run(live, *enter, "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
    for words in ("no network namespaces", "no cgroup hierarchy"):
        lines = [line for line in run.text().splitlines() if words in line]
        same(f"lines of {words}", len(lines), 1)
    run.end(signal.SIGINT)
    same("left", [pid for _, pid in run.pods.values() if os.path.exists(f"/proc/{pid}")], [])


def seconds(text):
    """All durations of a text, in order."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    found = re.findall(r"(?:\[|offset |for: |_wait: |_interval: )(\d+)(ms|[smhd])\b", text)
    return [int(number) * units[unit] for number, unit in found]


def test_clock(live):
    """Only durations change, all of them, by one factor; at 1 nothing does."""
    clock = Clock(SPEED)
    routes = DEPLOY / "alertmanager/alertmanager.yml"
    for path, change, still in (
        *((path, clock.rules, Clock(1).rules) for path in RULES),
        (routes, clock.routes, Clock(1).routes),
    ):
        text = path.read_text()
        same(path.name, still(text), text)
        expected = [max(round(s / SPEED, 3), 0.001) for s in seconds(text)]
        check(len(expected) > 2, f"{path.name}: no durations")
        same(path.name, [round(s, 3) for s in seconds(change(text))], expected)
        copy = live.temp / path.name
        copy.write_text(change(text))
        if path in RULES:
            accepts("promtool", "check", "rules", copy)
