"""Reloads that are wanted within a short time become one; what needs none does not wait. The clock is passed in."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.model import Listener
from rancherctl.ingress.role.reload_pacing import USUAL
from tests.fakes import ingress as fake
from tests.fakes.ports import free_port
from tests.fakes.tls_host import TlsHost, site

SERVICES = {"web": ["w1"], "other": ["o1"]}


class PacedHost:
    """A load balancer that serves ``first``, and has never been reloaded since its clients came."""

    def __init__(self, folder: Path) -> None:
        self.host = TlsHost(fake.Haproxy(folder))
        self.host.new_role(self.host.haproxy.all_listeners, reloads=USUAL)
        self.first = [plain("first")]
        self.follow(self.first, seconds=100)
        self.host.now += 100
        self.before = self.host.reloads

    def deliver(self, *ingresses: list[Any]) -> None:
        """The watch has these Ingresses when it is asked; if several, the last ones from then on."""
        answers = chain(ingresses, repeat(ingresses[-1]))
        self.host.role.look_ahead(lambda: fake.snapshot(next(answers)))

    def follow(
        self, ingresses: list[Any], services: dict[str, list[str]] = SERVICES, seconds: float = 0.0, **more: Any
    ) -> Any:
        """Reconcile so many seconds after the last time."""
        self.host.now += seconds - 1
        return self.host.reconcile(ingresses, services, **more)

    @property
    def reloads(self) -> int:
        return self.host.reloads - self.before

    def answer(self, name: str, path: str = "/") -> str:
        return self.host.haproxy.answer(f"{name}.com", path)

    def hold(self, connections: ExitStack) -> None:
        """A client whose connection never ends."""
        stream = connections.enter_context(socket.create_connection(("127.0.0.1", self.host.haproxy.port), timeout=60))
        stream.sendall(b"GET / HTTP/1.1\r\nHost: first.com\r\n\r\n")
        assert stream.recv(12) == b"HTTP/1.1 200"

    def with_two_old_workers(self, connections: ExitStack) -> list[Any]:
        """Two reloads, each with a connection that keeps its worker; the Ingresses that are served then."""
        wanted = list(self.first)
        for number in range(2):
            self.hold(connections)
            wanted.append(text(f"t{number}", number))
            self.follow(wanted, seconds=2)
        return wanted


def plain(name: str, service: str = "web", **notes: str) -> Any:
    """An Ingress with these annotations."""
    texts = {f"{INGRESS_PREFIX}{key.replace('_', '-')}": text for key, text in notes.items()}
    return fake.ingress(name, [(f"{name}.com", "Prefix", "/", f"{service}:80")], annotations=texts, version=repr(notes))


def text(name: str, number: int, service: str = "web") -> Any:
    """An Ingress whose options are a text that no other one has."""
    return plain(name, service, cors_origins=f"https://o{number}.org")


@pytest.fixture
def paced(tmp_path: Path, pods_on_loopback: None) -> Iterator[PacedHost]:
    made = PacedHost(tmp_path)
    yield made
    made.host.close()


def origin(paced: PacedHost, name: str, number: int) -> str:
    """What a browser at the site that ``text`` names may read of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", paced.host.haproxy.port, timeout=60)
    try:
        connection.request("GET", "/", headers={"Host": f"{name}.com", "Origin": f"https://o{number}.org"})
        return connection.getresponse().getheader("Access-Control-Allow-Origin", "")
    finally:
        connection.close()


def test_twenty_new_texts_in_two_seconds_are_two_reloads(paced: PacedHost) -> None:
    """The first one does not wait, all others wait for the same reload."""
    wanted = list(paced.first)
    for number in range(20):
        wanted.append(text(f"t{number}", number))
        section = paced.follow(wanted, seconds=0.1)
        assert paced.reloads == 1
        assert section["alarm"] == ""
        assert ("default/t0" in section["served"], f"default/t{number}" in section["served"]) == (True, number == 0)
    assert paced.host.role.resync == pytest.approx(0.1, abs=0.05)
    section = paced.follow(wanted, seconds=0.11)
    assert (paced.reloads, len(section["served"])) == (2, 21)
    assert [origin(paced, f"t{n}", n) for n in range(20)] == [f"https://o{n}.org" for n in range(20)]
    paced.follow(wanted, seconds=60)
    assert paced.reloads == 2


