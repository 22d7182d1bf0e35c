"""Labels of an environment in its federation: they follow a change, and the label ``federation`` joins and leaves."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.lab.federation.sites import Sites
from tests.lab.support import Environment


def members(sites: Sites) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads(sites.acme.ok("federation", "ls", "-o", "json"))["items"]}


def labels(sites: Sites) -> dict[str, str]:
    found: dict[str, str] = members(sites)["m2"]["labels"]
    return found


def with_labels(text: str, **wanted: str) -> str:
    document = yaml.safe_load(text)
    document["metadata"]["labels"] = wanted
    return yaml.safe_dump(document)


def said(env: Environment, *words: str) -> str:
    """What a command that succeeds says to a person."""
    done = env.rancherctl(*words)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_labels_follow_and_the_label_federation_leaves_and_joins(sites: Sites) -> None:
    """`env label` tells the federation at once; without its label m2 leaves; `env apply` with it joins again."""
    m2, text = sites.m2, sites.m2.file.read_text()
    try:
        assert m2.ok("env", "label", "m2", "federation=acme", "tier=gold") == "m2: labels federation=acme, tier=gold\n"
        assert labels(sites)["tier"] == "gold"
        m2.ok("env", "label", "m2", "tier-")
        assert "tier" not in labels(sites)

        refused = m2.rancherctl("env", "label", "m2", "federation-")
        assert refused.returncode == 2
        assert "what happens to its copies must be said" in refused.stderr
        assert "m2 has left acme" in said(m2, "env", "label", "m2", "federation-", "--services", "keep")
        assert "m2" not in members(sites)

        m2.file.write_text(with_labels(text, federation="acme", tier="silver"))
        assert "m2 joined acme" in said(m2, "env", "apply", "-f", str(m2.file))
        assert labels(sites)["tier"] == "silver"
        assert members(sites)["m2"]["ready"] is True

        m2.file.write_text(text)
        assert "m2 is still a member of acme" in said(m2, "env", "apply", "-f", str(m2.file))
        assert "m2" in members(sites), "a file without the label removes no Services"
    finally:
        m2.file.write_text(text)
        if "m2" not in members(sites):
            sites.acme.ok("federation", "join", "acme", "--env", "m2")
