# SPDX-License-Identifier: Apache-2.0
"""The dashboards: their form, and every expression asked of a real Prometheus with a real agent."""

import re
import time

from dashboards import BUILT_IN, ELSEWHERE, GRAFANA, dashboards, names_used, strings_in
from deploy import load, need_agent
from logql import Reader
from prometheus import Prometheus
from promql import agent_names, foreign_names, names_in
from sonde_test import HERE, Failure, check, need, same, until
from traffic import Traffic

UNCOVERED = load(HERE.parent / "deploy/uncovered.yml")
TITLES = {"Service Overview", "Event Processing", "WebSocket", "Sonde", "Logs", "Dependencies"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
SCHEMA = 39  # of Grafana 10 and 11
DASHBOARD_KEYS = set(
    "uid title description tags schemaVersion editable graphTooltip timezone refresh time links"
    " annotations templating panels".split()
)
PANEL_KEYS = set("id type title description gridPos datasource fieldConfig options targets".split())
TARGET_KEYS = set("refId expr legendFormat exemplar format instant queryType maxLines".split())
SOURCE_KEYS = set("name uid type access url isDefault editable jsonData".split())
PROVIDER_KEYS = set(
    "name folder folderUid type allowUiUpdates updateIntervalSeconds options".split()
)
UNITS = set("s ms bytes Bps reqps cps ops percentunit short".split())
WITHOUT_UNIT = {"row", "logs", "table", "heatmap"}  # a heat map has that of its axis
TYPES = WITHOUT_UNIT | {"timeseries", "stat"}
BY_VARIABLE = {"prometheus": "${datasource}", "loki": "${logs}"}


def only(what, keys, known):
    check(set(keys) <= set(known), f"{what}: unknown {set(keys) - set(known)}")


def test_form(live):
    boards = dashboards()
    same("titles", {board.data["title"] for board in boards}, TITLES)
    same("uids", len({board.uid for board in boards}), len(boards))
    for board in boards:
        only(board.uid, board.data, DASHBOARD_KEYS)
        same(f"{board.uid}: schema", board.data["schemaVersion"], SCHEMA)
        check(re.fullmatch(r"[a-z-]{1,40}", board.uid), f"uid {board.uid}")
        ids = [panel["id"] for panel in board.panels]
        same(f"{board.uid}: ids", ids, list(range(1, len(ids) + 1)))
        for panel in board.panels:
            check_panel(f"{board.uid}: {panel['title']}", panel)


def check_panel(what, panel):
    kind = panel["type"]
    check(kind in TYPES, f"{what}: type {kind}")
    if kind == "row":
        only(what, panel, {"id", "type", "title", "gridPos", "collapsed", "panels"})
        return
    only(what, panel, PANEL_KEYS)
    check(len(panel["description"]) > 5, f"{what}: says nothing")
    source = panel["datasource"]
    same(f"{what}: data source", source["uid"], BY_VARIABLE[source["type"]])
    if kind not in WITHOUT_UNIT:
        unit = panel["fieldConfig"]["defaults"]["unit"]
        check(unit in UNITS, f"{what}: unit {unit}")
    refs = [target["refId"] for target in panel["targets"]]
    same(f"{what}: ids of queries", refs, sorted(set(refs)))
    for target in panel["targets"]:
        only(what, target, TARGET_KEYS)


def cells_of(panel):
    at = panel["gridPos"]
    same(f"{panel['title']}: place", set(at), set("xywh"))
    fits = at["w"] > 0 and at["h"] > 0 and at["x"] >= 0 and at["x"] + at["w"] <= 24
    check(fits, f"{panel['title']}: {at}")
    columns, rows = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
    return {(x, y) for x in columns for y in rows}


def test_grid(live):
    for board in dashboards():
        taken = {}
        for panel in board.panels:
            for cell in cells_of(panel):
                check(cell not in taken, f"{board.uid}: {panel['title']} on {taken.get(cell)}")
                taken[cell] = panel["title"]
        rows = {y for _, y in taken}
        same(f"{board.uid}: rows without a gap", rows, set(range(len(rows))))


def test_variables(live):
    """Each that is used is there, and each that is there is used."""
    for board in dashboards():
        known = set(board.variables)
        source, = known & {"datasource", "logs"}
        if board.uid != "sonde-agent":
            check({"namespace", "service", "pod"} <= known, f"{board.uid}: {known}")
        used = set().union(*map(names_used, strings_in(board.data)))
        same(f"{board.uid}: used", used - set(BUILT_IN) - ELSEWHERE, known)
        for variable in board.variables.values():
            check(variable["type"] in ("datasource", "query", "textbox"), variable["name"])
            if variable["type"] == "query":
                same(f"{variable['name']}: all", variable["allValue"], ".*")
                same(f"{variable['name']}: from", variable["datasource"]["uid"], f"${{{source}}}")


def test_links(live):
    """To dashboards that there are, by variables that they have and labels that the panel has."""
    boards = {board.uid: board for board in dashboards()}
    for board in boards.values():
        for panel in board.panels:
            for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", ()):
                uid, query = re.fullmatch(r"/d/([a-z-]+)\?(.+)", link["url"]).groups()
                target, what = boards.get(uid), f"{board.uid}: {panel['title']}"
                check(target, f"{what}: there is no dashboard {uid}")
                for name in re.findall(r"var-(\w+)=", query):
                    check(name in target.variables, f"{what}: {uid} has no variable {name}")
                for label in re.findall(r"__field\.labels\.(\w+)", query):
                    check(label in panel["targets"][0]["legendFormat"], f"{what}: no label {label}")


def test_provisioning(live):
    sources = load(GRAFANA / "provisioning/datasources/sonde.yaml")
    same("version", sources["apiVersion"], 1)
    by_uid = {source["uid"]: source for source in sources["datasources"]}
    only("data source", set().union(*by_uid.values()), SOURCE_KEYS)
    exemplar, = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    same("exemplars", (exemplar["name"], exemplar["datasourceUid"]), ("trace_id", "tempo"))
    fields = by_uid["loki"]["jsonData"]["derivedFields"]
    for field in fields:
        same(field["name"], (field["datasourceUid"], field["url"]), ("tempo", "$${__value.raw}"))
    lines = by_uid["tempo"]["jsonData"]["tracesToLogsV2"]
    same("lines of a trace", lines["datasourceUid"], "loki")
    query = Reader(lines["query"].replace("$${__trace.traceId}", TRACE)).read()
    check(query.finds("", {"trace_id": TRACE}) and not query.finds("", {}), "not of that trace")
    regex = fields[1]["matcherRegex"]
    same("the id in a line", re.search(regex, f'{{"trace_id":"{TRACE}"}}').group(1), TRACE)
    provider, = load(GRAFANA / "provisioning/dashboards/sonde.yaml")["providers"]
    only("provider", provider, PROVIDER_KEYS)


def test_names(live):
    """Every metric is one of the agent's, or one that deploy/prometheus/metrics.yml knows."""
    known = agent_names() | foreign_names()
    for board in dashboards():
        for panel, target in board.queries("prometheus"):
            unknown = names_in(board.filled(target["expr"])) - known
            same(f"{board.uid}: {panel['title']}: unknown", unknown, set())
        for variable in board.variables.values():
            if variable["type"] == "query" and "datasource" in board.variables:
                unknown = names_in(series_of(board, variable)) - known
                same(f"{board.uid}: {variable['name']}: unknown", unknown, set())
    for system, entry in UNCOVERED.items():
        check(any(name.startswith(entry["names"]) for name in foreign_names()), system)


def series_of(board, variable):
    """What the values of a variable are taken from: label_values(series, label)."""
    series, _ = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()
    return board.filled(series)


def is_covered(expression):
    prefixes = tuple(entry["names"] for entry in UNCOVERED.values())
    return not any(name.startswith(prefixes) for name in names_in(expression))


def answer(server, expression):
    """'' if it has data, else why not."""
    data = server.ask("query", query=expression)
    if data is None:
        return "refused"
    values = [point["value"][1] for point in data["result"]]
    return "" if any(value != "NaN" for value in values) else "no data" if not values else "NaN"


def check_exemplars(server):
    """Where a panel wants dots, there are some; their label is the one that leads to traces."""
    asked = 0
    for board in dashboards():
        for panel, target in board.queries("prometheus"):
            expression = board.filled(target["expr"])
            if target.get("exemplar") and is_covered(expression):
                now = time.time()
                words = {"query": expression, "start": now - 300, "end": now}
                found = server.ask("query_exemplars", **words) or ()
                labels = {label for one in found for e in one["exemplars"] for label in e["labels"]}
                same(f"{board.uid}: {panel['title']}: exemplars", labels, {"trace_id"})
                asked += 1
    check(asked >= 5, f"{asked} panels with exemplars")


def test_every_expression_has_data(live):
    """After traffic of all kinds; of systems that cannot run here, each is at least parsed."""
    need_agent()
    need("prometheus")
    agent = live.agent("--bpf-stats", "--queue-time")
    server = Prometheus(live, agent, "--enable-feature=exemplar-storage")
    traffic = Traffic(live, agent, server)
    wanted, foreign = set(), set()
    for board in dashboards():
        for panel, target in board.queries("prometheus"):
            expression = board.filled(target["expr"])
            where = wanted if is_covered(expression) else foreign
            where.add((f"{board.uid}: {panel['title']} {target['refId']}", expression))
        for variable in board.variables.values():
            if variable["type"] == "query" and "datasource" in board.variables:
                series = series_of(board, variable)
                where = wanted if is_covered(series) else foreign
                where.add((f"{board.uid}: {variable['name']}", f"count({series})"))
    for _ in range(2):  # a rate needs a change
        traffic.go()
    missing = lambda: {what: why for what, e in wanted if (why := answer(server, e))}
    try:
        until("data", lambda: not missing())
    except Failure:
        same("expressions", missing(), {})
    check_exemplars(server)
    same("of others", {what for what, e in foreign if answer(server, e) == "refused"}, set())
    check(len(wanted) > 60 and foreign, f"{len(wanted)} and {len(foreign)} expressions")
    agent.stop()
