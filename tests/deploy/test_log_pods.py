# SPDX-License-Identifier: Apache-2.0
"""The pods that carry logs: Promtail and Alloy on every node, Loki. Only fields of Kubernetes that
stand here are taken, and what has to fit together is compared.
"""

import yaml

from deploy import DEPLOY, Strict, accepts, load
from schema import check_configuration, faults
from sonde_test import check, same


class Folder:
    """What a folder makes: its objects by kind, its ConfigMap's files."""

    def __init__(self, name):
        self.path = DEPLOY / name
        self.kustomization = load(self.path / "kustomization.yaml")
        check_configuration("kustomization", self.kustomization)
        texts = [(self.path / one).read_text() for one in self.kustomization["resources"]]
        objects = [one for text in texts for one in yaml.load_all(text, Loader=Strict)]
        self.objects = {one["kind"]: one for one in objects}
        same(f"{name}: kinds", len(self.objects), len(objects))
        wrong = [fault for one in objects for fault in faults(one)]
        same(name, wrong, [])
        generator, = self.kustomization["configMapGenerator"]
        self.config_map, self.files = generator["name"], generator["files"]

    def check_pod(self, workload):
        """Its volumes are there and used, its configuration is where its arguments say."""
        spec = self.objects[workload]["spec"]
        pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"]
        same("selector", spec["selector"]["matchLabels"], labels)
        container, = pod["containers"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())}
        same("volumes", {v["name"] for v in pod["volumes"]} | claims, set(mounts))
        config, = (v for v in pod["volumes"] if "configMap" in v)
        same("ConfigMap", config["configMap"]["name"], self.config_map)
        for file in self.files:
            check((self.path / file).exists(), f"there is no {file}")
            place = f"{mounts[config['name']]['mountPath']}/{file}"
            check(any(place in word for word in container["args"]), f"no argument says {place}")
        secure = container["securityContext"]
        same("root is read-only", secure["readOnlyRootFilesystem"], True)
        same("rights dropped", secure["capabilities"]["drop"], ["ALL"])
        probe = container["readinessProbe"]["httpGet"]["port"]
        check(probe in {port["name"] for port in container["ports"]}, f"no port {probe}")
        return pod, container, mounts


def check_collector(name, node, variables):
    folder = Folder(name)
    pod, container, mounts = folder.check_pod("DaemonSet")
    same("logs", (mounts["logs"]["mountPath"], mounts["logs"]["readOnly"]), ("/var/log", True))
    same("account", pod["serviceAccountName"], folder.objects["ServiceAccount"]["metadata"]["name"])
    subject, = folder.objects["ClusterRoleBinding"]["subjects"]
    namespace = folder.kustomization["namespace"]
    same("bound", (subject["name"], subject["namespace"]), (name, namespace))
    rule, = folder.objects["ClusterRole"]["rules"]
    same("may", (rule["resources"], rule["verbs"]), (["pods"], ["get", "list", "watch"]))
    env = {one["name"]: one for one in container["env"]}
    same("environment", set(env), {node, *variables})
    same("node", env[node]["valueFrom"]["fieldRef"]["fieldPath"], "spec.nodeName")
    text = (folder.path / folder.files[0]).read_text()
    for variable in variables:
        check(variable in text, f"{variable} is not read")
    return container, mounts


def test_yaml_is_tidy(live):
    form = "{extends: default, rules: {line-length: disable, document-start: disable}}"
    folders = ("alloy", "grafana", "loki", "promtail")
    files = [file for folder in folders for file in DEPLOY.glob(f"{folder}/**/*.y*ml")]
    accepts("yamllint", "--strict", "-d", form, *files)


def test_promtail(live):
    container, mounts = check_collector("promtail", "HOSTNAME", {"LOKI_URL"})
    check("-config.expand-env=true" in container["args"], "LOKI_URL would not be filled in")
    positions = load(DEPLOY / "promtail/promtail.yaml")["positions"]["filename"]
    check(positions.startswith(mounts["positions"]["mountPath"] + "/"), f"{positions} is not kept")
    port = load(DEPLOY / "promtail/promtail.yaml")["server"]["http_listen_port"]
    same("port", container["ports"][0]["containerPort"], port)


def test_alloy(live):
    container, mounts = check_collector("alloy", "NODE_NAME", {"NODE_NAME", "LOKI_URL"})
    place = mounts["positions"]["mountPath"]
    check(f"--storage.path={place}" in container["args"], f"{place} is not what Alloy is told")


def test_loki(live):
    folder = Folder("loki/minikube")
    _, container, mounts = folder.check_pod("StatefulSet")
    config = load(DEPLOY / "loki/minikube/loki.yaml")
    same("disk", mounts["data"]["mountPath"], config["common"]["path_prefix"])
    same("port", container["ports"][0]["containerPort"], config["server"]["http_listen_port"])
    port, = folder.objects["Service"]["spec"]["ports"]
    same("Service", (port["port"], port["targetPort"]), (3100, container["ports"][0]["name"]))
    same("selects", folder.objects["Service"]["spec"]["selector"],
         folder.objects["StatefulSet"]["spec"]["selector"]["matchLabels"])  # fmt: skip
