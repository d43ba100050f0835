# SPDX-License-Identifier: Apache-2.0
"""Containers that live for a few milliseconds, each step as a kubelet and its engine take it.

A container runs pod.c, which counts what it served and asked. It is run by runc, or, for the
hierarchies that runc does not use here, in cgroups that are made for it.
"""

import json
import os
import random
import shutil
import subprocess
import uuid

from kubelet import SPELLINGS, digits, letters, mounted, remove_cgroups

from sonde_test import ROOT, Failure, Skip, need, same

POD = ROOT / ".output/tests/pod"
ENGINES = {  # their names outside of Kubernetes
    "Docker, systemd": "system.slice/docker-{id}.scope",
    "Docker, cgroupfs": "docker/{id}",
}
PLACE = ("service", "namespace", "pod", "container")
LENT = ["usr", "lib", "lib64", "bin"]  # of this machine's root


class Container:
    """One of a pod with one or two; `pod` is None outside of Kubernetes."""

    def __init__(self, node, spelling, containers=("app",)):
        self.node = node
        self.uid = str(uuid.uuid4())
        self.id = digits(64)
        words = {"uid": self.uid, "slice": self.uid.replace("-", "_"), "id": self.id}
        path = {**SPELLINGS, **ENGINES}[spelling].format(node=digits(64), **words)
        self.cgroup = f"{node.live.word}/{path}"
        self.pod = None if spelling in ENGINES else f"web-{letters(5)}"
        self.containers = containers
        self.requests = random.randrange(1, 6)
        self.messages = random.randrange(1, 9)

    @property
    def place(self):
        """The labels that it must have."""
        if not self.pod:
            return "pod", "", "", self.id[:12]
        return "web", self.node.live.word, self.pod, self.containers[-1]

    @property
    def folder(self):
        return self.node.logs / "pods" / f"{self.node.live.word}_{self.pod}_{self.uid}"

    @property
    def link(self):
        name = f"{self.pod}_{self.node.live.word}_{self.containers[-1]}-{self.id}.log"
        return self.node.logs / "containers" / name

    @property
    def told(self):
        """For kube_api."""
        names = {"pod": self.pod, "namespace": self.node.live.word, "uid": self.uid, "id": self.id}
        return {**names, "containers": self.containers, "owner": ("DaemonSet", "web")}

    def made(self):
        """Before the start."""
        for container in self.containers if self.pod else ():
            (self.folder / container).mkdir(parents=True)

    def started(self):
        """The link comes after the start, and here after the end."""
        if self.pod:
            self.link.symlink_to("/nowhere")

    def forget(self):
        if self.pod:
            shutil.rmtree(self.folder)
            self.link.unlink(missing_ok=True)

    def arguments(self):
        return [str(self.requests), str(self.messages), self.node.live.prefix]

    def counted(self, said):
        same(f"what {self.cgroup} counted", said.split(), self.arguments()[:2])


class Node:
    """The kubelet's folders of a test, and its part of each cgroup hierarchy."""

    def __init__(self, live):
        self.live = live
        self.logs = live.temp / "log"
        (self.logs / "pods").mkdir(parents=True)
        (self.logs / "containers").mkdir()
        self.hierarchies = mounted()
        for folder in self.hierarchies.values():
            live.at_end(remove_cgroups, folder / live.word)

    def agent(self, *options, **more):
        return self.live.agent(f"--kube-logs={self.logs}", "--series-max=20000", *options, **more)

    def enter(self, container, kinds):
        """Runs it in cgroups of these hierarchies; as much of a container as the agent looks at."""
        folders = [self.hierarchies[kind] / container.cgroup for kind in kinds]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        moves = [f"echo $$ > {folder}/cgroup.procs" for folder in folders]
        command = ["sh", "-c", " && ".join([*moves, 'exec "$@"']), "sh", POD]
        container.counted(self.live.run(*command, *container.arguments()))
        for folder in folders:
            folder.rmdir()


class Runc:
    """Runs containers on a root that holds the test's program and this machine's libraries."""

    def __init__(self, node):
        need("runc")
        self.node = node
        self.state = node.live.temp / "runc"
        self.bundle = node.live.temp / "bundle"
        self.bundle.mkdir()
        for name in (*LENT, "proc", "dev"):
            (self.bundle / "root" / name).mkdir(parents=True)
        shutil.copy(POD, self.bundle / "root/pod")

    def spec(self, container):
        binds = [
            {"destination": f"/{name}", "type": "bind", "source": f"/{name}", "options": ["rbind"]}
            for name in LENT
            if os.path.exists(f"/{name}")
        ]
        return {
            "ociVersion": "1.0.2",
            "process": {
                "cwd": "/",
                "args": ["/pod", *container.arguments()],
                "user": {"uid": 0, "gid": 0},
            },
            "root": {"path": "root"},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, *binds],
            "linux": {
                "cgroupsPath": f"/{container.cgroup}",
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
            },
        }

    def run(self, container):
        (self.bundle / "config.json").write_text(json.dumps(self.spec(container)))
        name = f"{self.node.live.word}{container.id[:12]}"
        command = ["runc", "--root", self.state, "run", "--bundle", self.bundle, name]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if result.returncode:
            raise Failure(f"runc: {result.stderr[-500:]}")
        container.counted(result.stdout)


def kinds_of_version(node):
    """Hierarchies that a container is in, by the version of cgroups that the node may have."""
    v1 = [kind for kind in ("pids", "name=systemd") if kind in node.hierarchies]
    unified = [""] if "" in node.hierarchies else []
    found = {"v1": v1, "v2": unified, "hybrid": [*v1, *unified] if v1 and unified else []}
    found = {version: kinds for version, kinds in found.items() if kinds}
    if not found:
        raise Skip("no cgroup hierarchy is mounted")
    return found
