# SPDX-License-Identifier: Apache-2.0
"""From the agent's lines to what Loki is given: the shipped pipelines, and the queries on it.

Neither Promtail nor Alloy nor Loki is in Debian. So the stages of Promtail are done by pipeline.py,
Alloy's must be the same ones, the rules for targets run in a real Prometheus, which has them too,
and queries are read by logql.py and asked of a live agent's lines.
"""

import json
import re

import alloy
from dashboards import dashboards
from deploy import DEPLOY, accepts, load, need_agent
from logql import Reader
from pipeline import Entry, Pipeline, nanoseconds
from prometheus import Prometheus
from schema import CONFIGURATIONS, check_configuration
from sonde_test import HERE, PYTHON, Failure, check, need, same, until
from websocket_peers import python_peer, url_of

PROMTAIL = DEPLOY / "promtail/promtail.yaml"
RULE = CONFIGURATIONS["promtail"]["scrape_configs!"][0]["relabel_configs"][0]
# Alloy's components that are used: their own arguments, and those of blocks in them. Those of
# stages are compared with Promtail's.
COMPONENTS = {
    "discovery.kubernetes": ({"role"}, {"selectors": {"role", "field"}}),
    "discovery.relabel": ({"targets"}, {"rule": set(RULE)}),
    "local.file_match": ({"path_targets"}, {}),
    "loki.source.file": ({"targets", "forward_to"}, {}),
    "loki.process": ({"forward_to"}, None),
    "loki.write": (set(), {"endpoint": {"url"}}),
}
LABELS = {"namespace", "pod", "container", "service", "level"}
METADATA = {"logger", "request_id", "trace_id", "user_id"}
AGENT_POD = dict(namespace="monitoring", pod="sonde-x7k2p", container="sonde", service="sonde")
TASKS_POD = dict(namespace="shop", pod="tasks-0", container="app", service="tasks")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def scrape():
    config = load(PROMTAIL)
    check_configuration("promtail", config)
    job, = config["scrape_configs"]
    return job


def through(lines, labels, stream="stdout"):
    """What comes out for lines of a container, in the format in which runtimes write them."""
    pipeline = Pipeline(scrape()["pipeline_stages"])
    file = {**labels, "filename": "/var/log/pods/x/0.log"}
    for number, (flag, line) in enumerate(lines):
        written = f"2026-01-02T03:04:05.{number:09d}Z {stream} {flag} {line}"
        entry = pipeline.run(Entry(written, file))
        if entry:
            yield entry


def one(line, labels, stream="stdout"):
    entry, = through([("F", line)], labels, stream)
    return entry


def test_agent_lines(live):
    """Of every line: whole, at its own time, with the labels and ids that it names, no others."""
    need_agent()
    agent = live.agent()
    port, _ = live.plain(env={"OTEL_SERVICE_NAME": "tasks"})
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    headers.update({"X-Request-ID": "req-1", "X-User-ID": "user-1"})
    paths = ("/api/tasks/1", "/status/401", "/status/503")
    requests = [("GET", live.prefix + path, 0, headers) for path in paths]
    live.client("keep", port, requests)
    until("the lines", lambda: len(agent.lines()) == 2 * len(paths))
    agent.stop()
    lines = [line for line in agent.out.read_text().splitlines() if live.word in line]
    entries = list(through([("F", line) for line in lines], AGENT_POD))
    same("lines", [entry.line for entry in entries], lines)
    for entry in entries:
        said = json.loads(entry.line)
        same("labels", entry.labels, {key: said[key] for key in LABELS & set(said)})
        same("metadata", entry.metadata, {key: said[key] for key in METADATA & set(said)})
        same("the time", entry.time, nanoseconds(said["timestamp"]))
    same("services", {e.labels["service"] for e in entries}, {"tasks", "client"})
    same("levels", {e.labels["level"] for e in entries}, {"INFO", "WARN", "ERROR"})
    same("traces", {e.metadata["trace_id"] for e in entries}, {TRACE})


def test_agent_says_of_whom(live):
    """Its line of a pod has that pod's labels; of a service outside pods, no pod's at all."""
    pod = {"namespace": "shop", "pod": "tasks-0", "container": "app", "service": "tasks"}
    line = {"timestamp": "2026-01-02T03:04:06.5Z", "level": "INFO", "logger": "sonde.http"}
    same("of a pod", one(json.dumps({**line, **pod}), AGENT_POD).labels, {**pod, "level": "INFO"})
    host = one(json.dumps({**line, "service": "nginx"}), AGENT_POD)
    same("of the host", host.labels, {"service": "nginx", "level": "INFO"})
    own = one(json.dumps({**line, "logger": "sonde"}), AGENT_POD, "stderr")
    same("of itself", own.labels, {**AGENT_POD, "level": "INFO"})


