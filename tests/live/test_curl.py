# SPDX-License-Identifier: Apache-2.0
"""curl against the plain Python server: methods, uploads, addresses, sockets, a proxy, a tunnel."""

from sonde_test import HERE, PYTHON, check, need, same, tally, until

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "REPORT", "X-TRY", "M-SEARCH")
MEGABYTE = 1024 * 1024


def curl(live, *options):
    need("curl")
    return live.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *options)


def upload(live, size):
    path = live.temp / "upload"
    path.write_bytes(b"u" * size)
    return path


def logged_bytes(agent, name):
    return sorted((line["role"], line.get(name)) for line in agent.lines())


def test_methods(live):
    port, access = live.plain()
    agent = live.agent()
    url = f"http://127.0.0.1:{port}{live.prefix}/items/7"
    for method in METHODS:
        same(method, curl(live, "-X", method, url), "200")
        same(method, curl(live, "-X", method, "-d", "some body", url), "200")
    same("HEAD", curl(live, "-I", url), "200")
    same("requests at the server", len(access()), 2 * len(METHODS) + 1)
    agent.finish(server=tally(access()), client=tally(access()))


def test_continue(live):
    """100 Continue is not an answer; the body that follows it is the request's."""
    port, access = live.plain()
    agent = live.agent()
    url = f"http://127.0.0.1:{port}{live.prefix}/upload"
    data = f"@{upload(live, MEGABYTE)}"
    same("status", curl(live, "-H", "Expect: 100-continue", "--data-binary", data, url), "200")
    agent.finish(server=tally(access()), client=tally(access()))
    expected = [("client", MEGABYTE), ("server", MEGABYTE)]
    same("request bytes", logged_bytes(agent, "request_bytes"), expected)


def test_upload(live):
    port, access = live.plain()
    agent = live.agent()
    url = f"http://127.0.0.1:{port}{live.prefix}/upload"
    same("status", curl(live, "-H", "Expect:", "-T", upload(live, 5 * MEGABYTE), url), "200")
    same("bytes at the server", access()[0].split()[3], str(5 * MEGABYTE))
    agent.finish(server=tally(access()), client=tally(access()))
    expected = [("client", 5 * MEGABYTE), ("server", 5 * MEGABYTE)]
    same("request bytes", logged_bytes(agent, "request_bytes"), expected)


def test_chunked_upload(live):
    port, access = live.plain()
    agent = live.agent()
    options = ["-H", "Transfer-Encoding: chunked", "-H", "Expect:", "-X", "POST"]
    data = f"@{upload(live, MEGABYTE)}"
    url = f"http://127.0.0.1:{port}{live.prefix}/upload"
    same("status", curl(live, *options, "--data-binary", data, url), "200")
    agent.finish(server=tally(access()), client=tally(access()))


def test_http10(live):
    port, access = live.plain()
    agent = live.agent()
    same("status", curl(live, "-0", f"http://127.0.0.1:{port}{live.prefix}/1"), "200")
    same("status", curl(live, "-0", f"http://127.0.0.1:{port}{live.prefix}/status/404"), "404")
    agent.finish(server=tally(access()), client=tally(access()))


def test_ipv6(live):
    port, access = live.plain("--ipv6")
    agent = live.agent()
    for n in range(5):
        same("status", curl(live, f"http://[::1]:{port}{live.prefix}/{n}"), "200")
    agent.finish(server=tally(access()), client=tally(access()))
    for line in agent.lines(role="client"):
        same("peer", line["peer"], f"[::1]:{port}")


def test_unix_socket(live):
    path = live.temp / "server.sock"
    _, access = live.plain("--unix", path)
    agent = live.agent()
    for n in range(5):
        url = f"http://localhost{live.prefix}/{n}"
        same("status", curl(live, "--unix-socket", path, url), "200")
    agent.finish(server=tally(access()), client=tally(access()))


def test_keepalive(live):
    port, access = live.plain()
    agent = live.agent()
    url = f"http://127.0.0.1:{port}{live.prefix}/many/[1-300]"
    same("statuses", curl(live, url), "200" * 300)
    agent.finish(server=tally(access()), client=tally(access()))


def test_absolute_form(live):
    """A forward proxy: the request target is a whole URL, the log has its path."""
    port, access = live.plain()
    _, proxy = live.server(PYTHON, HERE / "servers/proxy.py")
    agent = live.agent()
    for n in range(4):
        url = f"http://127.0.0.1:{port}{live.prefix}/{n}"
        same("status", curl(live, "-x", f"http://127.0.0.1:{proxy}", url), "200")
    both = {key: 2 * count for key, count in tally(access()).items()}
    agent.finish(server=both, client=both)
    paths = {f"{live.prefix}/{n}" for n in range(4)}
    same("paths", {line["path"] for line in agent.lines()}, paths)


def test_asterisk_form(live):
    port, _ = live.plain()
    agent = live.agent(f"--service={port}={live.word}")
    request = ["-X", "OPTIONS", "--request-target", "*", f"http://127.0.0.1:{port}/"]
    same("status", curl(live, *request), "200")
    lines = until("the line", lambda: agent.lines(role="server"))
    same("line", [(x["method"], x["path"], x["status"]) for x in lines], [("OPTIONS", "*", 200)])
    agent.stop()


def test_refused_connection_is_no_request(live):
    port, access = live.plain()
    agent = live.agent()
    live.run("curl", "-sS", f"http://127.0.0.1:1{live.prefix}/", status=7)
    same("status", curl(live, f"http://127.0.0.1:{port}{live.prefix}/"), "200")
    agent.finish(server=tally(access()), client=tally(access()))
    check(len(agent.lines()) == 2, "more than two lines")
