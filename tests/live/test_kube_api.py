# SPDX-License-Identifier: Apache-2.0
"""Names of pods by the Kubernetes API, while it answers, is away, slow, or dies in the middle.

The pods are those of test_pods.py, the server is kube_api.py: real cgroups, real TLS. A bare pod
`web-1` is the workload `web-1` by the API, and `web` by the form of its name: so each test knows
which of the two named it.
"""

import kube_api
from kubelet import Cluster, letters
from sonde_test import HERE, PYTHON, check, same, until
from test_pods import LABELS, check_pods, known

SPELLING = "containerd, systemd"
UP = "sonde_kube_api_up"
HASH = "5dd5756b68"


def value(agent, family):
    return agent.metrics().counts(family, ())[()]


def errors(agent):
    found = agent.metrics().counts("sonde_kube_api_errors_total", ("reason",))
    return {reason: count for (reason,), count in found.items()}


class World:
    """A node's pods, their API, and the agent that asks it."""

    def __init__(self, live, options=(), started=True, logs=None):
        self.live = live
        self.cluster = Cluster(live)
        self.version = next(iter(self.cluster.roots))
        self.api = kube_api.Api(live.temp / "api").start()
        live.at_end(self.api.stop)
        if not started:
            self.api.stop()
        words = self.api.agent_options() + [f"--kube-logs={logs or self.cluster.logs}", *options]
        self.agent = live.agent(*words, env=self.api.agent_environment())
        self.done, self.names, self.count = [], {}, 0

    def pod(self, name, **more):
        return {**self.cluster.pod(name, SPELLING, self.version), **more}

    def bare(self):
        self.count += 1
        return self.pod(f"web-{self.count}")

    def told(self, pods):
        """Puts them into the API and waits until the agent has read of them."""
        for pod in pods:
            self.api.put(pod)
        self.knows(len(self.api.pods))

    def knows(self, count):
        until("the API to tell of the pods", lambda: known(self.agent, "api_pods") == count)

    def up(self, is_up=1):
        until(f"the API to be {is_up}", lambda: value(self.agent, UP) == is_up)

    def serve(self, pods, service_of):
        """The pods serve; from now on all that ever served must be counted under these names."""
        words = self.cluster.start(pods)
        self.done += words
        self.names.update({pod["pod"]: (pod, service_of(pod)) for pod in pods})

    def check(self):
        pods = [pod for pod, _ in self.names.values()]
        check_pods(self.live, self.agent, pods, self.done, lambda name: self.names[name][1])


def by_api(pod):
    return pod["pod"]


def by_name(pod):
    return pod["pod"].rsplit("-", 1)[0]


def test_on(live):
    """Without any folder: workloads by their controllers, containers by their ids."""
    world = World(live, logs=live.temp / "nothing")
    replica_set = ("ReplicaSet", f"cart-x2k4q-{HASH}")
    cases = {
        f"cart-x2k4q-{HASH}-{letters(5)}": ("cart-x2k4q", replica_set, {"pod-template-hash": HASH}),
        "web-1": ("web-1", None, {}),
        "node-agent-bcdfg": ("node-agent", ("DaemonSet", "node-agent"), {}),
        "report-29384756-bcdfg": ("report", ("Job", "report-29384756"), {}),
        "import-3-bcdfg": ("import-3", ("Job", "import-3"), {}),
        "kafka-0": ("kafka", ("StatefulSet", "kafka"), {}),
    }
    pods = []
    for name, (_, owner, labels) in cases.items():
        pods.append(world.pod(name, labels=labels, **({"owner": owner} if owner else {})))
    other = world.pod("elsewhere", node_name="node-b")
    world.api.put(other)
    for pod in pods:
        world.api.put(pod)
    world.knows(len(pods))
    world.serve(pods, lambda pod: cases[pod["pod"]][0])
    world.check()
    for pod in pods:
        world.api.delete(pod)
    world.knows(0)
    same("containers", known(world.agent, "api_containers"), 0)
    same("errors", {k: n for k, n in errors(world.agent).items() if n}, {})
    world.agent.stop()