def test_twenty_new_texts_that_come_together_are_one_reload(paced: PacedHost) -> None:
    """When the first of them is worked on, others are there; the reload waits until a moment after the last one."""
    every = [*paced.first, plain("new"), *(text(f"t{number}", number) for number in range(20))]
    paced.deliver(every)
    for count in (3, 11, 22, 22):
        section = paced.follow(every[:count], seconds=0.04)
        assert (paced.reloads, set(section["served"])) == (0, {"default/first", "default/new"})
        assert paced.answer("new") == "w1", "needs no reload and does not wait for it"
    assert paced.host.role.resync == pytest.approx(0.06, abs=0.001)
    section = paced.follow(every, seconds=0.07)
    assert (paced.reloads, len(section["served"])) == (1, 22)
    assert [origin(paced, f"t{n}", n) for n in range(20)] == [f"https://o{n}.org" for n in range(20)]
    paced.follow(every, seconds=60)
    assert paced.reloads == 1


def test_a_new_text_that_comes_alone_does_not_wait(paced: PacedHost) -> None:
    """Also if statuses of others are written at that moment."""
    every = [*paced.first, plain("other"), text("t0", 0)]
    rules = [("other.com", "Prefix", "/", "web:80")]
    paced.deliver([*paced.first, fake.ingress("other", rules, status=["10.0.0.1"], version="9"), text("t0", 0)])
    section = paced.follow(every, seconds=0.01)
    assert (paced.reloads, "default/t0" in section["served"]) == (1, True)


def test_what_comes_while_a_reload_is_prepared_is_part_of_it(paced: PacedHost) -> None:
    early = [*paced.first, plain("new"), text("t0", 0)]
    late = [*early, text("t1", 1)]
    paced.deliver(early, late)
    for seen in (early, late):
        section = paced.follow(seen, seconds=0.04)
        assert (paced.reloads, set(section["served"])) == (0, {"default/first", "default/new"})
        assert paced.host.role.resync == pytest.approx(0.1, abs=0.001)
        assert (section["alarm"], paced.answer("new")) == ("", "w1")
    section = paced.follow(late, seconds=0.11)
    assert (paced.reloads, len(section["served"])) == (1, 4)
    assert [origin(paced, f"t{n}", n) for n in range(2)] == ["https://o0.org", "https://o1.org"]


def test_a_new_text_waits_a_third_of_a_second_at_most_for_others(paced: PacedHost) -> None:
    paced.deliver([*paced.first, text("t0", 0), text("t1", 1)])
    for _ in range(6):
        paced.follow([*paced.first, text("t0", 0)], seconds=0.05)
        assert paced.reloads == 0
    section = paced.follow([*paced.first, text("t0", 0)], seconds=0.06)
    assert (paced.reloads, "default/t0" in section["served"]) == (1, True)


def test_what_needs_no_reload_does_not_wait_for_one(paced: PacedHost) -> None:
    """New Ingresses, pods, certificates, values and removals, while another Ingress waits for its text."""
    gone, kept, moved = plain("gone"), plain("kept", "other"), plain("moved")
    paced.follow([*paced.first, gone, kept, moved, text("t0", 0)])
    late = text("t1", 1)
    assert "default/t1" not in paced.follow([*paced.first, gone, kept, moved, text("t0", 0), late])["served"]
    pair = paced.host.authority.issue("secure.com")
    new = [plain("new"), plain("moved", timeout_read="9s"), site("secure.com", "s", service="web")]
    everything = [*paced.first, kept, text("t0", 0), late, *new]
    section = paced.follow(everything, SERVICES | {"other": ["o2"]}, copies=[pair.copy("s")])
    assert paced.reloads == 1
    expected = {"first": "w1", "new": "w1", "kept": "o2", "moved": "w1", "gone": "404", "t1": "404"}
    assert {name: paced.answer(name) for name in expected} == expected
    assert paced.host.serial("secure.com") == pair.serial
    assert set(section["served"]) == {f"default/{n}" for n in ("first", "kept", "t0", "new", "moved", "i-secure.com")}
    section = paced.follow(everything, SERVICES | {"other": ["o2"]}, copies=[pair.copy("s")], seconds=2)
    assert "default/t1" in section["served"]
    assert (paced.reloads, paced.answer("t1"), paced.answer("kept")) == (2, "w1", "o2")


