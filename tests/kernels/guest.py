# SPDX-License-Identifier: Apache-2.0
"""A guest: a kernel, an archive of files as its root, an emulated machine, and what comes out."""

import base64
import io
import os
import pathlib
import shutil
import subprocess
import tarfile

from debian import CACHE, ROOT, Apt, run

HERE = pathlib.Path(__file__).resolve().parent
FOLDERS = "bin dev proc sys tmp out root".split()
TOOLS = "crowd crowd_server frames loop syscalls programs steady sonde_budget".split()
LIMIT = float(os.environ.get("GUEST_LIMIT", 900))  # seconds until a guest counts as hung
# The guest's clock counts instructions: nothing in it depends on how busy this machine is.
SHIFT = 0  # an instruction takes 2^SHIFT ns
CLOCK = f"-accel tcg -icount shift={SHIFT},sleep=off"
COMMON = f"-smp 1 -m 1G -nodefaults -no-user-config -nographic -no-reboot {CLOCK}".split()
MACHINES = {
    "x86": "qemu-system-x86_64 -M q35,usb=off,vmport=off -cpu max".split(),
    "arm64": "qemu-system-aarch64 -M virt -cpu cortex-a72".split(),
}
LINES = {
    "x86": "console=ttyS0 panic=-1 quiet preempt=full mitigations=off tsc=reliable",
    "arm64": "console=ttyAMA0 panic=-1 quiet preempt=full",
}


class Broken(Exception):
    """The guest did not come to its end; the message ends with the last of its console."""


def make_root(arch, init, backends, short=False):
    """The guest's files as a newc archive; returns its path."""
    root = CACHE / f"root-{arch}-{init.removesuffix('.sh')}"
    shutil.rmtree(root, ignore_errors=True)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    apt = Apt(arch)
    unpacked = apt.unpack("busybox-static", CACHE / f"unpacked-{arch}/busybox")
    shutil.copy(next(unpacked.rglob("bin/busybox")), root / "bin/busybox")
    for name in applets():
        (root / "bin" / name).symlink_to("busybox")
    built = ROOT / f".output/static-{arch}"
    for path in (built / "sonde", *(built / "tests" / name for name in TOOLS)):
        shutil.copy(path, root / "bin" / path.name)
        run(strip_of(arch), "-g", root / "bin" / path.name)
    shutil.copy(HERE / "system.sh", root)
    shutil.copy(HERE / init, root / "init")
    (root / "init").chmod(0o755)
    (root / "backends").write_text("\n".join(backends) + "\n")
    if short:
        (root / "short").touch()
    archive = root.with_suffix(".cpio")
    names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
    with open(archive, "wb") as to:
        command = ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"]
        subprocess.run(command, cwd=root, input=names.encode(), stdout=to, check=True)
    return archive


def applets():
    """What the guest's scripts need of busybox."""
    words = "[ awk base64 cat cp cut dmesg gzip ip kill mkdir mkfifo mount poweroff rm seq sh sleep"
    return f"{words} tar uname wc wget".split()


def strip_of(arch):
    crossed = arch == "arm64" and os.uname().machine != "aarch64"
    return "aarch64-linux-gnu-strip" if crossed else "strip"


def command_of(arch, image, archive, console):
    command = [*MACHINES[arch], *COMMON, "-serial", f"file:{console}"]
    return command + ["-kernel", str(image), "-initrd", str(archive), "-append", LINES[arch]]


def boot(arch, image, archive, console):
    """Runs the guest to its end; returns {path: bytes} of what it said."""
    command = command_of(arch, image, archive, console)
    try:
        subprocess.run(command, timeout=LIMIT, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        pass
    return unpack(console)


def unpack(console):
    text = console.read_text(errors="replace")
    if "GUEST end" not in text:
        raise Broken(f"the guest did not come to its end: ...{text[-600:]}")
    packed = text.rpartition("GUEST begin")[2].partition("GUEST end")[0]
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as files:
        members = [m for m in files.getmembers() if m.isfile()]
        return {m.name.removeprefix("./"): files.extractfile(m).read() for m in members}
