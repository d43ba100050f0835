# SPDX-License-Identifier: Apache-2.0
"""What the tests of deploy/ share: where its files are, how a tool is asked about one of them."""

import os
import subprocess

import yaml

from sonde_test import LOGLINES, ROOT, SONDE, Failure, Skip, need

DEPLOY = ROOT / "deploy"
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
RUNBOOKS = DEPLOY / "runbooks"


def need_agent():
    if os.geteuid():
        raise Skip("needs root")
    need(SONDE, LOGLINES)


def accepts(*command, words=600):
    """Runs a tool that judges a file; what it says when it refuses is the failure."""
    command = [str(word) for word in command]
    need(command[0])
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    said = (result.stdout + result.stderr).strip()
    if result.returncode:
        raise Failure(f"{' '.join(command[:3])} refuses: {said[-words:]}")
    return said


def load(path):
    """A YAML document, with duplicate keys refused."""
    return yaml.load(path.read_text(), Loader=Strict)


class Strict(yaml.SafeLoader):
    pass


def mapping(loader, node):
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise Failure(f"{node.start_mark}: {twice} stands there twice")
    return loader.construct_mapping(node, deep=True)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def rules(kind):
    """All rules of a kind, `alert` or `record`, with the file that they stand in."""
    for path in RULES:
        for group in load(path)["groups"]:
            for rule in group["rules"]:
                if kind in rule:
                    yield path, rule
