# SPDX-License-Identifier: Apache-2.0
"""The stages of Promtail's pipelines that the shipped one uses, as its source has them. A stage or
a key that is not known here is refused.

Two things that are easy to get wrong: every pipeline, also the one inside a match, begins by
copying the labels to the extracted values; and a JSON field that is absent makes its extracted
value empty, so that the labels stage leaves the label as it is.
"""

import datetime
import json
import re

from logql import Reader, matches
from sonde_test import Failure, check

CRI = re.compile(r"(?P<time>\S+?) (?P<stream>stdout|stderr) (?P<flags>\S+?) (?P<content>.*)", re.S)
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
LABEL = re.compile(r"[a-zA-Z_]\w*")


class Entry:
    def __init__(self, line, labels):
        self.line, self.labels = line, dict(labels)
        self.extracted, self.metadata, self.time = {}, {}, None


def nanoseconds(text):
    """Of a time as RFC3339Nano reads it, or None."""
    found = RFC3339.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    whole, part, zone = found.groups()
    try:
        at = datetime.datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    except ValueError:
        return None
    return int(at.timestamp()) * 10**9 + int((part or ".0")[1:].ljust(9, "0"))


def text_of(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:g}"
    return value if isinstance(value, str) else None


class Pipeline:
    def __init__(self, stages):
        self.stages = [self.made(stage) for stage in stages]
        self.partial = {}

    def made(self, stage):
        check(isinstance(stage, dict) and len(stage) == 1, f"not one stage: {stage}")
        (name, config), = stage.items()
        make = getattr(self, "make_" + name, None)
        check(make, f"unknown stage {name}")
        return make(config)

    def run(self, entry):
        """The entry, or None if it waits for its rest."""
        entry.extracted.update(entry.labels)
        for stage in self.stages:
            entry = stage(entry)
            if entry is None:
                return None
        return entry

    def make_cri(self, config):
        check(config == {}, f"cri: {config}")
        return self.cri

    def cri(self, entry):
        found = CRI.fullmatch(entry.line)
        if not found:
            return entry
        entry.extracted.update(found.groupdict())
        entry.labels["stream"] = found["stream"]
        entry.time = nanoseconds(found["time"]) or entry.time
        key = tuple(sorted(entry.labels.items()))
        entry.line = self.partial.pop(key, "") + found["content"]
        if found["flags"] == "P":
            self.partial[key] = entry.line
            return None
        return entry

    def make_json(self, config):
        only("json", config, "expressions")
        names = {name: field or name for name, field in config["expressions"].items()}
        for field in names.values():
            check(LABEL.fullmatch(field), f"json: only plain fields, not {field}")

        def stage(entry):
            try:
                fields = json.loads(entry.line)
            except ValueError:
                return entry
            if isinstance(fields, dict):
                entry.extracted.update({name: fields.get(field) for name, field in names.items()})
            return entry

        return stage

    def make_timestamp(self, config):
        only("timestamp", config, "source", "format", "action_on_failure")
        check(config["format"] == "RFC3339Nano", "timestamp: format")
        check(config["action_on_failure"] == "skip", "timestamp: action_on_failure")

        def stage(entry):
            entry.time = nanoseconds(entry.extracted.get(config["source"])) or entry.time
            return entry

        return stage

    def make_labels(self, config):
        return self.puts("labels", config)

    def make_structured_metadata(self, config):
        return self.puts("metadata", config)

    def puts(self, where, config):
        names = {name: source or name for name, source in config.items()}
        for name in names:
            check(LABEL.fullmatch(name), f"{where}: {name}")

        def stage(entry):
            texts = {name: text_of(entry.extracted.get(source)) for name, source in names.items()}
            getattr(entry, where).update({k: text for k, text in texts.items() if text is not None})
            return entry

        return stage

    def make_labeldrop(self, config):
        fine = isinstance(config, list) and all(map(LABEL.fullmatch, config))
        check(fine, f"labeldrop: {config}")

        def stage(entry):
            for name in config:
                entry.labels.pop(name, None)
            return entry

        return stage

    def make_match(self, config):
        only("match", config, "selector", "stages")
        query = Reader(config["selector"]).read()
        check(not query.stages, "match: only a selector")
        inner = Pipeline(config["stages"])

        def stage(entry):
            fits = all(matches(one, entry.labels.get(one[0], "")) for one in query.matchers)
            return inner.run(entry) if fits else entry

        return stage


def only(name, config, *keys):
    if set(config) != set(keys):
        raise Failure(f"{name}: {sorted(config)} where {sorted(keys)} belong")