def test_a_route_answers_as_before_until_its_new_text_is_loaded(paced: PacedHost) -> None:
    """Also one that moves to another Service; its status is not confirmed with the new content."""
    before = [text("a", 1), plain("b")]
    former = paced.follow(before)["served"]
    after = [text("a", 2, "other"), text("b", 3, "other")]
    section = paced.follow(after)
    assert (section["served"], section["waiting"]) == (former, ["default/a", "default/b"])
    assert (paced.reloads, paced.answer("a"), origin(paced, "a", 1), origin(paced, "a", 2)) == (
        1,
        "w1",
        "https://o1.org",
        "",
    )
    assert (paced.answer("b"), origin(paced, "b", 3)) == ("w1", "")
    section = paced.follow(after, seconds=2)
    assert all(section["served"][key] != former[key] for key in former)
    assert "waiting" not in section
    assert (paced.reloads, paced.answer("a"), origin(paced, "a", 1), origin(paced, "a", 2)) == (
        2,
        "o1",
        "",
        "https://o2.org",
    )


def test_pods_of_sticky_sessions_that_have_no_slot_wait_and_the_others_are_used(paced: PacedHost) -> None:
    sticky = [plain("s", sticky="cookie")]
    paced.follow(sticky)
    many = [f"w{n}" for n in range(12)]
    paced.follow(sticky, {"web": many})
    assert paced.reloads == 1
    pool = next(p for p in paced.host.role.store.current.layout.pools if p.key)  # type: ignore[union-attr]
    assert (len(pool.servers), len(pool.slots)) == (4, 4)
    paced.follow(sticky, {"web": many}, seconds=2)
    pool = next(p for p in paced.host.role.store.current.layout.pools if p.key)  # type: ignore[union-attr]
    assert (paced.reloads, len(pool.servers)) == (2, 12)


def test_while_two_old_workers_finish_their_connections_reloads_are_fifteen_seconds_apart(paced: PacedHost) -> None:
    with ExitStack() as connections:
        wanted = paced.with_two_old_workers(connections)
        assert paced.reloads == 2
        wanted.append(text("late", 9))
        for seconds in (2, 5, 5, 2.9):
            paced.follow(wanted, seconds=seconds)
            assert (paced.reloads, paced.answer("late")) == (2, "404")
        assert paced.host.role.resync == pytest.approx(0.1, abs=0.05)
        paced.follow(wanted, seconds=0.2)
        assert (paced.reloads, paced.answer("late")) == (3, "w1")


def test_another_port_waits_two_seconds_at_most(paced: PacedHost) -> None:
    """Also with old workers: an Ingress may have to be replaced on this host."""
    with ExitStack() as connections:
        wanted = paced.with_two_old_workers(connections)
        port = free_port()
        wanted.append(fake.ingress("p", [("p.com", "Prefix", "/", "web:80")], annotations={"http.port": str(port)}))
        services = {"web": ["w2"]}
        assert "default/p" not in paced.follow(wanted, services, seconds=1)["served"]
        assert "default/p" in paced.follow(wanted, services, seconds=1)["served"]
        assert (paced.reloads, paced.answer("first")) == (3, "w2")
        assert Listener("IPv4", port, own=True) in paced.host.role.store.current.layout.listeners  # type: ignore[union-attr]


def test_the_first_ingress_of_a_host_does_not_wait(tmp_path: Path, pods_on_loopback: None) -> None:
    """It has no clients yet; the process without listeners has just been started."""
    host = TlsHost(fake.Haproxy(tmp_path))
    host.new_role(host.haproxy.all_listeners, reloads=USUAL)
    host.role.look_ahead(lambda: fake.snapshot([plain("a"), plain("b")]))
    try:
        host.reconcile([], {"web": ["w1"]})
        host.now -= 1
        host.reconcile([plain("a")], {"web": ["w1"]})
        assert (host.reloads, host.haproxy.answer("a.com")) == (2, "w1")
    finally:
        host.close()
