"""Observe, plan and apply on a host in a folder: the real programs with fake system tools."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rancherctl.change import Plan
from rancherctl.errors import UnreachableError
from rancherctl.events import Event, ignore
from rancherctl.hosts.apply import ApplyError, apply
from rancherctl.hosts.model import Absent, Artefact, Directory, File, Link, Package, Resource, Unit, User
from rancherctl.hosts.observe import observe
from rancherctl.hosts.plan import describe, plan
from rancherctl.hosts.state import ResourceState
from tests.fakes.transport import FakeTransport

UNIT_FILE = "/etc/systemd/system/rancherctl-a.service"


@pytest.fixture
def host(tmp_path: Path) -> FakeTransport:
    return FakeTransport(tmp_path)


def plan_of(host: FakeTransport, resources: tuple[Resource, ...]) -> Plan[ResourceState]:
    return plan(resources, observe(host, resources))


def bring(host: FakeTransport, *resources: Resource) -> list[str]:
    """Plan and apply; returns the headlines of the plan. A second plan must be empty."""
    changes = plan_of(host, resources)
    apply(host, changes, resources, ignore)
    assert not plan_of(host, resources)
    return [describe(change)[0] for change in changes]


def text_file(host: FakeTransport, path: str, text: str, mode: int = 0o644) -> File:
    return File(path, text.encode(), mode, host.owner)


def unit_pair(host: FakeTransport, config: str) -> tuple[Resource, ...]:
    return (
        text_file(host, UNIT_FILE, "[Service]\nExecStart=/bin/true\n"),
        text_file(host, "/etc/rancherctl/a.conf", config),
        Unit("rancherctl-a.service", restart_on=(UNIT_FILE, "/etc/rancherctl/a.conf")),
    )


def test_everything_is_applied_in_one_run_and_only_once(host: FakeTransport, tmp_path: Path) -> None:
    source = tmp_path / "etcd"
    source.write_bytes(b"\x7fELF" + bytes(2_000_000))
    sha = hashlib.sha256(source.read_bytes()).hexdigest()
    (host.root / "etc/rancherctl").mkdir()
    (host.root / "etc/rancherctl/old").write_text("from an older version")
    host.change(available={"haproxy": ["liblua"], "liblua": []})
    headlines = bring(
        host,
        Package("haproxy", mask=("haproxy.service",)),
        User("rancherctl-dns"),
        Directory("/var/lib/rancherctl/x", 0o700, host.owner),
        Link("/opt/rancherctl/current", "1.0"),
        Absent("/etc/rancherctl/old"),
        *unit_pair(host, "one"),
    )
    assert headlines == [
        "install package haproxy (masked first: haproxy.service)",
        "create user rancherctl-dns",
        f"create directory /var/lib/rancherctl/x (mode 0700, owner {host.owner})",
        f"create file /etc/rancherctl/a.conf (mode 0644, owner {host.owner})",
        f"create file {UNIT_FILE} (mode 0644, owner {host.owner})",
        "create link /opt/rancherctl/current (to 1.0)",
        "remove /etc/rancherctl/old",
        "enable and start unit rancherctl-a.service",
    ]
    assert (host.root / "var/lib/rancherctl/x").stat().st_mode & 0o777 == 0o700
    assert (host.root / "opt/rancherctl/current").readlink() == Path("1.0")
    assert not (host.root / "etc/rancherctl/old").exists()
    log = host.state["log"]
    assert log.index("systemctl mask haproxy.service") < log.index("apt-get install haproxy")
    assert log.index("systemctl daemon-reload") < log.index("systemctl start rancherctl-a.service")
    assert sha


def test_package_lists_are_fetched_only_when_needed(host: FakeTransport) -> None:
    host.change(available={"runc": []}, lists=False)
    bring(host, Package("runc"))
    assert "apt-get update" in host.state["log"]
    host.change(available={"runc": [], "nftables": []}, log=[])
    bring(host, Package("nftables"))
    assert "apt-get update" not in host.state["log"]


def test_an_unknown_package_fails_with_apts_reason_before_anything_else(host: FakeTransport) -> None:
    resources = (Package("nosuch"), text_file(host, "/etc/rancherctl/a", "x"))
    with pytest.raises(ApplyError, match="Unable to locate package nosuch") as caught:
        apply(host, plan_of(host, resources), resources, ignore)
    assert list(caught.value.failed) == ["0/package/nosuch"]
    assert not (host.root / "etc/rancherctl/a").exists()


def test_a_unit_restarts_only_when_its_files_change(host: FakeTransport) -> None:
    bring(host, *unit_pair(host, "one"))
    host.change(log=[])
    assert bring(host, *unit_pair(host, "two")) == [
        "change file /etc/rancherctl/a.conf (content)",
        "restart unit rancherctl-a.service (restart: /etc/rancherctl/a.conf)",
    ]
    assert "systemctl restart rancherctl-a.service" in host.state["log"]
    host.change(log=[])
    assert bring(host, *unit_pair(host, "two")) == []
    assert host.state["log"] == []


def test_a_unit_that_no_longer_depends_on_a_file_is_not_restarted(host: FakeTransport) -> None:
    """A release may stop restarting a unit for a file: an upgrade must not interrupt the service for that."""
    unit, config, pair = unit_pair(host, "one")
    bring(host, unit, config, pair)
    less = Unit("rancherctl-a.service", restart_on=(UNIT_FILE,))
    changed = text_file(host, "/etc/rancherctl/a.conf", "two")
    assert bring(host, unit, changed, less) == ["change file /etc/rancherctl/a.conf (content)"]
    assert bring(host, unit, changed, less) == []


def test_a_run_interrupted_between_file_and_restart_restarts_next_time(host: FakeTransport) -> None:
    bring(host, *unit_pair(host, "one"))
    files = unit_pair(host, "two")[:2]
    bring(host, *files)
    assert bring(host, *unit_pair(host, "two")) == [
        "restart unit rancherctl-a.service (restart: /etc/rancherctl/a.conf)"
    ]


def test_a_unit_reloads_if_only_a_reload_file_changes(host: FakeTransport) -> None:
    def resources(text: str) -> tuple[Resource, ...]:
        unit = Unit("rancherctl-a.service", restart_on=(UNIT_FILE,), reload_on=("/etc/rancherctl/map",))
        return (text_file(host, UNIT_FILE, "[Service]\n"), text_file(host, "/etc/rancherctl/map", text), unit)

    bring(host, *resources("a"))
    host.change(log=[])
    bring(host, *resources("b"))
    assert "systemctl reload rancherctl-a.service" in host.state["log"]
    assert not [line for line in host.state["log"] if "restart" in line]


def test_a_unit_restarted_by_the_agent_meanwhile_has_not_failed(host: FakeTransport) -> None:
    """HAProxy and the agent start together, and an agent that finds no HAProxy yet restarts it."""
    host.change(disturbed=["rancherctl-a.service"])
    bring(host, *unit_pair(host, "one"))
    assert host.state["log"].count("systemctl start rancherctl-a.service") == 2


def test_a_unit_that_does_not_start_is_reported_and_retried(host: FakeTransport) -> None:
    host.change(failing=["rancherctl-a.service"])
    resources = unit_pair(host, "one")
    with pytest.raises(ApplyError, match=r"start failed, the unit is inactive; its log says: it has no reason$"):
        apply(host, plan_of(host, resources), resources, ignore)
    host.change(failing=[])
    assert bring(host, *resources) == ["start unit rancherctl-a.service (active no → yes)"]


def test_a_unit_that_does_not_start_is_explained_by_the_process_that_died(host: FakeTransport) -> None:
    """A dying API server logs warnings of its etcd client around the cause, and the next start logs more."""
    warning = 'W1128 13:57:00.495510   22794 logging.go:55] [core] grpc: failed to connect to {Addr: "127.0.0.1"}'
    cause = (
        'E1128 13:57:00.495879   22794 run.go:72] "command failed" err="open /var/log/x/audit.log: permission denied"'
    )
    host.change(
        failing=["rancherctl-a.service"], logs={"rancherctl-a.service": [warning, cause, warning, warning, warning]}
    )
    resources = unit_pair(host, "one")
    with pytest.raises(ApplyError) as caught:
        apply(host, plan_of(host, resources), resources, ignore)
    assert caught.value.why == f"rancherctl-a.service: start failed, the unit is inactive; its log says: {cause}"


def test_a_file_that_the_owner_of_a_directory_writes_is_given_to_it(host: FakeTransport) -> None:
    """Logs that a removed environment left to root: what they say stays, and no link leads to another file."""
    if host.owner != "root:root":
        pytest.skip("only root may give files away")
    folder = host.root / "var/log/x"
    folder.mkdir(parents=True)
    (folder / "audit.log").write_text("kept\n")
    (folder / "other").touch()
    (host.root / "etc/secret").touch(mode=0o600)
    (folder / "link").symlink_to(host.root / "etc/secret")
    wanted = Directory("/var/log/x", 0o700, "daemon:daemon", written=("audit.log", "link", "missing"))
    (line,) = bring(host, wanted)
    assert line == (
        "change directory /var/log/x (mode 0755 → 0700; owner root:root → daemon:daemon; "
        "owner of audit.log root:root → daemon:daemon)"
    )
    assert [(folder / name).owner() for name in ("audit.log", "other")] == ["daemon", "root"]
    assert (folder / "audit.log").read_text() == "kept\n"
    assert (host.root / "etc/secret").owner() == "root"

    (folder / "audit.log").unlink()
    (folder / "audit.log").hardlink_to(host.root / "etc/secret")
    with pytest.raises(
        ApplyError, match=r"/var/log/x/audit.log has 2 hard links, and all would change their owner to daemon:daemon"
    ):
        apply(host, plan_of(host, (wanted,)), (wanted,), ignore)
    assert (host.root / "etc/secret").owner() == "root"


def test_an_inactive_unit_is_stopped_and_disabled(host: FakeTransport) -> None:
    bring(host, *unit_pair(host, "one"))
    assert bring(host, Unit("rancherctl-a.service", enabled=False, active=False)) == [
        "disable and stop unit rancherctl-a.service (active yes → no; enabled yes → no)"
    ]
    assert bring(host, Unit("rancherctl-none.service", enabled=False, active=False)) == []


def test_a_wrong_mode_is_corrected_without_sending_the_content(host: FakeTransport) -> None:
    bring(host, text_file(host, "/etc/rancherctl/a", "x"))
    place = host.root / "etc/rancherctl/a"
    inode = place.stat().st_ino
    place.chmod(0o600)
    assert bring(host, text_file(host, "/etc/rancherctl/a", "x")) == [
        "change file /etc/rancherctl/a (mode 0600 → 0644)"
    ]
    assert place.stat().st_ino == inode


def test_a_plan_shows_differences_but_no_secrets(host: FakeTransport) -> None:
    secret = File("/etc/rancherctl/key", b"TOPSECRET", 0o600, host.owner, secret=True)
    bring(host, text_file(host, "/etc/rancherctl/a", "one\ntwo\n"), secret)
    resources = (
        text_file(host, "/etc/rancherctl/a", "one\nthree\n"),
        File("/etc/rancherctl/key", b"NEWSECRET", 0o600, host.owner, secret=True),
    )
    changes = plan_of(host, resources)
    lines = [line for change in changes for line in describe(change)]
    assert "-two" in lines
    assert "+three" in lines
    assert "SECRET" not in "\n".join(lines) + repr(changes)


def test_a_directory_in_place_of_a_file_fails_before_units(host: FakeTransport) -> None:
    (host.root / "etc/rancherctl/a.conf").mkdir(parents=True)
    resources = unit_pair(host, "x")
    with pytest.raises(ApplyError, match=r"/etc/rancherctl/a.conf: /etc/rancherctl/a.conf is a directory"):
        apply(host, plan_of(host, resources), resources, ignore)
    assert not [line for line in host.state["log"] if line.startswith("systemctl start")]


def test_an_artefact_is_sent_once_checked_and_not_hashed_again(host: FakeTransport, tmp_path: Path) -> None:
    source = tmp_path / "kubelet"
    source.write_bytes(bytes(3_000_000))
    sha = hashlib.sha256(source.read_bytes()).hexdigest()
    artefact = Artefact("/opt/rancherctl/kubelet", source, sha, 3_000_000)
    if host.owner != "root:root":
        pytest.skip("artefacts belong to root")
    assert bring(host, artefact) == ["create artefact /opt/rancherctl/kubelet (mode 0755, owner root:root)"]
    stamps = (host.root / "var/lib/rancherctl/stamps.json").read_text()
    assert sha in stamps
    bring(host, artefact)
    (host.root / "opt/rancherctl/kubelet").write_bytes(bytes(2_999_999) + b"x")
    assert bring(host, artefact) == ["change artefact /opt/rancherctl/kubelet (content)"]


def test_an_artefact_that_differs_from_the_manifest_is_refused(host: FakeTransport, tmp_path: Path) -> None:
    source = tmp_path / "kubelet"
    source.write_bytes(b"other")
    artefact = Artefact("/opt/rancherctl/kubelet", source, "0" * 64, 5)
    with pytest.raises(ApplyError, match="does not match the manifest"):
        apply(host, plan_of(host, (artefact,)), (artefact,), ignore)


def test_observing_a_foreign_host_leaves_no_trace(host: FakeTransport) -> None:
    (host.root / "opt/big").write_bytes(bytes(2_000_000))
    observe(host, (Artefact("/opt/big", Path("/nowhere"), "0" * 64, 2_000_000), Unit("x.service"), Package("y")))
    assert not (host.root / "var/lib/rancherctl").exists()
    assert host.state["log"] == []


def test_an_unreadable_path_is_unknown_and_not_removed(host: FakeTransport) -> None:
    resources = (Absent("/etc/rancherctl/old"), File("/etc/x\0y", b"", owner=host.owner))
    (host.root / "etc/rancherctl").mkdir()
    (host.root / "etc/rancherctl/old").touch()
    changes = plan_of(host, resources)
    assert [unknown.where for unknown in changes.unknown] == ["/etc/x\0y"]
    assert changes.changes == ()


def test_a_connection_lost_during_apply_is_reported_and_the_next_run_resumes(host: FakeTransport) -> None:
    resources = unit_pair(host, "one")
    changes = plan_of(host, resources)

    def cut(request: dict[str, object]) -> None:
        raise UnreachableError("h1: the connection was cut")

    host.before = cut
    with pytest.raises(UnreachableError):
        apply(host, changes, resources, ignore)
    host.before = None
    bring(host, *resources)


def test_every_change_emits_an_event(host: FakeTransport) -> None:
    seen: list[Event] = []
    resources = (text_file(host, "/etc/rancherctl/a", "x"),)
    apply(host, plan_of(host, resources), resources, seen.append)
    assert [(event.subject, event.state) for event in seen] == [("h1", "started"), ("h1", "done")]