def test_lines_of_services(live):
    """The reference architecture's own format; what a service says of itself is not believed."""
    line = {
        "timestamp": "2024-01-15T10:30:45.123456Z",
        "level": "INFO",
        "logger": "backend.routers.tasks",
        "message": "Task created",
        "request_id": "req-a1b2c3d4",
        "user_id": "550e8400-e29b-41d4-a716-446655440000",
        "trace_id": "trace-x1y2z3",
        "span_id": "span-m1n2o3",
    }
    entry = one(json.dumps({**line, "namespace": "kube-system", "pod": "etcd"}), TASKS_POD)
    same("labels", entry.labels, {**TASKS_POD, "level": "INFO"})
    same("metadata", entry.metadata, {key: line[key] for key in METADATA})
    same("time", entry.time, nanoseconds(line["timestamp"]))


def test_lines_that_are_none(live):
    """No JSON, JSON that is no object, an odd time, cut lines: nothing is lost or made up."""
    for line in ("plain words", "[1, 2]", '"text"', '{"level":"INFO"', ""):
        entry = one(line, TASKS_POD)
        same("line", entry.line, line)
        same("labels", entry.labels, TASKS_POD)
        same("metadata", entry.metadata, {})
        same("time", entry.time, nanoseconds("2026-01-02T03:04:05Z"))
    odd = one('{"timestamp":"yesterday","level":null}', TASKS_POD)
    same("odd time", (odd.time, odd.labels), (nanoseconds("2026-01-02T03:04:05Z"), TASKS_POD))
    cut, = through([("P", '{"level":'), ("P", '"WA'), ("F", 'RN"}')], TASKS_POD)
    same("cut line", (cut.line, cut.labels["level"]), ('{"level":"WARN"}', "WARN"))


def test_unknown_stages_are_refused(live):
    for stage in ({"regex": {}}, {"json": {"expressions": {}, "sauce": "x"}}, {"cri": {"x": 1}}):
        try:
            Pipeline([stage])
        except Failure:
            continue
        raise Failure(f"{stage} is taken")


def test_alloy_does_the_same(live):
    config = alloy.Reader((DEPLOY / "alloy/config.alloy").read_text()).file()
    by_name = {(block.name, block.label): block for block in config.blocks}
    process = by_name["loki.process", "pods"]
    same("stages", alloy.as_promtail(process), scrape()["pipeline_stages"])
    rules = [rule.values for rule in by_name["discovery.relabel", "pods"].blocks]
    # Promtail leaves out other nodes' pods by a label, Alloy asks for no others.
    theirs = [rule for rule in scrape()["relabel_configs"] if rule["target_label"] != "__host__"]
    same("rules", rules, theirs)
    check_references(by_name)


def check_references(by_name):
    """Each a.b.c.field is of a component that is there; each component is used, but for the one
    that reads the files."""
    text = (DEPLOY / "alloy/config.alloy").read_text()
    names = {f"{name}.{label}" for name, label in by_name}
    used = set(re.findall(r"\b((?:[a-z_]+\.)+[a-z_]+)\.(?:targets|output|receiver)\b", text))
    check(used <= names, f"there is no {used - names}")
    same("nobody asks for", names - used, {"loki.source.file.pods"})
    same("components", {name for name, _ in by_name}, set(COMPONENTS))
    for (name, _), block in by_name.items():
        arguments, blocks = COMPONENTS[name]
        same(f"{name}: arguments", set(block.values), arguments)
        for inner in block.blocks if blocks is not None else ():
            unknown = set(inner.values) - blocks[inner.name]
            same(f"{name}: {inner.name}: unknown", unknown, set())


PODS = (  # (controller kind, its name, pod, service)
    ("ReplicaSet", "tasks-7d4b9c6f5d", "tasks-7d4b9c6f5d-x2x4z", "tasks"),
    ("ReplicaSet", "my-api-5c8", "my-api-5c8-abcde", "my-api-5c8"),
    ("StatefulSet", "kafka", "kafka-0", "kafka"),
    ("DaemonSet", "sonde", "sonde-x7k2p", "sonde"),
    ("Job", "backup-28930410", "backup-28930410-4kxzt", "backup"),
    ("Job", "migrate", "migrate-8s2qv", "migrate"),
    ("", "", "alone", "alone"),
)


def test_targets(live):
    """The rules that make labels of pods, in a real Prometheus."""
    need("prometheus")
    rules = [dict(rule) for rule in scrape()["relabel_configs"]]
    for rule in rules:  # a label that begins with __ would not be shown
        rule["target_label"] = rule["target_label"].strip("_")
    targets = [(f"127.0.0.1:{number + 1}", meta(*pod)) for number, pod in enumerate(PODS)]
    words = [{"targets": [address], "labels": labels} for address, labels in targets]
    (live.temp / "targets.json").write_text(json.dumps(words))
    job = {"job_name": "pods", "file_sd_configs": [{"files": [str(live.temp / "targets.json")]}]}
    config = live.temp / "relabel.json"
    config.write_text(json.dumps({"scrape_configs": [{**job, "relabel_configs": rules}]}))
    accepts("promtool", "check", "config", config)
    server = Prometheus(live, None, config=config)
    active = until("targets", lambda: (server.ask("targets") or {}).get("activeTargets"))
    got = {t["labels"]["pod"]: t["labels"] for t in active}
    for _, _, pod, service in PODS:
        wanted = {"namespace": "shop", "pod": pod, "container": "app", "service": service}
        wanted.update(host="node1", path=f"/var/log/pods/*uid-{pod}/app/*.log")
        same(pod, {key: got[pod].get(key) for key in wanted}, wanted)


