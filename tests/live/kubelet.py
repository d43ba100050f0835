# SPDX-License-Identifier: Apache-2.0
"""What the kubelet and the engines leave of a pod: cgroups of v1 and v2, folders under /var/log.

The cgroups are real ones, in a part of each hierarchy that is the test's; the folders are its own.
"""

import contextlib
import json
import os
import pathlib
import random
import uuid

from sonde_test import HERE, PYTHON, Skip, until

RANDOM = "bcdfghjklmnpqrstvwxz2456789"
HASH = "456789bcdf"  # of a Deployment's ReplicaSet

# How engines and drivers spell it; {uid} with dashes, {slice} with underscores.
SPELLINGS = {
    "containerd, systemd": "kubepods.slice/kubepods-burstable.slice/"
    "kubepods-burstable-pod{slice}.slice/cri-containerd-{id}.scope",
    "containerd, cgroupfs": "kubepods/besteffort/pod{uid}/{id}",
    "containerd, colons": "system.slice/containerd.service/"
    "kubepods-besteffort-pod{slice}.slice:cri-containerd:{id}",
    "CRI-O": "kubepods.slice/kubepods-pod{slice}.slice/crio-{id}.scope/container",
    "cri-dockerd": "kubepods/pod{uid}/{id}",
    "kind": "docker/{node}/kubelet.slice/kubelet-kubepods.slice/"
    "kubelet-kubepods-pod{slice}.slice/cri-containerd-{id}.scope",
}


def letters(count, among=RANDOM):
    return "".join(random.choices(among, k=count))


def digits(count):
    return letters(count, "0123456789abcdef")


def mounted():
    """{controllers or "": folder} of the cgroup hierarchies; "" is the unified one."""
    found = {}
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found[""] = pathlib.Path(folder)
        elif kind == "cgroup":
            for controller in options.split(","):
                found[controller] = pathlib.Path(folder)
    return found


def hierarchies():
    """Where cgroups can be made: {"v1": folder, "v2": folder}."""
    versions = {"v1": "name=systemd", "v2": ""}
    found = mounted()
    return {version: found[word] for version, word in versions.items() if word in found}


def remove_cgroups(folder):
    """A part of a hierarchy, from the bottom; what is still ending is waited for."""
    for path, _, _ in os.walk(folder, topdown=False):
        until(f"{path} to be empty", lambda: removed(path))


def removed(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def make_pod_folders(pod):
    """The kubelet's, then the engine's."""
    folder = pathlib.Path(pod["logs"]) / "pods" / f"{pod['namespace']}_{pod['pod']}_{pod['uid']}"
    for container in pod["containers"]:
        (folder / container).mkdir(parents=True)
    pathlib.Path(pod["cgroup"]).mkdir(parents=True)


class Cluster:
    """The kubelet's folders, and a part of each cgroup hierarchy that goes with the test."""

    def __init__(self, live, folders=True, name=None):
        self.live = live
        self.logs = live.temp / "log"
        if folders:
            self.make_folders()
        self.roots = {}
        for version, folder in hierarchies().items():
            root = folder / (name or f"live-{live.word}")
            try:
                root.mkdir()
            except OSError:
                continue
            live.at_end(remove_cgroups, root)
            self.roots[version] = root
        if not self.roots:
            raise Skip("no cgroup hierarchy in which cgroups can be made")

    def make_folders(self):
        (self.logs / "pods").mkdir(parents=True)
        (self.logs / "containers").mkdir()

    def pod(self, name, spelling, version, containers=("daprd", "app"), namespace=None, **more):
        uid = str(uuid.uuid4())
        words = {"uid": uid, "slice": uid.replace("-", "_"), "id": digits(64), "node": digits(64)}
        return {
            "cgroup": str(self.roots[version] / SPELLINGS[spelling].format(**words)),
            "logs": str(self.logs),
            "path": f"{self.live.prefix}/{name}",
            "namespace": namespace or self.live.word,
            "pod": name,
            "uid": uid,
            "id": words["id"],
            "kubelet": str(self.live.temp / "kubelet"),
            "containers": containers,
            "requests": 3,
            "late": 0,
            **more,
        }

    def start(self, pods):
        return self.live.run(PYTHON, HERE / "servers/pods.py", data=json.dumps(pods)).split("\n")
