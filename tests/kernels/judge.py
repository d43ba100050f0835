# SPDX-License-Identifier: Apache-2.0
"""What a guest said, checked: the agent's counts against those of the tools at both ends.

The comparisons are those of tests/live. A check is a function that raises Failure; its row in
CHECKS is a column of the table.
"""

import collections
import json
import sys

from debian import ROOT, numbers

sys.path.insert(0, str(ROOT / "tests/live"))

import crowd
import frames
import promtext
from sonde_test import Failure, check, same

MISSES = "sonde_probe_misses_total"
BUDGET = 100_000  # instructions: a tenth of the verifier's limit
# Each of these holds all of the core: thirty functions that are verified once each, of which the
# walk through WebSocket frames takes a tenth of the limit by itself.
BUDGET_CORE = 250_000
CORE = "sock_sent sock_received tcp_sent tcp_received unix_sent unix_received call_ended"
CORE = (*CORE.split(), "tcp_sent_page", "unix_sent_page")
BAD = ("BUG:", "WARNING:", "Oops", "soft lockup")
AS_THEY_ARE = [5, 13]  # from here on a kernel takes the programs; before, the older form of them


class Said:
    """The files that one backend left in a guest."""

    def __init__(self, files, backend):
        self.backend = backend
        self.files = {name.removeprefix(f"{backend}/"): data.decode(errors="replace")
                      for name, data in files.items() if name.startswith(f"{backend}/")}
        self.folders = ("plain", "overflow")[: 1 if "short" in files else 2]
        self.release = files["release"].decode()
        self.dmesg = files["dmesg"].decode(errors="replace")
        self.programs_before = programs(files["programs"].decode())

    def text(self, name):
        check(name in self.files, f"the guest left no {name}")
        return self.files[name]

    def metrics(self, name):
        return promtext.Metrics(self.text(name))

    def counts(self, name):
        pairs = (word.split("=") for word in self.text(name).strip().split(","))
        return {name: int(count) for name, count in pairs}

    def lines(self, name):
        return [json.loads(line) for line in self.text(name).splitlines()]

    def refusal(self):
        """Why the agent did not start, or None."""
        if "plain/refused" not in self.files:
            return None
        lines = self.text("plain/said").strip().splitlines() or ["{}"]
        return json.loads(lines[-1]).get("message", "no word")


def programs(text):
    """{name: how many}"""
    return collections.Counter(line.split()[0] for line in text.splitlines())


def check_attach(said):
    there = programs(said.text("plain/programs")) - said.programs_before
    check(there, "no program is loaded")
    metrics = said.metrics("plain/http-metrics")
    same("backend", metrics.counts("sonde_backend", ("name",)), {(said.backend,): 1})
    attached = metrics.counts("sonde_programs_attached", ("program",))
    check(any(attached.values()), "no program is attached")
    if numbers(said.release)[:2] >= AS_THEY_ARE:
        words = [line["message"] for line in said.lines("plain/said")]
        words = [word for word in words if word.startswith("backend ")]
        same("what the agent says of it", words, [f"backend {said.backend}"])
    bad = [line for line in said.dmesg.splitlines() if any(word in line for word in BAD)]
    same("the kernel's complaints", bad[:3], [])


def check_requests(said, folder):
    """Both tools' counts are each other's and the agent's, and the funnel closes."""
    metrics = said.metrics(f"{folder}/http-metrics")
    client, server = (said.counts(f"{folder}/http-{end}") for end in ("client", "server"))
    same("the ends' counts", crowd.requests_of(server), crowd.requests_of(client))
    losses = metrics.counts("sonde_transactions_lost_total", ("reason",))
    for role, counts in (("server", server), ("client", client)):
        got = crowd.counted(metrics, role, f"http-{role}")
        same(f"{role} counts (lost {losses})", got, crowd.requests_of(counts))
    opened = metrics.counts("tcp_connections_opened_total", ("role", "service"))
    for role in ("server", "client"):
        same(f"connections of the {role}", opened.get((role, f"http-{role}")), client["opened"])
    same("the funnel's rest", crowd.funnel(metrics)["unexplained"], 0)
    return crowd.funnel(metrics)


