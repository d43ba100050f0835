# SPDX-License-Identifier: Apache-2.0
"""nginx under wrk: 10,000 requests and more over 50 connections, mixed methods and statuses.

wrk stops with requests in flight. At the server such a request is either answered (nginx logs it
with the bytes it sent) or not (0 bytes sent). At the client it has no status: it was aborted.
"""

import collections
import signal

from sonde_test import HERE, check, need, route_of, same, tally, until

CONNECTIONS = 50
REQUESTS = 10400


def start_nginx(live):
    need("nginx", "wrk")
    return live.nginx(HERE / "servers/nginx.conf", PREFIX=live.prefix)


def run_wrk(live, port, requests):
    """Lets wrk go until nginx has logged so many requests, stops it at once, returns its words."""
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", "-d60s", "-s", HERE / "servers/wrk.lua"]
    command += [f"http://127.0.0.1:{port}", "--", live.prefix]
    log = live.temp / "access.log"
    wrk = live.start(command, env={"OTEL_SERVICE_NAME": "live-wrk"}, stdout=live.temp / "wrk.out")
    until("wrk", lambda: log.read_bytes().count(b"\n") >= requests, 60)
    wrk.send_signal(signal.SIGINT)
    same("exit status of wrk", wrk.wait(20), 0)
    return (live.temp / "wrk.out").read_text()


def wrk_counts(text):
    """(answers by method, route, status; sent by method, route; wrk's own sum of answers)."""
    got, sent, total = collections.Counter(), collections.Counter(), 0
    for line in text.splitlines():
        match line.split():
            case ["got", method, path, status, count]:
                got[method, route_of(path), status] += int(count)
            case ["sent", method, path, count]:
                sent[method, route_of(path)] += int(count)
            case ["summary", count]:
                total = int(count)
    return got, sent, total


def with_aborted(got, sent):
    """What was sent and not answered is a transaction without a status."""
    result = collections.Counter(got)
    for (method, route, _), count in got.items():
        sent[method, route] -= count
    for (method, route), count in sent.items():
        if count:
            result[method, route, ""] = count
    return dict(result)


def nginx_counts(path):
    result = collections.Counter()
    for line in path.read_text().splitlines():
        method, uri, status, sent = line.split()
        result[method, route_of(uri), status if int(sent) else ""] += 1
    return dict(result)


def test_wrk(live):
    nginx, port = start_nginx(live)
    # at this rate 4 MiB are full in 20 ms; what a full ring does is for overload.*
    agent = live.agent(f"--service={port}=live-nginx", "--ring-size=64MiB")
    got, sent, total = wrk_counts(run_wrk(live, port, REQUESTS))
    same("wrk's two counts of answers", sum(got.values()), total)
    check(total >= 10000, f"wrk got only {total} answers")
    client = with_aborted(got, sent)
    # nginx may read a request after wrk has gone; its log is whole when it has ended in peace
    nginx.send_signal(signal.SIGQUIT)
    same("exit status of nginx", nginx.wait(20), 0)
    server = nginx_counts(live.temp / "access.log")
    agent.expect("server", {("live-nginx",): sum(server.values())}, by=("service",))
    agent.expect("client", {("live-wrk",): sum(client.values())}, by=("service",))
    errors = agent.metrics().counts("sonde_parse_errors_total", ("protocol",))
    same("parse errors", errors, {("http/1",): 0})
    agent.finish(server=server, client=client)


def test_proxy(live):
    """nginx as a reverse proxy: one request is seen at four ends, each once."""
    need("nginx")
    origin, access = live.plain()
    _, port = live.nginx(HERE / "servers/nginx_proxy.conf", ORIGIN=origin)
    agent = live.agent()
    requests = [("GET", f"{live.prefix}/{n}") for n in range(40)]
    requests += [("POST", f"{live.prefix}/9", 70000)] * 10
    words = live.client("keep", port, requests)
    same("the client's and the origin's counts", tally(words), tally(access()))
    both = {key: 2 * count for key, count in tally(words).items()}
    agent.finish(server=both, client=both)
