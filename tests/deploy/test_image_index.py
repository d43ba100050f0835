# SPDX-License-Identifier: Apache-2.0
"""One reference for nodes of both architectures: an index that names an image for each."""

import json
import re
import struct
import subprocess

import container
import deploy

from sonde_test import SONDE, check, need, same

INDEX = "application/vnd.oci.image.index.v1+json"
MACHINES = {"amd64": 62, "arm64": 183}  # EM_X86_64, EM_AARCH64
EMULATORS = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}
UNAMES = {"amd64": "x86_64", "arm64": "aarch64"}
PROGRAM = "/usr/bin/sonde"


def blob(digest):
    return json.loads((container.store().layout / "blobs" / digest.replace(":", "/")).read_text())


def emulated(image, *arguments, **variables):
    """(exit status, stdout) of the image's program, which finds the image's files alone."""
    emulator = EMULATORS[container.OTHER]
    need(emulator)
    variables = [word for name in variables for word in ("-E", f"{name}={variables[name]}")]
    command = [emulator, "-L", image.root, *variables, f"{image.root}{PROGRAM}", *arguments]
    result = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, timeout=60
    )
    return result.returncode, result.stdout


def test_index_names_both(live):
    images = {arch: container.image(arch) for arch in container.ARCHITECTURES}
    (top,) = json.loads((container.store().layout / "index.json").read_text())["manifests"]
    same("media type", top["mediaType"], INDEX)
    named = blob(top["digest"])
    same("media type", named["mediaType"], INDEX)
    platforms = {entry["platform"]["architecture"]: entry for entry in named["manifests"]}
    same("images", (len(named["manifests"]), set(platforms)), (2, set(images)))
    for arch, entry in platforms.items():
        same("system", entry["platform"]["os"], "linux")
        described = blob(blob(entry["digest"])["config"]["digest"])
        same(f"architecture of {arch}", described["architecture"], arch)
        same(f"what a node of {arch} gets", described["config"], images[arch].config)
        same("architecture of that", images[arch].described["architecture"], arch)
        with open(f"{images[arch].root}{PROGRAM}", "rb") as program:
            (machine,) = struct.unpack("<H", program.read(20)[18:])
        same(f"machine of {arch}", machine, MACHINES[arch])
    configs = [image.config for image in images.values()]
    same("configurations", configs[0], configs[1])


def test_other_architecture_is_whole(live):
    """Its program runs, finds each library in the image, and has the parts of the one of here."""
    image = container.image(container.OTHER)
    status, linked = emulated(image, LD_TRACE_LOADED_OBJECTS=1)
    same(f"status: {linked}", status, 0)
    needed = set(re.findall(r"/\S+", linked))
    same("files of the image", image.files(), needed | {PROGRAM})
    names = lambda files: {f.rpartition("/")[2] for f in files if "/ld-linux" not in f}
    same("libraries", names(image.files()), names(container.image().files()))
    same("version", emulated(image, "--version"), (0, "sonde 0.1.0\n"))


def test_other_architecture_checks(live):
    """The emulator has no bpf(): the program has to say so, and nothing else."""
    image = container.image(container.OTHER)
    status, said = emulated(image, "check", "--json")
    found = json.loads(said)
    same(f"status: {found.get('why')}", (status, found["works"]), (1, False))
    rows = {(row["section"], row["name"]): row for row in found["findings"]}
    same("architecture", rows["kernel", "architecture"]["found"], UNAMES[container.OTHER])
