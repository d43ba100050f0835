# SPDX-License-Identifier: Apache-2.0
"""Time that runs faster: each duration in the shipped rules and configurations, divided by a speed.

At 60 an hour is a minute: `[5m]` becomes `[5s]`, `offset 10m` 10s, `for: 2m` 2s, and Alertmanager
waits half a second for more of a group. Rates stay per second, thresholds and words stay as they
are. At 1 the files are what was shipped.
"""

import re

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
IN_RULES = re.compile(r"(?<=\[)\d+[smhd](?=\])|(?<=offset )\d+[smhd]\b|(?<= for: )\d+[smhd]\b")
IN_ROUTES = re.compile(r"(?<=_wait: )\d+[smh]|(?<=_interval: )\d+[smh]|(?<=_timeout: )\d+[smh]")
SCRAPES = 5  # at least, in the shortest window of the rules
WINDOW = 300
SHIPPED = 15  # seconds between two scrapes


def text_of(seconds):
    whole = seconds == int(seconds)
    return f"{int(seconds)}s" if whole else f"{max(round(seconds * 1000), 1)}ms"


class Clock:
    def __init__(self, speed):
        self.speed = speed
        self.interval = min(SHIPPED, WINDOW / speed / SCRAPES)

    def faster(self, match):
        if self.speed == 1:
            return match[0]
        return text_of(int(match[0][:-1]) * SECONDS[match[0][-1]] / self.speed)

    def rules(self, text):
        return IN_RULES.sub(self.faster, text)

    def routes(self, text):
        return IN_ROUTES.sub(self.faster, text)

    def scrapes(self):
        """Words of prometheus.yml, and those in their place."""
        if self.speed == 1:
            return ()
        every, limit = text_of(self.interval), text_of(min(10, self.interval))
        return (
            ("scrape_interval: 15s", f"scrape_interval: {every}"),
            ("scrape_timeout: 10s", f"scrape_timeout: {limit}"),
            ("evaluation_interval: 15s", f"evaluation_interval: {every}"),
        )
