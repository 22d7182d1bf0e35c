"""The program that removes an environment from its host: chains, tables, namespaces, folders, and what it restores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rancherctl.environments.inventory import from_flags
from rancherctl.environments.removal import remote
from rancherctl.environments.removal.requests import request

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


def test_rules_are_found_by_their_target_and_numbered_from_the_last() -> None:
    assert remote.jumps(SAVED, "KUBE-SERVICES") == [("PREROUTING", "4"), ("OUTPUT", "1"), ("PREROUTING", "2")]
    assert remote.jumps(SAVED, "KUBE") == []


def test_chains_are_emptied_before_they_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*words: str) -> tuple[int, str]:
        ran.append(words)
        return 0, SAVED if words[0] == "iptables-save" else ""

    monkeypatch.setattr(remote, "run", run)
    remote.clear_chains({})
    base = ("iptables", "-w", "5", "-t", "nat")
    assert [words for words in ran if words[0] == "iptables"] == [
        (*base, "-D", "PREROUTING", "4"),
        (*base, "-D", "OUTPUT", "1"),
        (*base, "-D", "PREROUTING", "2"),
        (*base, "-F", "KUBE-SERVICES"),
        (*base, "-X", "KUBE-SERVICES"),
    ]


PORTS = """*nat
:PREROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-0123456789abcdef - [0:0]
:KUBE-MARK-MASQ - [0:0]
:CNI-OTHERS - [0:0]
COMMIT
"""


@pytest.mark.parametrize(
    ("before", "removed"),
    [
        ({"chains": []}, {"CNI-HOSTPORT-DNAT", "CNI-DN-0123456789abcdef", "KUBE-MARK-MASQ"}),
        ({"chains": ["iptables nat CNI-HOSTPORT-DNAT"]}, {"CNI-DN-0123456789abcdef", "KUBE-MARK-MASQ"}),
        ({"nft": []}, {"CNI-HOSTPORT-DNAT", "CNI-DN-0123456789abcdef", "KUBE-MARK-MASQ"}),
        ({}, {"KUBE-MARK-MASQ"}),
    ],
)
def test_chains_of_host_ports_are_removed_unless_they_existed_before(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], removed: set[str]
) -> None:
    """Otherwise their rules would still redirect the host's ports to pods that do not exist."""
    monkeypatch.setattr(remote, "run", lambda *words: (0, PORTS if words[0] == "iptables-save" else ""))
    assert {chain for _, _, chain in remote.chains(before)} == removed


@pytest.mark.parametrize(
    ("before", "removed"),
    [
        ({"nft": []}, {"ip cni_hostport", "ip nat", "inet rancherctl_network"}),
        ({"nft": ["ip cni_hostport", "ip nat"]}, {"inet rancherctl_network"}),
        ({}, {"inet rancherctl_network"}),
    ],
)
def test_tables_are_removed_by_name_or_if_they_are_new_since_the_first_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], removed: set[str]
) -> None:
    empty = json.dumps({"nftables": [{"metainfo": {}}, {"table": {}}, {"chain": {}}]})
    monkeypatch.setattr(remote, "run", lambda *words: (0, empty))
    request = {"path": str(tmp_path / "gone"), "tables": ["rancherctl_network"], "before": before}
    assert {
        name
        for name in ("ip cni_hostport", "ip nat", "ip docker", "inet rancherctl_network")
        if remote.is_removed_table(request, name)
    } == removed


def test_an_apparmor_profile_that_was_restored_is_reloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = tmp_path / "etc/apparmor.d/local/usr.sbin.named"
    local.parent.mkdir(parents=True)
    local.write_text("ours")
    before = tmp_path / "before.json"
    before.write_text(json.dumps({"files": {str(local): "theirs"}}))
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(remote, "run", lambda *words: ran.append(words) or (0, ""))
    for _ in range(2):
        remote.restore({"path": str(before)})
    assert local.read_text() == "theirs"
    assert ran == [("apparmor_parser", "-r", str(tmp_path / "etc/apparmor.d/usr.sbin.named"))]


def _folders_request(tmp_path: Path, spare: Path) -> dict[str, Any]:
    return {
        "path": str(tmp_path / "before.json"),
        "files": [],
        "maybe": [],
        "spare": [str(spare)],
        "whole": [],
        "folders": [],
    }


@pytest.fixture
def spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /run/netns, which containerd creates for its first pod."""
    monkeypatch.setattr(remote, "run", lambda *_: (0, ""))
    return tmp_path / "netns"


def test_the_empty_folder_of_network_namespaces_is_removed_if_it_is_new(tmp_path: Path, spare: Path) -> None:
    wanted = _folders_request(tmp_path, spare)
    remote.remember(wanted)
    spare.mkdir()
    remote.folders(wanted)
    assert not spare.exists()


def test_the_folder_of_network_namespaces_stays_if_it_existed_before_the_first_change(
    tmp_path: Path, spare: Path
) -> None:
    wanted = _folders_request(tmp_path, spare)
    spare.mkdir()
    remote.remember(wanted)
    remote.folders(wanted)
    assert spare.is_dir()


def test_the_folder_of_network_namespaces_stays_if_it_holds_foreign_ones(tmp_path: Path, spare: Path) -> None:
    wanted = _folders_request(tmp_path, spare)
    remote.remember(wanted)
    spare.mkdir()
    (spare / "vpn").touch()
    remote.folders(wanted)
    assert (spare / "vpn").exists()


def test_the_folder_of_network_namespaces_stays_if_it_is_a_mount_point(
    tmp_path: Path, spare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = _folders_request(tmp_path, spare)
    remote.remember(wanted)
    spare.mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: path == str(spare))
    remote.folders(wanted)
    assert spare.is_dir()


def test_an_empty_folder_that_the_record_of_0_1_did_not_look_for_is_removed(tmp_path: Path, spare: Path) -> None:
    """Records of 0.1 do not say whether /run/netns existed; programs that need the folder create it."""
    wanted = _folders_request(tmp_path, spare)
    Path(wanted["path"]).write_text(json.dumps({"sysctls": {}, "files": {}, "nft": [], "chains": [], "there": []}))
    spare.mkdir()
    remote.folders(wanted)
    assert not spare.exists()


def test_without_a_record_the_folder_of_network_namespaces_stays(tmp_path: Path, spare: Path) -> None:
    spare.mkdir()
    remote.folders(_folders_request(tmp_path, spare))
    assert spare.is_dir()


def test_foreign_network_namespaces_are_not_unmounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of pods are deleted by their names, ``cni-…``."""
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    table = tmp_path / "mountinfo"
    table.write_text("30 1 0:4 net:[4026532288] /run/netns/vpn rw - nsfs nsfs rw\n")
    monkeypatch.setattr(remote, "MOUNTS", str(table))
    assert remote.mounts(tuple(request(environment, environment.hosts[0], "clear")["mounts"])) == []
