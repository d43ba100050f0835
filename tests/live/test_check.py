# SPDX-License-Identifier: Apache-2.0
"""`sonde check`: what it says of rights, types and surroundings is what the agent then meets."""

import json
import pathlib
import re
import shutil
import socket
import struct
import subprocess

import kube_api

from sonde_test import LIMIT, SONDE, Failure, check, free_port, need, same
from strict_json import refuse, unique

KERNEL_TYPES = pathlib.Path("/sys/kernel/btf/vmlinux")
STATES = {"ok": "ok", "lost": "lost", "FAIL": "fail", "?": "unknown"}
KEYS = ["section", "name", "state", "found", "gives", "remedy"]
SECTIONS = ["kernel", "limit", "right", "feature", "backend", "hook", "host"]
PROGRAM_RIGHTS = ("CAP_BPF", "CAP_PERFMON")


def run_check(*options, prefix=(), program=SONDE):
    """(exit status, stdout) of `sonde check`, which says nothing on stderr."""
    command = [*prefix, program, "check", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    same("stderr", result.stderr, "")
    return result.returncode, result.stdout


def read_json(text):
    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)


def report(*options, **more):
    """The object, after a look at its shape; rows by (section, name)."""
    status, text = run_check("--json", *options, **more)
    said = read_json(text)
    same("schema", said["schema"], 1)
    same("members", set(said) - {"backend", "why"}, {"schema", "version", "findings", "works"})
    same("backend", "backend" in said, said["works"])
    same("why", "why" in said, not said["works"])
    same("exit status", status, 0 if said["works"] else 1)
    rows = {}
    for row in said["findings"]:
        same("order of members", list(row), [key for key in KEYS if key in row])
        check(row["state"] in STATES.values(), f"state of {row}")
        check(all(isinstance(value, str) and value for value in row.values()), f"{row}")
        key = row["section"], row["name"]
        check(key not in rows, f"{key} comes twice")
        rows[key] = row
    failed = [key for key, row in rows.items() if row["state"] == "fail"]
    same(f"failed ones {failed}", bool(failed), not said["works"])
    return said, rows


def state_of(rows, section, name):
    return rows[section, name]["state"]


def words_of(row):
    """The words of a row's text form, said a second time."""
    found, gives, remedy = (row.get(key, "") for key in ("found", "gives", "remedy"))
    if row["state"] in ("ok", "unknown"):
        return ": ".join(filter(None, (found, gives)))
    return "; ".join(filter(None, (found, gives and f"lost without it: {gives}", remedy)))


def same_forms(*options, **more):
    status, text = run_check(*options, **more)
    said, rows = report(*options, **more)
    same("exit status of the text form", status, 0 if said["works"] else 1)
    *lines, last = text.splitlines()
    same("rows", len(lines), len(rows))
    for line, row in zip(lines, rows.values()):
        word, section, name, *rest = line.split(None, 3)
        same("row", (section, name), (row["section"], row["name"]))
        if name == "environments":  # counts processes
            continue
        same(f"state of {name}", STATES[word], row["state"])
        same(f"words of {name}", "".join(rest), words_of(row))
    works = f"works here, with backend {said.get('backend')}"
    wanted = works if said["works"] else f"would not work here: {said['why']}"
    same("last line", last, f"sonde {wanted}")
    return said, rows


def test_both_forms_say_the_same(live):
    said, rows = same_forms("--listen=127.0.0.1:0")
    check(said["works"], said.get("why"))
    same("version", f"sonde {said['version']}\n", live.run(SONDE, "version"))
    same("sections", list(dict.fromkeys(section for section, _ in rows)), SECTIONS)
    chosen = [row["name"] for row in rows.values() if row.get("found") == "chosen"]
    same("chosen", chosen, [said["backend"]])


def test_says_what_the_agent_attaches(live):
    """Hooks that are there by themselves are those that the agent then has, or another backend."""
    said, rows = report()
    metrics = live.agent("--queue-time").metrics()
    attached = metrics.counts("sonde_programs_attached", ("program",))
    for (program,), count in attached.items():
        same(f"state of {program}", state_of(rows, "hook", program), "ok" if count else "lost")
    for (section, name), row in rows.items():
        of = re.search(r"backend (\w+)", row.get("gives", ""))
        other = of and of.group(1) != said["backend"]
        if section == "hook" and row["state"] == "ok" and not other and "sweep" not in name:
            check((name,) in attached, f"the agent has no {name}")


def without(*names):
    """Runs what follows without these capabilities."""
    need("setpriv")
    words = ",".join(f"-{name.lower()}" for name in names)
    return ["setpriv", f"--bounding-set={words}", f"--inh-caps={words}"]


