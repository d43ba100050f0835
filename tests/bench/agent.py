# SPDX-License-Identifier: Apache-2.0
"""The agent under measurement, programs on the measured core, and what a process has used."""

import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "live"))
import promtext
import sonde_test

BIN = pathlib.Path(os.environ.get("BENCH_BIN", sonde_test.ROOT / ".output/tests"))
MEASURED, OTHER = "0", "1"
CONNECTIONS = 32
SERVICES = 'service="(?:nginx|wrk)"'
COUNTS = re.compile(rf"^http_[a-z]+_request_duration_seconds_count{{{SERVICES}.*}} (\d+)$", re.M)


def run_chunks(program, seconds, *words):
    """[5th percentile, median, chunks] of a micro-benchmark on the measured core."""
    text = subprocess.check_output([BIN / program, MEASURED, str(seconds), *words], text=True)
    return [float(word) for word in text.split()]


def cpu_ns(pid):
    """(ns on a CPU of all threads, by the scheduler; its ticks in user mode, in the kernel)"""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return total, int(fields[11]), int(fields[12])


def rss_mib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024


class Agent:
    """The agent on the other core, its lines to /dev/null."""

    def __init__(self, live, options):
        self.err = live.temp / f"agent{time.monotonic_ns()}.err"
        command = ["taskset", "-c", OTHER, sonde_test.SONDE, "--listen=127.0.0.1:0", *options]
        start = time.monotonic()
        self.process = live.start(command, stdout=subprocess.DEVNULL, stderr=self.err)
        match = sonde_test.until("the agent", lambda: self._ready())
        self.ready_seconds = time.monotonic() - start
        self.url = match.group(1)

    def _ready(self):
        sonde_test.check(self.process.poll() is None, self.err.read_text())
        return sonde_test.READY.search(self.err.read_text())

    def scrape(self):
        with urllib.request.urlopen(self.url + "/metrics", timeout=15) as answer:
            return answer.read().decode()

    def metrics(self):
        return promtext.Metrics(self.scrape())

    def counted(self):
        """Transactions of nginx and wrk counted so far; asking is itself one of another service."""
        return sum(map(int, COUNTS.findall(self.scrape())))

    def drain(self):
        """Waits until no more are being counted; returns the count."""
        counts = [-1]

        def settled():
            counts.append(self.counted())
            time.sleep(0.3)
            return counts[-1] == counts[-2]

        sonde_test.until("the counts to settle", settled)
        return counts[-1]

    def stop(self):
        self.process.terminate()
        sonde_test.same("exit status of the agent", self.process.wait(15), 0)
