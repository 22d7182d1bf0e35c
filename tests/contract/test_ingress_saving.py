"""Changes are served and reported first, and saved a little later. The clock is passed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress.role.config import SAVE_SECONDS
from tests.fakes import ingress as fake
from tests.fakes.tls_host import TlsHost, site

WEB = {"web": ["w1"]}


@pytest.fixture
def host(tmp_path: Path, pods_on_loopback: None) -> Iterator[TlsHost]:
    made = TlsHost(fake.Haproxy(tmp_path))
    made.new_role(made.haproxy.all_listeners, save_after=SAVE_SECONDS)
    made.reconcile([plain("first")], WEB)
    yield made
    made.close()


def plain(name: str) -> Any:
    """An Ingress for a host name of its own."""
    return fake.ingress(name, [(f"{name}.com", "Prefix", "/", "web:80")])


def follow(host: TlsHost, *names: str, seconds: float = 0.0, **more: Any) -> Any:
    """Reconcile with these Ingresses so many seconds after the last time."""
    host.now += seconds - 1
    return host.reconcile([plain(name) for name in names], WEB, **more)


def on_disk(host: TlsHost) -> tuple[bool, bool]:
    """Whether the state file and the map of host names have the name ``b.com``."""
    folder = Path(host.haproxy.paths.data)
    return "b.com" in (folder / "state.json").read_text(), "b.com" in (folder / "hosts.map").read_text()


def test_a_change_is_reported_before_it_is_saved_and_the_save_comes_by_itself(host: TlsHost) -> None:
    section = follow(host, "first", "b")
    assert (host.haproxy.answer("b.com"), set(section["served"])) == ("w1", {"default/first", "default/b"})
    assert on_disk(host) == (False, False)
    assert host.role.resync == pytest.approx(SAVE_SECONDS)
    follow(host, "first", "b", seconds=SAVE_SECONDS + 0.01)
    assert on_disk(host) == (True, True)
    assert host.role.resync > 1


def test_changes_that_follow_each_other_are_saved_together_and_not_later(
    host: TlsHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[float] = []
    save = host.driver.save
    monkeypatch.setattr(host.driver, "save", lambda layout: saved.append(host.now) or save(layout))
    start = host.now
    for turn in range(10):
        follow(host, "first", *(f"n{n}" for n in range(turn + 1)), seconds=0.06)
    assert [round(at - start, 2) for at in saved] == [0.3, 0.6]


def test_a_stopped_agent_has_saved_everything(host: TlsHost) -> None:
    follow(host, "first", "b")
    host.role.stop()
    assert on_disk(host) == (True, True)


def test_a_killed_agent_leaves_a_haproxy_that_the_next_one_makes_right(host: TlsHost) -> None:
    follow(host, "first", "b")
    host.new_role(host.haproxy.all_listeners, save_after=SAVE_SECONDS)
    assert set(follow(host, "first", "b")["served"]) == {"default/first", "default/b"}
    assert host.haproxy.answer("b.com") == "w1"


def test_a_haproxy_that_restarts_before_the_save_gets_the_change(host: TlsHost) -> None:
    """It starts with the files of before; the agent finds out when it has saved them, not at its next usual check."""
    follow(host, "first", "b")
    host.haproxy.restart()
    assert (host.haproxy.answer("first.com"), host.haproxy.answer("b.com")) == ("w1", "404")
    follow(host, "first", "b", seconds=SAVE_SECONDS + 0.01)
    section = follow(host, "first", "b")
    assert (host.haproxy.answer("b.com"), section["alarm"]) == ("w1", "")


def test_a_certificate_stays_on_disk_as_long_as_the_saved_list_names_it(host: TlsHost) -> None:
    """HAProxy could not start without it."""
    first, second = (host.authority.issue("a.com") for _ in range(2))
    sites = [site("a.com", "s")]
    host.reconcile(sites, WEB, copies=[first.copy("s")])
    host.reconcile(sites, WEB, copies=[first.copy("s")])
    host.now -= 1
    host.reconcile(sites, WEB, copies=[second.copy("s", version="2")])
    assert (host.serial("a.com"), len(host.files())) == (second.serial, 2)
    host.haproxy.restart()
    assert host.serial("a.com") == first.serial
    host.reconcile(sites, WEB, copies=[second.copy("s", version="2")])
    host.reconcile(sites, WEB, copies=[second.copy("s", version="2")])
    assert (host.serial("a.com"), len(host.files())) == (second.serial, 1)
