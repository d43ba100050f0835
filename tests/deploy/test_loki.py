# SPDX-License-Identifier: Apache-2.0
"""Loki's configurations. Loki is not in Debian, so no key is taken that does not stand in
configurations.schema.yml, as in its configuration reference, and what belongs together is compared.
"""

import re

from deploy import DEPLOY, load
from schema import check_configuration
from sonde_test import Failure, check, same

LOKI = DEPLOY / "loki"
SECTIONS = {"s3": "aws", "azure": "azure", "gcs": "gcs"}  # by what a schema calls a store
REFERENCE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def loki(name, environment, temp):
    """A configuration with its references filled in, as -config.expand-env=true does."""

    def value(match):
        name, default = match.groups()
        if name not in environment and default is None:
            raise Failure(f"{name} is not set")
        return environment.get(name, default)

    path = temp / "loki.yaml"
    path.write_text(REFERENCE.sub(value, (LOKI / name / "loki.yaml").read_text()))
    config = load(path)
    stores = config.get("storage_config", {})
    for section in stores.values():  # left empty is an empty text
        section.update({key: "" for key, value in section.items() if value is None})
    check_configuration("loki", config)
    return config


def check_retention(config, hours):
    """Lines go after that time; ids are structured metadata, which needs tsdb and v13."""
    period, = config["schema_config"]["configs"]
    schema = (period["store"], period["schema"], period["index"]["period"])
    same("schema", schema, ("tsdb", "v13", "24h"))
    limits, compactor = config["limits_config"], config["compactor"]
    same("kept for", limits["retention_period"], f"{hours}h")
    same("structured metadata", limits["allow_structured_metadata"], True)
    same("retention", compactor["retention_enabled"], True)
    same("deletes in", compactor["delete_request_store"], period["object_store"])
    return period["object_store"]


def environment_of(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    pairs = [line.split("=", 1) for line in lines]
    check(len(dict(pairs)) == len(pairs), f"{path.name}: a name stands there twice")
    return dict(pairs)


def test_minikube(live):
    config = loki("minikube", {}, live.temp)
    same("store", check_retention(config, 7 * 24), "filesystem")
    same("disk", set(config["common"]["storage"]), {"filesystem"})
    same("copies", config["common"]["replication_factor"], 1)


def test_production(live):
    """With each cloud: its own section is filled, the others are empty, no secret is in a file."""
    text = (LOKI / "production/loki.yaml").read_text()
    known = {name for name, _ in REFERENCE.findall(text)}
    files = sorted((LOKI / "production").glob("*.env"))
    same("clouds", [path.stem for path in files], ["azure", "gcs", "oci"])
    for path in files:
        environment = environment_of(path)
        check(set(environment) <= known, f"{path.name}: unknown {set(environment) - known}")
        secrets = {name for name in environment if re.search("KEY|SECRET", name)}
        same(f"{path.name}: secrets", secrets, set())
        config = loki("production", environment, live.temp)
        store = check_retention(config, 30 * 24)
        filled = {
            name: any(isinstance(value, str) and value for value in section.values())
            for name, section in config["storage_config"].items()
            if name in SECTIONS.values()
        }
        same(f"{path.name}: filled", filled, {name: name == SECTIONS[store] for name in filled})
        same("copies", config["common"]["replication_factor"], 3)
