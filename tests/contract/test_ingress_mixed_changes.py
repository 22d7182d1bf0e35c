"""Routes, endpoints, certificates and values of options change in random order: HAProxy is never reloaded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from tests.fakes import ingress as fake
from tests.fakes.tls_host import TlsHost, site

SITES = 20


class MixedChanges:
    """Sites with certificates and values of their own, others with changing paths, and a Service whose pods move."""

    def __init__(self, host: TlsHost, seed: int = 5) -> None:
        self.host, self.choose = host, random.Random(seed)
        self.pairs = {f"n{n}": host.authority.issue(f"n{n}.com") for n in range(SITES)}
        self.spare = {name: host.authority.issue(f"{name}.com") for name in self.pairs}
        self.values: dict[str, dict[str, str]] = {name: {} for name in self.pairs}
        self.paths = {f"x{n}": 0 for n in range(SITES)}
        self.pods = ["w1"]
        self.turn = 0

    def change(self) -> None:
        """One more change."""
        self.turn += 1
        name = f"n{self.choose.randrange(SITES)}"
        match self.choose.randrange(5):
            case 0:
                self.pairs[name], self.spare[name] = self.spare[name], self.pairs[name]
            case 1:
                self.values[name] = {f"{INGRESS_PREFIX}timeout-read": f"{self.choose.randrange(10, 90)}s"}
            case 2:
                target = f"https://new.org/{self.choose.randrange(90)}"
                self.values[name] = {f"{INGRESS_PREFIX}redirect": target} if self.choose.randrange(2) else {}
            case 3:
                self.paths[f"x{self.choose.randrange(SITES)}"] = self.choose.randrange(9)
            case _:
                self.pods = self.choose.sample([f"w{n}" for n in range(6)], 2)

    def follow(self) -> Any:
        """The host's report."""
        secured = [
            site(f"{name}.com", name, annotations=notes, version=repr(notes)) for name, notes in self.values.items()
        ]
        routes = [
            fake.ingress(name, [(f"{name}.com", "Prefix", f"/p{path}", "moving:80")], version=str(path))
            for name, path in self.paths.items()
        ]
        copies = [pair.copy(name, version=str(pair.serial)) for name, pair in self.pairs.items()]
        return self.host.reconcile([*secured, *routes], {"web": ["w1"], "moving": self.pods}, copies=copies)

    def served(self) -> None:
        """Assert that HAProxy answers with the last change of each kind."""
        for name, notes in self.values.items():
            assert self.host.serial(f"{name}.com") == self.pairs[name].serial
            assert self.host.answer(f"{name}.com") == ("302" if any("redirect" in note for note in notes) else "w1")
        for name, path in self.paths.items():
            assert self.host.haproxy.answer(f"{name}.com", f"/p{path}") in self.pods


@pytest.fixture
def mixed(tmp_path: Path, pods_on_loopback: None) -> Iterator[MixedChanges]:
    host = TlsHost(fake.Haproxy(tmp_path))
    host.start()
    yield MixedChanges(host)
    host.close()


@pytest.mark.parametrize("count", [80, pytest.param(1000, marks=pytest.mark.slow)])
def test_mixed_changes_need_no_reload(mixed: MixedChanges, count: int) -> None:
    """Each site has values of its own at the end: so many pools of such profiles are in use at the same time."""
    first = mixed.follow()["metrics"]["reloads"]
    for _ in range(count):
        mixed.change()
        section = mixed.follow()
        assert (section["alarm"], section["metrics"]["reloads"]) == ("", first), mixed.turn
    mixed.served()
