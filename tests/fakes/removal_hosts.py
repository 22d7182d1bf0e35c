"""Hosts as ``env rm`` sees them, without transports."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rancherctl.bundle.model import Bundle, Manifest
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.removal import concerned, remove
from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts import firewall_rules, host_lock
from rancherctl.hosts.command import Command
from rancherctl.hosts.fact_values import UnitFact
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.firewall import FirewallFact
from rancherctl.hosts.model import Resource
from rancherctl.hosts.state import ObservedResources, state
from rancherctl.hosts.transport import Transport

MESSAGES: list[str] = []
HELD = SimpleNamespace(verify=lambda: None, left_behind="", skipped={})
DEMO = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
OWNED = HostFacts(marker={"environment": "demo"})
BUSY = HostFacts(
    marker={}, units={"kubelet": UnitFact("active", "enabled"), "containerd": UnitFact("active", "enabled")}
)


class RemovalHost:
    """A host that answers the requests of ``env rm``; ``did`` records everything except facts and observations.

    ``installed``: whether a folder of an environment exists on it. ``fails``: an operation that cannot reach it.
    """

    def __init__(self, name: str, facts: HostFacts | RancherctlError, *, installed: bool = True) -> None:
        self.name, self.facts, self.installed, self.fails = name, facts, installed, ""
        self.did: list[str] = []

    def run(self, command: Command) -> None:
        self.did.append(f"{command.argv[2].split()[-3]} {command.argv[-1]}")


def removal_context(monkeypatch: pytest.MonkeyPatch, *found: RemovalHost) -> Context:
    """A context in which ``env rm`` works on these hosts; its messages go to ``MESSAGES``."""

    def read_facts(host: RemovalHost) -> HostFacts:
        if isinstance(host.facts, RancherctlError):
            raise host.facts
        return host.facts

    def call(host: RemovalHost, request: dict[str, Any], **_: object) -> dict[str, Any]:
        host.did.append(str(request["op"]))
        if request["op"] == host.fails:
            raise UnreachableError(f"{host.name}: cut")
        return {"left": [], "before": {}}

    def observed(host: RemovalHost, resources: list[Resource]) -> ObservedResources:
        return ObservedResources({"x": state("absent", "/opt/rancherctl")} if host.installed else {})

    by_name = {host.name: host for host in found}
    monkeypatch.setattr("rancherctl.hosts.facts.read_facts", read_facts)
    monkeypatch.setattr(concerned, "observe", observed)
    monkeypatch.setattr(firewall_rules, "read", lambda host: firewall_rules.PresentRules(FirewallFact()))
    monkeypatch.setattr("rancherctl.hosts.remote_call.call", call)
    monkeypatch.setattr(
        remove, "remove_resources", lambda host, emit, **what: emit(Event("remove", "x", host.name)) or ("thing",)
    )
    monkeypatch.setattr(host_lock, "HostLock", lambda *_, **__: nullcontext(HELD))
    nothing = Bundle(Path(), Manifest("1.36.3", "amd64", "directory", ()))
    return Context(
        lambda host: cast("Transport", by_name[host.name]), nothing, emit=lambda event: MESSAGES.append(event.message)
    )
