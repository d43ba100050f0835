# SPDX-License-Identifier: Apache-2.0
"""Faults of use and surroundings: one clear line on stderr, exit status 1 or 2."""

import json
import os
import shutil
import socket
import subprocess

from sonde_test import LIMIT, SONDE, check, free_port, need, same, until

PLAIN = "--listen=127.0.0.1:0"


def run_sonde(*options, prefix=(), program=SONDE):
    """(exit status, the lines on stderr) of an agent that is expected to end by itself."""
    command = [*prefix, program, *options]
    result = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=LIMIT
    )
    return result.returncode, result.stderr.splitlines()


def is_fault(line):
    """Diagnostics are JSON lines; what is not may be the one line about the command line."""
    try:
        return json.loads(line)["level"] == "ERROR"
    except (ValueError, KeyError):
        return True


def check_fault(result, status, *words):
    code, lines = result
    faults = [line for line in lines if is_fault(line)]
    same(f"exit status ({lines[-3:]})", code, status)
    same("lines about a fault", len(faults), 1 if len(faults) < 2 else faults)
    for word in words:
        check(word in faults[0], f"{word!r} is not in: {faults[0]}")


def test_bad_options(live):
    check_fault(run_sonde("--no-such-option=1"), 2, "--no-such-option")
    check_fault(run_sonde("--listen=nonsense"), 2, "--listen")
    check_fault(run_sonde("--listen=127.0.0.1:99999"), 2, "--listen")
    check_fault(run_sonde("--service=nonsense"), 2, "--service")
    check_fault(run_sonde("--backend=magic"), 2, "--backend", "magic")
    check_fault(run_sonde("--ring-size=many"), 2, "--ring-size")
    check_fault(run_sonde("no-such-command"), 2, "no-such-command")


def test_bad_environment(live):
    prefix = ["env", "SONDE_BACKEND=magic"]
    check_fault(run_sonde(PLAIN, prefix=prefix), 2, "SONDE_BACKEND")


def test_bad_config(live):
    path = live.temp / "config.json"
    check_fault(run_sonde(PLAIN, f"--config={path}"), 2, str(path))
    path.write_text('{"listen": ')
    check_fault(run_sonde(PLAIN, f"--config={path}"), 2, str(path))
    path.write_text('{"no-such-option": 1}')
    check_fault(run_sonde(PLAIN, f"--config={path}"), 2, "no-such-option")


def test_missing_btf(live):
    path = live.temp / "no-btf"
    check_fault(run_sonde(PLAIN, f"--btf={path}"), 1, str(path))


def test_port_in_use(live):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        check_fault(run_sonde(f"--listen=127.0.0.1:{port}"), 1, str(port), "in use")


def test_no_root(live):
    need("setpriv")
    copy = live.temp / "sonde"
    shutil.copy(SONDE, copy)
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    check_fault(run_sonde(PLAIN, prefix=prefix, program=copy), 1, "root")
    result = subprocess.run([*prefix, copy, "check"], capture_output=True, timeout=LIMIT)
    same("status of check without root", result.returncode, 1)


def test_stdout_closed_at_start(live):
    prefix = ["sh", "-c", 'exec "$@" >&-', "sh"]
    check_fault(run_sonde(PLAIN, prefix=prefix), 1, "stdout")


def test_reader_goes_away(live):
    """Like `sonde | head`: when nobody reads the lines any more, the agent says so and ends."""
    port, _ = live.plain()
    reader, writer = os.pipe()
    agent = live.agent(stdout=writer)
    os.close(writer)
    os.close(reader)
    url = f"http://127.0.0.1:{port}{live.prefix}/x"

    def ended():
        live.run("curl", "-sS", url)
        return agent.process.poll() is not None

    until("the end of the agent", ended)
    lines = agent.err.read_text().splitlines()
    check_fault((agent.process.returncode, lines), 1, "stdout")


def test_commands(live):
    for command in ("check", "version", "--help", "--version"):
        result = subprocess.run([SONDE, command], capture_output=True, text=True, timeout=LIMIT)
        same(f"{command}: {result.stderr}", result.returncode, 0)
        check(result.stdout.strip(), f"{command} prints nothing")


def test_listen_on_a_port(live):
    """The port that was asked for, by option and by environment."""
    port = free_port()
    agent = live.agent(listen=f"--listen=127.0.0.1:{port}")
    same("port", agent.port, port)
    agent.stop()
    port = free_port()
    agent = live.agent(env={"SONDE_LISTEN": f"127.0.0.1:{port}"}, listen=None)
    same("port", agent.port, port)
    agent.stop()
