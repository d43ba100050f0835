# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the Prometheus text format 0.0.4.

It refuses what the format forbids: a sample before its TYPE, a family in two pieces, the same
series twice, a bad name or escape, a histogram whose buckets fall or whose +Inf is not its count.
"""

import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)')
ESCAPE = re.compile(r"\\(.)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class FormatError(Exception):
    pass


class Metrics:
    """Families by name: their type, and samples as (sample name, labels, value)."""

    def __init__(self, text):
        self.types = {}
        self.samples = {}
        self._seen = set()
        self._current = None
        if text and not text.endswith("\n"):
            raise FormatError("the last line has no end")
        for number, line in enumerate(text.split("\n")[:-1], 1):
            try:
                self._line(line)
            except FormatError as fault:
                raise FormatError(f"line {number}: {fault}: {line[:200]}") from None
        self._check_histograms()

    def _line(self, line):
        if line.startswith("# TYPE "):
            self._type(*line[7:].split(" ", 1))
        elif line and not line.startswith("#"):
            self._sample(line)

    def _type(self, name, kind):
        if kind not in SUFFIXES:
            raise FormatError(f"unknown type {kind}")
        if name in self.types:
            raise FormatError(f"family {name} comes twice")
        self.types[name] = kind
        self.samples[name] = []
        self._current = name

    def _sample(self, line):
        name, labels, rest = split_sample(line)
        suffixes = SUFFIXES[self.types[self._current]] if self._current else ()
        if name not in [self._current + suffix for suffix in suffixes]:
            raise FormatError(f"{name} does not belong to family {self._current}")
        series = (name, tuple(sorted(labels.items())))
        if series in self._seen:
            raise FormatError("the same series twice")
        self._seen.add(series)
        self.samples[self._current].append((name, labels, number_of(rest)))

    def _check_histograms(self):
        for family, kind in self.types.items():
            if kind == "histogram":
                check_histogram(family, self.samples[family])

    def counts(self, family, by, keep=lambda labels: True):
        """{tuple of the labels in `by`: sum}: of a histogram its _count, else the value."""
        wanted = family + "_count" if self.types.get(family) == "histogram" else family
        result = {}
        for name, labels, value in self.samples.get(family, []):
            if name == wanted and keep(labels):
                key = tuple(labels.get(label, "") for label in by)
                result[key] = result.get(key, 0) + int(value)
        return result

    def buckets(self, family, keep):
        """[(upper bound, cumulative count)] summed over the series that `keep` takes."""
        sums = {}
        for name, labels, value in self.samples.get(family, []):
            if name == family + "_bucket" and keep(labels):
                bound = float(labels["le"])
                sums[bound] = sums.get(bound, 0) + int(value)
        return sorted(sums.items())


def split_sample(line):
    match = NAME.match(line)
    if not match:
        raise FormatError("no metric name")
    rest = line[match.end():]
    labels = {}
    if rest.startswith("{"):
        end = label_end(rest)
        labels = labels_of(rest[1:end])
        rest = rest[end + 1:]
    if not rest.startswith(" "):
        raise FormatError("no space before the value")
    return match.group(), labels, rest[1:]


def label_end(rest):
    quoted = re.compile(r'"(?:[^"\\]|\\.)*"|\}')
    for match in quoted.finditer(rest):
        if match.group() == "}":
            return match.start()
    raise FormatError("labels without an end")


def labels_of(text):
    labels = {}
    at = 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or match.group(1) in labels:
            raise FormatError(f"bad label at: {text[at:]}")
        value = ESCAPE.sub(lambda m: "\n" if m.group(1) == "n" else m.group(1), match.group(2))
        if not value:
            raise FormatError(f"label {match.group(1)} is empty rather than absent")
        labels[match.group(1)] = value
        at = match.end()
    return labels


def number_of(text):
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|Inf)|NaN", text):
        raise FormatError(f"not a number: {text}")
    return float(text)


def check_histogram(family, samples):
    series = {}
    for name, labels, value in samples:
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        parts = series.setdefault(rest, {"_bucket": [], "_sum": [], "_count": []})
        suffix = name[len(family):]
        parts[suffix].append((float(labels["le"]), value) if suffix == "_bucket" else value)
    for rest, parts in series.items():
        buckets = parts["_bucket"]
        bounds = [bound for bound, _ in buckets]
        values = [value for _, value in buckets]
        if len(parts["_sum"]) != 1 or len(parts["_count"]) != 1 or not buckets:
            raise FormatError(f"{family}{rest}: not one sum, one count and buckets")
        if bounds != sorted(set(bounds)) or values != sorted(values):
            raise FormatError(f"{family}{rest}: buckets do not rise")
        if bounds[-1] != float("inf") or values[-1] != parts["_count"][0]:
            raise FormatError(f"{family}{rest}: +Inf is not the count")
