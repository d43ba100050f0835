# SPDX-License-Identifier: Apache-2.0
"""--series-ttl: the series of a service whose processes are gone vanish, the others stay."""

import os
import signal

from sonde_test import HERE, PYTHON, same, until

SERVERS = "http_server_request_duration_seconds"


def start_server(live, name):
    """The plain server under a name of its own; returns its process and port."""
    log = live.temp / f"{name}.log"
    log.touch()
    command = [PYTHON, HERE / "servers/plain.py", "--log", log]
    return live.server(*command, env={"OTEL_SERVICE_NAME": name})


def get(live, port):
    live.run("curl", "-sS", f"http://127.0.0.1:{port}{live.prefix}")


def counts(live, agent):
    """Requests of this test by service, by the names of its servers."""
    return {
        service: count
        for (service,), count in agent.metrics().counts(SERVERS, ("service",)).items()
        if service.startswith(live.word)
    }


def test_series_of_gone_processes_vanish(live):
    stays, goes = f"{live.word}-stays", f"{live.word}-goes"
    agent = live.agent("--series-ttl=1s")
    _, port = start_server(live, stays)
    process, gone_port = start_server(live, goes)
    for _ in range(3):
        get(live, port)
        get(live, gone_port)
    until("both services", lambda: counts(live, agent) == {stays: 3, goes: 3})
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until("the series to vanish", lambda: counts(live, agent) == {stays: 3})
    text = agent.get("/metrics")[2].decode()
    same("lines of the service that is gone", [x for x in text.split("\n") if goes in x], [])

    _, port = start_server(live, goes)
    get(live, port)
    until("a new count", lambda: counts(live, agent) == {stays: 3, goes: 1})
    agent.stop()