def test_each_right_by_name(live):
    """Without one of them it fails in the row of that one, and the agent then says the same."""
    everything = list(report()[1])
    for lost in (("BPF",), ("PERFMON",), ("BPF", "PERFMON")):
        prefix = without("SYS_ADMIN", *lost)
        said, rows = same_forms(prefix=prefix)
        check(not said["works"], f"works without {lost}")
        same("rows", list(rows), everything)
        for right in PROGRAM_RIGHTS:
            gone = right[4:] in lost
            row = rows["right", right]
            same(f"{right} without {lost}", row["state"], "fail" if gone else "ok")
            same(f"{right} found", row["found"], "not held" if gone else "held")
            same(f"{right} in the reason", right in said["why"], gone)
            check("bpf(" in row["gives"], "no call is named")
        result = subprocess.run(
            [*prefix, SONDE, "--listen=127.0.0.1:0"], capture_output=True, text=True, timeout=LIMIT
        )
        same("the agent's own exit status", result.returncode, 1)
        same("the agent's own word", json.loads(result.stderr)["message"], said["why"])


def test_another_stands_in(live):
    names = ("CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH")
    _, rows = report(prefix=without(*(name[4:] for name in names)))
    for name in names:
        same(name, state_of(rows, "right", name), "ok")
        check("stands in" in rows["right", name]["found"], f"{rows['right', name]}")


