# SPDX-License-Identifier: Apache-2.0
"""The shipped dashboards as objects, read strictly; their expressions with variables filled in."""

import json
import re

from deploy import DEPLOY
from sonde_test import Failure, check

GRAFANA = DEPLOY / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
# What Grafana itself fills in, with a value for tests.
BUILT_IN = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h", "__auto": "5m"}
ELSEWHERE = {"__all", "__url_time_range", "__field"}  # in links and choices
VARIABLE = re.compile(r"\$(?:\{(\w+)(?:[.:][\w.]+)*\}|(\w+))")


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    twice = {key for key in keys if keys.count(key) > 1}
    check(not twice, f"{twice} stands there twice")
    return dict(pairs)


def no_constant(word):
    raise Failure(f"{word} is no JSON")


def load_json(path):
    try:
        return json.loads(
            path.read_text(), object_pairs_hook=no_duplicates, parse_constant=no_constant
        )
    except ValueError as fault:
        raise Failure(f"{path.name}: {fault}") from fault


class Dashboard:
    def __init__(self, path):
        self.path = path
        self.data = load_json(path)
        self.uid = self.data["uid"]
        self.panels = self.data["panels"]
        self.variables = {v["name"]: v for v in self.data["templating"]["list"]}

    def queries(self, kind):
        """(panel, target) of a kind of data source."""
        for panel in self.panels:
            for target in panel.get("targets", ()):
                if panel["datasource"]["type"] == kind:
                    yield panel, target

    def filled(self, expression):
        """With all of everything chosen, as when the dashboard is opened."""

        def value(match):
            name = match.group(1) or match.group(2)
            if name in BUILT_IN:
                return BUILT_IN[name]
            check(name in self.variables, f"{self.uid}: there is no variable {name}")
            variable = self.variables[name]
            return variable["query"] if variable["type"] == "textbox" else variable["allValue"]

        return VARIABLE.sub(value, expression)


def dashboards():
    check(len(FILES) >= 5, f"dashboards: {FILES}")
    return [Dashboard(path) for path in FILES]


def strings_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from strings_in(one)
    elif isinstance(value, str):
        yield value


def names_used(text):
    return {one or other for one, other in VARIABLE.findall(text)}
