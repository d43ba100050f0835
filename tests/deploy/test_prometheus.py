# SPDX-License-Identifier: Apache-2.0
"""deploy/prometheus and deploy/runbooks: what promtool says of them, and what it cannot know."""

import collections
import json
import re

import promql
from deploy import DEPLOY, RULES, RUNBOOKS, accepts, load, need_agent, rules
from sonde_test import ROOT, check, same, until
from websocket_peers import python_peer, url_of

UNIT_TESTS = sorted((ROOT / "tests/deploy/rules").glob("*.yml"))
SEVERITIES = {"critical", "warning", "info"}
AT_LEAST = 45
RUNBOOK_URL = "https://runbooks.example.com/sonde/"
PARTS = ("**Means.**", "**Look.**", "**Mend.**")


def sections():
    """{(page, alert): text} of all runbooks."""
    result = {}
    for page in sorted(RUNBOOKS.glob("*.md")):
        for section in re.split(r"(?m)^## ", page.read_text())[1:]:
            title, text = section.split("\n", 1)
            result[page.name, title.strip()] = text
    return result


def queries():
    """(where, expression) of all fenced blocks of runbooks."""
    for page in sorted(RUNBOOKS.glob("*.md")):
        for block in re.findall(r"(?ms)^```promql\n(.*?)^```", page.read_text()):
            for line in block.splitlines():
                yield page.name, line


def test_rules_pass_the_lint(live):
    accepts("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)


def test_yaml_is_tidy(live):
    options = "{extends: default, rules: {line-length: disable, document-start: disable, "
    options += "braces: {max-spaces-inside: 1}, comments-indentation: disable}}"
    files = [*DEPLOY.glob("prometheus/**/*.y*ml"), *UNIT_TESTS]
    accepts("yamllint", "--strict", "-d", options, *files)


def test_alerts_are_complete(live):
    alerts = [rule for _, rule in rules("alert")]
    check(len(alerts) >= AT_LEAST, f"{len(alerts)} alerts")
    twice = collections.Counter(rule["alert"] for rule in alerts)
    same("alerts of the same name", [name for name, n in twice.items() if n > 1], [])
    for rule in alerts:
        name, words = rule["alert"], rule["annotations"]
        check(rule["labels"].get("severity") in SEVERITIES, f"{name}: severity")
        same(f"annotations of {name}", sorted(words), ["description", "runbook_url", "summary"])
        check("{{" in words["description"] or "absent(" in rule["expr"], f"{name}: no value")


def test_alerts_fire_and_are_resolved(live):
    """The unit tests themselves: promtool compares labels and annotations to the letter."""
    for path in UNIT_TESTS:
        accepts("promtool", "test", "rules", path, words=1500)


def minutes(time):
    parts = re.findall(r"(\d+)([hm])", time)
    return sum(int(number) * (60 if unit == "h" else 1) for number, unit in parts)


def test_every_alert_has_a_test(live):
    """One series of questions in which it is silent, fires with all its words, is silent."""
    seen = set()
    for path in UNIT_TESTS:
        for case in load(path)["tests"]:
            asked = collections.defaultdict(list)
            for question in case["alert_rule_test"]:
                fires = len(question.get("exp_alerts", []))
                asked[question["alertname"]].append((minutes(question["eval_time"]), fires))
            for name, answers in asked.items():
                fires = [bool(n) for _, n in sorted(answers)]
                seen |= {name} if fires == [False, True, False] else set()
    same("alerts without a test", sorted({r["alert"] for _, r in rules("alert")} - seen), [])


def test_runbooks_are_where_alerts_say(live):
    pages = sections()
    linked = set()
    for path, rule in rules("alert"):
        url = rule["annotations"]["runbook_url"]
        page = path.stem.split("_")[0] + ".md"
        same("runbook_url", url, f"{RUNBOOK_URL}{page}#{rule['alert'].lower()}")
        linked.add((page, rule["alert"]))
    same("alerts without a runbook", sorted(linked - set(pages)), [])
    same("runbooks without an alert", sorted(set(pages) - linked), [])
    for where, text in pages.items():
        places = [text.find(part) for part in PARTS]
        check(min(places) >= 0 and places == sorted(places), f"{where}: not {' '.join(PARTS)}")


def test_queries_of_runbooks_are_right(live):
    found = list(queries())
    check(len(found) >= 10, f"{len(found)} queries")
    items = [{"record": f"level:query_{n}:of", "expr": line} for n, (_, line) in enumerate(found)]
    path = live.temp / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": items}]}))
    accepts("promtool", "check", "rules", path)


def test_names_of_metrics_exist(live):
    """In rules and runbooks: the agent's, those listed of others, and what rules record."""
    records = {rule["record"] for _, rule in rules("record")}
    known = promql.agent_names() | promql.foreign_names() | records
    used = {}
    for kind in ("alert", "record"):
        for path, rule in rules(kind):
            for name in promql.names_in(rule["expr"]):
                used.setdefault(name, f"{path.name}: {rule[kind]}")
    for page, line in queries():
        for name in promql.names_in(line):
            used.setdefault(name, page)
    unknown = {name: where for name, where in used.items() if name not in known}
    same("names that nobody has", unknown, {})
    check(len(used) > 60, f"only {len(used)} names found")


def test_records_are_used(live):
    """By alerts or runbooks; those for dashboards alone are named here."""
    dashboards = {"service:http_server_request_duration_seconds:p50_5m"}
    texts = [rule["expr"] for kind in ("alert", "record") for _, rule in rules(kind)]
    texts += [line for _, line in queries()]
    used = set().union(*map(promql.names_in, texts)) | dashboards
    same("unused", sorted({rule["record"] for _, rule in rules("record")} - used), [])


def test_names_are_those_of_a_real_agent(live):
    """Under requests, streams and WebSockets it exposes what the tables say, and nothing else."""
    need_agent()
    agent = live.agent()
    port, _ = live.plain()
    live.client("keep", port, [("GET", f"{live.prefix}/a"), ("GET", f"{live.prefix}/events/3")])
    server, client = python_peer(live, "server"), python_peer(live, "client")
    client.ask("open", url=url_of(live, server.port), count=1)
    client.ask("talk", texts=[10], binaries=[10])
    families = promql.agent_families()
    wanted = {"websocket_messages_total", "http_server_streams_opened_total"}
    until("metrics", lambda: wanted <= set(agent.metrics().types))
    types = {name: kind.upper() for name, kind in agent.metrics().types.items()}
    same("types", types, {name: families.get(name) for name in types})
    check(len(types) > 40, f"{len(types)} families")
    agent.stop()
