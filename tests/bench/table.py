# SPDX-License-Identifier: Apache-2.0
"""The rows of the table: which figures they show, how they are compared, and what is aimed at."""

import statistics

NONE = "–"


def spread(values, form):
    if len(values) < 3:
        return form(statistics.median(values))
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{form(middle)} ({form(low)} … {form(high)})"


def ns(value):
    return f"{value:,.0f} ns"


def precise_ns(value):
    return f"{value:,.1f} ns"


def ratio(value):
    return f"{value:.3f} ×"


def share(value):
    return f"{value:.4f}"


def percent(value):
    return f"{100 * value:.2f} %"


def rate(value):
    return f"{value:,.0f}/s"


def mib(value):
    return f"{value:.1f} MiB"


def seconds_text(value):
    return f"{value:.2f} s"


def added(a, b):
    return b - a


def added_an_end(a, b):
    """A request of the loop is traced at both ends."""
    return (b - a) / 2


def added_a_call(a, b):
    """A round of the loop is four socket calls."""
    return (b - a) / 4


def times(a, b):
    return b / a


# what; figure; its form; (without, with) -> what is compared; its form; target
PAIRED = (
    ("(a) loop, p5: added a transaction and end", "loop5", ns, added_an_end, ns, "≤ 800 ns"),
    ("(a) loop, median: added a transaction and end", "loop", ns, added_an_end, ns, "≤ 800 ns"),
    ("(a) loop, median: ratio", "loop", ns, times, ratio, NONE),
    ("(b) nginx, requests/s: ratio", "rate", rate, times, ratio, NONE),
    ("(b) nginx, worker's CPU a request: added", "worker", ns, added, ns, "≤ 800 ns"),
    ("(d) socket call that is not HTTP, p5: added", "plain5", ns, added_a_call, ns, "≤ 100 ns"),
    ("(d) socket call that is not HTTP, median: added", "plain", ns, added_a_call, ns, "≤ 100 ns"),
    ("(d) getppid, p5: added", "call5", precise_ns, added, precise_ns, "0 ns"),
    ("(d) getppid, median: added", "call", precise_ns, added, precise_ns, "0 ns"),
    ("(e) loop, --detail=metrics, p5: added an end", "lean5", ns, added_an_end, ns, NONE),
    ("(e) loop, --detail=metrics, median: added an end", "lean", ns, added_an_end, ns, NONE),
    ("(f) WebSocket echo, uvicorn, messages/s: ratio", "echo_uvicorn", rate, times, ratio, "≥ 0.95"),
    ("(f) uvicorn's CPU a message: added", "echo_cpu_uvicorn", ns, added, ns, NONE),
    ("(f) WebSocket echo, Node ws, messages/s: ratio", "echo_node", rate, times, ratio, "≥ 0.95"),
    ("(f) Node's CPU a message: added", "echo_cpu_node", ns, added, ns, NONE),
    ("(f) loop of frames, p5: added a message and end", "frames5", ns, added_a_call, ns, NONE),
    ("(f) loop of frames, median: added a message and end", "frames", ns, added_a_call, ns, NONE),
)
ALONE = (
    ("(c) agent, CPU a counted request, logs on", "agent", ns, NONE),
    ("(c) agent, user part of it", "agent_user", ns, "≤ 1,500 ns"),
    ("(c) agent, CPU a counted request, logs off", "quiet_agent", ns, NONE),
    ("(c) agent, user part of it", "quiet_agent_user", ns, "≤ 700 ns"),
    ("(c) agent, counted of wrk's requests at both ends", "counted", share, "1.000"),
    ("(c) agent, RSS idle", "idle", mib, "≤ 24 MiB"),
    ("(c) agent, RSS after the load", "loaded", mib, "≤ 24 MiB"),
    ("(c) agent, ready after", "ready", seconds_text, "< 1 s"),
    ("(h) log writer alone, a full line, p5", "writer5", ns, "≤ 400 ns"),
    ("(h) log writer alone, a full line, median", "writer", ns, "≤ 400 ns"),
    ("(h) log writer alone, lines/s", "writer_rate", rate, NONE),
    ("(e) agent, CPU a counted request, --detail=metrics", "lean_agent", ns, NONE),
    ("(e) counted of wrk's requests at both ends", "lean_counted", share, "1.000"),
    ("(e) kernel and agent: share of full detail", "lean_share", ratio, "≤ 0.5"),
    ("(f) share of its core that uvicorn used", "echo_busy_uvicorn", share, NONE),
    ("(f) share of its core that Node used", "echo_busy_node", share, NONE),
    ("(g) idle WebSocket connections, ends followed", "idle_followed", share, "1.0000"),
    ("(g) agent, share of a core", "idle_cpu", percent, "< 1 %"),
    ("(g) agent, RSS", "idle_rss", mib, "≤ 80 MiB"),
)


def print_table(columns):
    """Of the figures that there are."""
    print("| what | without | with | compared (quartiles) | target |")
    print("| --- | --- | --- | --- | --- |")
    for what, key, form, compare, compared_form, target in PAIRED:
        if key not in columns:
            continue
        a, b = columns[key]
        compared = spread([compare(x, y) for x, y in zip(a, b)], compared_form)
        cells = (what, form(statistics.median(a)), form(statistics.median(b)), compared, target)
        print("| " + " | ".join(cells) + " |")
    for what, key, form, target in ALONE:
        if key not in columns:
            continue
        print(f"| {what} | {NONE} | {spread(columns[key][1], form)} | {NONE} | {target} |")
