# SPDX-License-Identifier: Apache-2.0
"""Hosts without Kubernetes: the systemd unit and the Debian package."""

import configparser
import pathlib
import re
import subprocess

import container
import deploy
import kustomize
import netns
import promtext

from sonde_test import LIMIT, SONDE, check, need, same, tally, until

UNIT = deploy.DEPLOY / "systemd/sonde.service"
BUILD = deploy.DEPLOY / "debian/build"
EXPOSURE = 25  # tenths of systemd's points at most: it gives the unit 2.4
BY = ("http_request_method", "http_route", "http_response_status_code")


def unit():
    reader = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=True)
    reader.optionxform = str
    reader.read(UNIT)
    return reader


def test_unit_is_valid(live):
    """systemd finds nothing to say about it, once the program is where it was built."""
    need("systemd-analyze")
    text = UNIT.read_text()
    check("ExecStart=/usr/bin/sonde run\n" in text, "another ExecStart")
    copy = live.temp / UNIT.name
    copy.write_text(text.replace("/usr/bin/sonde", SONDE))
    command = ["systemd-analyze", "verify", "--man=no", str(copy)]
    result = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in result.stderr.splitlines() if UNIT.name in line]
    same("systemd-analyze verify", (result.returncode, said), (0, []))


def test_unit_is_hardened(live):
    threshold = f"--threshold={EXPOSURE}"
    deploy.accepts("systemd-analyze", "security", "--offline=yes", "--no-pager", threshold, UNIT)


def system_calls(group):
    """What a group of systemd's holds, further groups unfolded."""
    said = deploy.accepts("systemd-analyze", "syscall-filter", "--no-pager", group)
    names = [line.strip() for line in said.splitlines()[1:] if line.startswith("    ")]
    result = set()
    for name in names:
        if name.startswith("@"):
            result |= system_calls(name)
        elif not name.startswith("#"):
            result.add(name)
    return result


def as_the_unit(spec):
    """The unit's user, rights and system calls instead of the pod's."""
    service = unit()["Service"]
    same("user", service["DynamicUser"], "yes")
    rights = service["AmbientCapabilities"].split()
    same("bounding set", service["CapabilityBoundingSet"].split(), rights)
    sets = ("bounding", "effective", "permitted", "inheritable", "ambient")
    spec["process"]["capabilities"] = {name: rights for name in sets}
    spec["process"]["user"] = {"uid": 61234, "gid": 61234}
    allowed = set()
    for word in service["SystemCallFilter"].split():
        allowed |= system_calls(word) if word.startswith("@") else {word}
    check(len(allowed) > 100 and "mount" not in allowed, f"{len(allowed)} system calls")
    spec["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}],
    }


def test_unit_does_the_job(live):
    """As another user than root, with the unit's rights and system calls, under runc."""
    deploy.need_agent()
    need("systemd-analyze", "ip", "curl")
    found = kustomize.render(deploy.DEPLOY / "kubernetes/overlays/least-privilege")
    namespace = netns.make_namespace(live, f"{live.word}-host")
    pod = container.Pod(live, found, namespace=namespace, change=as_the_unit)
    pod.start()
    port, log = live.plain()
    live.client("keep", port, [("GET", f"{live.prefix}/{n % 3}") for n in range(20)])
    expected = tally(log())
    same("requests", sum(expected.values()), 20)
    url = "http://127.0.0.1:9435/metrics"
    keep = lambda labels: labels.get("http_route", "").startswith(live.prefix)

    def counted():
        command = ["ip", "netns", "exec", namespace, "curl", "-sS", "--max-time", str(LIMIT), url]
        metrics = promtext.Metrics(live.run(*command))
        return metrics.counts("http_server_request_duration_seconds", BY, keep)

    until("counts", lambda: counted() == expected)


def package(live):
    need("dpkg-deb", "dpkg-shlibdeps", SONDE)
    result = subprocess.run([BUILD, "1.2.3", live.temp], capture_output=True, text=True)
    same(f"exit status of build: {result.stderr[-400:]}", result.returncode, 0)
    return pathlib.Path(result.stdout.strip())


def test_package_is_accepted_by_lintian(live):
    deploy.accepts("lintian", "--fail-on=error,warning", "--allow-root", package(live))


def test_package_names_its_libraries(live):
    path = package(live)
    said = deploy.accepts("dpkg-deb", "--field", path, "Depends")
    named = {word.split()[0] for word in said.split(", ")}
    linked = re.findall(r"NEEDED\s+(\S+)", deploy.accepts("objdump", "-p", SONDE))
    owners = deploy.accepts("dpkg-query", "-S", *[f"*/{name}" for name in linked], words=2000)
    needed = {line.split(":")[0] for line in owners.splitlines() if not "diversion" in line}
    same("packages it depends on", named & needed, named)
    check({"libbpf1", "libc6"} <= named, f"depends on {said}")
    same("version", deploy.accepts("dpkg-deb", "--field", path, "Version"), "1.2.3")


def dpkg(root, *words):
    """dpkg on a folder of its own, in which there is nothing else; maintainer scripts run too."""
    force = ["--force-depends", "--force-script-chrootless"]
    return deploy.accepts("dpkg", f"--root={root}", f"--log={root}/log", *force, *words)


def test_package_installs_and_purges(live):
    deploy.need_agent()
    path = package(live)
    root = live.temp / "host"
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"):
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    dpkg(root, "--install", path)
    wanted = root / "etc/systemd/system/multi-user.target.wants/sonde.service"
    check(wanted.is_symlink(), "the service is not enabled")
    same("the unit", (root / "lib/systemd/system/sonde.service").read_text(), UNIT.read_text())
    live.run(root / "usr/bin/sonde", "check")
    dpkg(root, "--remove", "sonde")
    check((root / "etc/default/sonde").exists(), "removing took the options along")
    dpkg(root, "--purge", "sonde")
    left = [p for p in root.rglob("*sonde*") if p.is_file() or p.is_symlink()]
    same("left after purge", left, [])