def test_rights_that_cost_only_names(live):
    """Without these it works; processes whose environment is closed to it are counted."""
    lost = ("SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "DAC_OVERRIDE")
    other_user = ["setpriv", "--reuid=65534", "--clear-groups"]
    live.server(*other_user, "sh", "-c", "echo ready; exec sleep 1000")
    said, rows = report(prefix=without(*lost))
    check(said["works"], said.get("why"))
    for right in ("CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN"):
        same(right, state_of(rows, "right", right), "lost")
    same("environments", state_of(rows, "host", "environments"), "lost")


def test_no_right_at_all(live):
    need("setpriv")
    copy = live.temp / "sonde"
    shutil.copy(SONDE, copy)
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    said, rows = same_forms("--listen=127.0.0.1:0", prefix=prefix, program=copy)
    check(all(right in said["why"] for right in PROGRAM_RIGHTS), said["why"])
    features = {row["state"] for (section, _), row in rows.items() if section == "feature"}
    same("features that nobody may ask for", features, {"unknown"})


def test_rights_of_another_user_namespace(live):
    """All are held there, and none counts."""
    need("unshare")
    said, rows = report(prefix=["unshare", "--user", "--map-root-user"])
    check("user namespace" in said["why"], said["why"])
    for right in PROGRAM_RIGHTS:
        same(right, state_of(rows, "right", right), "fail")
        check("user namespace" in rows["right", right]["found"], f"{rows['right', right]}")


def test_lockdown_is_the_kernels_word(live):
    """As securityfs has it, which is mounted in a mount namespace of its own."""
    need("unshare")
    path = "/sys/kernel/security/lockdown"
    mount = f'mount -t securityfs none /sys/kernel/security && cat {path} >&2 && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    result = subprocess.run([*prefix, SONDE, "check", "--json"], capture_output=True, text=True)
    row = next(r for r in read_json(result.stdout)["findings"] if r["name"] == "lockdown")
    mode = result.stderr.split("[")[1].split("]")[0]
    same("lockdown", row["found"], mode)
    same("state", row["state"], "ok" if mode != "confidentiality" else "fail")
    same("exit status", result.returncode, 0)


def test_surroundings(live):
    """An address that is taken, a folder that is not there, a container: said, and no fault."""
    need("unshare")
    (live.temp / "pods").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = f"--listen=127.0.0.1:{listener.getsockname()[1]}"
        said, rows = report(taken, f"--kube-logs={live.temp}/none")
    check(said["works"], said.get("why"))
    same("a taken address", state_of(rows, "host", "listen"), "lost")
    same("no folder", state_of(rows, "host", "kube"), "lost")
    same("processes", state_of(rows, "host", "processes"), "ok")
    free = f"--listen=127.0.0.1:{free_port()}"
    alone = ["unshare", "--pid", "--fork", "--mount-proc"]
    said, rows = report(free, f"--kube-logs={live.temp}", prefix=alone)
    same("a free address", state_of(rows, "host", "listen"), "ok")
    same("a folder", rows["host", "kube"]["found"], f"files: {live.temp}/pods")
    same("processes of a container", state_of(rows, "host", "processes"), "lost")
    same("off", report("--kube=off")[1]["host", "kube"]["found"], "off")


def test_types_from_a_file(live):
    """A copy of the kernel's own types does as well; the agent sees a request by it."""
    copy = live.temp / "btf"
    copy.write_bytes(KERNEL_TYPES.read_bytes())
    said, rows = same_forms(f"--btf={copy}", "--listen=127.0.0.1:0")
    check(said["works"], said.get("why"))
    same("types", rows["kernel", "types"]["found"], str(copy))
    port, log = live.plain()
    agent = live.agent(f"--btf={copy}")
    live.client("keep", port, [("GET", live.prefix + "/a")])
    agent.expect("server", {("GET", live.prefix + "/a", "200"): 1})


def move_member(types, structure, member):
    """BTF in which one member of a structure stands eight bytes further on."""
    _, _, _, length, at, size, strings, _ = struct.unpack_from("=HBBIIIII", types)
    at, end, strings = length + at, length + at + size, length + strings
    name_at = lambda offset: types[strings + offset : types.index(b"\0", strings + offset)]
    while at < end:
        name, info, _ = struct.unpack_from("=III", types, at)
        kind, count = info >> 24 & 0x1F, info & 0xFFFF
        at += 12
        if kind == 4 and name_at(name) == structure:
            for place in range(at, at + 12 * count, 12):
                if name_at(struct.unpack_from("=I", types, place)[0]) == member:
                    offset = struct.unpack_from("=I", types, place + 8)[0]
                    moved = struct.pack("=I", offset + 64)
                    return types[: place + 8] + moved + types[place + 12 :]
        at += EACH.get(kind, 0) * count + ONCE.get(kind, 0)
    raise Failure(f"no {structure} with {member} in the kernel's types")


# Bytes behind a BTF type by its kind: for each of what it counts, and once.
EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
ONCE = {1: 4, 3: 12, 14: 4, 17: 4}


def test_types_of_another_kernel(live):
    """They would load, and tell of other members: offsets are compared with the kernel's own."""
    path = live.temp / "other"
    path.write_bytes(move_member(KERNEL_TYPES.read_bytes(), b"task_struct", b"tgid"))
    said, rows = same_forms(f"--btf={path}", "--listen=127.0.0.1:0")
    check(not said["works"], "works with types of another kernel")
    check("another kernel: tgid" in said["why"], said["why"])
    same("types", state_of(rows, "kernel", "types"), "fail")


def test_types_without_a_structure(live):
    """The file is what offsets come from: nothing loads by one in which a structure is missing."""
    path = live.temp / "less"
    types = KERNEL_TYPES.read_bytes()
    same("names", types.count(b"\0task_struct\0"), 1)
    path.write_bytes(types.replace(b"\0task_struct\0", b"\0task_strukt\0"))
    said, rows = same_forms(f"--btf={path}", "--listen=127.0.0.1:0")
    check(not said["works"], "works without task_struct")
    check(str(path) in said["why"], said["why"])
    same("a hook", state_of(rows, "hook", "process_exec"), "fail")


def test_types_from_a_wrong_file(live):
    none, garbage, short = (live.temp / name for name in ("none", "garbage", "short"))
    garbage.write_bytes(b"no types" * 100)
    short.write_bytes(KERNEL_TYPES.read_bytes()[:100000])
    for path, word in ((none, "No such file"), (garbage, "BTF"), (short, "BTF")):
        said, rows = same_forms(f"--btf={path}", "--listen=127.0.0.1:0")
        check(not said["works"], f"works with {path}")
        check(f"--btf={path}" in said["why"] and word in said["why"], said["why"])
        same(f"types of {path}", state_of(rows, "kernel", "types"), "fail")


def test_no_types(live):
    """A kernel that shows none of its own, which is hidden in a mount namespace of its own."""
    need("unshare")
    copy = live.temp / "btf"
    copy.write_bytes(KERNEL_TYPES.read_bytes())
    hide = f'mount -t tmpfs none {KERNEL_TYPES.parent} && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", hide, "sh"]
    for options, word in (((), "CONFIG_DEBUG_INFO_BTF"), ((f"--btf={copy}",), "of its own")):
        said, rows = same_forms("--listen=127.0.0.1:0", *options, prefix=prefix)
        same("types", state_of(rows, "kernel", "types"), "fail")
        check(word in said["why"], said["why"])
        same("a hook", state_of(rows, "hook", "process_exit"), "fail")


def test_kubernetes_api(live):
    """It is asked for this node's pods: who answers, who refuses, who is not there."""
    api = kube_api.Api(live.temp / "api").start()
    live.at_end(api.stop)
    listen = "--listen=127.0.0.1:0"
    environment = [f"{name}={value}" for name, value in api.agent_environment().items()]

    def found(*options, prefix):
        command = [*prefix, SONDE, "check", "--json", listen, *options]
        result = subprocess.run([str(w) for w in command], capture_output=True, text=True)
        same("exit status", result.returncode, 0)
        row = next(r for r in read_json(result.stdout)["findings"] if r["name"] == "kube_api")
        return row["state"], row["found"]

    options = api.agent_options()
    here = ["env", *environment]
    same("that answers", found(*options, prefix=here)[0], "ok")
    same("without a pod's environment", found(*options, prefix=["env"])[0], "lost")
    api.token = "another"
    state, words = found(*options, prefix=here)
    same("that refuses", state, "lost")
    check("may not list" in words, words)
    api.stop()
    same("that is away", found(*options, prefix=here), ("lost", "no answer"))
