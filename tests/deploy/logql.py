# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the part of LogQL that dashboards and pipelines here use; what it does not
know it refuses. Of a query of lines it also says whether a line is found.

    metric   := agg [by (labels)] ( range ) | range
    range    := fn ( log [duration] )
    log      := { matcher, ... } stage*
    stage    := |= != |~ !~ string | `| json` | `| line_format` string | `| ` condition
    condition := label sign value [or | and condition] | ( condition )
"""

import contextlib
import json
import operator
import re

from sonde_test import Failure, check

TOKEN = re.compile(
    r"\s+|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|`[^`]*`)|(?P<duration>\d+(?:ms|[smhdw]))"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign>\|=|\|~|!=|!~|=~|==|>=|<=|[{}()\[\],|=<>])"
)
AGGREGATIONS = {"sum", "count", "max", "min", "avg", "topk"}
RANGES = {"rate", "count_over_time", "bytes_rate", "bytes_over_time"}
MATCHERS = {"=", "!=", "=~", "!~"}
COMPARISONS = {
    "==": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
LINE_FILTERS = {"|=", "!=", "|~", "!~"}


def tokens_of(text):
    at, found = 0, []
    while at < len(text):
        match = TOKEN.match(text, at)
        check(match, f"not LogQL at {text[at:at + 20]!r}")
        if match.lastgroup:
            found.append((match.lastgroup, match.group()))
        at = match.end()
    return found + [("end", "")]


def unquoted(word):
    return word[1:-1] if word[0] == "`" else bytes(word[1:-1], "utf-8").decode("unicode_escape")


class Reader:
    """matchers: (label, sign, value) of the selector. stages: functions of (line, labels) that say
    whether the line stays, and may add labels."""

    def __init__(self, text):
        self.text, self.tokens = text, tokens_of(text)
        self.matchers, self.stages = [], []

    def finds(self, line, labels):
        """labels: those of the stream and the structured metadata; the selector is not asked."""
        labels = dict(labels)
        return all(stage(line, labels) for stage in self.stages)

    def next(self, *wanted):
        """The next token, which must be one of the wanted texts or kinds."""
        kind, word = self.tokens.pop(0)
        if kind not in wanted and word not in wanted:
            raise Failure(f"{self.text}: {word or 'the end'!r} where {' or '.join(wanted)} belongs")
        return word

    def sees(self, *wanted):
        kind, word = self.tokens[0]
        return kind in wanted or word in wanted

    def list_of(self, read):
        read()
        while self.sees(","):
            self.next(",")
            read()

    def matcher(self):
        label, sign = self.next("word"), self.next(*MATCHERS)
        value = unquoted(self.next("string"))
        if sign in ("=~", "!~"):
            compiled(value)
        self.matchers.append((label, sign, value))

    def selector(self):
        self.next("{")
        self.list_of(self.matcher)
        self.next("}")

    def condition(self):
        if self.sees("("):
            self.next("(")
            inner = self.alternatives()
            self.next(")")
            return inner
        label, sign = self.next("word"), self.next(*MATCHERS | set(COMPARISONS))
        if sign in COMPARISONS:
            limit = float(self.next("number"))
            return lambda labels: label in labels and compared(labels[label], sign, limit)
        matcher = (label, sign, unquoted(self.next("string")))
        if sign in ("=~", "!~"):
            compiled(matcher[2])
        return lambda labels: matches(matcher, labels.get(label, ""))

    def alternatives(self):
        """`and` and `or` together are refused: there must be no doubt which comes first."""
        first, signs, rest = self.condition(), set(), []
        while self.sees("or", "and"):
            signs.add(self.next("or", "and"))
            rest.append(self.condition())
        check(len(signs) < 2, f"{self.text}: and beside or")
        together = any if signs == {"or"} else all
        return lambda labels: together(one(labels) for one in (first, *rest))

    def stage(self):
        if self.sees(*LINE_FILTERS):
            sign = self.next(*LINE_FILTERS)
            value = unquoted(self.next("string"))
            pattern = compiled(value if sign[1] == "~" else re.escape(value))
            return lambda line, _: bool(pattern.search(line)) == (sign[0] == "|")
        self.next("|")
        if self.sees("json"):
            self.next("json")
            return from_json
        if self.sees("line_format"):
            self.next("line_format")
            self.next("string")
            return lambda *_: True
        inner = self.alternatives()
        return lambda _, labels: inner(labels)

    def log(self):
        self.selector()
        while self.sees("|", *LINE_FILTERS):
            self.stages.append(self.stage())

    def range(self):
        self.next(*RANGES)
        self.next("(")
        self.log()
        self.next("[")
        self.next("duration")
        self.next("]")
        self.next(")")

    def metric(self):
        if not self.sees(*AGGREGATIONS):
            return self.range()
        self.next("word")
        if self.sees("by"):
            self.next("by")
            self.next("(")
            self.list_of(lambda: self.next("word"))
            self.next(")")
        self.next("(")
        self.metric()
        return self.next(")")

    def read(self):
        self.log() if self.sees("{") else self.metric()
        self.next("end")
        wanted = any(not matches(one, "") for one in self.matchers)
        check(wanted, f"{self.text}: Loki refuses a selector that takes everything")
        return self


def from_json(line, labels):
    """Labels that are there keep their values, as in Loki, which gives the new ones other names."""
    with contextlib.suppress(ValueError):
        for name, value in json.loads(line).items():
            labels.setdefault(name, value if isinstance(value, str) else json.dumps(value))
    return True


def compared(text, sign, limit):
    try:
        return COMPARISONS[sign](float(text), limit)
    except ValueError:
        return False


def compiled(pattern):
    """RE2 has no look-around and no back references."""
    check(not re.search(r"\(\?[=!<]|\\[1-9]", pattern), f"{pattern} is not RE2")
    return re.compile(pattern)


def matches(matcher, value):
    _, sign, wanted = matcher
    same = bool(compiled(wanted).fullmatch(value)) if sign[-1] == "~" else value == wanted
    return same != (sign[0] == "!")
