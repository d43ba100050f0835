# SPDX-License-Identifier: Apache-2.0
"""deploy/Containerfile: the image holds what it needs, and works with the rights of the overlay."""

import json
import re
import signal

import container
import deploy
import kustomize
import netns
import promtext

from sonde_test import LIMIT, PYTHON, ROOT, SONDE, Live, check, need, same, tally, until

HERE = deploy.DEPLOY / "kubernetes"
PROFILE = HERE / "components/seccomp-profile/sonde.json"
BY = ("http_request_method", "http_route", "http_response_status_code")
OTHER_USER = ["setpriv", "--reuid=65534", "--clear-groups"]


def least():
    return kustomize.render(HERE / "overlays/least-privilege")


def scrape(live, namespace, port=9435):
    url = f"http://127.0.0.1:{port}/metrics"
    command = ["ip", "netns", "exec", namespace, "curl", "-sS", "--max-time", str(LIMIT), url]
    return promtext.Metrics(live.run(*command))


def counts(live, metrics, role, by=BY):
    keep = lambda labels: labels.get("http_route", "").startswith(live.prefix)
    return metrics.counts(f"http_{role}_request_duration_seconds", by, keep)


def start(live, **more):
    """The agent in a container with a network of its own: (pod, what scrapes it, process, log)."""
    deploy.need_agent()
    need("ip", "curl")
    namespace = netns.make_namespace(live, f"{live.word}-pod")
    pod = container.Pod(live, least(), namespace=namespace, **more)
    process, out = pod.start()
    return pod, lambda: scrape(live, namespace), process, out


def test_holds_only_what_it_needs(live):
    deploy.need_agent()
    files = container.image().files()
    program = "/usr/bin/sonde"
    linked = live.run("ldd", SONDE)
    needed = set(re.findall(r"/\S+", linked))
    same("files of the image", files, needed | {program})
    config = container.image().config
    same("entry point", config["Entrypoint"] + config["Cmd"], [program, "run"])
    same("version label", config["Labels"]["org.opencontainers.image.version"], "0.1.0")
    check("ExposedPorts" in config and "9435/tcp" in config["ExposedPorts"], f"ports: {config}")


def test_counts_requests(live):
    """The main job, under the rights, limits and system calls of the overlay and the profile."""
    pod, metrics, process, out = start(live, profile=PROFILE)
    port, log = live.plain()
    paths = ["/a", "/b/7", "/status/404", "/status/503"]
    requests = [("GET" if n % 3 else "POST", live.prefix + paths[n % 4]) for n in range(40)]
    client = live.client("keep", port, requests)
    for role, expected in (("server", tally(log())), ("client", tally(client))):
        same("requests", sum(expected.values()), len(requests))
        until(f"{role} counts", lambda: counts(live, metrics(), role) == expected)
    memory = metrics().counts("process_resident_memory_bytes", ())[()]
    asked = container.bytes_of(pod.container["resources"]["requests"]["memory"])
    check(memory < asked, f"resident {memory} of {asked} bytes that are asked for")
    process.send_signal(signal.SIGTERM)
    same("exit status", process.wait(LIMIT), 0)
    lines = [json.loads(l) for l in out.read_text().splitlines() if live.word in l]
    same("lines", len(lines), 2 * len(requests))
    same("node", {line["node"] for line in lines}, {"here"})


def test_check_passes_with_the_rights(live):
    deploy.need_agent()
    status, said = container.Pod(live, least(), profile=PROFILE).check()
    check(status == 0 and "sonde works here" in said, f"{status}: {said[-300:]}")
    check("FAIL" not in said, said)


def test_each_right_is_needed(live):
    """Without any one of them it says what to give, and the README's table names just these."""
    deploy.need_agent()
    rights = container.Pod(live, least()).rights
    table = (HERE / "README.md").read_text().split("## Rights")[1].split("`NET_ADMIN`")[0]
    same("rights in the README", set(re.findall(r"^\| `([A-Z_]+)`", table, re.M)), set(rights))
    for right in rights:
        rest = [other for other in rights if other != right]
        status, said = container.Pod(live, least(), rights=rest).check()
        same(f"status without {right}", status, 1)
        last = said.splitlines()[-1]
        check(f"CAP_{right}" in last, f"without {right}: {last}")
        check(not any(f"CAP_{other}" in last for other in rest), f"without {right}: {last}")


def named_server(live):
    """Port of a server that is another user, and whose name stands in its environment alone."""
    command = [*OTHER_USER, PYTHON, ROOT / "tests/live/servers/plain.py", "--log", "/dev/null"]
    return live.server(*command, env={"OTEL_SERVICE_NAME": live.word})[1]


def services(live, metrics):
    keep = lambda labels: labels.get("http_route", "").startswith(live.prefix)
    return metrics.counts("http_server_request_duration_seconds", ("service",), keep)


def test_environment_component(live):
    """Its rights do for the name of another user's process; this kernel takes PERFMON for one."""
    both = ["DAC_READ_SEARCH", "SYS_PTRACE"]
    text = (HERE / "components/environment/daemonset.yaml").read_text()
    check(f"add: [BPF, PERFMON, {', '.join(both)}]" in text, "the component adds other rights")
    for more, enough in ((both, True), (both[1:], False)):
        with Live() as inner:
            _, metrics, _, _ = start(inner, rights=["BPF", "PERFMON", *more])
            port = named_server(inner)
            inner.client("keep", port, [("GET", inner.prefix)])
            found = until("a request", lambda: services(inner, metrics()))
            same(f"named by its environment with {more}", (inner.word,) in found, enough)


def test_needs_bpf_of_the_profile(live):
    """The profile is in force: without `bpf` in it nothing loads."""
    deploy.need_agent()
    text = PROFILE.read_text()
    check('"bpf", ' in text, "no bpf in the profile")
    profile = live.temp / "profile.json"
    profile.write_text(text.replace('"bpf", ', ""))
    status, said = container.Pod(live, least(), profile=profile).check()
    same(f"status: {said[-200:]}", status, 1)
    check("allow bpf() in the seccomp profile" in said.splitlines()[-1], said[-200:])
    check(re.search(r"^FAIL +right +seccomp ", said, re.M), said)
