# SPDX-License-Identifier: Apache-2.0
"""Many short processes: their connections are counted once each, under their programs' names."""

import os

from sonde_test import ROOT, check, same

SWARM = os.environ.get("SWARM", str(ROOT / ".output/tests/swarm"))
CLIENTS = 10_000  # more than the agent remembers processes


def opened(live, metrics):
    """Connections by role and service, of the programs of this test."""
    counts = metrics.counts("tcp_connections_opened_total", ("role", "service"))
    return {key: count for key, count in counts.items() if live.word in key[1]}


def test_each_connection_is_counted(live):
    check(os.access(SWARM, os.X_OK), f"{SWARM} is not built")
    agent = live.agent()
    client, server = f"{live.word}-client", f"{live.word}-server"
    _, accepted = live.server(SWARM, client, CLIENTS, env={"OTEL_SERVICE_NAME": server})
    same("accepted connections", accepted, CLIENTS)
    got = opened(live, agent.metrics())  # one scrape, the first one, has them all
    same("connections", got, {("client", client): accepted, ("server", server): accepted})
    metrics = agent.metrics()
    same("the same a moment later", opened(live, metrics), got)
    evicted = metrics.counts("sonde_table_evictions_total", ("table",))
    same("processes evicted", evicted["processes",], 0)
    agent.stop()
