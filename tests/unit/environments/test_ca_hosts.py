"""Where the authorities come from, with three control-plane hosts: any living host, and never a second set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.pki import authority
from rancherctl.environments.pki import reconcile as pki
from rancherctl.environments.pki.reconcile import Authorities
from rancherctl.environments.pki.wanted import CONTROL_PLANE_FILES, CertificateFolder, ObservedFile
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import UnreachableError
from rancherctl.hosts.command import Secret
from rancherctl.hosts.model import Host, Role

_FLAT = from_flags("demo", [f"root@10.0.0.{n}" for n in range(11, 15)]).environment
_MEMBER = frozenset[Role]({"etcd", "controlplane"})
ENV = replace(_FLAT, hosts=tuple(replace(h, roles=_MEMBER if n < 3 else h.roles) for n, h in enumerate(_FLAT.hosts)))
PEM = authority.new_authority("ca", "demo", datetime(2026, 5, 1, tzinfo=UTC)).crt
COMPLETE = CertificateFolder({s.path: ObservedFile("x", s.mode, s.owner, PEM) for s in CONTROL_PLANE_FILES}, {})
EMPTY = CertificateFolder({}, {})


class Transports:
    """Which hosts are asked for the authorities, and which of them do not answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lost: Iterable[str] = ()) -> None:
        self.asked: list[str] = []
        self.lost = set(lost)
        monkeypatch.setattr(pki, "fetch_material", self._fetch)

    def _fetch(self, host: Host) -> dict[str, Secret]:
        self.asked.append(host.name)
        if host.name in self.lost:
            raise UnreachableError(f"{host.name}: connection lost")
        return {"from": Secret(host.name)}


def run(*ca_hosts: str, failed: Iterable[str] = ()) -> EnvironmentRun:
    found = EnvironmentRun(ENV, Context(lambda host: host, None), ObservedHosts({}))  # type: ignore[arg-type, return-value]
    found.authorities = Authorities({}, {}, ca_hosts)
    found.failures.update({name: UnreachableError(f"{name}: no answer") for name in failed})
    return found


@pytest.mark.parametrize("lost", ["h1", "h2", "h3"])
def test_any_control_plane_host_may_be_lost(lost: str) -> None:
    folders = {h.name: COMPLETE if h.name in ("h1", "h2", "h3") else EMPTY for h in ENV.hosts if h.name != lost}
    found = pki.authorities(ENV, folders)
    assert found.ca_hosts == tuple(name for name in ("h1", "h2", "h3") if name != lost)
    assert found.ca_host == found.ca_hosts[0]
    assert not found.unknown


def test_a_lost_host_may_hold_the_only_authorities_so_none_are_made() -> None:
    found = pki.authorities(ENV, {"h2": EMPTY, "h3": EMPTY, "h4": EMPTY})
    assert found.unknown
    assert found.ca_hosts == ()


def test_the_first_living_ca_host_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Transports(monkeypatch)
    assert run("h1", "h2", failed=["h1"]).material() == {"from": Secret("h2")}
    assert hosts.asked == ["h2"]


def test_a_ca_host_that_goes_away_meanwhile_is_replaced_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Transports(monkeypatch, lost=["h1"])
    assert run("h1", "h2", "h3").material() == {"from": Secret("h2")}
    assert hosts.asked == ["h1", "h2"]


@pytest.mark.parametrize(("failed", "message"), [(["h1", "h2"], "h1: no answer"), ([], "h1: connection lost")])
def test_no_second_set_is_made_if_all_ca_hosts_are_lost(
    failed: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Transports(monkeypatch, lost=["h1", "h2"])
    with pytest.raises(UnreachableError, match=message):
        run("h1", "h2", failed=failed).material()