def check_http(said):
    check_requests(said, "plain")


def check_websocket(said):
    metrics = said.metrics("plain/ws-metrics")
    told = lambda role: frames.only_counted(said.counts(f"plain/ws-{role}"))
    ends = {role: told(role) for role in ("server", "client")}
    image = frames.common(frames.mirrored(ends["client"]))
    same("the ends' counts", image, frames.common(ends["server"]))
    check(ends["server"].get("messages sent text"), "nothing was said")
    for role, counts in ends.items():
        same(f"{role} counts", frames.counted(metrics, role, f"ws-{role}"), counts)
        same(f"{role} losses", frames.losses(metrics, f"ws-{role}"), {})


def check_ids(said):
    """Each request of the plain run has one id, the same at both ends, that no other one has."""
    ids = {}
    for role in ("server", "client"):
        lines = [o for o in said.lines("plain/lines") if o.get("service") == f"http-{role}"]
        ids[role] = collections.Counter((o["path"], o["request_id"]) for o in lines)
    wanted = sum(crowd.requests_of(said.counts("plain/http-server")).values())
    same("lines of the server", sum(ids["server"].values()), wanted)
    same("ids that one end alone has", dict(ids["server"] - ids["client"]), {})
    same("ids that one end alone has", dict(ids["client"] - ids["server"]), {})
    same("ids", len({one for _, one in ids["server"]}), wanted)


def check_overflow(said):
    funnel = check_requests(said, "overflow")
    check(funnel["shed"] > 0, "nothing was shed: not enough load")


def check_detach(said):
    for folder in said.folders:
        same("exit status of the agent", said.text(f"{folder}/exit").strip(), "0")
        left = programs(said.text(f"{folder}/programs_after")) - said.programs_before
        same("programs that are left", dict(left), {})


def budget(said):
    """{program: (instructions, microseconds)} of the verifier."""
    rows = (line.split() for line in said.files.get("overflow/budget", "").splitlines())
    return {name: (int(count), int(us)) for name, count, us in rows}


def check_budget(said):
    """A tenth of what the verifier goes through at most, but for those that have a reason."""
    counts = {name: count for name, (count, _) in budget(said).items()}
    check(counts, "no program was loaded")
    most = lambda name: BUDGET_CORE if name in CORE else BUDGET
    same("programs above their bound", {n: c for n, c in counts.items() if c > most(n)}, {})


CHECKS = {
    "attach": check_attach,
    "http": check_http,
    "websocket": check_websocket,
    "ids": check_ids,
    "overflow": check_overflow,
    "detach": check_detach,
    "budget": check_budget,
}

SHORT_CHECKS = "attach http websocket ids detach".split()


def skipped(said):
    """{program: times that the kernel did not run it} over the backend's whole run."""
    names = ("plain/ws-metrics", "overflow/http-metrics")
    found = collections.Counter()
    for name in (name for name in names if name in said.files):
        for (program,), count in said.metrics(name).counts(MISSES, ("program",)).items():
            found[program] += count
    return dict(+found)


def outcome_of(function, *arguments):
    try:
        function(*arguments)
        return "ok"
    except (Failure, promtext.FormatError, ValueError, KeyError) as fault:
        return f"{type(fault).__name__}: {fault}"[:600]


def judge(said, checks=CHECKS):
    """{check: "ok" or what is wrong}"""
    return {name: outcome_of(CHECKS[name], said) for name in checks}


def check_verdict(files, started):
    """What `sonde check` said of backends, and by its status, against those that started."""
    found = json.loads(files["check.json"])
    backends = (row for row in found["findings"] if row["section"] == "backend")
    fit = [row["name"] for row in backends if row["state"] == "ok"]
    same("backends that fit", fit, started)
    same("the chosen one", found.get("backend"), started[0] if started else None)
    same("exit status", files["check.status"].decode().strip(), "0" if started else "1")


def verdict(files, started):
    """"ok" or what is wrong."""
    return outcome_of(check_verdict, files, started)
