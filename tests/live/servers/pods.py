# SPDX-License-Identifier: Apache-2.0
"""Pods that come and go: folders as the kubelet makes them, processes in cgroups as engines do.

Reads a JSON list of pods from stdin (Cluster.pod in kubelet.py makes them) and starts them one
after the other. A pod's last container serves at once: a forked process enters the cgroup, mounts
what the kubelet mounts, listens and answers `requests` requests, without a link to say its name; a
pod with `late` has no such mount, and its last answer waits that many seconds and for the link.
Prints `POD COUNT` as its server counted.

A process stays for a moment after its last answer: one that is gone before the agent has looked at
it is known by its kernel records alone.
"""

import ctypes
import json
import os
import pathlib
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from kubelet import make_pod_folders

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STAY = 0.5  # seconds
AT_ONCE = 20
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def link_of(pod):
    name = f"{pod['pod']}_{pod['namespace']}_{pod['containers'][-1]}-{pod['id']}.log"
    return pathlib.Path(pod["logs"]) / "containers" / name


def succeed(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount_last_words(pod):
    """The file for a container's last words, whose path says which container it is."""
    folder = pathlib.Path(pod["kubelet"], "pods", pod["uid"], "containers", pod["containers"][-1])
    folder.mkdir(parents=True)
    source, target = str(folder / "3e3d1b9b").encode(), str(folder / "dev").encode()
    for path in (source, target):
        pathlib.Path(os.fsdecode(path)).touch()
    succeed(libc.unshare(CLONE_NEWNS))
    succeed(libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    succeed(libc.mount(source, target, None, ctypes.c_ulong(MS_BIND), None))


def wait_for_link(pod):
    time.sleep(pod["late"])
    while not link_of(pod).is_symlink():
        time.sleep(0.001)


def serve(pod, tell):
    pathlib.Path(pod["cgroup"], "cgroup.procs").write_text(str(os.getpid()))
    if not pod["late"]:
        mount_last_words(pod)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.write(tell, listener.getsockname()[1].to_bytes(2, "big"))
        for left in reversed(range(pod["requests"])):
            with listener.accept()[0] as connection:
                connection.recv(4096)
                if pod["late"] and not left:
                    wait_for_link(pod)
                connection.sendall(ANSWER)
    print(pod["pod"], pod["requests"], flush=True)
    time.sleep(STAY)


def fork_server(pod):
    """The port on which it serves."""
    told, tell = os.pipe()
    if not os.fork():
        status = 1
        try:
            serve(pod, tell)
            status = 0
        finally:
            os._exit(status)
    os.close(tell)
    port = int.from_bytes(os.read(told, 2), "big")
    os.close(told)
    return port


def ask(pod, port, last):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {pod['path']} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        if pod["late"] and last:
            time.sleep(pod["late"])
            link_of(pod).symlink_to("/nowhere")
        connection.recv(4096)


def run(pod):
    make_pod_folders(pod)
    port = fork_server(pod)
    for left in reversed(range(pod["requests"])):
        ask(pod, port, not left)


def wait_one():
    if os.waitpid(-1, 0)[1]:
        sys.exit("a pod's process failed")


def main():
    pods = json.load(sys.stdin)
    for number, pod in enumerate(pods):
        run(pod)
        if number >= AT_ONCE:
            wait_one()
    for _ in range(min(len(pods), AT_ONCE)):
        wait_one()


main()
