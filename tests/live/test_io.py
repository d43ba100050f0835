# SPDX-License-Identifier: Apache-2.0
"""The I/O matrix: one test for each form in which bytes go in or out of a stream socket.

The tool `io` plays both ends of HTTP exchanges and says of each what it was, how many bytes went,
and between which two spans the time from first to last byte has to lie: from after the first call
to before the last, and from before the first to after the last. Spans by the same clock as the
kernel half's, so nothing here depends on speed.

A form by which a head never is in the caller's memory cannot be read. A request that goes so is
not counted at that end, one whose response goes so is counted without a status; both are said in
sonde_unseen_total. Every such form takes turns with a plain one, which has to stay exact.
"""

import collections
import os

from sonde_test import ROOT, Failure, check, same, tally, until
from test_hostile import closes, funnel

IO = os.environ.get("IO", str(ROOT / ".output/tests/io"))
CONNECTIONS = 2
EXCHANGES = 15
ROUNDED_MS = 0.001  # as the log line has it

READ = """read readv preadv2 recv recvfrom recvmsg recvmmsg_1 recvmmsg_body read_1 read_7 peek
    peek_part peek_many waitall nonblock splice_body trunc_body""".split()
WRITTEN = """write send sendto writev writev_2 writev_status writev_head writev_empty writev_3
    writev_1 writev_1024 pwritev2 sendmsg sendmmsg_1 sendmmsg_body write_1 slow sendfile splice
    vmsplice tee more cork zerocopy nonblock""".split()
READ_UNSEEN = "recvmmsg trunc splice tee".split()
WRITTEN_UNSEEN = "sendmmsg sendfile_all splice_all vmsplice_all".split()
BOTH = {  # forms that need each other: by which it is written, read
    "waitall_signal": ("slow", "waitall_signal"),
    "oob": ("oob", "oob"),
    "oob_inline": ("oob_inline", "oob_inline"),
}
# The latter three: in a unix stream nothing tells that bytes were taken out of it by splice.
TCP_ONLY = """write_cork write_zerocopy read_splice_body read_splice_response
    read_tee_response""".split()
FAMILIES = "tcp unix".split()
# No hook fires for these: only positions tell that there was something.
SPLICED = {"splice", "tee"}
# Heads over more buffers than are looked at: lengths may be unknown, never wrong.
CUT = {"writev_1", "writev_1024"}

Own = collections.namedtuple("Own", "role method path status request response least most seen")


def form_of(forms, number):
    names = forms.split(",")
    return names[number % len(names)]


def seen(family, role, forms, number):
    """What this end can know of an exchange: all, cut, spliced, request (alone), or nothing."""
    ways = [form_of(form, number) for form in forms]
    unread = [way in (READ_UNSEEN if i % 2 else WRITTEN_UNSEEN) for i, way in enumerate(ways)]
    if family == "unix" and "trunc" in ways:  # where it discards nothing
        unread = [False] * 4
    request, response = (0, 3) if role == "client" else (1, 2)
    if unread[request] or (unread[response] and ways[response] in SPLICED):
        return "nothing"
    if unread[response]:
        last = number % EXCHANGES == EXCHANGES - 1  # is over when it is closed, which nobody sees
        return "nothing" if last and (family, role) == ("unix", "client") else "request"
    if "splice_body" in (ways[request], ways[response]):
        return "spliced"
    return "cut" if {ways[request], ways[response]} & CUT else "all"


def run_tool(live, family, forms):
    """{(role, path): Own}"""
    check(os.access(IO, os.X_OK), f"{IO} is not built")
    said = live.run(IO, family, live.prefix, CONNECTIONS, EXCHANGES, *forms)
    own = {}
    for line in said.splitlines():
        role, method, path, status, *numbers = line.split()
        what = seen(family, role, forms, int(path.rpartition("n")[2]))
        own[role, path] = Own(role, method, path, status, *map(int, numbers), what)
    same("exchanges of both ends", len(own), 2 * CONNECTIONS * EXCHANGES)
    return own


