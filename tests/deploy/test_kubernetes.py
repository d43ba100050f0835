# SPDX-License-Identifier: Apache-2.0
"""deploy/kubernetes: every overlay renders, has known fields only, fits together and the agent."""

import os
import re

import deploy
import kustomize
import schema

from deploy import accepts
from sonde_test import SONDE, check, same

HERE = deploy.DEPLOY / "kubernetes"
OVERLAYS = [HERE / "base", *sorted((HERE / "overlays").iterdir())]
WORDS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "": 1}


def amount(quantity):
    number, unit = re.fullmatch(r"([\d.]+)(\D*)", str(quantity)).groups()
    return float(number) * WORDS[unit]


def rendered(name):
    return kustomize.render(HERE / name)


def pod_of(found):
    return found["DaemonSet", "sonde"]["spec"]["template"]


def container_of(found):
    return pod_of(found)["spec"]["containers"][0]


def test_fields_are_known(live):
    for folder in OVERLAYS:
        faults = [fault for d in kustomize.render(folder).values() for fault in schema.faults(d)]
        same(folder.name, faults, [])


def test_wrong_fields_are_refused(live):
    """The judge itself: each of these mistakes must be named."""
    for path, value, word in (
        (("hostPid",), True, "hostPid: unknown field"),
        (("hostPID",), "true", "hostPID: 'true' is not of type bool"),
        (("dnsPolicy",), "default", "dnsPolicy: 'default' is none of"),
        (("containers", 0, "readynessProbe"), {}, "readynessProbe: unknown field"),
        (("containers", 0, "resources", "limits", "memory"), "320MB", "not of type quantity"),
        (("containers", 0, "livenessProbe"), {"periodSeconds": 1}, "httpGet: missing"),
        (("containers", 0, "securityContext", "capabilities"), {"add": ["CAP_BPF"]}, "capability"),
    ):
        document = rendered("base")["DaemonSet", "sonde"]
        place = document["spec"]["template"]["spec"]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        faults = schema.faults(document)
        check(len(faults) == 1 and word in faults[0], f"{path} = {value!r}: said {faults}")


def test_selectors_and_ports(live):
    for folder in OVERLAYS:
        found = kustomize.render(folder)
        labels = pod_of(found)["metadata"]["labels"]
        ports = {port["name"]: port["containerPort"] for port in container_of(found)["ports"]}
        service = found["Service", "sonde"]
        policy = found["NetworkPolicy", "sonde"]["spec"]
        selectors = [found["DaemonSet", "sonde"]["spec"]["selector"]["matchLabels"]]
        selectors += [service["spec"]["selector"], policy["podSelector"]["matchLabels"]]
        named = [service["spec"]["ports"][0]["targetPort"]]
        named.append(policy["ingress"][0]["ports"][0]["port"])
        monitor = found.get(("PodMonitor", "sonde"))
        if monitor:
            selectors.append(monitor["spec"]["selector"]["matchLabels"])
            named.append(monitor["spec"]["podMetricsEndpoints"][0]["port"])
        check(all(s.items() <= labels.items() and s for s in selectors), f"{folder}: {selectors}")
        check(all(name in ports for name in named), f"{folder}: {named} of {ports}")
        annotations = service["metadata"]["annotations"]
        same("annotated port", annotations["prometheus.io/port"], str(ports["metrics"]))
        spaces = {d["metadata"].get("namespace", "sonde") for d in found.values()}
        same(f"{folder} namespaces", spaces, {found["Namespace", "sonde"]["metadata"]["name"]})


def test_prometheus_finds_the_pods(live):
    """The job of ../prometheus keeps pods by this label and by the name of this port."""
    jobs = deploy.load(deploy.DEPLOY / "prometheus/prometheus.yml")["scrape_configs"]
    job = next(job for job in jobs if job["job_name"] == "sonde")
    kept = [r["regex"] for r in job["relabel_configs"] if r.get("action") == "keep"]
    found = rendered("base")
    label = pod_of(found)["metadata"]["labels"]["app.kubernetes.io/name"]
    same("label and port", kept, [f"{label};{container_of(found)['ports'][0]['name']}"])


def test_agent_answers_probes_and_scrapes(live):
    deploy.need_agent()
    agent = live.agent()
    found = rendered("base")
    container = container_of(found)
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    paths = {container[probe]["httpGet"]["path"] for probe in probes}
    paths.add(found["PodMonitor", "sonde"]["spec"]["podMetricsEndpoints"][0]["path"])
    paths.add(found["Service", "sonde"]["metadata"]["annotations"]["prometheus.io/path"])
    same("answers", {path: agent.get(path)[0] for path in paths}, {path: 200 for path in paths})


def test_options_exist(live):
    """The program knows each variable and takes its value; the default port is the pod's."""
    deploy.need_agent()
    text = live.run(SONDE, "run", "--help=markdown")
    known = set(re.findall(r"`((?:SONDE|NODE)_[A-Z_]+)`", text))
    for folder in OVERLAYS:
        container = container_of(kustomize.render(folder))
        unknown = {entry["name"] for entry in container["env"]} - known
        same(f"{folder} unknown variables", unknown, set())
        check(f":{container['ports'][0]['containerPort']}`" in text, "the default port is another")
        env = {entry["name"]: entry.get("value", "here") for entry in container["env"]}
        live.agent(env=env).stop()


