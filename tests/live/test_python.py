# SPDX-License-Identifier: Apache-2.0
"""Python servers: http.server in HTTP/1.0 and 1.1, and FastAPI under uvicorn."""

import re
import subprocess
import uuid

from sonde_test import HERE, PYTHON, Skip, check, same, tally, until

JSON_BODY = ["-H", "Content-Type: application/json", "-d", '{"name": "x"}']
STATUSES = (200, 201, 204, 301, 304, 400, 404, 418, 500, 503)


def mixed_requests(prefix):
    yield from (("GET", f"{prefix}/items/{n}") for n in range(20))
    yield from (("POST", f"{prefix}/items", size) for size in (0, 1, 100, 5000, 200000))
    yield from (("PUT", f"{prefix}/items/{n}", 10) for n in range(5))
    yield from (("DELETE", f"{prefix}/status/{status}/x") for status in STATUSES if status != 301)
    yield from (("GET", f"{prefix}/to/{n}/close") for n in range(3))


def run_mode(live, version, mode):
    port, access = live.plain("--http", version, env={"OTEL_SERVICE_NAME": "live-plain"})
    agent = live.agent()
    words = live.client(mode, port, mixed_requests(live.prefix))
    same("the client's and the server's counts", tally(words), tally(access()))
    agent.expect("server", {("live-plain",): len(words)}, by=("service",))
    agent.finish(server=tally(access()), client=tally(words))


def test_http10_urllib(live):
    run_mode(live, "1.0", "urllib")


def test_http11_urllib(live):
    run_mode(live, "1.1", "urllib")


def test_http11_keepalive(live):
    run_mode(live, "1.1", "keep")


def test_http10_curl(live):
    port, access = live.plain("--http", "1.0")
    agent = live.agent()
    for n in range(10):
        live.run("curl", "-sS", f"http://127.0.0.1:{port}{live.prefix}/{n}/close")
    same("requests at the server", len(access()), 10)
    agent.finish(server=tally(access()), client=tally(access()))


def start_uvicorn(live, env=None):
    """(process, port, log of the app itself, uvicorn's access log)"""
    probe = [PYTHON, "-c", "import fastapi, uvicorn"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode:
        raise Skip("fastapi and uvicorn are not installed")
    log, words = live.temp / "tasks.log", live.temp / "uvicorn.log"
    command = [PYTHON, "-m", "uvicorn", "tasks:app", "--app-dir", HERE / "servers", "--port", "0"]
    env = {"PREFIX": live.prefix, "ACCESS_LOG": str(log), **(env or {})}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    process = live.start(command, env=env, stdout=words, stderr=words.with_suffix(".err"))
    running = re.compile(r"running on http://[\d.]+:(\d+)")
    found = until("uvicorn", lambda: running.search(words.with_suffix(".err").read_text()))
    return process, int(found.group(1)), log, words


def task_requests(prefix):
    api = prefix + "/api"
    yield from (("GET", f"{api}/tasks/{n}") for n in (1, 22, 333, 901, 902, 77))
    yield from (("PUT", f"{api}/users/{uuid.uuid4()}/orders/{n}") for n in range(8))
    yield from [("GET", f"{api}/tasks"), ("GET", f"{api}/broken"), ("GET", f"{api}/nowhere")]
    yield from (("DELETE", f"{api}/tasks/{n}") for n in range(4))
    yield from [("POST", f"{api}/tasks"), ("PATCH", f"{api}/tasks")]


def curl_tasks(live, port):
    """All of them over one connection; returns curl's own word of the statuses."""
    command = ["curl", "-sS"]
    for method, path in task_requests(live.prefix):
        command += ["--next", "-sS"] if "-X" in command else []
        command += JSON_BODY if method[0] == "P" else []
        command += ["-w", f"{method} {path} %{{http_code}}\n", "-o", "/dev/null"]
        command += ["-X", method, f"http://127.0.0.1:{port}{path}?token=secret"]
    return live.run(*command).splitlines()


def run_uvicorn(live, service, env=None, rule=None):
    _, port, log, words = start_uvicorn(live, env)
    agent = live.agent(*([f"--service={port}={rule}"] if rule else []))
    answers = curl_tasks(live, port)
    expected = tally(log.read_text().splitlines())
    same("curl's and the app's counts", tally(answers), expected)
    same("lines of uvicorn's log", words.read_text().count(live.prefix), len(answers))
    agent.expect("server", {(service,): len(answers)}, by=("service",))
    check(("GET", live.prefix + "/api/tasks/{id}", "404") in expected, "no 404 in the mix")
    agent.finish(server=expected, client=tally(answers))
    check("secret" not in agent.out.read_text(), "the query is in the log")


def test_fastapi(live):
    run_uvicorn(live, "uvicorn")


def test_fastapi_named_by_environment(live):
    run_uvicorn(live, "tasks-api", env={"OTEL_SERVICE_NAME": "tasks-api"})


def test_fastapi_named_by_option(live):
    run_uvicorn(live, "by-rule", env={"OTEL_SERVICE_NAME": "tasks-api"}, rule="by-rule")