def counts_of(own, role):
    """What the agent has to count at this end."""
    known = [x for x in own.values() if x.role == role and x.seen != "nothing"]
    return tally(f"{x.method} {x.path} {0 if x.seen == 'request' else x.status}" for x in known)


def sizes_of(own):
    """The sizes that a line may tell."""
    request, response = {own.request}, {own.response}
    if own.seen in ("cut", "spliced"):
        request, response = request | {None}, response | {None}
    return request, {None} if own.seen == "request" else response


def check_line(line, own):
    name = f"{own.role} {own.path}"
    status = None if own.seen == "request" else own.status
    told = [line["method"], str(line["status"]) if "status" in line else None, line.get("error")]
    same(f"{name} method, status, error", told, [own.method, status, None])
    for what, known in zip(("request_bytes", "response_bytes"), sizes_of(own)):
        check(line.get(what) in known, f"{name} {what}: {line.get(what)}, own {known}")
    least, most = own.least / 1e6 - ROUNDED_MS, own.most / 1e6 + ROUNDED_MS
    if own.seen == "spliced":
        least = 0  # up to the last byte that was not
    told = line["duration_ms"]
    check(least <= told <= most, f"{name}: {told} ms, own clock {least} to {most}")
    check(0 <= line["ttfb_ms"] <= told, f"{name}: first byte after the last: {line}")


def check_told(agent, own, role):
    """Each line of this end against what the end says of itself."""
    lines = agent.lines(role=role)
    wanted = {path for (end, path), x in own.items() if end == role and x.seen != "nothing"}
    same(f"{role} lines", sorted(line["path"] for line in lines), sorted(wanted))
    for line in lines:
        check_line(line, own[role, line["path"]])


def unseen(agent, spliced):
    """Said to be unreadable. No hook fires for what is spliced: that is said when it is missed."""
    metrics = agent.metrics()
    reasons = metrics.counts("sonde_unseen_total", ("reason",))
    if not spliced:
        return reasons["unreadable",]
    lost = metrics.counts("sonde_transactions_lost_total", ("reason",))
    return reasons["unreadable",] + reasons["unpaired",] + lost["unread",]


def check_unseen(said, parts):
    """A part may be several calls."""
    wanted = said >= parts if parts else said == 0
    check(wanted, f"{said} said unseen, of {parts}")


def check_funnel(agent):
    try:
        until("the funnel", lambda: closes(funnel(agent)))
    except Failure:
        same("seen = counted + open + lost", funnel(agent), "a sum that closes")


def run_row(live, family, forms):
    agent = live.agent("--ring-size=16MiB")
    spliced = SPLICED & set(",".join(forms[1::2]).split(","))
    before = unseen(agent, spliced)
    own = run_tool(live, family, forms)
    counts = {role: counts_of(own, role) for role in ("server", "client")}
    for role in counts:
        agent.expect(role, counts[role])
    parts = sum(x.seen in ("nothing", "request") for x in own.values())
    check_unseen(unseen(agent, spliced) - before, parts)
    check_funnel(agent)
    agent.finish(**counts, may_lose=("unread",) if SPLICED & set(forms[3].split(",")) else ())
    for role in counts:
        check_told(agent, own, role)


def rows():
    """(name, forms by which requests are written and read, responses written and read)"""
    for form in READ:
        yield f"read_{form}", ("write", form) * 2
    for form in WRITTEN:
        yield f"write_{form}", (form, "read") * 2
    for form, both in BOTH.items():
        yield f"both_{form}", both * 2
    for form in READ_UNSEEN:
        yield f"read_{form}_request", ("write", f"read,{form}", "write", "read")
        yield f"read_{form}_response", ("write", "read", "write", f"read,{form}")
    for form in WRITTEN_UNSEEN:
        yield f"write_{form}_request", (f"write,{form}", "read", "write", "read")
        yield f"write_{form}_response", ("write", "read", f"write,{form}", "read")


def make_test(family, forms):
    return lambda live: run_row(live, family, forms)


for family in FAMILIES:
    for name, forms in rows():
        if family == "tcp" or name not in TCP_ONLY:
            globals()[f"test_{family}_{name}"] = make_test(family, forms)
