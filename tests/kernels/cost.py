# SPDX-License-Identifier: Apache-2.0
"""What each backend adds, in instructions, where a guest's clock counts these: one processor, no
caches.

The tools are those of tests/bench: both ends of a connection in one thread. Of their chunks the 5th
percentile is taken, which the agent's own thread did not disturb; that one is measured apart.
"""

from debian import CACHE, Apt, kernel_image
from guest import SHIFT, boot, make_root

ROUNDS = 500  # a chunk of loop
# File of the guest, what its round is, how many of what the table speaks of are in a round.
WORK = (
    ("http", "HTTP request, an end", 2),
    ("frames", "WebSocket message, an end", 4),
    ("plain", "socket call of another protocol", 4),
    ("calls", "other system call", 1),
)


def instructions(files, name):
    return float(files[name].split()[0]) / 2**SHIFT


def agent_share(files, folder):
    """Of the agent itself, a request and end."""
    before, after = (int(word) for word in files[f"{folder}/http-agent"].split())
    chunks = int(files[f"{folder}/http"].split()[2])
    return (after - before) / 2**SHIFT / (chunks * ROUNDS) / 2


def measure(arch, series, backends):
    """Instructions each: without the agent, and added by each backend."""
    release, image = kernel_image(Apt(arch), series)
    archive = make_root(arch, "cost.sh", backends)
    files = boot(arch, image, archive, CACHE / f"cost-{arch}-{series}.console")
    without = {name: instructions(files, f"none/{name}") for name, _, _ in WORK}
    again = {name: instructions(files, f"none-again/{name}") for name, _, _ in WORK}
    result = {"kernel": release, "added": {}}
    result["apart"] = max(abs(again[name] / without[name] - 1) for name in without)
    result["without"] = {name: without[name] / many for name, _, many in WORK}
    for backend in backends:
        if f"{backend}/calls" in files:
            value = lambda name: instructions(files, f"{backend}/{name}")
            row = {name: (value(name) - without[name]) / many for name, _, many in WORK}
            result["added"][backend] = {**row, "agent": agent_share(files, backend)}
    return result
