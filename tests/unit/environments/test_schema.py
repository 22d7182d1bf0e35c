"""The published JSON Schema agrees with the parser."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from rancherctl.environments.document import Section
from rancherctl.environments.inventory import load
from rancherctl.environments.model import DEFAULT_KUBERNETES, Api, Dns, IngressSettings, Network

SCHEMA = json.loads(files("rancherctl.environments").joinpath("schema.json").read_text())
FULL = """\
metadata: {name: prod}
spec:
  kubernetes: {}
  network: {}
  dns: {}
  api: {}
  ingress: {hosts: {role: worker}}
  hosts:
  - {address: 10.77.0.11, name: h1, roles: [etcd, controlplane, worker], ssh: {port: 22}}
"""


def schema_keys(node: dict[str, Any], path: str = "") -> dict[str, set[str]]:
    """Dotted path → keys of every object of the schema with fixed keys."""
    node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    out = {}
    if "properties" in node:
        out[path] = set(node["properties"])
        for key, inner in node["properties"].items():
            out |= schema_keys(inner, f"{path}.{key}".strip("."))
    if "items" in node:
        out |= schema_keys(node["items"], f"{path}[0]")
    return out


FEDERATION = """\
metadata: {name: acme}
spec:
  federation: {zone: acme.example, servers: [10.0.0.53]}
  hosts: [{name: f1, address: 10.0.0.31, roles: [etcd, controlplane]}]
"""


def test_parser_and_schema_have_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, set[str]] = {}
    finish = Section.finish

    def record(self: Section) -> None:
        known.setdefault(self.path, set()).update(self.known)
        finish(self)

    monkeypatch.setattr(Section, "finish", record)
    load(FULL)
    load(FEDERATION)
    assert known == schema_keys(SCHEMA)


def test_defaults_of_the_schema_are_those_of_the_model() -> None:
    spec = SCHEMA["properties"]["spec"]["properties"]
    assert spec["kubernetes"]["properties"]["version"]["default"] == DEFAULT_KUBERNETES
    assert spec["network"]["properties"]["podCIDR"]["default"] == Network().pod_cidr
    assert spec["network"]["properties"]["serviceCIDR"]["default"] == Network().service_cidr
    assert spec["network"]["properties"]["checkSeconds"]["default"] == Network().check_seconds
    assert spec["ingress"]["properties"]["defaultClass"]["default"] == IngressSettings().default_class
    assert spec["dns"]["properties"]["domain"]["default"] == Dns().domain
    assert spec["api"]["properties"]["port"]["default"] == Api().port


def test_patterns_of_the_schema_accept_what_the_parser_accepts() -> None:
    from rancherctl.environments import syntax

    for kind, check in (("name", syntax.name), ("hostName", syntax.host_name)):
        pattern = re.compile(SCHEMA["$defs"][kind]["pattern"])
        for text in ("h1", "a" * 47, "a" * 48, "a" * 63, "a" * 64, "-a", "A", "a.b", ""):
            assert bool(pattern.search(text)) == (check(text) == ""), (kind, text)
