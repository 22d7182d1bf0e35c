"""The units of the agent and the controller: who they run as, and what that user can read."""

from __future__ import annotations

import pytest

from rancherctl.agents import units
from rancherctl.agents.install import CONTROLLER_PATH, host_resources
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.pki.leaves import leaves
from rancherctl.environments.pki.wanted import shared
from rancherctl.hosts.model import Directory, File, User

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
FIRST, WORKER = ENV.hosts


def lines(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_the_controller_has_its_own_user_and_can_read_only_its_own_key() -> None:
    """Root without capabilities could still read the keys of the administrator, the agent and etcd's CA."""
    text = units.controller(CONTROLLER_PATH)
    (user,) = lines(text, "User")
    assert lines(text, "Group") == [user]
    assert lines(text, "CapabilityBoundingSet") == [""]
    found = host_resources(ENV, FIRST)
    assert user in {r.name for r in found if isinstance(r, User)}
    assert {leaf.name for leaf in leaves(ENV, FIRST) if leaf.owner.startswith(f"{user}:")} == {"controller"}
    assert not [s.path for s in shared(FIRST) if s.secret and s.owner.startswith(f"{user}:")]
    home = next(r for r in found if isinstance(r, Directory) and r.path == "/var/lib/rancherctl/controller")
    assert (home.owner, home.mode) == (f"{user}:{user}", 0o700)
    config = next(r for r in found if isinstance(r, File) and r.path == CONTROLLER_PATH)
    assert config.mode & 0o004


def test_hosts_without_the_control_plane_have_no_controller_and_no_user_for_it() -> None:
    assert not [
        r
        for r in host_resources(ENV, WORKER)
        if "controller" in str(getattr(r, "name", "")) or "controller" in str(getattr(r, "path", ""))
    ]


@pytest.mark.parametrize("text", [units.agent("/x"), units.controller("/x"), units.certificates("/x")])
def test_every_unit_is_sandboxed(text: str) -> None:
    for line in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "RestrictNamespaces=yes",
        "LockPersonality=yes",
    ):
        assert line in text.splitlines()
    assert len(lines(text, "CapabilityBoundingSet")) == 1
