# SPDX-License-Identifier: Apache-2.0
"""The tables that people read, in Markdown, from what the guests' rows hold."""

from cost import WORK
from judge import CHECKS

ARCHITECTURES = {"x86": "x86-64", "arm64": "arm64"}
GIVEN = ("limit", "feature", "backend", "hook")  # what a kernel gives; the rest is the machine's
WORDS = {"ok": "yes", "lost": "–", "fail": "**no**", "unknown": "?"}


def header(*words):
    yield "| " + " | ".join(words) + " |"
    yield "| --- " * len(words) + "|"


def check_table(rows):
    yield from header("kernel", "backend", *CHECKS, "said")
    for row in rows:
        for backend, result in row["backends"].items():
            words = {what: "–" for what in CHECKS} | result.get("checks", {})
            words["said"] = row.get("said")
            cells = (word if word in ("ok", "–") else "**FAIL**" for word in words.values())
            yield f"| {row['release']} | {backend} | " + " | ".join(cells) + " |"


def summary_table(rows, backends):
    yield from header("kernel", *backends)
    for row in (row for row in rows if row["backends"]):
        cells = []
        for backend in backends:
            result = row["backends"].get(backend, {})
            words = {*result.get("checks", {"": "?"}).values(), row.get("said")}
            cells.append("–" if "refused" in result else "all" if words == {"ok"} else "**FAIL**")
        yield f"| {row['release']} ({ARCHITECTURES[row['arch']]}) | " + " | ".join(cells) + " |"


def budgets(row):
    """{program: (instructions, microseconds)}, the most of all backends."""
    most = {}
    for result in row["backends"].values():
        for program, cost in result.get("budget", {}).items():
            most[program] = max(most.get(program, (0, 0)), tuple(cost))
    return most


def budget_table(rows):
    """Instructions and milliseconds that the verifier took, by program and kernel."""
    columns = [(row, budgets(row)) for row in rows if budgets(row)]
    yield from header("program", *(title(row) for row, _ in columns))
    for program in sorted(set().union(*(found for _, found in columns))):
        costs = (found.get(program) for _, found in columns)
        cells = (f"{c[0]:,} / {c[1] / 1000:,.0f}" if c else "–" for c in costs)
        yield f"| `{program}` | " + " | ".join(cells) + " |"


def given_table(rows):
    """What `sonde check` found on each kernel, and what it found on all of them."""
    columns = [row for row in rows if "check" in row]
    found = [{key_of(f): f["state"] for f in row["check"]["findings"]} for row in columns]
    keys = list(dict.fromkeys(key for states in found for key in states if key[0] in GIVEN))
    everywhere = [key for key in keys if all(states.get(key) == "ok" for states in found)]
    yield from header("", *(title(row) for row in columns))
    for key in (key for key in keys if key not in everywhere):
        cells = (WORDS.get(states.get(key), "") for states in found)
        yield f"| {key[0]} `{key[1]}` | " + " | ".join(cells) + " |"
    yield ""
    yield "On all of them: " + ", ".join(f"`{name}`" for _, name in everywhere) + "."


def key_of(finding):
    return finding["section"], finding["name"]


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


def title(row):
    return f"{ARCHITECTURES[row['arch']]} {short(row['release'])}{row.get('how', '')}"


def short(release):
    return release.split("-")[0].split("+")[0]
