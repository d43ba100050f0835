# SPDX-License-Identifier: Apache-2.0
"""This machine as it would be with packages of another architecture, without installing them.

apt resolves and fetches them (tests/kernels/debian.py); a folder takes their files, an overlay puts
that folder over /usr, and a copy of dpkg's list names them. Only those that can stand beside the
machine's own (Multi-Arch: same) come in, so none of its files is hidden by one of theirs.
"""

import contextlib
import pathlib
import platform
import shutil
import subprocess
import sys

from sonde_test import ROOT, Skip

sys.path.append(str(ROOT / "tests/kernels"))
import debian

DPKG = pathlib.Path("/var/lib/dpkg")


def debs_of(apt, packages):
    """The packages, and those that they need."""
    try:
        return apt.fetch_all(packages)
    except debian.Missing:
        apt.update()  # what the lists name may have gone meanwhile
    try:
        return apt.fetch_all(packages)
    except debian.Missing as fault:
        raise Skip(f"packages of {apt.arch}: {fault}") from fault


def unpack(debs, folder):
    """Their files, with /lib in /usr as Debian has it; what dpkg would note is in `status`."""
    folder.mkdir(parents=True)
    entries = []
    for deb in debs:
        control = debian.run("dpkg-deb", "-f", deb)
        if "\nMulti-Arch: same\n" in control:
            debian.run("dpkg-deb", "-x", deb, folder)
            entries.append(control.replace("\n", "\nStatus: install ok installed\n", 1))
    shutil.copytree(folder / "lib", folder / "usr/lib", symlinks=True, dirs_exist_ok=True)
    (folder / "status").write_text("\n".join(entries))


def installed(arch, packages):
    """The folder; made anew when other files would be in it."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    apt = debian.Apt(arch, release, only_release=True)
    debs = debs_of(apt, packages)
    folder, names = debian.CACHE / f"installed-{arch}", "\n".join(deb.name for deb in debs)
    with contextlib.suppress(FileNotFoundError):
        if (folder / "names").read_text() == names:
            return folder
        shutil.rmtree(folder)
    unpack(debs, folder)
    (folder / "names").write_text(names)
    return folder


def dpkg_list(into, folder):
    """A copy of dpkg's folder, as far as dpkg-query looks into it, with what the folder adds."""
    into.mkdir(parents=True)
    lists = [DPKG / "status"] + ([folder / "status"] if folder else [])
    text = "\n\n".join(path.read_text().strip("\n") for path in lists)
    (into / "status").write_text(text + "\n")
    return into


def overlay(into, folder):
    """/usr with the folder's above it, read-only."""
    into.mkdir(parents=True)
    lower = f"lowerdir={folder}/usr:/usr"
    command = ["mount", "-t", "overlay", "overlay", "-o", lower, into]
    said = subprocess.run(command, capture_output=True, text=True)
    if said.returncode:
        raise Skip(f"overlay on /usr: {said.stderr.strip()}")
    return into
