"""``env rm --dry-run``: what a removal would remove."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rancherctl.environments.inventory import from_flags
from rancherctl.environments.removal.preview import preview
from rancherctl.errors import ConflictError, UnreachableError
from rancherctl.hosts.command import Command
from rancherctl.hosts.facts import HostFacts
from tests.fakes.removal_hosts import BUSY, DEMO, OWNED, RemovalHost, removal_context


class ReadableHost(RemovalHost):
    """A host from which ``env rm --dry-run`` reads its packages, after a greeting."""

    def run(self, command: Command) -> Any:
        self.did.append("read")
        return SimpleNamespace(stdout=b"Welcome!\n\n" + (b'{"packages": ["haproxy"]}\n' if self.installed else b""))


def test_a_dry_run_lists_what_exists_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own, away, foreign = (
        ReadableHost("h1", OWNED),
        ReadableHost("h2", UnreachableError("h2: no answer")),
        ReadableHost("h3", BUSY, installed=False),
    )
    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12", "root@10.0.0.13"]).environment
    context = removal_context(monkeypatch, own, away, foreign)
    monkeypatch.setattr(
        "rancherctl.hosts.remote_call.call", lambda *_, **__: {"left": ["unit rancherctl-agent.service"]}
    )
    found = preview(environment, context)
    assert found.present == {"h1": ("unit rancherctl-agent.service", "package haproxy")}
    assert found.unknown == {"h2": "h2: no answer"}
    assert found.skipped == ("h3",)
    assert own.did == ["read"]
    with pytest.raises(ConflictError, match="belongs to 'prod'"):
        preview(
            DEMO,
            removal_context(
                monkeypatch, ReadableHost("h1", HostFacts(marker={"environment": "prod"})), ReadableHost("h2", OWNED)
            ),
        )
