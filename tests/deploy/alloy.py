# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the part of Alloy's language that the shipped configuration uses: blocks,
attributes, strings, lists, objects, references, calls and +. What it does not know it refuses.
"""

import re

from sonde_test import check

TOKEN = re.compile(
    r"\s+|//[^\n]*|(?P<string>\"(?:[^\"\\\n]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<sign>[{}()\[\],=+])"
)


class Block:
    def __init__(self, name, label):
        self.name, self.label, self.values, self.blocks = name, label, {}, []

    def all(self, name):
        return [block for block in self.blocks if block.name == name]


class Reader:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            check(match, f"not Alloy at {text[at:at + 20]!r}")
            if match.lastgroup:
                self.tokens.append((match.lastgroup, match.group()))
            at = match.end()
        self.tokens.append(("end", ""))

    def next(self, *wanted):
        kind, word = self.tokens.pop(0)
        check(kind in wanted or word in wanted, f"{word!r} where {' or '.join(wanted)} belongs")
        return word

    def sees(self, *wanted):
        return self.tokens[0][0] in wanted or self.tokens[0][1] in wanted

    def file(self):
        return self.body(Block("", None), "end")

    def body(self, block, end):
        while not self.sees(end):
            name = self.next("name")
            if self.sees("="):
                self.next("=")
                check(name not in block.values, f"{name} stands there twice")
                block.values[name] = self.expression()
            else:
                label = self.string() if self.sees("string") else None
                self.next("{")
                inner = self.body(Block(name, label), "}")
                twice = label and [b for b in block.blocks if (b.name, b.label) == (name, label)]
                check(not twice, f"{name} {label} stands there twice")
                block.blocks.append(inner)
        self.next(end)
        return block

    def expression(self):
        value = self.operand()
        while self.sees("+"):
            self.next("+")
            value = ("+", value, self.operand())
        return value

    def operand(self):
        if self.sees("["):
            return self.items("[", "]", self.expression)
        if self.sees("{"):
            pairs = self.items("{", "}", self.pair)
            check(len(dict(pairs)) == len(pairs), f"keys stand there twice: {pairs}")
            return dict(pairs)
        if self.sees("string"):
            return self.string()
        word = self.next("name", "number")
        if self.sees("("):
            return ("call", word, self.items("(", ")", self.expression))
        return ("ref", word)

    def items(self, begin, end, read):
        self.next(begin)
        found = []
        while not self.sees(end):
            found.append(read())
            if not self.sees(end):
                self.next(",")
        self.next(end)
        return found

    def pair(self):
        key = self.next("name")
        self.next("=")
        return key, self.expression()

    def string(self):
        return bytes(self.next("string")[1:-1], "utf-8").decode("unicode_escape")


STAGES = {  # name in Alloy: (name in Promtail, its arguments as Promtail has them)
    "stage.cri": ("cri", lambda v: v),
    "stage.json": ("json", lambda v: v),
    "stage.timestamp": ("timestamp", lambda v: v),
    "stage.labels": ("labels", lambda v: {k: x or None for k, x in v["values"].items()}),
    "stage.structured_metadata": (
        "structured_metadata",
        lambda v: {k: x or None for k, x in v["values"].items()},
    ),
    "stage.label_drop": ("labeldrop", lambda v: v["values"]),
}


def as_promtail(block):
    """The stages in a block, in the words of Promtail."""
    found = []
    for stage in block.blocks:
        if stage.name == "stage.match":
            check(set(stage.values) == {"selector"}, f"match: {stage.values}")
            found.append({"match": {**stage.values, "stages": as_promtail(stage)}})
            continue
        check(stage.name in STAGES and not stage.blocks, f"unknown stage {stage.name}")
        name, arguments = STAGES[stage.name]
        found.append({name: arguments(stage.values)})
    return found
