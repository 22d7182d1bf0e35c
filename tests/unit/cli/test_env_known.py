"""Reading commands of environments: files that cannot be used, waits, and machines without a bundle."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.environments.health import EnvironmentStatus, HostHealth
from rancherctl.environments.inventory import from_flags, load
from rancherctl.errors import UsageError
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.ssh_settings import SshSettings, parse, settings_of
from tests.fakes.env_operations import Call


def test_a_wait_that_times_out_shows_what_is_unhealthy(
    call: Call, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostHealth("h1", "10.0.0.1", ("worker",), False, "no answer")
    looks: list[int] = []

    def status(environment: Any, context: Any, *, check: bool) -> EnvironmentStatus:
        looks.append(1)
        return EnvironmentStatus("demo", "1.36.3", "https://10.0.0.1:6443", "ok", (host,))

    monkeypatch.setattr("rancherctl.environments.status.status", status)
    code, text = call("env", "status", "demo", "--wait", "--timeout", "250ms")
    assert code == 124
    assert len(looks) > 1
    assert text.count("not healthy yet: h1: cannot be reached: no answer") == 1
    assert "demo is degraded" in text
    assert "why:  h1: cannot be reached: no answer" in text


def test_a_warning_names_a_known_file_that_cannot_be_read(
    call: Call, known: KnownEnvironments, stored_file: str
) -> None:
    known.file("demo").write_text("nonsense")
    code, text = call("env", "ls")
    assert code == 0
    assert "warning: cannot use the file of demo" in text


@pytest.mark.parametrize("broken", [b"name: \xff\xfe", None])
def test_a_known_file_that_is_not_text_does_not_hide_others(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch, broken: bytes | None
) -> None:
    monkeypatch.setattr("rancherctl.cli.env.listing.connect_problem", lambda host, port, proxy: "")
    known.file("other").mkdir() if broken is None else known.file("other").write_bytes(broken)
    code, text = call("env", "ls", "-o", "name")
    assert code == 0
    assert "environment/demo" in text.splitlines()
    assert "warning: cannot use the file of other" in text
    code, text = call("env", "show", "other")
    assert code == 2
    assert str(known.file("other")) in text
    assert "env fetch" in text


def test_status_works_without_a_bundle(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who has just fetched an environment has no bundle."""
    monkeypatch.setattr("rancherctl.cli.env.work_context.resolve", lambda *args: pytest.fail("no bundle was chosen"))
    found = EnvironmentStatus("demo", "1.36.3", "https://10.0.0.1:6443", "ok", ())
    monkeypatch.setattr("rancherctl.environments.status.status", lambda environment, context, check: found)
    assert call("env", "status", "demo")[0] == 0


def test_show_says_which_ssh_client_connects_to_each_host_and_why(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = from_flags("demo", [f"root@10.0.0.{number}" for number in range(1, 5)]).environment
    known.save(environment)
    found = {
        "10.0.0.1": "hostname a",
        "10.0.0.2": "pkcs11provider /p.so",
        "10.0.0.3": "hostname c",
    }

    def resolve(address: SshAddress) -> SshSettings:
        if address.host not in found:
            raise UsageError("invalid ssh configuration for 10.0.0.4")
        return settings_of(address, parse(found[address.host]), {})

    monkeypatch.setattr("rancherctl.hosts.ssh_configurations.resolve", resolve)
    code, text = call("env", "show", "demo")
    assert code == 0
    assert load(text).environment == environment
    assert text.splitlines()[-3:] == [
        "# ssh client of h2: OpenSSH (the ssh configuration needs PKCS11Provider /p.so)",
        "# ssh client of h4: invalid ssh configuration for 10.0.0.4",
        "# ssh client of h1, h3: paramiko (the ssh configuration does not need OpenSSH)",
    ]
    shown = json.loads(call("env", "show", "demo", "-o", "json")[1])
    assert shown["status"]["ssh"][1] == {
        "host": "h2",
        "client": "OpenSSH",
        "reason": "the ssh configuration needs PKCS11Provider /p.so",
    }
    assert shown["status"]["ssh"][3] == {"host": "h4", "problem": "invalid ssh configuration for 10.0.0.4"}
