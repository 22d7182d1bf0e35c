"""Removing an environment: rules that lead to chains of ours, what stays until the end, and when to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.bundle.model import Bundle, Manifest
from rancherctl.environments import remove
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.removal import remote
from rancherctl.hosts.remote import hold
from tests.fakes.transport import FakeTransport

SAVED = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:MINE - [0:0]
-A PREROUTING -s 10.0.0.0/8 -j MINE
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m comment --comment "not -j KUBE-SERVICES \\" -j KUBE-SERVICES" -j MINE
-A OUTPUT -m comment --comment "o\\'clock $(reboot)" -j KUBE-SERVICES -m statistic
-A PREROUTING -j KUBE-SERVICES
COMMIT
"""


def test_rules_are_told_by_their_target_and_numbered_from_the_last() -> None:
    assert remote.jumps(SAVED, "KUBE-SERVICES") == [("PREROUTING", "4"), ("OUTPUT", "1"), ("PREROUTING", "2")]
    assert remote.jumps(SAVED, "KUBE") == []


def test_chains_are_emptied_before_they_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*words: str) -> tuple[int, str]:
        ran.append(words)
        return 0, SAVED if words[0] == "iptables-save" else ""

    monkeypatch.setattr(remote, "run", run)
    remote.clear_chains()
    base = ("iptables", "-w", "5", "-t", "nat")
    assert [words for words in ran if words[0] == "iptables"] == [
        (*base, "-D", "PREROUTING", "4"),
        (*base, "-D", "OUTPUT", "1"),
        (*base, "-D", "PREROUTING", "2"),
        (*base, "-F", "KUBE-SERVICES"),
        (*base, "-X", "KUBE-SERVICES"),
    ]


def test_the_lock_stays_on_a_control_plane_host_until_it_is_given_back() -> None:
    """It is renewed while hosts are cleared: a folder that was removed would be there again, and would count as left over."""
    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
    boss, worker = environment.hosts
    assert hold.FOLDER == remove.LOCKS
    assert remove.LOCKS in remove.paths(worker)
    assert remove.LOCKS not in remove.paths(boss)
    assert remove.LOCKS not in remove.request(environment, boss, "left")["paths"]
    assert remove.paths(boss)[-1] == "/var/lib/rancherctl"


def test_nothing_more_is_removed_where_the_kernel_keeps_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools that show it, and could remove it at the next try, are in packages that would go next."""
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    asked: list[str] = []

    def call(_transport: object, _package: str, request: dict[str, object], **_: object) -> dict[str, object]:
        asked.append(str(request["op"]))
        return {"left": ["nft table ip kube-proxy", "path /etc/rancherctl", "cgroup /sys/fs/cgroup/kubepods"]}

    def taken(_transport: object, _emit: object, **what: object) -> tuple[str, ...]:
        asked.append(" ".join(what))
        return ()

    monkeypatch.setattr("rancherctl.environments.remote_program.call", call)
    monkeypatch.setattr(remove, "remove_resources", taken)
    context = Context(lambda _: FakeTransport(tmp_path), Bundle(tmp_path, Manifest("1.36.3", "amd64", "directory", ())))
    _, left = remove._clear(environment, environment.hosts[0], context)
    assert left == ("nft table ip kube-proxy",)
    assert asked == ["units", "units", "units", "clear"]
