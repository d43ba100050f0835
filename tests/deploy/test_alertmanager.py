# SPDX-License-Identifier: Apache-2.0
"""deploy/alertmanager: routes by amtool, secrets, and what mutes what by Alertmanager itself."""

import re

from cluster import Alertmanager, Receiver
from deploy import DEPLOY, accepts, load, rules
from sonde_test import check, need, same, until

CONFIG = DEPLOY / "alertmanager/alertmanager.yml"
ROUTES = {"critical": "incidents", "warning": "alerts", "info": "monitoring"}
CHANNELS = {"incidents": "#incidents", "alerts": "#alerts", "monitoring": "#monitoring"}


def test_config_is_accepted(live):
    accepts("amtool", "check-config", CONFIG)
    form = "{extends: default, rules: {line-length: disable, document-start: disable, "
    form += "comments: {min-spaces-from-content: 1}}}"
    accepts("yamllint", "--strict", "-d", form, CONFIG)


def route_of(**labels):
    words = [f"{name}={value}" for name, value in labels.items()]
    said = accepts("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *words)
    return [line for line in said.splitlines() if not line.startswith("Warning:")]


def test_routes(live):
    for severity, receiver in ROUTES.items():
        for more in ({}, {"service": "backend", "cluster": "main", "namespace": "prod"}):
            same(severity, route_of(alertname="Any", severity=severity, **more), [receiver])
    same("no severity", route_of(alertname="Any"), ["alerts"])
    same("another severity", route_of(alertname="Any", severity="page"), ["alerts"])


def test_receivers(live):
    config = load(CONFIG)
    route = config["route"]
    same("group_by", route["group_by"], ["alertname", "cluster", "service"])
    same("repeat_interval", route["repeat_interval"], "4h")
    for receiver in config["receivers"]:
        channels = [slack["channel"] for slack in receiver["slack_configs"]]
        same(receiver["name"], channels, [CHANNELS[receiver["name"]]])
        pages = len(receiver.get("pagerduty_configs", []))
        same(f"pages of {receiver['name']}", pages, int(receiver["name"] == "incidents"))


def test_secrets_are_files(live):
    """No key and no address with a token in it; a field that holds a secret ends in _file."""
    text = CONFIG.read_text()
    secrets = r"(?m)^\s*-?\s*(api_url|slack_api_url|routing_key|service_key|password):"
    same("secrets", re.findall(secrets, text), [])
    same("hooks", re.findall(r"https://hooks\.\S+", text), [])
    files = re.findall(r"_file: (\S+)", text)
    check(len(files) >= 2 and all(f.startswith("/etc/alertmanager/secrets/") for f in files), files)


def test_names_in_inhibitions_exist(live):
    names = {rule["alert"] for _, rule in rules("alert")}
    for rule in load(CONFIG)["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            label, pattern = re.match(r'(\w+) =~? "(.*)"$', matcher).groups()
            if label == "alertname":
                for part in alternatives(pattern):
                    check(part in names, f"{part} is no alert")


def alternatives(pattern):
    """Of `A|B(C|D)`: all names that it takes."""
    parts = re.findall(r"[^|(]+(?:\([^)]*\))?", pattern)
    for part in parts:
        head, _, tails = part.partition("(")
        yield from (head + tail for tail in tails.rstrip(")").split("|"))


def alert(name, severity, **labels):
    return {"cluster": "main", **labels, "alertname": name, "severity": severity}


B = {"namespace": "prod", "service": "backend"}
CASES = [  # (alert, alerts that it mutes, alerts that it does not)
    (
        alert("ServiceErrorRatioCritical", "critical", **B),
        [alert("ServiceErrorRatioHigh", "warning", **B), alert("ServiceRateLimited", "info", **B)],
        [
            alert("ServiceErrorRatioHigh", "warning", namespace="prod", service="audit"),
            alert("ServiceErrorRatioHigh", "warning", namespace="test", service="backend"),
            alert("ServiceNoTraffic", "critical", **B),
        ],
    ),
    (
        alert("SondeDown", "critical", node="node-a"),
        [alert("ServiceTrafficDrop", "warning", namespace="a", service="one")],
        [alert("SondeSheds", "info", node="node-b"), alert("PodRestarts", "warning", pod="p")],
    ),
    (
        alert("SondeAbsent", "critical", cluster="blind"),
        [alert("ServiceNoTraffic", "critical", cluster="blind", service="one")],
        [
            alert("ServiceNoTraffic", "critical", service="two"),
            alert("ServiceStuck", "critical", cluster="blind", service="three"),
        ],
    ),
    (
        alert("WebSocketPingSlow", "warning", service="sync"),
        [alert("WebSocketProtocolErrors", "info", service="sync")],
        [alert("WebSocketProtocolErrors", "info", service="chat")],
    ),
    (
        alert("NodeNotReady", "critical", node="node-c"),
        [alert("SondeDown", "critical", node="node-c")],
        [alert("SondeDown", "critical", node="node-d")],
    ),
    (
        alert("PodCrashLooping", "critical", namespace="prod", pod="x", container="c"),
        [alert("PodNotReady", "warning", namespace="prod", pod="x")],
        [alert("PodNotReady", "warning", namespace="prod", pod="y")],
    ),
]


def test_inhibitions(live):
    need("prometheus-alertmanager")
    alertmanager = Alertmanager(live, Receiver(live))
    wanted = {}
    for source, muted, others in CASES:
        alertmanager.post([source, *muted, *others])
        wanted.update({tuple(sorted(a.items())): "active" for a in (source, *others)})
        wanted.update({tuple(sorted(a.items())): "suppressed" for a in muted})
    try:
        until("states", lambda: alertmanager.states() == wanted)
    finally:
        same("states", alertmanager.states(), wanted)
