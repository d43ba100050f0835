# SPDX-License-Identifier: Apache-2.0
"""What WebSocket connections cost: busy ones a server that echoes, idle ones the agent."""

import os
import pathlib
import subprocess
import time

from agent import BIN, CONNECTIONS, HERE, MEASURED, OTHER, Agent, cpu_ns, rss_mib, sonde_test
from frames import Frames, opened_now

NODE_MODULES = "/usr/share/nodejs"  # where Debian has them
SERVERS = {
    "uvicorn": [sonde_test.PYTHON, HERE / "echo.py"],
    "node": ["node", HERE / "echo.js"],
}
IDLE_CONNECTIONS = 20000
IDLE_WORKERS = 4  # processes at each end: one may not have so many files


class Echo:
    """A server on the measured core that echoes messages; its clients are on the other one."""

    def __init__(self, live, name):
        self.name = name
        command = ["taskset", "-c", MEASURED, *SERVERS[name]]
        process, self.port = live.server(*command, env={"NODE_PATH": NODE_MODULES})
        self.pid = process.pid

    def load(self, seconds):
        before = cpu_ns(self.pid)[0]
        words = [BIN / "echo", OTHER, str(seconds), str(self.port), str(CONNECTIONS)]
        rate, echoes = map(float, subprocess.check_output(words, text=True).split())
        cpu = (cpu_ns(self.pid)[0] - before) / echoes
        figures = {"echo": rate, "echo_cpu": cpu, "echo_busy": rate * cpu / 1e9}
        return {f"{key}_{self.name}": value for key, value in figures.items()}


def measure_echo(live, echo, seconds, options):
    agent = Agent(live, options)
    figures = echo.load(seconds["echo"])
    agent.stop()
    return figures


def followed(agent, frames):
    """Ends of connections that are open, as the agent says."""
    metrics = agent.metrics()
    return sum(opened_now(metrics, role, tool.service) for role, tool in frames.tools.items())


def measure_idle(live, seconds, options):
    """Both ends of all connections are followed; a scrape is among what the agent does."""
    agent = Agent(live, options)
    frames = Frames(live, servers=IDLE_WORKERS, clients=IDLE_WORKERS)
    frames.open(IDLE_CONNECTIONS // IDLE_WORKERS)
    sonde_test.until("the ends", lambda: followed(agent, frames) == 2 * IDLE_CONNECTIONS)
    before, start = cpu_ns(agent.process.pid)[0], time.monotonic()
    time.sleep(seconds["idle"] / 2)
    ends = followed(agent, frames)
    time.sleep(seconds["idle"] / 2)
    spent = (cpu_ns(agent.process.pid)[0] - before) / 1e9
    figures = {
        "idle_cpu": spent / (time.monotonic() - start),
        "idle_followed": ends / (2 * IDLE_CONNECTIONS),
        "idle_rss": rss_mib(agent.process.pid),
    }
    agent.stop()
    for tool in frames.tools.values():
        sonde_test.end_process(tool.process)
    return figures
