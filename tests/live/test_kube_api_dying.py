# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes API dies in every way that it may: names stay right, counts exact, nothing leaks."""

import time

import kube_api
from kubelet import letters
from sonde_test import check, check_no_loss, same, until
from test_kube_api import HASH, World, by_api, errors

BACK = 1.2  # seconds of a watch, after which the agent takes the server to be well again


def broken_off(handler):
    """In the middle of a list, or of an event."""
    if "watch=true" in handler.path:
        handler.begin_stream()
        handler.chunk(b'{"type":"ADDED","object":{"metadata":{"name":"we')
    else:
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b'{"kind":"PodList","items":[{"metadata":{"name":"')


def not_json(handler):
    """The same with a good end."""
    handler.begin_stream()
    handler.chunk(b'{"kind":"PodList","items":[{"metadata"]}\n')
    handler.wfile.write(b"0\r\n\r\n")


def failing(handler):
    handler.status(500, "etcdserver: leader changed")


def busy(handler):
    handler.send_response(429)
    handler.send_header("Retry-After", "1")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def not_found(handler):
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:1/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def not_http(handler):
    handler.wfile.write(b"\0" * 100)


def trouble(world, begin, end, reason):
    """Pods serve while it lasts, and after it one that only the API can name."""
    before = errors(world.agent)[reason]
    time.sleep(BACK)
    begin()
    world.api.cut()
    until(f"an error: {reason}", lambda: errors(world.agent)[reason] > before)
    # by the form of its name as by its controller
    pod = world.pod(f"shop-{HASH}-{letters(5)}", owner=("ReplicaSet", "shop"))
    world.serve([pod], lambda pod: "shop")
    end()
    late = world.bare()
    world.told([late])
    world.up()
    world.serve([late], by_api)


def test_faults(live):
    world = World(live)
    world.up()
    faults = {
        broken_off: "connection",
        not_json: "invalid",
        failing: "status",
        busy: "status",
        not_found: "status",
        not_http: "connection",
    }
    for fault, reason in faults.items():
        trouble(
            world,
            lambda: setattr(world.api, "fault", fault),
            lambda: setattr(world.api, "fault", None),
            reason,
        )
    world.check()
    check_no_loss(world.agent.metrics())
    world.agent.stop()


def test_new_token(live):
    """The old one is refused, and so is the agent, until the kubelet has renewed the file."""
    world = World(live)
    world.up()
    trouble(
        world,
        lambda: setattr(world.api, "token", "token-2"),
        lambda: world.api.renew_token("token-2"),
        "denied",
    )
    world.check()
    world.agent.stop()


def test_too_old_to_resume(live):
    """410: what was deleted meanwhile is forgotten, what is new is known."""
    world = World(live)
    old = [world.bare() for _ in range(3)]
    world.told(old)
    trouble(world, world.api.forget_history, lambda: None, "expired")
    world.api.stop()
    world.up(0)
    for pod in old:
        world.api.delete(pod)
    late = [world.bare() for _ in range(2)]
    for pod in late:
        world.api.put(pod)
    world.api.forget_history()
    world.api.start()
    world.up()
    world.knows(3)
    world.serve(late, by_api)
    world.check()
    world.agent.stop()


def test_another_authority(live):
    """A server that the cluster's CA does not vouch for gets no token, whoever else may trust it."""
    world = World(live, started=False)
    impostor = kube_api.Api(live.temp / "impostor")
    live.at_end(impostor.stop)
    impostor.port = world.api.port
    impostor.start()
    before = errors(world.agent)["connection"]
    # the first of them may be of the time before
    until("two errors", lambda: errors(world.agent)["connection"] > before + 1)
    same("requests that came through", impostor.asked, [])
    impostor.stop()
    world.api.start()
    world.up()
    world.agent.stop()


def used(agent):
    found = agent.metrics()
    names = ("process_open_fds", "process_threads", "process_resident_memory_bytes")
    return [found.counts(name, ())[()] for name in names]


def busy_days(world, days, changes):
    """Each: many changes, and a watch that breaks off."""
    pods = [world.bare() for _ in range(50)]
    for _ in range(days):
        for number in range(changes):
            world.api.put(pods[number % 50])
        time.sleep(BACK)
        world.api.cut()
        extra = world.bare()
        world.told([extra])
        world.up()
    for pod in list(world.api.pods.values()):
        world.api.change("DELETED", pod)
    world.knows(0)


def test_leaks_nothing(live):
    """Beside an agent that sees the same traffic, and learns the same of it, but asks no API."""
    world = World(live)
    twin = live.agent("--kube=files")
    busy_days(world, 4, 500)
    before = used(world.agent), used(twin)
    busy_days(world, 10, 500)
    after = used(world.agent), used(twin)
    same("descriptors, threads", after[0][:2], before[0][:2])
    grown = [after[i][2] - before[i][2] for i in (0, 1)]
    check(grown[0] - grown[1] < 1 << 20, f"grown by {grown[0]} bytes, without the API {grown[1]}")
    check(errors(world.agent)["connection"] >= 10, "the watches did not break off")
    world.agent.stop()
