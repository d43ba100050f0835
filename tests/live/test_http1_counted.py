# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 with --detail=metrics: the kernel half alone counts, by method and status, at both ends.

Routes are not known there. So each conversation is a process of its own, with a service name of its
own: this file, run as a program, which prints what is to be counted.
"""

import collections
import contextlib
import json
import subprocess
import sys

from crowd import check_funnel, of_service
from sonde_test import PYTHON, Failure, same, until
from test_hostile import OK, both_ends, exchange, send
from test_http1_connections import HALF, client_closes, server_closes, server_resets
from test_http1_messages import (
    CONTINUE,
    EMPTY,
    answer,
    cut_both,
    pieces_of,
    request,
    with_length,
)
from test_raw import get

BY = "http_request_method", "http_response_status_code", "error_type"


def counts_of(agent, role, service):
    """{(method, status, "aborted" or ""): count}; to a client, statuses are errors as well."""
    family = f"http_{role}_request_duration_seconds"
    counts = collections.Counter()
    for key, count in agent.metrics().counts(family, BY, of_service(service)).items():
        counts[(*key[:2], key[2] if key[2] == "aborted" else "")] += count
    return dict(counts)


def run_counted(live, name):
    agent = live.agent("--detail=metrics")
    command = [PYTHON, __file__, name]
    talk = live.start(
        command, env={"OTEL_SERVICE_NAME": live.word}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    expected = {tuple(key): count for key, count in json.loads(talk.stdout.readline())}
    for role in ("server", "client"):
        counts = lambda: counts_of(agent, role, live.word)
        try:
            until("counts", lambda: counts() == expected)
        except Failure:
            same(f"{role} counts", counts(), expected)
    check_funnel(agent)
    talk.stdin.close()
    agent.stop()


def talk_heads_in_pieces(stack):
    expected = {}
    for size in range(1, 30):
        ends = stack.enter_context(both_ends())
        for _ in range(2):
            cut_both(*ends, pieces_of(get("/x"), size))
            cut_both(*reversed(ends), pieces_of(OK, size))
    expected["GET", "200", ""] = 58
    return expected


def talk_interims(stack):
    hints = answer("103", f"Link: </{'a' * 200}>\r\n")
    expected = {}
    lone, together = [hints, CONTINUE, OK], [hints + OK]
    for said in ([CONTINUE, OK], [CONTINUE + OK], [hints, OK], lone, together):
        client, server = stack.enter_context(both_ends())
        for _ in range(3):
            send(client, server, get("/x"))
            cut_both(server, client, said)
    expected["GET", "200", ""] = 15
    return expected


def talk_tunnels(stack):
    expected = {}
    for message, reply in (
        (request("CONNECT", "x:443"), answer(200)),
        (get("/ws", "Upgrade: x\r\n"), answer(101, "Upgrade: x\r\n")),
    ):
        ends = stack.enter_context(both_ends())
        exchange(*ends, message, reply)
        exchange(*ends, get("/never"), answer(404))
    ends = stack.enter_context(both_ends())
    for _ in range(3):
        exchange(*ends, request("CONNECT", "x:443"), with_length(407, b"no"))
        exchange(*ends, request("HEAD", "/x"), answer(200, "Content-Length: 1000\r\n"))
    expected["CONNECT", "200", ""] = expected["GET", "101", ""] = 1
    expected["CONNECT", "407", ""] = expected["HEAD", "200", ""] = 3
    return expected


def talk_methods_and_statuses(stack):
    expected = {}
    for method in ("TRACE", "PURGE", "PROPFIND", "M-SEARCH", "BASELINE-CONTROL"):
        ends = stack.enter_context(both_ends())
        for status in (204, 404, 299):
            reply = EMPTY if status == 204 else with_length(status, b"no")
            exchange(*ends, request(method, "/x"), reply)
            key = (method if method == "TRACE" else "_OTHER", str(status), "")
            expected[key] = expected.get(key, 0) + 1
    return expected


def talk_bodies(stack):
    """In several writes, with an early answer, and with an answer for each of them."""
    upload = request("POST", "/up", "Content-Length: 3000\r\n")
    expected = {}
    client, server = stack.enter_context(both_ends())
    for _ in range(3):
        cut_both(client, server, [upload, b"a" * 1000, b"b" * 1000])
        send(server, client, with_length(403, b"no"))
        send(client, server, b"c" * 1000)
        exchange(client, server, get("/next"), OK)
    expected["POST", "403", ""] = expected["GET", "200", ""] = 3
    return expected


def talk_ends_of_connections(stack):
    expected = {}
    for end_it in (server_closes, client_closes, server_resets):
        ends = stack.enter_context(both_ends())
        exchange(*ends, get("/before"))
        send(*ends, get("/nothing"))
        end_it(*ends)
    ends = stack.enter_context(both_ends())
    send(*ends, get("/endless"))
    cut_both(*reversed(ends), [answer(203), b"some", b"more"])
    server_closes(*ends)
    expected["GET", "200", ""] = 3
    expected["GET", "", "aborted"] = 3
    expected["GET", "203", ""] = 1
    return expected


def talk_answer_that_is_cut(stack):
    """Lengths are not known in the kernel: such an answer counts by its status."""
    expected = {}
    ends = stack.enter_context(both_ends())
    send(*ends, get("/cut"))
    send(*reversed(ends), HALF)
    server_closes(*ends)
    expected["GET", "200", ""] = 1
    return expected


def test_heads_in_pieces(live):
    run_counted(live, "heads_in_pieces")


def test_interims(live):
    run_counted(live, "interims")


def test_tunnels(live):
    run_counted(live, "tunnels")


def test_methods_and_statuses(live):
    run_counted(live, "methods_and_statuses")


def test_bodies(live):
    run_counted(live, "bodies")


def test_ends_of_connections(live):
    run_counted(live, "ends_of_connections")


def test_answer_that_is_cut(live):
    run_counted(live, "answer_that_is_cut")


def main(name):
    with contextlib.ExitStack() as stack:
        expected = globals()[f"talk_{name}"](stack)
    print(json.dumps(list(expected.items())), flush=True)
    sys.stdin.read()  # until its counts were looked at, so that its name can be found


if __name__ == "__main__":
    main(sys.argv[1])
