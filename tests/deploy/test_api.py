# SPDX-License-Identifier: Apache-2.0
"""The overlay `api`: the image under its rights and the profile asks an API server for pods."""

import ctypes
import os
import threading

import container
import deploy
import kube_api
import kustomize
import netns

from sonde_test import need, until
from test_image import HERE, PROFILE, scrape

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
CLONE_NEWNET = 0x40000000


def start_in(namespace, api):
    """Its listener belongs to that network, where the container finds it on loopback."""

    def enter_and_start():
        here = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        ctypes.CDLL(None, use_errno=True).setns(here, CLONE_NEWNET)
        os.close(here)
        api.start()

    thread = threading.Thread(target=enter_and_start)
    thread.start()
    thread.join()


def test_image_asks_the_api(live):
    deploy.need_agent()
    need("ip", "curl", "openssl")
    namespace = netns.make_namespace(live, f"{live.word}-pod")
    found = kustomize.render(HERE / "overlays/api")
    api = kube_api.Api(live.temp / "api")
    start_in(namespace, api)
    live.at_end(api.stop)

    def change(spec):
        entries = found["DaemonSet", "sonde"]["spec"]["template"]["spec"]["containers"][0]["env"]
        given = {entry["name"]: entry["value"] for entry in entries if "value" in entry}
        given.update(api.agent_environment())
        spec["process"]["env"] += [f"{name}={value}" for name, value in given.items()]
        mount = {"destination": ACCOUNT, "type": "bind", "source": str(api.account)}
        spec["mounts"].append({**mount, "options": ["rbind", "ro"]})

    container.Pod(live, found, profile=PROFILE, namespace=namespace, change=change).start()
    up = lambda: scrape(live, namespace).counts("sonde_kube_api_up", ())[()]
    until("the API to be up", lambda: up() == 1)
