"""The registry of environments: private files, accepting those of other releases."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from rancherctl.credentials.registry import Access, Registry, parse
from rancherctl.errors import NotFoundError, RancherctlError, UsageError

WAYS = (("ssh", "a"), ("ssh", "b"))
ACCESS = Access(
    "demo", "https://10.0.0.1:6443", "PEM", "alice", "s1", "uid", "cluster-uid", "demo", WAYS, WAYS, ("10.0.0.1:6443",)
)


def test_an_entry_reads_back_equal_from_a_0600_file(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "r")
    registry.save(ACCESS)
    assert registry.load("demo") == ACCESS
    assert registry.names() == ("demo",)
    assert stat.S_IMODE(registry.path("demo").stat().st_mode) == 0o600
    registry.forget("demo")
    registry.forget("demo")
    assert registry.names() == ()


def test_fields_of_a_newer_release_are_kept_and_missing_ones_accepted(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.path("demo").write_text(json.dumps({"server": "https://x", "future": {"a": 1}}))
    assert registry.load("demo").server == "https://x"
    registry.save(ACCESS)
    assert json.loads(registry.path("demo").read_text())["future"] == {"a": 1}


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"server": "x", "issue": 5}'])
def test_a_damaged_entry_is_an_error(tmp_path: Path, text: str) -> None:
    registry = Registry(tmp_path)
    registry.path("demo").write_text(text)
    with pytest.raises(RancherctlError, match="cannot read"):
        registry.load("demo")


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "-a", "x" * 64])
def test_an_invalid_name_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Registry(tmp_path).load(name)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.save(ACCESS)
    with pytest.raises(NotFoundError) as e:
        registry.load("other")
    assert "demo" in e.value.why


def test_stored_commands_obey_the_ssh_configuration_about_host_keys() -> None:
    """Releases before 0.2 forced StrictHostKeyChecking: with UserKnownHostsFile /dev/null no token was renewed."""
    stored = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10", "h1"]
    found = parse("demo", {"server": "https://a", "issue": [stored], "tunnels": [stored]})
    assert found.issue == found.tunnels == (("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "h1"),)
