# SPDX-License-Identifier: Apache-2.0
"""The page RESULTS.md, made of what every kernel's last run left under .output/kernels/results."""

import json
import os
import re
import subprocess
import sys

from debian import CACHE, ROOT, architecture, numbers
from table import (ARCHITECTURES, budget_table, check_table, cost_table, given_table,
                   summary_table)

sys.path.insert(0, str(ROOT / "tests/live"))

import test_check

RESULTS = CACHE / "results"
PAGE = CACHE / "RESULTS.md"
COST = "cost"
OWN = "own"
HEAD = """# What the kernels said

Made by `make kernels` (`.output/kernels/RESULTS.md`); do not edit. The [README](README.md) beside this
page says what is compared in each column and how the guests run.
"""
VERIFIER = """The verifier may go through 1,000,000 instructions a program. A cell: how many it did / milliseconds. These are
millions of instructions of an emulated processor that does one a nanosecond, no time of a real one.
"""
GIVEN = """What `sonde check` found. "–": not there, and the agent does without; what is lost then stands in the texts
below. "**no**": not there, and nothing works without it.
"""


def keep(name, what):
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / (name.replace(":", "-") + ".json")
    path.write_text(json.dumps(what, indent=1) + "\n")


def kept(name):
    path = RESULTS / (name.replace(":", "-") + ".json")
    return json.loads(path.read_text()) if path.exists() else None


def keep_own():
    """This machine's own kernel, which is not emulated: `sonde check` alone, if we are root."""
    arch = architecture()
    sonde = ROOT / f".output/static-{arch}/sonde"
    if os.geteuid() or not sonde.exists():
        return
    said = subprocess.run([sonde, "check", "--json"], capture_output=True, text=True, check=False)
    release = re.match(r"[\d.]*\d", os.uname().release)[0]  # who built it does not matter
    check = json.loads(said.stdout.replace(os.uname().release, release))
    row = {"arch": arch, "release": release, "how": ", not emulated", "backends": {}}
    keep(OWN, {**row, "check": check})


def rows_kept():
    names = (path.stem for path in RESULTS.glob("*.json"))
    rows = [kept(name) for name in names if name != COST]
    return sorted(rows, key=lambda row: (row["arch"] == "arm64", numbers(row["release"])))


def section(title, *parts):
    yield f"## {title}"
    yield ""
    for part in parts:
        yield from [part.rstrip()] if isinstance(part, str) else part
        yield ""


def text_of(row):
    """What `sonde check` says, as text; the guest gave the same as JSON."""
    words = {state: word for word, state in test_check.STATES.items()}
    check = row["check"]
    yield f"<details><summary>{ARCHITECTURES[row['arch']]} {row['release']}{row.get('how', '')}</summary>"
    yield ""
    yield "```"
    for f in check["findings"]:
        word = words[f["state"]]
        yield f"{word:4}  {f['section']:8} {f['name']:22} {test_check.words_of(f)}".rstrip()
    works = f"works here, with backend {check.get('backend')}"
    yield f"sonde {works if check['works'] else 'would not work here: ' + check['why']}"
    yield "```"
    yield "</details>"


def page(backends):
    rows = rows_kept()
    costs = kept(COST)
    yield HEAD
    yield from section("Backends", summary_table(rows, backends))
    yield from section("Checks", check_table(rows))
    yield from section("What each kernel gives", GIVEN, given_table(rows))
    yield from section("What the verifier goes through", VERIFIER, budget_table(rows))
    if costs:
        yield from section("What each backend costs", cost_table(costs))
    yield from section("`sonde check`", *(text_of(row) for row in rows if "check" in row))


def write_page(backends):
    keep_own()
    PAGE.write_text("\n".join(page(backends)).rstrip() + "\n")
