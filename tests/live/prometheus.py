# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus that scrapes the agent, and questions to it."""

import json
import urllib.error
import urllib.parse
import urllib.request

from sonde_test import LIMIT, free_port, until


class Prometheus:
    """With a configuration of its own that has one target, the agent, or with a given one."""

    def __init__(self, live, agent=None, *options, interval="1s", config=None):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        if not config:
            config = live.temp / "prometheus.yml"
            config.write_text(
                f"global: {{scrape_interval: {interval}}}\n"
                "scrape_configs:\n"
                "- job_name: sonde\n"
                f"  static_configs: [{{targets: ['127.0.0.1:{agent.port}']}}]\n"
            )
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={live.temp}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
            *options,
        ]
        live.start(command, stderr=live.temp / "prometheus.err")
        until("Prometheus to be ready", self._is_ready, 30)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=LIMIT) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def ask(self, path, **parameters):
        """`data` of an answer of its API, or None."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def query(self, expression):
        """The value of an instant query, or None."""
        data = self.ask("query", query=expression)
        return data["result"][0]["value"][1] if data and data["result"] else None
