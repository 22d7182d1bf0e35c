"""RosterReader: parses each version once and survives a damaged roster."""

from __future__ import annotations

from rancherctl.agents.roster_reader import RosterReader
from rancherctl.contract import NAMESPACE, ROSTER_KEY
from rancherctl.kube import objects
from rancherctl.kube.objects import Meta
from rancherctl.placement.model import Roster


def test_a_damaged_roster_reads_as_empty() -> None:
    damaged = objects.ConfigMap(Meta(NAMESPACE, "roster"), {"roster": "{"})
    assert RosterReader().read({f"{NAMESPACE}/roster": damaged}) == Roster()


def test_one_version_is_parsed_once() -> None:
    stored = objects.ConfigMap(Meta(NAMESPACE, "roster"), {"roster": Roster(1, 2).to_json()})
    reader = RosterReader()
    first = reader.read({ROSTER_KEY: stored})
    assert (first.epoch, first.sequence) == (1, 2)
    assert reader.read({ROSTER_KEY: stored}) is first
    assert reader.read({}) == Roster()