def test_pages(live):
    """A list in several pages, of which none may be the last by mistake."""
    world = World(live, started=False)
    pods = [world.bare() for _ in range(7)]
    for pod in pods:
        world.api.put(pod)
    world.api.page = 2
    world.api.start()
    world.up()
    world.knows(7)
    check(any("continue=" in path for path in world.api.asked), "no second page was asked for")
    world.serve(pods, by_api)
    world.check()
    world.agent.stop()


def test_label(live):
    """The label that --service-label names comes first, where a pod has it."""
    world = World(live, ["--service-label=app"])
    pods = [world.pod("web-1", labels={"app": "shop"}), world.pod("web-2")]
    world.told(pods)
    world.serve(pods, lambda pod: pod.get("labels", {}).get("app", pod["pod"]))
    world.check()
    world.agent.stop()


def in_pod(live, pod):
    """A server in the pod's cgroup that stays; returns a function that asks it."""
    path = f"{live.prefix}/stays"
    (live.temp / "access").touch()
    enter = f"mkdir -p {pod['cgroup']} && echo $$ > {pod['cgroup']}/cgroup.procs"
    server = f"{PYTHON} {HERE}/servers/plain.py --log {live.temp}/access"
    _, port = live.server("sh", "-c", f"{enter} && exec {server}")
    return lambda: live.run("curl", "-sS", f"http://127.0.0.1:{port}{path}")


def test_off(live):
    """Nobody listens: the folders serve. Then somebody does: who still lives is named anew."""
    world = World(live, started=False)
    stays = world.pod("web-0", containers=["app"])
    for container in stays["containers"]:
        folder = f"{stays['namespace']}_{stays['pod']}_{stays['uid']}"
        (world.cluster.logs / "pods" / folder / container).mkdir(parents=True)
    ask = in_pod(live, stays)
    ask()
    pods = [world.bare() for _ in range(5)]
    world.serve(pods, by_name)
    until("an error", lambda: errors(world.agent)["connection"])
    same("up", value(world.agent, UP), 0)
    world.api.put(stays)
    world.api.start()
    world.up()
    world.knows(1)
    place = (stays["namespace"], "web-0", "app")
    served = lambda: world.agent.counts("server", LABELS)
    asked = 1
    while served().get(("web-0", *place), 0) == 0:
        ask()
        asked += 1
        check(asked < 500, "a process is never named by the API")
    found = served()
    same("requests", found["web", *place] + found["web-0", *place], asked)
    expected = {("web", live.word, pod["pod"], "app"): 3 for pod in pods}
    same("of the others", {k: n for k, n in found.items() if k[1:] != place}, expected)
    world.agent.stop()


def test_slow(live):
    """The list trickles for seconds, and events, too; nothing waits for them."""
    world = World(live, started=False)
    first = [world.bare() for _ in range(10)]
    for pod in first:
        world.api.put(pod)
    world.api.piece, world.api.pause = 200, 0.1
    world.api.start()
    until("the list to be asked for", lambda: world.api.asked)
    world.serve(first[:3], by_name)
    same("up", value(world.agent, UP), 0)
    world.up()
    world.knows(10)
    world.serve(first[3:], by_api)
    late = world.bare()
    world.told([late])
    world.serve([late], by_api)
    world.check()
    world.agent.stop()


def hang(handler):
    while not handler.server.api.closing:
        kube_api.time.sleep(0.05)


def test_stops_while_a_request_hangs(live):
    world = World(live, started=False)
    world.api.fault = hang
    world.api.start()
    until("the list to be asked for", lambda: world.api.asked)
    pods = [world.bare()]
    world.serve(pods, by_name)
    world.check()
    kube_api.time.sleep(11)  # until no timer of connecting could wake it up
    world.agent.stop()


def test_stops_while_nobody_answers(live):
    """A listener that accepts and says nothing, not even of TLS."""
    world = World(live, started=False)
    with kube_api.socket.create_server(("127.0.0.1", world.api.port)) as listener:
        connection, _ = listener.accept()
        pods = [world.bare()]
        world.serve(pods, by_name)
        world.check()
        world.agent.stop()
        connection.close()
