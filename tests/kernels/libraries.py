#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Static libraries for an architecture: libraries.py x86|arm64 FOLDER.

Makes FOLDER/include and FOLDER/lib from the -dev packages of this machine's own Debian release.
libmicrohttpd alone is compiled: Debian's wants GnuTLS, of which not all is there as a static
library, and the agent's listener has no TLS.
"""

import os
import pathlib
import platform
import shutil
import sys

from debian import CACHE, Apt, Missing, run

PACKAGES = ("libbpf-dev", "libelf-dev", "zlib1g-dev", "libjansson-dev", "nettle-dev")
TRIPLETS = {"x86": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
WITHOUT = ("https", "shared", "doc", "examples", "curl", "dauth", "postprocessor")


def copy_tree(source, target):
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)


def copy_packages(apt, triplet, folder):
    for name in PACKAGES:
        tree = apt.unpack(name, CACHE / f"unpacked-{apt.arch}" / f"{apt.release}-{name}")
        copy_tree(tree / "usr/include", folder / "include")
        copy_tree(tree / "usr/include" / triplet, folder / "include")
        (folder / "lib").mkdir(parents=True, exist_ok=True)
        for library in (tree / "usr/lib" / triplet).glob("*.a"):
            shutil.copy(library, folder / "lib")


def compile_microhttpd(apt, triplet, folder):
    tree = apt.source("libmicrohttpd", CACHE / f"source-{apt.arch}").resolve()
    options = [f"--disable-{word}" for word in WITHOUT]
    quiet = {"cwd": tree, "env": {**os.environ, "CFLAGS": "-O2 -g0"}}
    run("./configure", f"--host={triplet}", f"--prefix={folder.resolve()}", *options, **quiet)
    run("make", "-s", "-C", "src", "install", **quiet)


def main(arch, folder):
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    apt = Apt(arch, release)
    copy_packages(apt, TRIPLETS[arch], folder)
    compile_microhttpd(apt, TRIPLETS[arch], folder)


if __name__ == "__main__":
    try:
        main(sys.argv[1], pathlib.Path(sys.argv[2]))
    except Missing as fault:
        sys.exit(f"static libraries: {fault}")
