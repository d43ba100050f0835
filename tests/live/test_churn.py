# SPDX-License-Identifier: Apache-2.0
"""Containers by the hundred that are gone before anyone looks: each count under the right names."""

import collections
import contextlib
import os
import pathlib
import random
import re
import time

from containers import ENGINES, PLACE, SPELLINGS, Container, Node, Runc, kinds_of_version

from sonde_test import check, same, until

STAY = 0.2  # seconds, so that the agent has read its ring
FAMILIES = {
    "requests": ("http_{role}_request_duration_seconds", ()),
    "connections": ("tcp_connections_opened_total", ()),
    "sockets": ("websocket_connections_opened_total", ()),
    "messages": ("websocket_messages_total", ("direction", "type")),
    "closed": ("websocket_connections_closed_total", ("close_code", "initiator")),
}


def expected(containers, role):
    """{(what, labels..., place): count} of all of them."""
    counts = collections.Counter()
    for c in containers:
        counts["requests", *c.place] += c.requests + 1  # the handshake is one
        counts["connections", *c.place] += 2
        counts["sockets", *c.place] += 1
        counts["closed", "1000", "client", *c.place] += 1
        for direction in ("sent", "received"):
            counts["messages", direction, "text", *c.place] += c.messages
            counts["messages", direction, "close", *c.place] += 1
    return dict(counts)


def found(agent, role, word):
    """The same of the agent: series of this test's pods, and of its containers without one."""
    metrics = agent.metrics()
    counts = {}
    for what, (family, more) in FAMILIES.items():
        keep = lambda x: x.get("role", role) == role and is_ours(x, word)
        by = (*more, *PLACE)
        for labels, count in metrics.counts(family.format(role=role), by, keep).items():
            if count:
                counts[what, *labels] = int(count)
    return counts


def is_ours(labels, word):
    return word in labels.get("namespace", "") or labels.get("service") in ("pod", "web")


def check_counts(agent, containers, word):
    for role in ("server", "client"):
        wanted = expected(containers, role)
        try:
            until("counts", lambda: found(agent, role, word) == wanted)
        except Exception:
            same(f"{role} counts", found(agent, role, word), wanted)
        names = collections.Counter()
        for line in agent.lines(role=role, logger="sonde.http"):
            names[tuple(line.get(label, "") for label in PLACE)] += 1
        same(
            f"{role} lines",
            dict(names),
            {labels[1:]: n for labels, n in wanted.items() if labels[0] == "requests"},
        )


def test_moments(live):
    """Processes of a few milliseconds in each spelling and each version of cgroups."""
    node = Node(live)
    agent = node.agent()
    containers = []
    for kinds in kinds_of_version(node).values():
        for spelling in (*SPELLINGS, *ENGINES):
            containers.append(Container(node, spelling))
            containers[-1].made()
            node.enter(containers[-1], kinds)
            containers[-1].started()
    check_counts(agent, containers, live.word)
    agent.stop()


def test_two_in_a_pod(live):
    """Which of the two it was says only the link, which comes when the container is long gone."""
    node = Node(live)
    agent = node.agent()
    kinds = next(iter(kinds_of_version(node).values()))
    containers = [Container(node, spelling, ("daprd", "app")) for spelling in SPELLINGS]
    for container in containers:
        container.made()
        node.enter(container, kinds)
    time.sleep(STAY)
    same("requests while names are missing", found(agent, "server", live.word), {})
    for container in containers:
        container.started()
    check_counts(agent, containers, live.word)
    agent.stop()


def test_link_that_never_comes(live):
    """Then what is known must do, after some seconds."""
    node = Node(live)
    agent = node.agent()
    container = Container(node, "CRI-O", ("daprd", "app"))
    container.made()
    node.enter(container, next(iter(kinds_of_version(node).values())))
    container.containers = [""]
    check_counts(agent, [container], live.word)
    agent.stop()


def table(agent, name):
    return int(agent.metrics().counts("sonde_table_entries", ("table",))[name,])


def held(agent):
    """(descriptors but for sockets, inotify watches) of the agent's process."""
    descriptors = watches = 0
    for file in pathlib.Path(f"/proc/{agent.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            descriptors += not os.readlink(file).startswith("socket:")
            watches += (file.parents[1] / "fdinfo" / file.name).read_text().count("inotify wd:")
    return descriptors, watches


def test_two_hundred_by_runc(live):
    """Each is gone when its link comes, as soon as a kubelet could make it; then all are forgotten."""
    node = Node(live)
    runc = Runc(node)
    agent = node.agent()
    before = held(agent)
    containers = []
    for _ in range(200):
        several = random.choice([("app",), ("daprd", "app")])
        container = Container(node, random.choice([*SPELLINGS, *ENGINES]), several)
        container.made()
        runc.run(container)
        container.started()
        containers.append(container)
    check_counts(agent, containers, live.word)
    pods = [c for c in containers if c.pod]
    same("pods", table(agent, "pods"), len(pods))
    for container in pods:
        container.forget()
    until("pods to be forgotten", lambda: table(agent, "pods") == table(agent, "containers") == 0)
    same("descriptors and watches", held(agent), before)
    agent.stop()


def resident(agent):
    """Bytes of its own memory: without the ring, whose pages it touches one after the other."""
    status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s*(\d+) kB", status, re.M)[1]) * 1024


def churn(live, node, agent, rounds):
    """Each: pods that serve and go, and series that go with them."""
    kinds = next(iter(kinds_of_version(node).values()))
    for _ in range(rounds):
        containers = [Container(node, spelling, ("daprd", "app")) for spelling in SPELLINGS]
        for container in containers:
            container.made()
            node.enter(container, kinds)
            container.started()
        asked = sum(container.requests + 1 for container in containers)
        ids = {container.pod for container in containers}
        lines = lambda: [l for l in agent.lines(role="server") if l.get("pod") in ids]
        until("lines", lambda: sum(l["logger"] == "sonde.http" for l in lines()) == asked)
        same("containers", {l["container"] for l in lines()}, {"app"})
        for container in containers:
            container.forget()
    until("series to be forgotten", lambda: found(agent, "server", live.word) == {})


def test_leaks_nothing(live):
    """What is left of a container that is gone are entries of bounded tables."""
    node = Node(live)
    agent = node.agent("--series-ttl=1s")
    churn(live, node, agent, 15)  # until each buffer has been used once
    before, memory = held(agent), resident(agent)
    churn(live, node, agent, 10)
    same("descriptors and watches", held(agent), before)
    grown = resident(agent) - memory
    check(grown < 1 << 20, f"grown by {grown} bytes")
    agent.stop()
