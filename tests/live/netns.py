# SPDX-License-Identifier: Apache-2.0
"""Network namespaces behind a router that rewrites both addresses of each connection.

Every node is a namespace of its own with one link to the router, a further one. What listens in a
node is a service with an address of the router's (DNAT); whoever calls it comes from the router
(masquerade). So no end ever sees an address of the other one. Nothing is done to the machine's own
network, and all of it goes with the test.
"""

import contextlib
import ctypes
import os
import socket
import subprocess

from sonde_test import Skip, check, need, same

CLONE_NEWNET = 0x40000000
SERVICE_PORT = 80
TABLE = """table ip nat {
    chain in { type nat hook prerouting priority dstnat; }
    chain out { type nat hook postrouting priority srcnat; masquerade; }
}"""
libc = ctypes.CDLL(None, use_errno=True)


def run(*command, data=None):
    result = subprocess.run(command, input=data, capture_output=True, text=True)
    same(f"{' '.join(command)}: {result.stderr.strip()}", result.returncode, 0)


def enter(namespace):
    """This thread alone, which is enough: sockets belong to where they were made."""
    check(not libc.setns(namespace, CLONE_NEWNET), f"setns: {os.strerror(ctypes.get_errno())}")


class Node:
    def __init__(self, live, name, number, router):
        self.live, self.router, self.number = live, router, number
        self.name = make_namespace(live, name)
        self.address, self.gateway = f"10.0.{number}.2", f"10.0.{number}.1"
        far = ["name", f"n{number}", "netns", router]
        run("ip", "-n", self.name, "link", "add", "up0", "type", "veth", "peer", *far)
        for where, link, address in (
            (self.name, "up0", self.address),
            (router, f"n{number}", self.gateway),
        ):
            run("ip", "-n", where, "address", "add", address + "/24", "dev", link)
            run("ip", "-n", where, "link", "set", link, "up")
        run("ip", "-n", self.name, "route", "add", "default", "via", self.gateway)

    def command(self, *words):
        """The same command, inside of the namespace."""
        return ["ip", "netns", "exec", self.name, *words]

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile are the node's."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            enter(there.fileno())
            try:
                yield
            finally:
                enter(home.fileno())

    def serve(self, port):
        """Makes a port of this node a service; returns its address for all other nodes."""
        address = f"10.9.{self.number}.{port % 250 + 1}"
        rule = f"ip daddr {address} tcp dport {SERVICE_PORT} dnat to {self.address}:{port}"
        run("ip", "netns", "exec", self.router, "nft", "add", "rule", "ip", "nat", "in", rule)
        return address

    def listen(self):
        """A listening socket, and the address of its service."""
        with self.inside():
            listener = socket.create_server(("0.0.0.0", 0), backlog=128)
        self.live.at_end(listener.close)
        return listener, self.serve(listener.getsockname()[1])

    def connect(self, address):
        with self.inside():
            end = socket.create_connection((address, SERVICE_PORT), timeout=30)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return end


def make_namespace(live, name):
    run("ip", "netns", "add", name)
    live.at_end(lambda: subprocess.run(["ip", "netns", "del", name], check=False))
    run("ip", "-n", name, "link", "set", "lo", "up")
    return name


def make_router(live, name):
    """Without translation of addresses; Node() adds a node to it."""
    router = make_namespace(live, name)
    forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
    run("ip", "netns", "exec", router, "sh", "-c", forward)
    return router


def make_nodes(live, *names):
    """Nodes by these names, and the router between them."""
    need("ip", "nft")
    router = make_router(live, f"{live.word}-router")
    load = ["ip", "netns", "exec", router, "nft", "-f", "-"]
    result = subprocess.run(load, input=TABLE, capture_output=True, text=True)
    if result.returncode:
        raise Skip(f"this kernel has no NAT by nftables: {result.stderr.strip()[:100]}")
    return [Node(live, f"{live.word}-{name}", n, router) for n, name in enumerate(names, 1)]
