# SPDX-License-Identifier: Apache-2.0
"""Many connections: 50,000 at once, thousands of new ones a second; counts, memory, leaks.

Both ends are on this machine, so the agent sees twice as many.
"""

import resource

from crowd import Crowd, check_funnel, check_no_leak, connections, resident
from sonde_test import check, same, until

MANY = 50_000
OWN_FILES = 100  # of a process, beside its connections
MANY_RESIDENT = 64 << 20
CHURN_SECONDS, CHURN_RATE = 5, 5000
GROWTH = 2 << 20  # resident bytes that a second round of the same may add


def workers_for(count):
    """As few as the limit of open files allows, and such that the count divides."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    return next(n for n in (4, 5, 8, 10, 16, 20, 40, 50) if count // n + OWN_FILES <= limit)


def test_fifty_thousand_at_once(live):
    workers = workers_for(MANY)
    crowd = Crowd(live, workers, workers)
    agent = live.agent("--connections-max=131072")
    before = connections(agent.metrics())
    crowd.ask(f"open {MANY // workers}")
    for _ in range(2):
        crowd.ask("ask 1")
    until("all connections", lambda: connections(agent.metrics()) >= 2 * MANY)
    size = resident(agent.metrics())
    check(size < MANY_RESIDENT, f"{size / 2**20:.1f} MiB with {2 * MANY} ends")
    print(f"# {size / 2**20:.1f} MiB resident with {2 * MANY} ends of connections")
    crowd.check_closed(agent)  # what had no record is counted by then
    same("requests", crowd.check_counts(agent), 2 * MANY)
    check_no_leak(agent, before)
    check_funnel(agent)
    agent.stop()


def test_more_than_fit(live):
    """Idle connections that were forgotten are taken up again by their next request."""
    crowd = Crowd(live)
    agent = live.agent("--connections-max=1000")
    crowd.ask("open 2000")
    for _ in range(3):
        crowd.ask("ask 1")
        crowd.check_counts(agent)
    check(connections(agent.metrics()) <= 1000, "more connections than the option says")
    crowd.check_closed(agent)
    check_funnel(agent)
    agent.stop()


def test_churn(live):
    crowd = Crowd(live, clients=4)
    agent = live.agent()
    before = connections(agent.metrics())
    sizes = []
    for _ in range(2):
        crowd.ask(f"churn {CHURN_SECONDS} {CHURN_RATE // crowd.clients}")
        crowd.check_counts(agent)
        sizes.append(resident(agent.metrics()))
    crowd.check_closed(agent)
    check_no_leak(agent, before)
    check(sizes[1] <= sizes[0] + GROWTH, f"resident bytes grew: {sizes}")
    check_funnel(agent)
    agent.stop()