def test_rights(live):
    base = container_of(rendered("base"))["securityContext"]
    check(base["privileged"] and base["readOnlyRootFilesystem"], f"base: {base}")
    for name in ("least-privilege", "api", "minikube", "production"):
        found = rendered(f"overlays/{name}")
        context = container_of(found)["securityContext"]
        same(name, context["capabilities"], {"drop": ["ALL"], "add": ["BPF", "PERFMON"]})
        flags = ("privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem")
        same(name, [context[flag] for flag in flags], [False, False, True])
        check("seccompProfile" in context, f"{name}: no seccomp")
        labels = found["Namespace", "sonde"]["metadata"]["labels"]
        same(name, labels["pod-security.kubernetes.io/enforce"], "privileged")
        mounts = container_of(found)["volumeMounts"]
        check(all(mount["readOnly"] for mount in mounts), f"{name}: a mount is not read-only")
        volumes = {volume["name"] for volume in pod_of(found)["spec"]["volumes"]}
        same(f"{name} volumes", volumes, {mount["name"] for mount in mounts})


def test_api_rights_only_where_asked(live):
    for folder in OVERLAYS:
        found = kustomize.render(folder)
        token = pod_of(found)["spec"]["automountServiceAccountToken"]
        roles = [d["rules"] for (kind, _), d in found.items() if kind == "ClusterRole"]
        pods = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        wanted = ([pods], True) if folder.name == "api" else ([], False)
        same(folder.name, (roles, token), wanted)
        egress = bool(found["NetworkPolicy", "sonde"]["spec"]["egress"])
        same(f"{folder.name} egress", egress, folder.name == "api")


def test_resources_are_in_order(live):
    for folder in OVERLAYS:
        resources = container_of(kustomize.render(folder))["resources"]
        for what in ("cpu", "memory"):
            low, high = (amount(resources[side][what]) for side in ("requests", "limits"))
            check(0 < low <= high, f"{folder.name} {what}: {low} of {high}")


def test_minikube_has_no_operator(live):
    kinds = {kind for kind, _ in rendered("overlays/minikube")}
    check("PodMonitor" not in kinds and "DaemonSet" in kinds, f"kinds: {kinds}")


def test_operator(live):
    """A ServiceMonitor in the place of the PodMonitor, and every rule file as a PrometheusRule."""
    accepts(deploy.DEPLOY / "prometheus/operator.sh", live.temp / "rules")
    parts = (HERE / "base", HERE / "components/servicemonitor")
    up, monitor = (os.path.relpath(part, live.temp) for part in parts)
    plan = f"resources: [{up}]\ncomponents: [{monitor}, rules]\n"
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    (live.temp / "kustomization.yaml").write_text(head + plan)
    found = kustomize.render(live.temp)
    same("faults", [fault for one in found.values() for fault in schema.faults(one)], [])
    made = [one for (kind, _), one in found.items() if kind == "PrometheusRule"]
    groups = {one["metadata"]["name"]: one["spec"]["groups"] for one in made}
    shipped = {f"sonde-{p.stem.replace('_', '-')}": deploy.load(p)["groups"] for p in deploy.RULES}
    same("rules", groups, shipped)
    check(("PodMonitor", "sonde") not in found, "both monitors")
    check_monitor(found, rendered("base")["PodMonitor", "sonde"])


def check_monitor(found, other):
    """The ServiceMonitor finds the Service, and does what the PodMonitor does."""
    service, spec = found["Service", "sonde"], found["ServiceMonitor", "sonde"]["spec"]
    wanted = spec["selector"]["matchLabels"]
    check(wanted.items() <= service["metadata"]["labels"].items(), f"{wanted} of {service}")
    endpoint, = spec["endpoints"]
    podmetrics, = other["spec"]["podMetricsEndpoints"]
    same("port", endpoint["port"], service["spec"]["ports"][0]["name"])
    differ = {key for key in endpoint if endpoint[key] != podmetrics.get(key)}
    same("differ", differ, {"relabelings"})
    dropped = [rule["regex"] for rule in endpoint["relabelings"] if rule.get("action")]
    same("dropped", dropped, [podmetrics["relabelings"][-1]["regex"] + "|service"])


def test_readme_overlay(live):
    """The overlay that the README shows, with its parts found from where the test puts it."""
    text = re.search(r"```yaml\n(.*?)```", (HERE / "README.md").read_text(), re.S).group(1)
    up = os.path.relpath(HERE, live.temp)
    text = re.sub(r"- (overlays|components)/", rf"- {up}/\1/", text)
    (live.temp / "kustomization.yaml").write_text(text)
    container = container_of(kustomize.render(live.temp))
    same("image", container["image"], "registry.example.com/tools/sonde:0.1.1")
    rights = {"BPF", "PERFMON", "DAC_READ_SEARCH", "SYS_PTRACE"}
    same("rights", set(container["securityContext"]["capabilities"]["add"]), rights)
