# SPDX-License-Identifier: Apache-2.0
"""The names of metrics in an expression of PromQL, and those that there are.

An expression is taken apart just so far: strings, label matchers, ranges and the lists of labels
behind by, on and the like are no names; what is left of words, and is neither a function nor an
operator, is one. That the expression is right PromQL is promtool's to say.
"""

import re

from deploy import DEPLOY, load
from sonde_test import ROOT

NOT_NAMES = re.compile(
    r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''  # strings, before the braces that they may hold
    r"|#[^\n]*|\{[^}]*\}|\[[^\]]*\]|\boffset\s+-?\w+|@\s*[\w.]+"
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
    r"|[a-z_0-9]+(?=\s*\()"  # functions and aggregations
)
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
WORDS = set("and or unless bool offset inf nan sum min max avg count".split())
FAMILY = re.compile(r'\{"([a-z_]+)", PROM_(HISTOGRAM|COUNTER|GAUGE)')
SUFFIXES = {"HISTOGRAM": ("_bucket", "_sum", "_count"), "COUNTER": ("",), "GAUGE": ("",)}


def names_in(expression):
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    words = NAME.findall(NOT_NAMES.sub(" ", re.sub(r"(?<![\w:])\d[\w.]*", " ", unquoted)))
    return {word for word in words if word.lower() not in WORDS}


def agent_families():
    """{name: type} as the tables of user/out have them; a test compares them with a real agent."""
    texts = [(ROOT / "user/out" / name).read_text() for name in ("families.c", "selfstat.c")]
    return {name: kind for text in texts for name, kind in FAMILY.findall(text)}


def agent_names():
    return {name + end for name, kind in agent_families().items() for end in SUFFIXES[kind]}


def foreign_names():
    sources = load(DEPLOY / "prometheus/metrics.yml").values()
    return {name for source in sources for name in source["names"]}
