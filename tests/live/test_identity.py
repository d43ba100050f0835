# SPDX-License-Identifier: Apache-2.0
"""Who a process is: programs, scripts, modules, names given by environment and option."""

from sonde_test import HERE, PYTHON, same
from test_life import start_stepper


def service_of(live, agent, role, count=1):
    """The one service under which `count` requests of a role were counted."""
    agent.expect(role, {("GET",): count}, by=("http_request_method",))
    return [service for service, in agent.counts(role, by=("service",))]


def get(live, port, path=""):
    live.run("curl", "-sS", f"http://127.0.0.1:{port}{live.prefix}/{path}")


def test_short_lived_curl(live):
    """curl is gone before anyone can look at it in /proc."""
    port, _ = live.plain()
    agent = live.agent()
    for n in range(20):
        get(live, port, str(n))
    same("services", service_of(live, agent, "client", 20), ["curl"])
    same("services in the log", {x["service"] for x in agent.lines(role="client")}, {"curl"})
    agent.stop()


def test_python_script(live):
    port, _ = live.plain()
    agent = live.agent()
    get(live, port)
    same("service", service_of(live, agent, "server"), ["plain"])
    agent.stop()


def test_python_module(live):
    command = [PYTHON, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    agent = live.agent()
    page = live.temp / live.word
    page.write_text("page")
    _, words = live.server(*command, cwd=live.temp, stderr=live.temp / "http.err")
    port = words.split("port ")[1].split()[0]
    live.run("curl", "-sS", f"http://127.0.0.1:{port}/{live.word}")
    same("service", service_of(live, agent, "server"), ["http.server"])
    agent.stop()


def test_environment_name(live):
    """OTEL_SERVICE_NAME holds for a process that was there before the agent, too."""
    before, _ = live.plain(env={"OTEL_SERVICE_NAME": "orders"})
    agent = live.agent()
    after, _ = live.plain(env={"OTEL_SERVICE_NAME": "orders"})
    get(live, before)
    get(live, after)
    same("service", service_of(live, agent, "server", 2), ["orders"])
    agent.stop()


def test_environment_name_of_client(live):
    port, _ = live.plain()
    agent = live.agent()
    requests = [("GET", f"{live.prefix}/{n}") for n in range(2)]
    client = start_stepper(live, port, requests, env={"OTEL_SERVICE_NAME": "shop"})
    client.stdout.readline()
    same("service", service_of(live, agent, "client"), ["shop"])
    agent.stop()


def test_rule_before_environment(live):
    port, _ = live.plain(env={"OTEL_SERVICE_NAME": "orders"})
    agent = live.agent(f"--service={port}=billing")
    get(live, port)
    same("service", service_of(live, agent, "server"), ["billing"])
    agent.stop()


def test_rule_holds_for_what_it_sends(live):
    """A process that served a port with a rule keeps that name as a client."""
    origin, _ = live.plain()
    _, proxy = live.server(PYTHON, HERE / "servers/proxy.py")
    agent = live.agent(f"--service={proxy}=gateway")
    for path in ("first", "then"):
        url = f"http://127.0.0.1:{origin}{live.prefix}/{path}"
        live.run("curl", "-sS", "-x", f"http://127.0.0.1:{proxy}", url)
    lines = [x for x in wait_lines(agent, 8) if x["path"].endswith("/then")]
    services = {(x["role"], x["service"]) for x in lines}
    servers = {("server", "plain"), ("server", "gateway")}
    same("services", services, servers | {("client", "gateway"), ("client", "curl")})
    agent.stop()


def wait_lines(agent, count):
    agent.expect("server", {("GET",): count // 2}, by=("http_request_method",))
    agent.expect("client", {("GET",): count // 2}, by=("http_request_method",))
    return agent.lines()
