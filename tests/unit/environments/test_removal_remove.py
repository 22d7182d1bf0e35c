"""Removing an environment: which hosts it concerns, the lock, what stops it, and errors."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rancherctl.bundle.model import Bundle, Manifest
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.removal import remove
from rancherctl.errors import AuthError, LockedError, PartialError, RancherctlError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts import firewall_rules, host_lock
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import Host
from tests.fakes.removal_hosts import BUSY, DEMO, MESSAGES, OWNED, RemovalHost, removal_context
from tests.fakes.transport import FakeTransport


def test_packages_stay_while_something_is_left_in_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools that list it, and could remove it at the next try, are in packages that would be removed next."""
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    asked: list[str] = []

    def call(_transport: object, request: dict[str, object], **_: object) -> dict[str, object]:
        asked.append(str(request["op"]))
        return {"left": ["nft table ip kube-proxy", "path /etc/rancherctl", "cgroup /sys/fs/cgroup/kubepods"]}

    def taken(_transport: object, _emit: object, **what: object) -> tuple[str, ...]:
        asked.append(" ".join(what))
        return ()

    monkeypatch.setattr("rancherctl.hosts.remote_call.call", call)
    monkeypatch.setattr(remove, "remove_resources", taken)
    monkeypatch.setattr(firewall_rules, "close", lambda _transport: asked.append("firewall") or ())
    context = Context(lambda _: FakeTransport(tmp_path), Bundle(tmp_path, Manifest("1.36.3", "amd64", "directory", ())))
    _, left = remove._clear(environment, environment.hosts[0], context)
    assert left == ("nft table ip kube-proxy",)
    assert asked == ["units", "units", "units", "firewall", "clear"]


def test_a_host_that_other_software_uses_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address in the file must not destroy foreign pods."""
    own, foreign = RemovalHost("h1", OWNED), RemovalHost("h2", BUSY, installed=False)
    MESSAGES.clear()
    removed = remove.remove(DEMO, removal_context(monkeypatch, own, foreign))
    assert foreign.did == []
    assert removed.skipped == ("h2",)
    assert set(removed.done) == {"h1"}
    assert any(m.startswith("skipped: ") and "kubelet.service is running" in m for m in MESSAGES)


def test_a_host_whose_first_apply_was_interrupted_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted, clean = RemovalHost("h1", BUSY), RemovalHost("h2", HostFacts(marker={}), installed=False)
    removed = remove.remove(DEMO, removal_context(monkeypatch, interrupted, clean))
    assert set(removed.done) == {"h1", "h2"}
    assert interrupted.did == ["clear", "folders", "-R /var/log/rancherctl", "folders", "left", "unlocked"]


def test_an_error_that_all_hosts_share_is_raised_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [RemovalHost(name, UnreachableError(f"{name}: cannot connect")) for name in ("h1", "h2")]
    with pytest.raises(UnreachableError, match="nothing was removed") as caught:
        remove.remove(DEMO, removal_context(monkeypatch, *away))
    assert "h1: cannot connect; h2: cannot connect" in caught.value.why
    with pytest.raises(PartialError):
        remove.remove(DEMO, removal_context(monkeypatch, away[0], RemovalHost("h2", AuthError("h2: login refused"))))


def test_a_failure_to_remove_the_locks_folder_concerns_that_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    control_plane = RemovalHost("h1", OWNED)
    control_plane.fails = "unlocked"
    with pytest.raises(PartialError) as caught:
        remove.remove(DEMO, removal_context(monkeypatch, control_plane, RemovalHost("h2", OWNED)))
    assert caught.value.failures == {"h1": "h1: cut"}


def test_ctrl_c_stops_the_removal_on_each_host_at_its_next_event(monkeypatch: pytest.MonkeyPatch) -> None:
    context, interrupted = remove._interruptible(removal_context(monkeypatch))
    context.emit(Event("remove", "x"))
    interrupted()
    with pytest.raises(RancherctlError, match="interrupted"):
        context.emit(Event("remove", "x"))


def test_a_removal_locks_a_majority_of_the_control_plane_hosts_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tuple(replace(DEMO.hosts[0], name=f"h{n}") for n in (1, 2, 3))
    environment = replace(DEMO, hosts=(*hosts, replace(DEMO.hosts[1], name="h4")))
    away = RemovalHost("h3", UnreachableError("h3: no answer"))
    context = removal_context(monkeypatch, *(RemovalHost(name, OWNED) for name in ("h1", "h2", "h4")), away)
    locked: list[tuple[list[str], bool]] = []

    def lock(hosts: list[Host], owner: object, reason: str, *, majority: bool) -> None:
        locked.append(([host.name for host in hosts], majority))
        raise LockedError("held by ann")

    monkeypatch.setattr(host_lock, "HostLock", lock)
    with pytest.raises(LockedError, match="held by ann"):
        remove.remove(environment, context)
    assert locked == [(["h1", "h2"], True)]


def test_a_control_plane_host_that_cannot_be_locked_is_named_in_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    context = removal_context(monkeypatch, RemovalHost("h1", OWNED), RemovalHost("h2", OWNED))
    held = SimpleNamespace(verify=lambda: None, left_behind="", skipped={"h1": "h1: no answer"})
    monkeypatch.setattr(host_lock, "HostLock", lambda *_, **__: nullcontext(held))
    MESSAGES.clear()
    remove.remove(DEMO, context)
    assert "not locked, a majority is enough: h1: no answer" in MESSAGES
