"""What `env fetch` stores, signs in to, and refuses to replace."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.environments.fetch import Fetched
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.model import Environment
from rancherctl.hosts.ssh_settings import settings_of
from tests.fakes.env_operations import Call


def fetching(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[Environment]:
    """What ``env fetch`` receives; the environments that it signs in to."""
    found = from_flags("demo", hosts).environment
    seen: list[Environment] = []
    monkeypatch.setattr("rancherctl.environments.fetch.fetch", lambda transport: Fetched(found, found.server(), "CA"))
    monkeypatch.setattr(
        "rancherctl.cli.sign_in.sign_in_to", lambda run, environment, transport, ca: seen.append(environment)
    )
    monkeypatch.setattr("rancherctl.cli.sign_in.merge_context", lambda run, access: "demo")
    return seen


def test_a_fetched_environment_uses_the_ssh_options_of_the_fetch(
    call: Call, known: KnownEnvironments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fetching(monkeypatch, "root@10.0.0.1", "ops@10.0.0.2:2222")
    assert call("env", "fetch", "root@10.0.0.1", "--identity", "~/key", "--jump", "bastion")[0] == 0
    assert seen == [known.read("demo")]
    assert [(h.ssh.user, h.ssh.port, h.ssh.identity, h.ssh.jump) for h in seen[0].hosts] == [
        ("root", 0, f"{tmp_path}/key", "bastion"),
        ("ops", 2222, f"{tmp_path}/key", "bastion"),
    ]


def test_the_ssh_client_of_the_fetch_is_stored_and_one_that_does_not_exist_is_refused(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(monkeypatch, "root@10.0.0.1", "root@10.0.0.2")
    monkeypatch.setattr("rancherctl.hosts.ssh_configurations.resolve", lambda address: settings_of(address, {}, {}))
    code, text = call("env", "fetch", "root@10.0.0.1", "--ssh-client", "putty")
    assert code == 2
    assert "'putty' is not one of auto, paramiko, openssh." in text
    for given in ("paramiko", "auto"):
        assert call("env", "fetch", "root@10.0.0.1", "--ssh-client", given)[0] == 0
        assert [host.ssh.client for host in known.read("demo").hosts] == [given, given]


def test_fetch_does_not_replace_another_environment(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fetching(monkeypatch, "root@10.9.9.9")
    code, text = call("env", "fetch", "root@10.9.9.9")
    assert (code, seen) == (5, [])
    assert "another environment 'demo' is known on this machine" in text
    assert "https://10.0.0.1:6443" in text
    assert known.file("demo").read_text(encoding="utf-8") == stored_file
    assert call("env", "fetch", "root@10.9.9.9", "--replace")[0] == 0
    assert known.read("demo").hosts[0].address == "10.9.9.9"


def test_fetch_updates_an_environment_reinstalled_on_the_same_hosts(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(monkeypatch, "root@10.0.0.1")
    assert call("env", "fetch", "root@10.0.0.1")[0] == 0
    assert len(known.read("demo").hosts) == 1
