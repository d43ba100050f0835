# SPDX-License-Identifier: Apache-2.0
"""The tables that people read, in Markdown, from what the guests' rows hold."""

from cost import WORK
from judge import CHECKS


def header(*words):
    yield "| " + " | ".join(words) + " |"
    yield "| --- " * len(words) + "|"


def check_table(rows):
    yield from header("kernel", "backend", *CHECKS)
    for row in rows:
        for backend, result in row["backends"].items():
            checks = result.get("checks")
            word = lambda what: "ok" if checks.get(what) == "ok" else "**FAIL**"
            cells = [word(what) for what in CHECKS] if checks else ["–"] * len(CHECKS)
            yield f"| {row['release']} | {backend} | " + " | ".join(cells) + " |"


def budget_table(rows):
    """Thousands of instructions and milliseconds that the verifier took, by program and kernel."""
    found = {}
    columns = [row for row in rows if any("budget" in r for r in row["backends"].values())]
    for at, row in enumerate(columns):
        for result in row["backends"].values():
            for program, (count, us) in result.get("budget", {}).items():
                cells = found.setdefault(program, ["–"] * len(columns))
                cells[at] = f"{count:,}, {us / 1000:,.0f} ms"
    yield from header("program", *(f"{row['arch']} {short(row['release'])}" for row in columns))
    for program, cells in sorted(found.items()):
        yield f"| `{program}` | " + " | ".join(cells) + " |"


def cost_table(costs):
    added = costs["added"].values()
    yield f"Instructions on {costs['kernel']}; without the agent twice: {costs['apart']:.2%} apart."
    yield ""
    yield from header("", "without", *(f"{backend} adds" for backend in costs["added"]))
    for name, what, _ in WORK:
        cells = (f"{row[name]:,.0f}" for row in added)
        yield f"| {what} | {costs['without'][name]:,.0f} | " + " | ".join(cells) + " |"
    cells = (f"{row['agent']:,.0f}" for row in added)
    yield "| the agent itself, a request and end | | " + " | ".join(cells) + " |"


def short(release):
    return release.split("-")[0].split("+")[0]
