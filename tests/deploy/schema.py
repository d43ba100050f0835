# SPDX-License-Identifier: Apache-2.0
"""Judges documents by the forms in *.schema.yml: what stands in no row of them is refused.

A form is a mapping of the keys that are known (`!`: it must be there; "*": any), a list with the
form of its entries, a type, or the words that are allowed.
"""

import pathlib
import re

import deploy

from sonde_test import check

HERE = pathlib.Path(__file__).parent
KINDS = deploy.load(HERE / "kubernetes.schema.yml")["kinds"]
CONFIGURATIONS = deploy.load(HERE / "configurations.schema.yml")
TYPES = {
    "string": lambda v: isinstance(v, str),
    "bool": lambda v: isinstance(v, bool),
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "list": lambda v: isinstance(v, list),
    "name": lambda v: matches(v, r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    "label": lambda v: matches(v, r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"),
    "path": lambda v: matches(v, r"/\S*"),
    "capability": lambda v: matches(v, r"[A-Z_]+") and not v.startswith("CAP_"),
    "quantity": lambda v: TYPES["int"](v) or matches(v, r"\d+(\.\d+)?(m|k|M|G|Ki|Mi|Gi)?"),
    "share": lambda v: TYPES["int"](v) or matches(v, r"\d{1,3}%"),
    "port": lambda v: TYPES["int"](v) or matches(v, r"[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?"),
    "duration": lambda v: matches(v, r"(\d+(ms|[smhd]))+"),
}


def matches(value, pattern):
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def faults(document):
    """What is wrong with one object of Kubernetes, a text each."""
    kind = f"{document.get('apiVersion')} {document.get('kind')}"
    if kind not in KINDS:
        return [f"{kind}: not a kind that is known"]
    rest = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    return list(differences(rest, KINDS[kind], document["kind"]))


def check_configuration(name, document):
    found = list(differences(document, CONFIGURATIONS[name], name))
    check(not found, "; ".join(found))


def differences(value, form, where):
    if isinstance(form, dict):
        yield from object_differences(value, form, where)
    elif isinstance(form, list):
        if not isinstance(value, list):
            yield f"{where}: not a list"
            return
        for i, entry in enumerate(value):
            yield from differences(entry, form[0], f"{where}[{i}]")
    elif form in TYPES:
        if not TYPES[form](value):
            yield f"{where}: {value!r} is not of type {form}"
    elif value not in form.split("|"):
        yield f"{where}: {value!r} is none of {form}"


def object_differences(value, form, where):
    if not isinstance(value, dict):
        yield f"{where}: not an object"
        return
    fields = {name.rstrip("!"): below for name, below in form.items()}
    for name in form:
        if name.endswith("!") and name[:-1] not in value:
            yield f"{where}.{name[:-1]}: missing"
    for name, below in value.items():
        if name not in fields and "*" not in fields:
            yield f"{where}.{name}: unknown field"
        else:
            yield from differences(below, fields.get(name, fields.get("*")), f"{where}.{name}")
