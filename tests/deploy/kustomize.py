# SPDX-License-Identifier: Apache-2.0
"""Renders a Kustomize folder: by kubectl where it is there, and by the few rules used here.

Both must agree; without kubectl (Debian's own is too old for components) the rules stand alone.
They know resources, components, patches by path (strategic merge), images, namespace and labels, and
refuse anything else.
"""

import copy
import json
import shutil
import subprocess

import deploy
import yaml

from sonde_test import Failure, same

KNOWN = {"resources", "components", "patches", "images", "namespace", "labels"}
CLUSTER_WIDE = {"Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding"}
# Lists whose entries have a name; all others are replaced as a whole.
MERGE_KEYS = {
    "containers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
}


def documents(text):
    return [d for d in yaml.load_all(text, Loader=deploy.Strict) if d]


def identity(document):
    return document["kind"], document["metadata"]["name"]


def merge(old, patch, field=""):
    """Kubernetes' strategic merge of what MERGE_KEYS covers."""
    if isinstance(old, dict) and isinstance(patch, dict):
        result = dict(old)
        for name, value in patch.items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = merge(old.get(name), value, name)
        return result
    key = MERGE_KEYS.get(field)
    if key and isinstance(old, list):
        result = {entry[key]: entry for entry in old}
        for entry in patch:
            result[entry[key]] = merge(result.get(entry[key]), entry)
        return list(result.values())
    return copy.deepcopy(patch)


def apply_patch(found, patch):
    key = identity(patch)
    if key not in found:
        raise Failure(f"a patch for {key}, which is not there")
    if patch.pop("$patch", None) == "delete":
        del found[key]
    else:
        found[key] = merge(found[key], patch)


def read_resources(folder, names, found):
    for name in names:
        path = folder / name
        if path.is_dir():
            found.update(by_rules(path))
        else:
            found.update({identity(d): d for d in documents(path.read_text())})


def set_images(found, images):
    for image in images:
        for document in found.values():
            for container in containers_of(document):
                if container["image"].rsplit(":", 1)[0] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"


def containers_of(document):
    return document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


def set_common(found, namespace, labels):
    for document in found.values():
        if namespace and document["kind"] not in CLUSTER_WIDE:
            document["metadata"]["namespace"] = namespace
        for rule in labels:
            document["metadata"].setdefault("labels", {}).update(rule["pairs"])


def by_rules(folder, found=None):
    """{(kind, name): object}; a component works on what is found already."""
    plan = deploy.load(folder / "kustomization.yaml")
    kind = plan.pop("kind"), plan.pop("apiVersion").rsplit("/", 1)[1]
    if kind not in (("Kustomization", "v1beta1"), ("Component", "v1alpha1")) or set(plan) - KNOWN:
        raise Failure(f"{folder}: {kind} with {set(plan) - KNOWN}: not known here")
    found = {} if found is None else found
    read_resources(folder, plan.get("resources", []), found)
    for name in plan.get("components", []):
        by_rules(folder / name, found)
    for patch in plan.get("patches", []):
        for document in documents((folder / patch["path"]).read_text()):
            apply_patch(found, document)
    set_images(found, plan.get("images", []))
    set_common(found, plan.get("namespace"), plan.get("labels", []))
    return found


def sorted_text(value):
    return json.dumps(value, sort_keys=True)


def in_order(value):
    """For comparing: the named lists sorted by their names."""
    if isinstance(value, dict):
        return {name: in_order(below) for name, below in value.items()}
    if isinstance(value, list):
        entries = [in_order(entry) for entry in value]
        named = entries and isinstance(entries[0], dict)
        return sorted(entries, key=sorted_text) if named else entries
    return value


def by_kubectl(folder):
    command = ["kubectl", "kustomize", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode or result.stderr:
        raise Failure(f"kubectl kustomize {folder}: {result.stderr.strip()[-500:]}")
    return {identity(d): d for d in documents(result.stdout)}


def can_kubectl():
    """Kustomize 5, which knows `labels`; kubectl has it from 1.27 on."""
    if not shutil.which("kubectl"):
        return False
    said = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True).stdout
    return "Kustomize Version: v5" in said


def render(folder):
    rendered = by_rules(folder)
    if can_kubectl():
        same(f"{folder.name} by kubectl", in_order(by_kubectl(folder)), in_order(rendered))
    return rendered
