# SPDX-License-Identifier: Apache-2.0
"""A chain of services in namespaces of their own: client, nginx, FastAPI under uvicorn, Node.

Between any two stands a router that rewrites both addresses. Each request has a path of its own,
which the services pass on, so the test knows which lines belong together; the agent does not.
"""

import http.client
import subprocess
import sys

import chain
from netns import SERVICE_PORT, make_nodes
from sonde_test import HERE, PYTHON, Skip, check, need, same, until
from test_request_ids import THREADS, in_threads

NGINX_PORT, APP_PORT, BACK_PORT = 8080, 8000, 8001
EACH = 20  # requests of a thread; of two one has a traceparent
FIELDS = "trace_id", "parent_span_id", "parent_source"


def is_up(client, address):
    try:
        client.connect(address).close()
    except OSError:
        return False
    return True


def start_services(live, edge, middle, back):
    """Each by the address of the next one; returns that of the first."""
    named = lambda name, **env: {"OTEL_SERVICE_NAME": f"{live.word}-{name}", **env}
    behind = back.serve(BACK_PORT)
    node = ["node", HERE / "servers/chain_back.js", BACK_PORT]
    live.start(back.command(*node), env=named("back"))
    app = [PYTHON, "-B", "-m", "uvicorn", "chain_app:app", "--app-dir", HERE / "servers"]
    app += ["--host", "0.0.0.0", "--port", APP_PORT, "--log-level", "warning"]
    env = named("app", PREFIX=live.prefix, BEHIND=behind)
    live.start(middle.command(*app), env=env)
    text = (HERE / "servers/nginx_chain.conf").read_text()
    words = {"TEMP": live.temp, "PORT": NGINX_PORT, "BEHIND": middle.serve(APP_PORT)}
    for word, value in words.items():
        text = text.replace(f"@{word}@", str(value))
    (live.temp / "nginx.conf").write_text(text)
    nginx = ["nginx", "-c", live.temp / "nginx.conf", "-e", live.temp / "error.log"]
    live.start(edge.command(*nginx))
    return edge.serve(NGINX_PORT), [behind, words["BEHIND"]]


def trace_of(number):
    """(trace, span) that the client sends along with every other request."""
    return (f"{number + 1:032x}", f"{number + 1:016x}") if number % 2 else None


def ask(connection, live, number):
    path = f"{live.prefix}/{('threads', 'loop')[number // 2 % 2]}/{number}"
    trace = trace_of(number)
    headers = {"traceparent": "00-{}-{}-01".format(*trace)} if trace else {}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    same(f"answer to {path}", (answer.status, answer.read()), (200, b"fine\n"))


def lines_by_hop(agent):
    """{number: {(who, role): line}}"""
    result = {}
    for line in agent.lines(logger="sonde.http"):
        number = int(line["path"].removesuffix("/back").rpartition("/")[2])
        who = line["service"].removeprefix(agent.live.word + "-")
        who = who if who in ("nginx", "app", "back") else "client"
        ends = result.setdefault(number, {})
        check((who, line["role"]) not in ends, f"{who}, {line['role']}: two lines for {number}")
        ends[who, line["role"]] = line
    return result


HOPS = (  # (client, server) of each hop, and which server's line the client's may be a child of
    ("client", "nginx"),
    ("nginx", "app"),
    ("app", "back"),
)
ENDS = {(client, "client") for client, _ in HOPS} | {(server, "server") for _, server in HOPS}


def check_ids(lines):
    """One id a hop, and no other hop has it."""
    ids = set()
    for number, ends in lines.items():
        for client, server in HOPS:
            pair = [ends[client, "client"], ends[server, "server"]]
            said = {(line["request_id"], line["request_id_source"]) for line in pair}
            same(f"ids of {client} to {server} for {number}", len(said), 1)
            same("source", {source for _, source in said}, {"tcp"})
            ids |= said
    same("ids", len(ids), len(HOPS) * len(lines))


def check_parents(lines):
    """From the header at all ends where there is one; else the right one or none."""
    found = 0
    for number, ends in lines.items():
        for (who, role), line in ends.items():
            said = tuple(line.get(field) for field in FIELDS)
            above = ends[who, "server"] if role == "client" and who != "client" else None
            if trace_of(number):
                same(f"{who}, {role} for {number}", said, (*trace_of(number), "header"))
            elif line["parent_source"] == "none":
                check("parent_span_id" not in line, f"a parent from nowhere: {line}")
            else:
                right = (above["trace_id"], above["span_id"], "thread") if above else None
                same(f"{who}, {role} for {number}", said, right)
                found += 1
    print(f"# of {len(lines)} calls without a header {found} have a parent", file=sys.stderr)


def check_printed(agent, lines):
    """The script knows the whole chain of each request with a traceparent, and no wrong one."""
    with open(agent.out) as log:
        ours = [line for line in chain.read_lines(log) if agent.live.word in line.get("path", "")]
    tops = chain.chains_of(ours)
    shown = {}

    def walk(hop, above):
        number = int(hop.any["path"].removesuffix("/back").rpartition("/")[2])
        check(above in (None, number), f"{number} stands below {above}")
        shown.setdefault(number, []).append(1 + (above is not None and shown[number][-1]))
        for below in hop.below:
            walk(below, number)

    for top in tops:
        walk(top, None)
    for number in lines:
        if trace_of(number):
            same(f"depths of hops for {number}", shown[number], [1, 2, 3])
        same(f"hops for {number}", len(shown[number]), 3)


def check_script(agent, ends):
    """As people call it, with the id of one hop: three lines, each below the one before."""
    script = [PYTHON, "-B", HERE / "chain.py", ends["app", "client"]["request_id"]]
    with open(agent.out) as log:
        said = subprocess.run(script, stdin=log, capture_output=True, text=True, check=True).stdout
    servers = [line.split(" -> ")[1].split()[0] for line in said.splitlines()]
    names = [name.removeprefix(agent.live.word + "-") for name in servers]
    same("hops", names, ["nginx", "app", "back"])
    indents = [len(line) - len(line.lstrip()) for line in said.splitlines()]
    same("indents", indents, [0, 2, 4])


def test_chain(live):
    need("nginx", "node")
    probe = [PYTHON, "-c", "import fastapi, uvicorn"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode:
        raise Skip("fastapi and uvicorn are not installed")
    client, *services = make_nodes(live, "client", "edge", "middle", "back")
    address, others = start_services(live, *services)
    for one in (*others, address):
        until("the services", lambda: is_up(client, one))
    agent = live.agent("--ring-size=16MiB")

    def work(thread):
        connection = http.client.HTTPConnection(address, SERVICE_PORT, timeout=30)
        connection.sock = client.connect(address)
        for number in range(thread * EACH, (thread + 1) * EACH):
            ask(connection, live, number)
        connection.close()

    in_threads(work)
    count = THREADS * EACH * len(ENDS)
    until("all lines", lambda: len(agent.lines(logger="sonde.http")) >= count)
    agent.stop()
    lines = lines_by_hop(agent)
    same("requests", set(lines), set(range(THREADS * EACH)))
    for number, ends in lines.items():
        same(f"ends of {number}", set(ends), ENDS)
    check_ids(lines)
    check_parents(lines)
    check_printed(agent, lines)
    check_script(agent, lines[1])
