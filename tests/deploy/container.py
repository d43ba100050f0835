# SPDX-License-Identifier: Apache-2.0
"""The image, built by buildah from deploy/Containerfile, and run by runc as a DaemonSet says.

No registry is asked: the base image docker.io/library/debian:12 is this machine, an image
without files into which /usr, /etc and dpkg's list are mounted while it builds. So the packages of
the build stage are those that are installed here; what the other architecture needs beside them
is lent by foreign.py. Images are taken out of what was built as a node takes them: one reference,
asked for an architecture.
"""

import atexit
import functools
import json
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile
import uuid

import deploy
import foreign

from sonde_test import ROOT, Failure, Skip, need, until

BASE = "docker.io/library/debian:12"
ARCHITECTURES = {"amd64": "x86", "arm64": "arm64"}  # names of registries: those of the Makefile
COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
OTHER = next(name for name in ARCHITECTURES if name != HERE)
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
KEPT_NAMESPACES = {"mount", "ipc", "uts"}  # hostPID; the network is the test's


def run(*command):
    command = [str(word) for word in command]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        raise Failure(f"{' '.join(command[-5:])}: {(result.stdout + result.stderr)[-600:]}")
    return result.stdout.strip()


def libraries():
    """The -dev packages that the Makefile asks for."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    return re.search(r"^PACKAGES_LIBRARIES\s*:?=(.*)$", text, re.M)[1].split()


class Image:
    """Of one architecture: its files under `root`, its configuration."""

    def __init__(self, store, name, arch):
        number = store.buildah("pull", "--quiet", "--arch", arch, name).split()[-1]
        container = store.buildah("from", "--pull=never", number)
        self.root = pathlib.Path(store.buildah("mount", container))
        self.described = json.loads(store.buildah("inspect", "--type", "image", number))["OCIv1"]
        self.config = self.described["config"]

    def files(self):
        return {"/" + str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()}


class Store:
    """Images of both architectures and their index, built once a run; it goes with the runner."""

    def __init__(self):
        need("buildah", "runc")
        # part of a reference later, which has rules: no name that mkdtemp() would think of
        self.temp = pathlib.Path(tempfile.gettempdir(), f"image-{uuid.uuid4().hex}")
        self.temp.mkdir(mode=0o700)
        atexit.register(self.clean)
        self.make_base()
        self.architectures, self.why_not = [HERE, OTHER], None
        usr, folder = "/usr", None
        try:
            need(COMPILERS[OTHER])
            folder = foreign.installed(ARCHITECTURES[OTHER], libraries())
            usr = foreign.overlay(self.temp / "usr", folder)
        except Skip as skip:
            self.architectures, self.why_not, folder = [HERE], skip, None
        dpkg = foreign.dpkg_list(self.temp / "dpkg", folder)
        self.build(f"{usr}:/usr:ro", "/etc:/etc:ro", f"{dpkg}:/var/lib/dpkg")
        self.layout = self.temp / "layout"
        words = ("--all", "--format", "oci", "sonde", f"oci:{self.layout}:sonde")
        self.buildah("manifest", "push", *words)

    def build(self, *lent):
        options = ["--isolation", "chroot", "--pull=never", "--build-arg", "VERSION=0.1.0"]
        options += [word for path in lent for word in ("-v", path)]
        platforms = ",".join(f"linux/{name}" for name in self.architectures)
        options += ["--platform", platforms, "--build-arg", f"BUILDPLATFORM=linux/{HERE}"]
        self.buildah("build", *options, "--manifest", "sonde", "-f", "deploy/Containerfile", ".")

    def clean(self):
        subprocess.run(["umount", "--quiet", "--lazy", self.temp / "usr"], capture_output=True)
        shutil.rmtree(self.temp, ignore_errors=True)

    def buildah(self, *words):
        store = ["--root", self.temp / "store", "--runroot", self.temp / "run"]
        return run("buildah", *store, "--storage-driver", "vfs", *words)

    def make_base(self):
        root = self.temp / "base"
        for name in ("usr", "etc", "tmp", "proc", "sys", "dev", "root", "var/lib/dpkg"):
            (root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        container = self.buildah("from", "scratch")
        self.buildah("copy", container, root, "/")
        self.buildah("commit", container, BASE)


@functools.cache
def store():
    return Store()


@functools.cache
def image(arch=HERE):
    if arch not in store().architectures:
        raise store().why_not
    return Image(store(), f"oci:{store().layout}:sonde", arch)


def bytes_of(quantity):
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


class Pod:
    """One container of a rendered DaemonSet; `change` may have the last word on runc's spec."""

    def __init__(self, live, found, profile=None, rights=None, namespace=None, change=None):
        self.live, self.image = live, image()
        self.pod = found["DaemonSet", "sonde"]["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.profile, self.namespace, self.change = profile, namespace, change
        self.rights = self.container["securityContext"]["capabilities"]["add"]
        self.rights = self.rights if rights is None else rights

    def bundle(self, arguments, env):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.live.temp))
        run("runc", "spec", "-b", folder)
        spec = json.loads((folder / "config.json").read_text())
        context = self.container["securityContext"]
        spec["process"].update(
            terminal=False,
            args=self.image.config["Entrypoint"] + arguments,
            env=[*self.image.config.get("Env", []), *env, "NODE_NAME=here"],
            user={"uid": context["runAsUser"], "gid": 0},
            noNewPrivileges=not context["allowPrivilegeEscalation"],
            rlimits=[],
        )
        rights = [f"CAP_{right}" for right in self.rights]
        sets = ("bounding", "effective", "permitted")
        spec["process"]["capabilities"] = {name: rights for name in sets}
        spec["root"] = {"path": str(self.image.root), "readonly": context["readOnlyRootFilesystem"]}
        spec["mounts"] += self.mounts(folder)
        spec["linux"].update(namespaces=self.namespaces(), resources=self.resources())
        if self.profile:
            spec["linux"]["seccomp"] = json.loads(self.profile.read_text())
        if self.change:
            self.change(spec)
        (folder / "config.json").write_text(json.dumps(spec))
        return folder

    def mounts(self, folder):
        """The volumes, each an empty folder in place of the node's."""
        for mount in self.container["volumeMounts"]:
            source = folder / mount["name"]
            source.mkdir()
            options = ["rbind", "ro" if mount.get("readOnly") else "rw"]
            yield {
                "destination": mount["mountPath"],
                "type": "bind",
                "source": str(source),
                "options": options,
            }

    def namespaces(self):
        kept = set(KEPT_NAMESPACES) | (set() if self.pod["hostPID"] else {"pid"})
        result = [{"type": kind} for kind in sorted(kept)]
        path = {"path": f"/run/netns/{self.namespace}"} if self.namespace else {}
        return [*result, {"type": "network", **path}]

    def resources(self):
        limits = self.container["resources"]["limits"]
        cpu = {"period": 100000, "quota": int(float(limits["cpu"]) * 100000)}
        return {"memory": {"limit": bytes_of(limits["memory"])}, "cpu": cpu}

    def command(self, *arguments, env=()):
        name = f"{self.live.word}{len(list(self.live.temp.iterdir()))}"
        state = self.live.temp / "runc"
        self.live.at_end(
            lambda: subprocess.run(
                ["runc", "--root", state, "delete", "--force", name], capture_output=True
            )
        )
        folder = self.bundle(list(arguments), env)
        return ["runc", "--root", state, "run", "--bundle", folder, name]

    def check(self):
        """(exit status, what it said) of `sonde check`."""
        command = [str(word) for word in self.command("check")]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return result.returncode, result.stdout + result.stderr

    def start(self, *options):
        """The agent at work; returns its process, and the files of its stdout and stderr."""
        command = self.command(*self.container["args"], *options)
        out, err = self.live.temp / "pod.out", self.live.temp / "pod.err"
        process = self.live.start(command, stdout=out, stderr=err)
        until("the agent to be ready", lambda: ready(process, err))
        return process, out


def ready(process, err):
    text = err.read_text()
    if process.poll() is not None:
        raise Failure(f"the container ended with {process.returncode}: {text[-800:]}")
    return "metrics on" in text
