"""Removal: exactly what rancherctl created, all failures reported, safe to repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.events import ignore
from rancherctl.hosts.apply import ApplyError, apply
from rancherctl.hosts.model import File, Package, Resource, Unit, User
from rancherctl.hosts.observe import observe
from rancherctl.hosts.plan import plan
from rancherctl.hosts.remove import remove
from tests.fakes.transport import FakeTransport

UNIT_FILE = "/etc/systemd/system/rancherctl-a.service"
PATHS = ("/etc/rancherctl", "/opt/rancherctl", "/var/lib/rancherctl")


@pytest.fixture
def host(tmp_path: Path) -> FakeTransport:
    host = FakeTransport(tmp_path)
    available = {"haproxy": ["liblua"], "liblua": [], "runc": [], "mine": ["liblua"], "curl": []}
    host.change(
        available=available,
        installed=["curl"],
        users=["somebody"],
        units={"ssh.service": {"active": True, "enabled": True, "masked": False}},
    )
    return host


def bring(host: FakeTransport, *resources: Resource) -> None:
    apply(host, plan(resources, observe(host, resources)), resources, ignore)


def environment(host: FakeTransport) -> None:
    bring(
        host,
        Package("haproxy", mask=("haproxy.service",)),
        Package("curl"),
        User("rancherctl-dns"),
        File(UNIT_FILE, b"[Service]\n", owner=host.owner),
        File("/etc/rancherctl/deep/er", b"x", owner=host.owner),
        Unit("rancherctl-a.service", restart_on=(UNIT_FILE,)),
    )


def test_only_what_rancherctl_created_is_removed(host: FakeTransport) -> None:
    environment(host)
    lines = remove(host, ignore, units=["rancherctl-*"], paths=PATHS, packages=True, users=True)
    assert lines == (
        "unit rancherctl-a.service",
        "package haproxy",
        "package liblua",
        "unmasked haproxy.service",
        "user rancherctl-dns",
        "path /etc/rancherctl",
        "path /var/lib/rancherctl",
    )
    state = host.state
    assert state["installed"] == ["curl"]
    assert state["users"] == ["somebody"]
    assert state["units"]["ssh.service"]["active"]
    assert not state["units"]["haproxy.service"]["masked"]
    assert not (host.root / UNIT_FILE[1:]).exists()
    assert remove(host, ignore, units=["rancherctl-*"], paths=PATHS, packages=True, users=True) == ()


def test_a_package_that_others_depend_on_stays(host: FakeTransport) -> None:
    environment(host)
    host.change(installed=[*host.state["installed"], "mine"])
    lines = remove(host, ignore, packages=True)
    assert "kept package liblua: other packages depend on it" in lines
    assert sorted(host.state["installed"]) == ["curl", "liblua", "mine"]


def test_packages_of_an_interrupted_install_are_removed(host: FakeTransport) -> None:
    owned = host.root / "var/lib/rancherctl/owned.json"
    owned.parent.mkdir()
    owned.write_text('{"before": ["curl"]}')
    host.change(installed=["curl", "runc"])
    assert remove(host, ignore, packages=True) == ("package runc",)


def test_system_folders_are_refused_and_the_rest_is_removed(host: FakeTransport) -> None:
    environment(host)
    with pytest.raises(ApplyError) as caught:
        remove(
            host,
            ignore,
            paths=["/", "/etc", "/etc/systemd/system/", "/var/lib", "/etc/rancherctl", "/etc/rancherctl/../ssh"],
        )
    assert set(caught.value.failed) == {"/", "/etc", "/etc/systemd/system/", "/var/lib", "/etc/rancherctl/../ssh"}
    assert not (host.root / "etc/rancherctl").exists()


def test_a_link_is_removed_but_not_its_target(host: FakeTransport) -> None:
    (host.root / "opt/data").mkdir()
    (host.root / "opt/rancherctl").symlink_to(host.root / "opt/data")
    remove(host, ignore, paths=["/opt/rancherctl"])
    assert (host.root / "opt/data").is_dir()
    assert not (host.root / "opt/rancherctl").is_symlink()


def test_an_untouched_host_has_nothing_to_remove(host: FakeTransport) -> None:
    before = host.state
    assert remove(host, ignore, units=["rancherctl-*"], paths=PATHS, packages=True, users=True) == ()
    assert {k: v for k, v in host.state.items() if k != "log"} == {k: v for k, v in before.items() if k != "log"}
