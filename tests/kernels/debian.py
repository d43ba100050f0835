# SPDX-License-Identifier: Apache-2.0
"""Debian packages of any release and architecture, fetched and unpacked without installing them.

apt does it, with the machine's own configuration and mirrors, but with lists and a cache of its own
under .output/kernels, so that nothing of the machine changes and nobody needs to be root.
"""

import functools
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".output/kernels"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = {"x86": "amd64", "arm64": "arm64"}  # our names of architectures: Debian's
KERNEL = {"x86": "x86_64", "arm64": "aarch64"}  # and the kernel's
SUITES = ("bullseye", "bookworm", "trixie", "trixie-backports")
SECURITY = ("bullseye-security", "bookworm-security", "trixie-security")
TARGET = "$(ORIGIN)|$(LABEL)|$(REPO_URI)|$(CREATED_BY)"


class Missing(Exception):
    """A package that no mirror of this machine has."""


def architecture():
    """This machine's."""
    return next((arch for arch, name in KERNEL.items() if name == os.uname().machine), None)


def run(*command, **more):
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, **more)
    if result.returncode:
        said = (result.stderr or result.stdout).strip()[-300:]
        raise Missing(f"{' '.join(words[-3:])}: {said}")
    return result.stdout


@functools.lru_cache(None)
def mirrors():
    """{label: address} of the Debian mirrors that this machine uses."""
    lines = run("apt-get", "indextargets", "--format", TARGET, "Created-By: Packages").splitlines()
    rows = (line.split("|") for line in lines)
    found = {label: address for origin, label, address, _ in rows if origin == "Debian"}
    if "Debian" not in found:
        raise Missing("apt knows no mirror of Debian; run apt-get update")
    return found


def sources(kind, suites):
    signed = f"{kind} [signed-by={KEYRING}]"
    lines = [f"{signed} {mirrors()['Debian']} {suite} main" for suite in suites]
    security = [suite for suite in SECURITY if suite.removesuffix("-security") in suites]
    if "Debian-Security" in mirrors():
        lines += [f"{signed} {mirrors()['Debian-Security']} {suite} main" for suite in security]
    return "\n".join(lines) + "\n"


class Apt:
    """apt for one architecture; `deb-src` lists as well, for the few that are built from source.

    With `only_release` it knows no other release and no sources: less to fetch.
    """

    def __init__(self, arch, release=None, only_release=False):
        self.arch = arch
        self.release = release
        self.here = CACHE / (f"apt-{arch}-{release}" if only_release else f"apt-{arch}")
        self.debs = CACHE / f"debs-{arch}"
        for name in ("lists/partial", "cache/archives/partial"):
            (self.here / name).mkdir(parents=True, exist_ok=True)
        self.debs.mkdir(parents=True, exist_ok=True)
        (self.here / "status").touch()
        text = sources("deb", SUITES) + sources("deb-src", SUITES)
        if only_release:
            text = sources("deb", [release])
        (self.here / "sources.list").write_text(text)
        if not (self.here / "updated").exists():
            self.update()

    def update(self):
        run("apt-get", *self._options(), "update")
        (self.here / "updated").touch()

    def _options(self):
        words = {
            "Dir::Etc::sourcelist": self.here / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferencesparts": "-",
            "Dir::State::lists": self.here / "lists",
            "Dir::State::status": self.here / "status",
            "Dir::Cache": self.here / "cache",
            "APT::Architecture": DEBIAN[self.arch],
            "APT::Architectures": DEBIAN[self.arch],
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
        }
        options = [word for key, value in words.items() for word in ("-o", f"{key}={value}")]
        return options + (["-t", self.release] if self.release else [])

    def names(self, prefix):
        return run("apt-cache", *self._options(), "pkgnames", prefix).split()

    def fetch(self, package):
        """The path of its newest .deb."""
        said = run("apt-get", *self._options(), "--print-uris", "download", package)
        name = said.split("'")[2].split()[0]
        path = self.debs / name.replace("%3a", ":")
        if not path.exists():
            run("apt-get", *self._options(), "download", package, cwd=self.debs)
        found = [p for p in self.debs.glob(f"{package}_*.deb") if p.name in (name, path.name)]
        if not found:
            raise Missing(f"{package}: apt-get left no file")
        return found[0]

    def fetch_all(self, packages):
        """The paths of their .deb, and of all that they depend on, into an empty system."""
        install = ("--no-install-recommends", "-y", "install", *packages)
        said = run("apt-get", *self._options(), "--simulate", *install)
        run("apt-get", *self._options(), "--download-only", *install)
        found = re.findall(r"^Inst (\S+) \((\S+) .*\[(\w+)\]\)", said, re.M)
        names = [f"{p}_{version.replace(':', '%3a')}_{arch}.deb" for p, version, arch in found]
        return [self.here / "cache/archives" / name for name in names]

    def unpack(self, package, folder):
        """Into the folder, which is made; returns it."""
        folder.mkdir(parents=True, exist_ok=True)
        run("dpkg-deb", "-x", self.fetch(package), folder)
        return folder

    def source(self, package, folder):
        """Unpacks its source there; returns the folder that came out."""
        folder.mkdir(parents=True, exist_ok=True)
        options = (*self._options(), "--only-source", "--download-only")
        run("apt-get", *options, "source", package, cwd=folder)
        described = sorted(folder.glob("*.dsc"))[-1]
        target = folder / "tree"
        if not target.exists():
            run("dpkg-source", "--no-check", "-x", described.name, target.name, cwd=folder)
        return target


def numbers(name):
    return [int(part) for part in re.findall(r"\d+", name)]


def kernel_packages(apt):
    """Kernels of the cloud flavour, {series: packages, newest first}; those without a wrapper."""
    found = {}
    arch = DEBIAN[apt.arch]
    form = re.compile(rf"linux-(image|binary)-(\d+\.\d+)[.\w+]*(-[\w.+]+)*-cloud-{arch}$")
    for name in apt.names("linux-image-") + apt.names("linux-binary-"):
        match = form.match(name)
        if match:
            found.setdefault(match.group(2), []).append(name)
    newest_first = lambda name: (numbers(name.replace(arch, "")), "binary" in name)
    in_order = lambda names: sorted(names, key=newest_first, reverse=True)
    return {series: in_order(names) for series, names in found.items()}


def kernel_image(apt, series):
    """(release, path of the image) of the newest of a series, or of all for `newest`."""
    packages = kernel_packages(apt)
    if series == "newest":
        series = max(packages, key=numbers, default=series)
    words = []
    for name in packages.get(series, [])[:4]:
        try:
            folder = apt.unpack(name, CACHE / f"unpacked-{apt.arch}" / name)
        except Missing as fault:
            words.append(str(fault))
            continue
        image = next(folder.glob("boot/vmlinu*"), None) or next(folder.rglob("vmlinuz*"), None)
        if image:
            return re.sub(r"^linux-(image|binary)-", "", name), image
        words.append(f"{name} holds no image")
    raise Missing("; ".join(words) or f"no package of series {series}")
