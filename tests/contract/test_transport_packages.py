"""Packages from a bundle on a host in a folder: resolved, uploaded, checked, installed and removed again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from pathlib import Path

import pytest

from rancherctl.errors import UnreachableError
from rancherctl.events import ignore
from rancherctl.hosts.apply import ApplyError, apply
from rancherctl.hosts.model import Deb, Package, Resource, User
from rancherctl.hosts.observe import observe
from rancherctl.hosts.packages.resolve import Install, resolve
from rancherctl.hosts.packages.upload import FOLDER
from rancherctl.hosts.plan import describe, plan
from rancherctl.hosts.remove import remove
from tests.fakes.transport import FakeTransport

INDEX = "Package: haproxy\nVersion: 1.0\n\nPackage: liblua\nVersion: 1.0\n"


@pytest.fixture
def host(tmp_path: Path) -> FakeTransport:
    host = FakeTransport(tmp_path)
    if host.owner != "root:root":
        pytest.skip("files of packages belong to root")
    host.change(available={"haproxy": ["liblua"], "liblua": []}, lists=False)
    return host


def deb(tmp_path: Path, name: str) -> Deb:
    file = tmp_path / f"{name}_1.0_amd64.deb"
    file.write_bytes(name.encode() * 100)
    return Deb("1.0", file.name, file, hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size)


def packages(tmp_path: Path) -> tuple[Package, ...]:
    haproxy = Package("haproxy", ("haproxy.service",), deb(tmp_path, "haproxy"))
    return haproxy, Package("liblua", deb=deb(tmp_path, "liblua"), dependency_only=True)


def run(host: FakeTransport, wanted: tuple[Package, ...]) -> list[str]:
    changes = plan(wanted, observe(host, wanted))
    apply(host, changes, wanted, ignore)
    return [describe(change)[0] for change in changes]


def test_resolving_packages_changes_nothing_on_the_host(host: FakeTransport) -> None:
    found = resolve(host, INDEX, ["haproxy"])
    assert set(found.installs) == {Install("haproxy", "1.0"), Install("liblua", "1.0")}
    assert (host.state["installed"], host.state["log"]) == ([], [])
    assert list((host.root / "run").iterdir()) == []


def test_apts_message_names_what_the_bundle_lacks(host: FakeTransport) -> None:
    found = resolve(host, "Package: haproxy\nVersion: 1.0\n", ["haproxy"])
    assert found.installs == ()
    assert found.refused.startswith(
        "haproxy : Depends: liblua but it is not installable / E: Unable to correct problems"
    )


def test_packages_are_installed_from_the_bundle_without_lists_and_recorded(host: FakeTransport, tmp_path: Path) -> None:
    host.change(installed=["curl"])
    wanted = packages(tmp_path)
    assert run(host, wanted) == [
        "install package haproxy 1.0 (from the bundle; masked first: haproxy.service)",
        "install package liblua 1.0 (from the bundle, as a dependency)",
    ]
    assert host.state["log"] == ["systemctl mask haproxy.service", "apt-get install haproxy"]
    assert sorted(host.state["installed"]) == ["curl", "haproxy", "liblua"]
    assert not (host.root / FOLDER[1:]).exists()
    assert [place.name for place in (host.root / "run").iterdir()] == ["rancherctl"]  # the folder of locks
    assert run(host, wanted) == []
    assert remove(host, ignore, packages=True) == ("package haproxy", "package liblua", "unmasked haproxy.service")
    assert host.state["installed"] == ["curl"]


def test_an_installed_package_is_masked_and_not_uploaded(host: FakeTransport, tmp_path: Path) -> None:
    host.change(installed=["haproxy", "liblua"])
    wanted = (packages(tmp_path)[0],)
    sent: list[str] = []
    host.upload = lambda source, target, **_: sent.append(target)  # type: ignore[method-assign]
    assert len(run(host, wanted)) == 1
    assert sent == []
    assert host.state["log"] == ["systemctl mask haproxy.service"]


def test_a_damaged_file_is_reported_removed_and_uploaded_again(host: FakeTransport, tmp_path: Path) -> None:
    wanted = packages(tmp_path)
    good = wanted[0].deb.source.read_bytes()  # type: ignore[union-attr]
    wanted[0].deb.source.write_bytes(b"X" + good[1:])  # type: ignore[union-attr]
    with pytest.raises(
        ApplyError,
        match=r"haproxy_1.0_amd64.deb has the hash \w{12}, the bundle's manifest says .*: damaged in transfer",
    ):
        run(host, wanted)
    assert host.state["installed"] == []
    assert [place.name for place in (host.root / FOLDER[1:]).iterdir()] == ["liblua_1.0_amd64.deb"]
    wanted[0].deb.source.write_bytes(good)  # type: ignore[union-attr]
    run(host, wanted)
    assert sorted(host.state["installed"]) == ["haproxy", "liblua"]


def test_files_uploaded_before_an_interruption_are_not_sent_again(host: FakeTransport, tmp_path: Path) -> None:
    wanted = packages(tmp_path)
    sent: list[str] = []
    upload = host.upload

    def send(source: Path, target: str, **more: object) -> None:
        sent.append(source.name)
        if len(sent) == 2:
            raise UnreachableError("h1: the connection was cut")
        upload(source, target, **more)  # type: ignore[arg-type]

    host.upload = send  # type: ignore[method-assign]
    with pytest.raises(UnreachableError):
        run(host, wanted)
    run(host, wanted)
    assert sent == ["haproxy_1.0_amd64.deb", "liblua_1.0_amd64.deb", "liblua_1.0_amd64.deb"]
    assert sorted(host.state["installed"]) == ["haproxy", "liblua"]


def test_a_failed_install_has_apts_reason(host: FakeTransport, tmp_path: Path) -> None:
    with pytest.raises(
        ApplyError, match=r"from the bundle's packages: haproxy : Depends: liblua but it is not installable"
    ):
        run(host, packages(tmp_path)[:1])
    assert host.state["installed"] == []


def test_the_step_of_a_killed_run_is_waited_for_and_not_repeated(host: FakeTransport) -> None:
    wanted: tuple[Resource, ...] = (Package("runc"), User("rancherctl-etcd"))
    changes = plan(wanted, observe(host, wanted))
    folder = host.root / "run/rancherctl"
    folder.mkdir()
    fd = os.open(folder / ".step.guard", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    second = threading.Thread(target=apply, args=(host, changes, wanted, ignore))
    try:
        second.start()
        second.join(timeout=2)
        assert second.is_alive(), "the step did not wait"
        host.change(installed=["runc"], users=["rancherctl-etcd"])
    finally:
        os.close(fd)
    second.join()
    assert host.state["log"] == []