def meta(kind, controller, pod, _):
    labels = {"namespace": "shop", "pod_name": pod, "pod_container_name": "app"}
    labels.update(pod_uid=f"uid-{pod}", pod_node_name="node1")
    labels.update(pod_controller_kind=kind, pod_controller_name=controller)
    return {"__meta_kubernetes_" + key: value for key, value in labels.items()}


def test_queries(live):
    """Every query of the Logs dashboard, and those in the table of its README."""
    count = 0
    for board in dashboards():
        for panel, target in board.queries("loki"):
            Reader(board.filled(target["expr"])).read()
            count += 1
        for variable in board.variables.values():
            if variable["type"] == "query" and variable["datasource"]["type"] == "loki":
                same(variable["name"], variable["query"]["label"], variable["name"])
                if variable["query"]["stream"]:
                    Reader(board.filled(variable["query"]["stream"])).read()
    texts = re.findall(r"^    (\{.*|sum .*)$", (DEPLOY / "loki/README.md").read_text(), re.M)
    for text in texts:
        Reader(text).read()
    check(count >= 10 and len(texts) >= 7, f"{count} queries in dashboards, {len(texts)} in README")


# What each pre-defined query has to find: the messages of lines, from where the path begins.
FOUND = {
    "Task creation failures": {"POST /status/409/tasks 409"},
    "Event publishing errors": {"POST /v1.0/publish/pubsub/status/500 500"},
    "WebSocket disconnections": {"WebSocket /chat/1 closed 1011"},
    "Authentication failures": {"GET /status/401 401"},
    "High latency requests": {"GET /ms1100/x 200"},
    "User activity": {"GET /status/404 404"},
    "Database errors": set(),  # not of the agent's lines
}


def test_queries_find_lines(live):
    """Lines of a live agent that each query is for, and no others of the same traffic."""
    need_agent()
    agent = live.agent()
    port, _ = live.plain()
    _, sleeper = live.server(PYTHON, HERE / "servers/sleeper.py", live.temp / "times.log")
    peers = [python_peer(live, role) for role in ("server", "client")]
    for path in ("/status/409/tasks", "/v1.0/publish/pubsub/status/500", "/tasks"):
        live.client("keep", port, [("POST", "/" + live.word + path, 5)])
    of_user = {"X-User-ID": "user-1"}
    for status, headers in ((401, {}), (200, {}), (404, of_user)):
        live.client("keep", port, [("GET", f"{live.prefix}/status/{status}", 0, headers)])
    live.client("keep", sleeper, [("GET", f"{live.prefix}/ms{n}/x") for n in (1100, 1)])
    for code in (1000, 1011):
        peers[1].ask("open", url=url_of(live, peers[0].port))
        peers[1].ask("close", code=code)
        peers[0].ask("wait")
    until("the lines", lambda: len(agent.lines()) == 2 * (8 + 2 * 3))  # of both ends
    agent.stop()
    lines = [line for line in agent.out.read_text().splitlines() if live.word in line]
    entries = list(through([("F", line) for line in lines], AGENT_POD))
    for board in dashboards():
        for panel, target in board.queries("loki"):
            if panel["title"] in FOUND:
                check_finds(live, panel["title"], board.filled(target["expr"]), entries)


def check_finds(live, title, text, entries):
    query = Reader(text.replace("/v1.0", f"{live.prefix}/v1.0")).read()
    found = {e.line for e in entries if query.finds(e.line, {**e.labels, **e.metadata})}
    messages = {json.loads(line)["message"].replace(live.prefix, "") for line in found}
    wanted = FOUND[title]
    check(all(any(m.startswith(w) for m in messages) for w in wanted), f"{title}: {messages}")
    same(f"{title}: too much", {m for m in messages if not m.startswith(tuple(wanted))}, set())


def test_wrong_queries_are_refused(live):
    wrong = (
        '{service="a"', '{service=a}', '{}', '{service=~".*"}', '{service="a"} | jsn',
        '{service="a"} |= x', 'rate({service="a"})', 'sum by service (rate({service="a"}[5m]))',
        '{service="a"} | json | status>', '{service="a"} |~ "("', '{service="a"} | status>=400 |',
        '{service="a"} 5',
    )  # fmt: skip
    for text in wrong:
        try:
            Reader(text).read()
        except (Failure, re.error):
            continue
        raise Failure(f"{text} is taken")
