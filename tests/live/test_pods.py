# SPDX-License-Identifier: Apache-2.0
"""Pods by their cgroups and the kubelet's folders: real cgroups of v1 and v2, our own folders."""

import random
import shutil
import uuid

from kubelet import SPELLINGS, Cluster, digits, letters
from sonde_test import HERE, PYTHON, same, until

LABELS = ("service", "namespace", "pod", "container")


def counted(words):
    return {pod: int(count) for pod, count in (line.split() for line in words if line)}


def check_pods(live, agent, pods, words, service_of, active=True):
    """Series and lines of the servers: the counts of the pods' own, each with all of its names.

    active: their open requests had a series, too, which there is none of while a name is awaited.
    """
    counts = counted(words)
    same("pods that served", sorted(counts), sorted(pod["pod"] for pod in pods))
    expected = {
        (service_of(pod["pod"]), pod["namespace"], pod["pod"], pod["containers"][-1]): counts[
            pod["pod"]
        ]
        for pod in pods
    }
    agent.expect("server", expected, by=LABELS)
    found = agent.metrics().counts(
        "http_server_active_requests", LABELS, lambda x: x.get("namespace") == live.word
    )
    same("open requests", found, {labels: 0 for labels in expected} if active else {})
    lines = {}
    for line in agent.lines(role="server"):
        names = tuple(line.get(label, "") for label in LABELS)
        lines[names] = lines.get(names, 0) + 1
    same("names in the log", lines, expected)


def test_spellings(live):
    cluster = Cluster(live)
    agent = live.agent(f"--kube-logs={cluster.logs}")
    pods = [
        cluster.pod(f"web-{number}-{letters(5)}", spelling, version)
        for number, (spelling, version) in enumerate(
            (spelling, version) for spelling in SPELLINGS for version in cluster.roots
        )
    ]
    words = cluster.start(pods)
    check_pods(live, agent, pods, words, lambda pod: pod.rsplit("-", 1)[0])
    agent.stop()


def test_churn(live):
    """One after the other, each serving as soon as it is there and gone after three answers."""
    cluster = Cluster(live)
    agent = live.agent(f"--kube-logs={cluster.logs}", "--series-max=20000")
    places = [(s, v) for s in SPELLINGS for v in cluster.roots]
    pods = [
        cluster.pod(f"web-{number}-{letters(5)}", *random.choice(places))
        for number in range(200)
    ]
    words = cluster.start(pods)
    check_pods(live, agent, pods, words, lambda pod: pod.rsplit("-", 1)[0])
    agent.stop()


def test_link_that_comes_late(live):
    """Which of two containers it is says only the link, made while a request is open."""
    cluster = Cluster(live)
    agent = live.agent(f"--kube-logs={cluster.logs}")
    version = next(iter(cluster.roots))
    pods = [
        cluster.pod(f"kafka-{number}", "containerd, systemd", version, requests=1, late=0.2)
        for number in range(3)
    ]
    words = cluster.start(pods)
    check_pods(live, agent, pods, words, lambda pod: "kafka", active=False)
    agent.stop()


def known(agent, table):
    """How many names are remembered."""
    return agent.metrics().counts("sonde_table_entries", ("table",))[table,]


def test_kubelet_after_the_agent(live):
    cluster = Cluster(live, folders=False)
    agent = live.agent(f"--kube-logs={cluster.logs}")
    cluster.make_folders()
    (cluster.logs / "pods" / f"a_b-0_{uuid.uuid4()}").mkdir()
    until("the folder to be seen", lambda: known(agent, "pods") == 1)
    pods = [cluster.pod("kafka-0", "cri-dockerd", next(iter(cluster.roots)))]
    words = cluster.start(pods)
    check_pods(live, agent, pods, words, lambda pod: "kafka")
    agent.stop()


def test_pods_are_forgotten(live):
    """Their names with their folders, their series a while after their processes."""
    cluster = Cluster(live)
    agent = live.agent(f"--kube-logs={cluster.logs}", "--series-ttl=1s")
    version = next(iter(cluster.roots))
    pods = [cluster.pod(f"kafka-{number}", "CRI-O", version) for number in range(10)]
    same("requests", sum(counted(cluster.start(pods)).values()), 30)
    same("pods", known(agent, "pods"), 10)
    lines = until("the lines", lambda: len(x := agent.lines(role="server")) == 30 and x)
    same("pods in the log", {x["pod"] for x in lines}, {pod["pod"] for pod in pods})
    for pod in pods:
        shutil.rmtree(cluster.logs / "pods" / f"{pod['namespace']}_{pod['pod']}_{pod['uid']}")
    until("names to be forgotten", lambda: known(agent, "pods") == 0)
    until("series to be forgotten", lambda: agent.counts("server", LABELS) == {})
    agent.stop()


def test_outside_of_kubernetes(live):
    """A container without a pod goes by its short id, a unit by its name."""
    cluster = Cluster(live)
    agent = live.agent(f"--kube-logs={cluster.logs}")
    root = next(iter(cluster.roots.values()))
    container = digits(64)
    for name, path in (("unit", "system.slice/shop.service"), ("container", f"docker/{container}")):
        folder = root / path
        folder.mkdir(parents=True)
        (live.temp / name).touch()
        server = f"{PYTHON} {HERE}/servers/plain.py --log {live.temp}/{name}"
        enter = f"echo $$ > {folder}/cgroup.procs"
        _, port = live.server("sh", "-c", f"{enter} && exec {server}")
        live.run("curl", "-sS", f"http://127.0.0.1:{port}{live.prefix}/{name}")
    expected = {("shop", "", "", ""): 1, ("plain", "", "", container[:12]): 1}
    agent.expect("server", expected, by=LABELS)
    agent.stop()


def test_off(live):
    cluster = Cluster(live)
    agent = live.agent("--kube=off", f"--kube-logs={cluster.logs}")
    version = next(iter(cluster.roots))
    pods = [cluster.pod("kafka-0", "cri-dockerd", version)]
    cluster.start(pods)
    agent.expect("server", {("pods", "", "", pods[0]["id"][:12]): 3}, by=LABELS)
    agent.stop()
