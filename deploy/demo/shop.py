# SPDX-License-Identifier: Apache-2.0
"""Five services as pods: each in a network namespace, a cgroup, and a folder of the kubelet's.

What the kernel refuses is left out, with one line that says so: without namespaces the services
share the machine's network, without cgroups they have names but no pods.
"""

import json
import pathlib
import random
import socket
import sys

import netns
from kubelet import HASH, Cluster, letters, make_pod_folders
from services import NAMES
from sonde_test import PYTHON, Failure, Skip, free_port, need, until

HERE = pathlib.Path(__file__).resolve().parent
NAMESPACE = "shop"
PORTS = {name: 8000 + number for number, name in enumerate(NAMES)}


class Pod:
    """One life of a service."""

    def __init__(self, name, process, err):
        self.name, self.process, self.err = name, process, err


class Shop:
    def __init__(self, live, say):
        self.live, self.say = live, say
        self.word = f"demo-{live.word[:6]}"
        self.nodes, self.cluster = {}, None
        try:
            self.make_nodes()
        except (Failure, Skip) as refusal:
            say(f"no network namespaces ({refusal}): the services share this machine's network")
        try:
            self.cluster = Cluster(live, name=self.word)
        except (Failure, Skip) as refusal:
            say(f"{refusal}: services have their names, and no pods")
        self.addresses = {name: self.address_of(name) for name in NAMES}
        self.env = {
            "PEERS": json.dumps({name: f"{a}:{p}" for name, (a, p) in self.addresses.items()}),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.sets = {name: letters(10, HASH) for name in NAMES}
        self.pods = {name: self.start(name) for name in NAMES}
        for name in NAMES:
            self.wait_for(name)

    def make_nodes(self):
        need("ip")
        router = netns.make_router(self.live, self.word)
        nodes = {}
        for number, name in enumerate((*NAMES, "people"), 1):
            nodes[name] = netns.Node(self.live, f"{self.word}-{name}", number, router)
        self.nodes = nodes

    def address_of(self, service):
        if self.nodes:
            return self.nodes[service].address, PORTS[service]
        with socket.socket() as taken:
            free = taken.connect_ex(("127.0.0.1", PORTS[service]))
        return "127.0.0.1", PORTS[service] if free else free_port()

    def command(self, where, *words):
        return self.nodes[where].command(*words) if self.nodes else words

    def start(self, service):
        """A new pod; the old one's process has ended."""
        address, port = self.addresses[service]
        program = (PYTHON, HERE / "services.py", service, address, port)
        command = self.command(service, *program)
        name, env = "-", {**self.env, "OTEL_SERVICE_NAME": service}
        if self.cluster:
            name, env = f"{service}-{self.sets[service]}-{letters(5)}", self.env
            enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
            command = ["sh", "-c", enter, self.make_pod(name, service), *command]
        err = self.live.temp / f"{service}.err"
        return Pod(name, self.live.start(command, env=env, stderr=err), err)

    def make_pod(self, name, service):
        """The folders of the kubelet and the engine; returns the cgroup."""
        version = random.choice(list(self.cluster.roots))
        more = {"namespace": NAMESPACE, "containers": [service]}
        pod = self.cluster.pod(name, "containerd, systemd", version, **more)
        make_pod_folders(pod)
        return pod["cgroup"]

    def wait_for(self, service):
        pod = self.pods[service]

        def listens():
            if pod.process.poll() is not None:
                raise Failure(f"{service} ended: {pod.err.read_text()[-500:]}")
            return self.listens(service)

        until(f"{service} to listen", listens, 60)

    def listens(self, service):
        """Seen from outside: a connection that is refused would be an alert."""
        address, port = self.addresses[service]
        number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
        sockets = pathlib.Path(f"/proc/{self.pods[service].process.pid}/net/tcp").read_text()
        return f"{number:08X}:{port:04X} 00000000:0000 0A" in sockets

    def kill(self, service):
        self.pods[service].process.kill()
        self.pods[service].process.wait()

    def restart(self, service):
        self.kill(service)
        self.pods[service] = self.start(service)
        self.wait_for(service)
