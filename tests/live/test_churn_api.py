# SPDX-License-Identifier: Apache-2.0
"""The containers of test_churn.py by the hundred, while the Kubernetes API is on, off, slow, dying."""

import random

import kube_api
from containers import SPELLINGS, Container, Node, Runc
from test_churn import check_counts, held, table

from sonde_test import check, same, until

EACH = 50  # containers


def away(handler):
    """Every answer breaks off in its head."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")


class World:
    def __init__(self, live):
        self.node = Node(live)
        self.runc = Runc(self.node)
        self.api = kube_api.Api(live.temp / "api").start()
        live.at_end(self.api.stop)
        options, env = self.api.agent_options(), self.api.agent_environment()
        self.agent = self.node.agent(*options, env=env)
        self.containers = []
        self.up()

    def up(self):
        family = "sonde_kube_api_up"
        until("the API to be up", lambda: self.agent.metrics().counts(family, ())[()])

    def container(self):
        several = random.choice([("app",), ("daprd", "app")])
        self.containers.append(Container(self.node, random.choice(list(SPELLINGS)), several))
        return self.containers[-1]

    def serve(self, told=lambda: None, linked=True):
        """One after the other; told() is called between the API's word and the start."""
        for _ in range(EACH):
            container = self.container()
            self.api.put(container.told)
            told()
            container.made()
            self.runc.run(container)
            if linked:
                container.started()

    def knows(self, count):
        until("the API to tell", lambda: table(self.agent, "api_pods") == count)


def on(world):
    """The API alone says which container it was: no link is ever made."""
    world.serve(lambda: world.knows(len(world.containers)), linked=False)


def off(world):
    world.api.stop()
    world.serve()
    world.api.start()


def slow(world):
    """Ten bytes at a time: a pod's word takes seconds."""
    world.api.piece, world.api.pause = 10, 0.05
    world.api.cut()
    world.serve()
    world.api.piece = world.api.pause = 0


def dying(world):
    """It breaks off before each container, every other time for longer."""

    def die():
        world.api.fault = None if world.api.fault else away
        world.api.cut()

    world.serve(die)
    world.api.fault = None


def test_two_hundred(live):
    world = World(live)
    before = held(world.agent)
    for phase in (on, off, slow, dying):
        phase(world)
    same("containers", len(world.containers), 4 * EACH)
    check_counts(world.agent, world.containers, live.word)
    errors = world.agent.metrics().counts("sonde_kube_api_errors_total", ("reason",))
    check(errors["connection",], "the API never died")
    world.knows(len(world.containers))
    for container in world.containers:
        world.api.delete(container.told)
        container.forget()
    for name in ("api_pods", "api_containers", "pods", "containers"):
        until(f"{name} to be forgotten", lambda: table(world.agent, name) == 0)
    world.up()
    until("descriptors and watches", lambda: held(world.agent) == before)
    world.agent.stop()
