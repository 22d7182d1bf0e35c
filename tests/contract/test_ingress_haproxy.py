"""The load-balancer role against a real HAProxy on loopback: routing, endpoint changes without reload, reloads without errors, faults."""

from __future__ import annotations

import dataclasses
import errno
import gc
import hashlib
import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress.haproxy import files, plan
from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.haproxy.layout import MIN_SLOTS, Layout
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.haproxy.runtime import HaproxyError, Socket
from rancherctl.ingress.model import HASH_SCHEME, Family, Listener, http_listeners
from rancherctl.ingress.role.reconcile import LbConfig, LbRole
from rancherctl.ingress.translate import endpoints, merge
from tests.fakes import ingress as fake


class World:
    """One host: HAProxy, its role, pods by name."""

    def __init__(self, haproxy: fake.Haproxy) -> None:
        self.haproxy = haproxy
        self.pods: dict[str, fake.Pod] = {}
        self.now = 0.0
        self.role = self.new_role()

    def new_role(self, listeners: tuple[Listener, ...] = ()) -> LbRole:
        config = LbConfig("h1", listeners or self.haproxy.listeners, paths=self.haproxy.paths)
        self.role = LbRole(config, driver=self.haproxy.driver(), clock=lambda: self.now)
        return self.role

    def pod(self, name: str) -> fake.Pod:
        return self.pods.get(name) or self.pods.setdefault(name, fake.Pod(name))

    def slices(self, services: dict[str, list[str]]) -> list[Any]:
        return [fake.endpoint_slice(name, [self.pod(p).endpoint]) for name, pods in services.items() for p in pods]

    def reload(self) -> None:
        """A reload for no reason."""
        self.role.health.reload("test")

    def run(self, ingresses: list[Any], services: dict[str, list[str]], **kwargs: Any) -> Any:
        self.now += 1
        return self.role.reconcile(
            fake.snapshot(ingresses, [fake.service(s) for s in services], self.slices(services), **kwargs)
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    haproxy = fake.Haproxy(tmp_path)
    world = World(haproxy)
    yield world
    haproxy.stop()
    for pod in world.pods.values():
        pod.close()


DATA = Path(__file__).parents[1] / "data" / "ingress"
FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]


def test_first_ingress_listens_and_serves_and_the_last_one_stops_listening(world: World) -> None:
    section = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert list(section["served"]) == ["default/a"]
    assert section["ports"] == {str(world.haproxy.port): ""}
    assert world.haproxy.answer("foo.bar.com", "/foo/x") == "w1"
    assert world.haproxy.answer("foo.bar.com", "/fool") == "404"
    section = world.run([], {"web": ["w1"]})
    assert section["served"] == {}
    with pytest.raises(ConnectionRefusedError):
        world.haproxy.answer("foo.bar.com", "/foo")


def test_new_routes_and_endpoint_changes_need_no_reload(world: World) -> None:
    first = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    pid = first["haproxy"]["pid"]
    more = [
        fake.ingress("a", FOO),
        fake.ingress("b", [("b.com", "Exact", "/x", "b:http"), ("*.b.com", "Prefix", "/", "web:80")]),
    ]
    section = world.run(more, {"web": ["w1"], "b": ["b1", "b2"]})
    assert world.haproxy.answer("b.com", "/x") in {"b1", "b2"}
    assert world.haproxy.answer("q.b.com", "/zz") == "w1"
    for turn in range(30):
        section = world.run(more, {"web": [f"w{turn % 7}", f"w{(turn + 1) % 7}"], "b": ["b1"] if turn % 2 else []})
        assert {world.haproxy.answer("foo.bar.com", "/foo") for _ in range(4)} == {f"w{turn % 7}", f"w{(turn + 1) % 7}"}
        assert world.haproxy.answer("b.com", "/x") == ("b1" if turn % 2 else "503")
    section = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert world.haproxy.answer("b.com", "/x") == "404"
    assert section["haproxy"]["pid"] == pid
    assert section["metrics"]["reloads"] == first["metrics"]["reloads"]


def test_ingresses_with_other_options_for_one_service_do_not_share_them(world: World) -> None:
    """The pod answers ``/slow`` after a second; without the annotation the limit is five minutes."""
    slow = ("slow.com", "Prefix", "/", "web:80")
    for annotations in ({"ingress.rancherctl.io/timeout-read": "200ms"}, {}):
        section = world.run(
            [fake.ingress("a", FOO), fake.ingress("slow", [slow], annotations=annotations, version=repr(annotations))],
            {"web": ["w1"]},
        )
        assert set(section["served"]) == {"default/a", "default/slow"}
        assert world.haproxy.answer("slow.com", "/x") == "w1"
        assert world.haproxy.answer("slow.com", "/slow") == ("504" if annotations else "w1")
        assert world.haproxy.answer("foo.bar.com", "/foo/slow") == "w1"


def test_an_endpoint_in_unusual_letters_harms_nobody(world: World) -> None:
    """The API takes addresses that are not in their shortest form; HAProxy tells the shortest one."""
    odd = dataclasses.replace(fake.endpoint_slice("odd", [("FD00:0::00AB", 8080)]), address_type="IPv6")
    ingresses = [fake.ingress("a", FOO), fake.ingress("odd", [("odd.com", "Prefix", "/", "odd:80")])]
    services = [fake.service("web"), fake.service("odd")]
    for slices in (world.slices({"web": ["w1"]}), [*world.slices({"web": ["w1"]}), odd]):
        world.now += 1
        section = world.role.reconcile(fake.snapshot(ingresses, services, slices))
        assert section["alarm"] == ""
        assert set(section["served"]) == {"default/a", "default/odd"}


def test_forwarded_headers_are_ours(world: World) -> None:
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    _, body = world.haproxy.request(
        "foo.bar.com:80", "/foo", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    )
    seen = body["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == "foo.bar.com:80"
    assert seen["x-forwarded-port"] == str(world.haproxy.port)


@pytest.mark.parametrize("lost", [TimeoutError("timed out"), ConnectionResetError("reset")])
def test_a_reload_whose_answer_is_lost_restarts_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, lost: OSError
) -> None:
    """The master re-executes itself, or is slow: its word is not needed, the new worker answers. A restart would cut all connections."""
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    real = Socket._exchange

    def lossy(self: Socket, data: bytes) -> bytes:
        answer = real(self, data)
        if data == b"reload\n":
            raise lost
        return answer

    monkeypatch.setattr(Socket, "_exchange", lossy)
    monkeypatch.setattr(world.role.driver, "restart", lambda: pytest.fail("it was restarted"))
    world.reload()
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_a_master_that_is_asked_in_vain_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    driver = world.role.driver
    monkeypatch.setattr(driver, "start_limit", 0.3)
    restarted: list[int] = []

    def restart() -> None:
        restarted.append(1)
        world.haproxy.restart()
        monkeypatch.setattr(driver, "start_limit", 60.0)

    def hung(self: Socket, text: str, *, allow_empty: bool = False) -> str:
        if text == "reload":
            raise HaproxyError("no answer") from TimeoutError()
        return real(self, text, allow_empty=allow_empty)

    real = Socket.send
    monkeypatch.setattr(Socket, "send", hung)
    monkeypatch.setattr(driver, "restart", restart)
    world.reload()
    assert restarted == [1]
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_agent_restarts_with_the_api_away_and_repairs_what_was_damaged(world: World) -> None:
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    world.haproxy.stop()
    data = Path(world.haproxy.paths.data)
    (data / "exact.map").write_bytes(b"\x00\x01broken")
    (data / "haproxy.cfg").write_bytes(b"")
    section = world.new_role().reconcile(fake.Snapshot())
    assert list(section["served"]) == ["default/a"]
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_foreign_changes_on_the_socket_are_repaired(world: World) -> None:
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    world.role.driver.socket.send(f"clear map {world.haproxy.paths.map('prefix')}")
    state = Path(world.haproxy.paths.data, "state.json")
    state.write_text("broken")
    assert world.haproxy.answer("foo.bar.com", "/foo") == "404"
    world.now += 10
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert "default/a" in state.read_text()


@pytest.fixture
def occupied(world: World) -> Callable[[], None]:
    blocker = fake.Pod("blocker", "0.0.0.0", world.haproxy.port)
    return blocker.close


def test_a_taken_port_is_told_and_taken_back_when_free(world: World, occupied: Callable[[], None]) -> None:
    section = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert section["served"] == {}
    assert "in use" in section["ports"][str(world.haproxy.port)]
    assert section["alarm"] == section["ports"][str(world.haproxy.port)], "which is what people are shown"
    occupied()
    section = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert list(section["served"]) == ["default/a"]
    assert section["alarm"] == ""
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"


@pytest.mark.parametrize(("family", "address"), [("IPv4", "0.0.0.0"), ("IPv6", "::")])
def test_a_port_is_tested_in_the_family_of_its_listener(tmp_path: Path, family: Family, address: str) -> None:
    driver = Driver(Paths(data=str(tmp_path), run=str(tmp_path), ipv6="[::]"), user="nobody-at-all")
    with socket.socket(socket.AF_INET6 if family == "IPv6" else socket.AF_INET, socket.SOCK_STREAM) as other:
        if family == "IPv6":
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind((address, 0))
        other.listen(1)
        both = http_listeners(other.getsockname()[1], ["IPv4", "IPv6"])
        assert {x.family: "in use" in driver.listener_error(x) for x in both} == {
            "IPv4": family == "IPv4",
            "IPv6": family == "IPv6",
        }
    assert [driver.listener_error(x) for x in both] == ["", ""]


def test_a_busy_port_takes_down_only_its_own_listener(world: World) -> None:
    """Requests on the other port are answered, but the host confirms nothing: its address must lead clients to complete hosts."""
    other = fake.free_port()
    listeners = (*world.haproxy.listeners, *http_listeners(other, ["IPv4"]))
    blocker = fake.Pod("blocker", "0.0.0.0", other)
    world.new_role(listeners)
    section = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert section["served"] == {}
    assert section["placed"] == ["default/a"]
    assert section["ports"] == {str(world.haproxy.port): "", str(other): f"port {other}: Address already in use"}
    assert "error" not in section
    blocker.close()
    section = world.run([fake.ingress("a", FOO)], {"web": ["w2"]})
    assert list(section["served"]) == ["default/a"]
    for port in (world.haproxy.port, other):
        world.haproxy.port = port
        assert world.haproxy.answer("foo.bar.com", "/foo") == "w2"


def test_a_port_that_is_taken_while_haproxy_is_down_leaves_the_other_listeners_serving(world: World) -> None:
    other = fake.free_port()
    world.new_role((*world.haproxy.listeners, *http_listeners(other, ["IPv4"])))
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    world.haproxy.stop()
    ended = threading.Event()  # a killed worker holds its ports for a moment longer than the master
    listener = Listener("IPv4", other)
    assert any(not world.role.driver.listener_error(listener) or ended.wait(0.02) for _ in range(3000))
    blocker = fake.Pod("blocker", "0.0.0.0", other)
    world.now += 10
    section = world.role.reconcile(fake.Snapshot())
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert (section["served"], section["placed"]) == ({}, ["default/a"])
    blocker.close()
    assert list(world.run([fake.ingress("a", FOO)], {"web": ["w1"]})["served"]) == ["default/a"]


def test_a_state_file_of_release_0_1_is_served_without_the_api(world: World) -> None:
    """Its hashes were made by another rule: the report says so, until the API answers and every Ingress was translated again."""
    pod = world.pod("w1")
    recorded = json.loads((DATA / "release_0.1" / "state.json").read_text().split("\n", 1)[1])
    recorded["layout"]["ports"] = [world.haproxy.port]
    for pool in recorded["layout"]["pools"]:
        pool[3] = [[1, *pod.endpoint]] if pool[1] == "default/web:80" else pool[3]
    body = json.dumps(recorded).encode()
    Path(world.haproxy.paths.data, "state.json").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    section = world.new_role().reconcile(fake.Snapshot())
    assert world.haproxy.answer("shop.example.com", "/x") == "w1"
    assert section["served"] == {"default/rest": "f03b8b9d119a", "default/shop": "0081eb39ff0b"}
    assert section["hash_scheme"] == 0
    shop = fake.ingress("shop", [("shop.example.com", "Prefix", "/", "web:80")], status=["192.0.2.1"])
    section = world.run([shop], {"web": ["w1"]}, hosts=fake.roster("h1", epoch=3, sequence=18))
    assert (list(section["served"]), section["hash_scheme"]) == (["default/shop"], HASH_SCHEME)
    assert section["metrics"]["reloads"] == 1
    assert world.haproxy.answer("shop.example.com", "/x") == "w1"


def test_removal_waits_for_the_address_to_leave_the_status_and_for_the_drain(world: World) -> None:
    services = {"web": ["w1"]}
    world.run([fake.ingress("a", FOO, status=["192.0.2.1"])], services)
    away = fake.roster("h1", "h2", sequence=2, dead=["h1"])
    assert world.run([fake.ingress("a", FOO, status=["192.0.2.1"])], services, hosts=away)["served"]
    left = [fake.ingress("a", FOO, status=["192.0.2.2"])]
    assert world.run(left, services, hosts=away)["served"]
    assert 0 < world.role.resync <= 2
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert world.run(left, services, hosts=away, healthy=False)["served"]
    world.now += 1
    assert world.run(left, services, hosts=away, healthy=False)["served"]
    assert world.run(left, services, hosts=away)["served"] == {}


def test_what_can_be_placed_nowhere_any_more_goes_after_its_address(world: World) -> None:
    """A typing error in its labels, or a deletion that something holds back: clients still come to the address that they know."""
    affinity, services = {"io.rancher.scheduler.affinity.host_label": "no label"}, {"web": ["w1"]}
    good = fake.ingress("a", FOO, status=["192.0.2.1"])
    bad = fake.ingress("a", FOO, status=["192.0.2.1"], version="2", annotations=affinity)
    deleting = dataclasses.replace(good, meta=dataclasses.replace(good.meta, deleting=True))
    for published in (bad, deleting):
        world.run([good], services)
        assert list(world.run([published], services)["served"]) == ["default/a"]
        assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
        left = dataclasses.replace(published, status=())
        assert world.run([left], services)["served"]
        assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
        world.now += 6
        assert world.run([left], services)["served"] == {}


def test_an_older_leader_is_ignored(world: World) -> None:
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]}, hosts=fake.roster("h1", epoch=5))
    section = world.run([fake.ingress("a", FOO)], {"web": ["w1"]}, hosts=fake.roster("h2", epoch=4, sequence=99))
    assert section["roster"] == [5, 1]
    assert section["served"]


def test_a_roster_that_stays_older_is_that_of_a_restored_environment(world: World) -> None:
    """Also after a restart of the agent, which remembers the epoch: else this host would be frozen until epochs catch up."""
    services, a, b = {"web": ["w1"]}, fake.ingress("a", FOO), fake.ingress("b", [("b.com", "Prefix", "/", "web:80")])
    world.run([a], services, hosts=fake.roster("h1", epoch=5, sequence=7))
    for role in (world.role, world.new_role()):
        world.role = role
        section = world.run([a], services, hosts=fake.roster("h1", epoch=2))
        assert "older" in section["alarm"]
        assert list(section["served"]) == ["default/a"]
    world.now += 59
    section = world.run([a, b], services, hosts=fake.roster("h1", epoch=2))
    assert section["roster"] == [2, 1]
    assert section["alarm"] == ""
    assert world.haproxy.answer("b.com") == "w1"
    assert world.run([a, b], services, hosts=fake.roster("h1", epoch=2))["alarm"] == ""


def test_a_slot_with_connections_to_its_old_pod_is_not_given_to_another(world: World) -> None:
    """A request under way while its server is taken away goes back to HAProxy's idle connections: a reused slot would send others there."""
    names = [f"w{i}" for i in range(11)]  # so many that the last one would get the first slot
    world.run([fake.ingress("a", FOO)], {"web": ["w0"]})
    connection = http.client.HTTPConnection("127.0.0.1", world.haproxy.port, timeout=60)
    connection.request("GET", "/foo", headers={"Host": "foo.bar.com"})
    connection.getresponse().read()
    slow = threading.Thread(
        target=lambda: (
            connection.request("GET", "/foo/slow", headers={"Host": "foo.bar.com"}),
            connection.getresponse().read(),
        )
    )
    slow.start()
    for name in names[1:]:  # more changes than there are slots, while the slow request runs
        world.run([fake.ingress("a", FOO)], {"web": [name]})
    slow.join()
    for _ in range(5):
        assert world.haproxy.answer("foo.bar.com", "/foo") == names[-1]
        connection.request("GET", "/foo", headers={"Host": "foo.bar.com"})
        assert names[-1].encode() in connection.getresponse().read()
    connection.close()


def test_probes_tell_answering_from_unrouted_from_without_endpoints(world: World) -> None:
    from rancherctl.ingress.operator import http_check

    rules = [*FOO, ("foo.bar.com", "Prefix", "/empty", "gone:80")]
    world.run([fake.ingress("a", rules)], {"web": ["w1"], "gone": []})
    asked = [
        http_check.HttpCheck("default/a", "127.0.0.1", host, path)
        for host, path in (("foo.bar.com", "/foo"), ("foo.bar.com", "/x"), ("foo.bar.com", "/empty"))
    ]
    assert [(p.ok, p.status) for p in http_check.run_checks(asked, world.haproxy.port)] == [
        (True, 200),
        (False, 404),
        (None, 503),
    ]
    world.haproxy.stop()
    assert http_check.run_check(asked[0], world.haproxy.port).ok is False


def test_a_configuration_that_haproxy_refuses_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every token is validated, so this takes a fault of our own: HAProxy's words are told, what ran goes on and stays confirmed."""
    from rancherctl.ingress.haproxy import render

    first = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    monkeypatch.setattr(render, "_NO_ROUTE", "\nbackend no-route\n  nonsense\n")
    many = [fake.ingress(f"m{n}", [(f"m{n}.com", "Prefix", "/", f"s{n}:80")]) for n in range(20)]
    section = world.run([fake.ingress("a", FOO), *many], {"web": ["w1"]} | {f"s{n}": ["w1"] for n in range(20)})
    assert "unknown keyword 'nonsense'" in section["alarm"]
    assert section["served"] == first["served"]
    assert "error" not in section
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
    monkeypatch.undo()
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    section = world.run([fake.ingress("a", FOO), *many], {"web": ["w1"]} | {f"s{n}": ["w1"] for n in range(20)})
    assert (section["alarm"], len(section["served"])) == ("", 21)


def test_a_full_disk_takes_no_address_away_and_holds_no_change_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What HAProxy takes while it runs needs no disk; only a host that starts anew would."""
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(files.disk, "put", full)
        more = [fake.ingress("a", FOO), fake.ingress("b", [("b.com", "Prefix", "/", "web:80")])]
        for turn, pods in enumerate((["w2"], ["w3"], ["w4"])):
            world.now += 3
            section = world.run(more if turn else more[:1], {"web": pods})
            assert set(section["served"]) == ({"default/a", "default/b"} if turn else {"default/a"})
            assert "No space left" in section["alarm"]
            assert "error" not in section
            assert world.haproxy.answer("foo.bar.com", "/foo") == pods[0]
        assert world.haproxy.answer("b.com") == "w4"
        world.now += 10
        assert "No space left" in world.role.reconcile(fake.Snapshot())["alarm"], "also without any change"
    reloads = world.role.driver.counters.reloads
    world.now += 10
    section = world.role.reconcile(fake.Snapshot())
    assert (section["alarm"], world.role.driver.counters.reloads) == ("", reloads)
    world.haproxy.restart()
    section = world.new_role().reconcile(fake.Snapshot())
    assert set(section["served"]) == {"default/a", "default/b"}
    assert world.haproxy.answer("b.com") == "w4"


def test_a_host_that_cannot_begin_to_serve_says_so_until_it_can(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its Ingresses are placed elsewhere; then nothing is placed here, which is no proof that it could be."""
    world.run([], {"web": ["w1"]})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    elsewhere = fake.roster("h1", "h2", sequence=2, dead=["h1"])
    with monkeypatch.context() as disk:
        disk.setattr(files.disk, "put", full)
        for ingresses, hosts in (
            ([fake.ingress("a", FOO)], fake.roster("h1")),
            ([fake.ingress("a", FOO)], elsewhere),
            ([], elsewhere),
        ):
            section = world.run(ingresses, {"web": ["w1"]}, hosts=hosts)
            assert section["served"] == {}
            assert "No space left" in section["error"]
            assert world.role.resync < 5
    section = world.run([fake.ingress("a", FOO)], {"web": ["w1"]}, hosts=fake.roster("h1", sequence=3))
    assert "error" not in section
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_nothing_is_collected_while_a_change_is_planned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of objects a collection takes longer than the whole change."""
    running: list[bool] = []
    for module, name in ((merge, "merge"), (plan, "plan")):
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, original=original: (running.append(gc.isenabled()), original(*args))[1]
        )
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert running == [False, False]
    assert gc.isenabled()


def test_a_fault_of_our_own_withdraws_nothing_that_is_served(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object that nobody thought of would reach every host at the same moment: all would leave all statuses."""
    first = world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    with monkeypatch.context() as fault:
        fault.setattr(merge, "merge", lambda *_: {}["nobody thought of this"])
        section = world.run([fake.ingress("a", FOO), fake.ingress("odd", FOO)], {"web": ["w1"]})
    assert "nobody thought of this" in section["alarm"]
    assert "error" not in section
    assert section["served"] == first["served"]
    assert world.role.resync < 5
    assert world.run([fake.ingress("a", FOO)], {"web": ["w1"]})["alarm"] == ""


def test_many_broken_backends_of_one_ingress_do_not_fill_the_report(world: World) -> None:
    """A report is one object of at most a megabyte, written whole: too long a one would silence the host for everybody."""
    many = [
        (f"h{n}.com", "Prefix", "/", f"{'long-name-of-a-service-that-is-not-there-' + str(n)}:80") for n in range(300)
    ]
    ingresses = [
        fake.ingress(f"i{n}", many[: 300 if n == 0 else 3], created=f"2026-01-{n + 1:02}T00:00:00Z") for n in range(20)
    ]
    section = world.run(ingresses, {})
    assert len(section["served"]) == 20
    assert all(section["problems"][f"default/i{n}"] for n in range(20))
    told = section["problems"]["default/i0"]
    assert len(told) <= 6
    assert "295 more" in told[-1][1]


def test_haproxy_that_stays_dead_is_told_as_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    world.haproxy.stop()
    monkeypatch.setattr(world.role.driver, "restart", lambda: None)
    monkeypatch.setattr(world.role.driver, "start_limit", 0.2)
    world.now += 10
    section = world.role.reconcile(fake.Snapshot())
    assert section["served"] == {}
    assert section["error"]
    assert world.role.resync < 5
    monkeypatch.undo()
    section = world.role.reconcile(fake.Snapshot())
    assert list(section["served"]) == ["default/a"]
    assert "error" not in section


def test_a_frozen_haproxy_is_told_before_it_is_repaired(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address has to leave the statuses within seconds; to bring it back takes longer. A hung socket alone takes nothing away."""
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert world.haproxy.process is not None
    asked: list[str] = []
    monkeypatch.setattr(world.role.driver.master, "send", lambda text, **_: asked.append(text))
    world.now += 10
    os.killpg(world.haproxy.process.pid, signal.SIGSTOP)
    section = world.role.reconcile(fake.Snapshot())
    assert (section["served"], asked) == ({}, [])
    assert "does not answer" in section["error"]
    assert world.role.resync < 1
    os.killpg(world.haproxy.process.pid, signal.SIGCONT)
    section = world.role.reconcile(fake.Snapshot())
    assert list(section["served"]) == ["default/a"]
    assert "error" not in section


def test_a_socket_that_hangs_while_requests_are_answered_is_no_death(world: World) -> None:
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    driver = world.role.driver
    hung = Path(world.haproxy.paths.run) / "hung.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(hung))
        listener.listen()
        driver.socket = Socket(str(hung))
        assert driver.frozen(Layout(world.haproxy.listeners)) == ""
        assert "does not answer" in driver.frozen(Layout(http_listeners(fake.free_port(), ["IPv4"])))


def vanish(pod: fake.Pod) -> list[socket.socket]:
    """Like a host without power: nothing answers at the pod's address, not even a refusal. The queue of connections is full."""
    pod.close()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(pod.endpoint)
    listener.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(pod.endpoint)
    return [listener, *waiting]


def test_many_pods_of_a_lost_host_fail_no_request(world: World) -> None:
    """Five of ten pods vanish at once: also before any check has noticed, a request comes to a living one within its tries."""
    nodes = {f"w{n}": "h1" if n < 5 else "h2" for n in range(10)}
    for n, name in enumerate(nodes):
        world.pods[name] = fake.Pod(name, f"127.0.0.{n + 2}")
    slices = [fake.endpoint_slice("web", [world.pods[name].endpoint], node=node) for name, node in nodes.items()]
    world.role.reconcile(fake.snapshot([fake.ingress("a", FOO)], [fake.service("web")], slices))
    assert world.role.store.current is not None
    for pool in world.role.store.current.layout.pools:
        for slot in pool.slots:
            world.role.driver.socket.send(f"disable health {pool.name}/{slot.name}")
    lost = [vanish(world.pods.pop(name)) for name, node in nodes.items() if node == "h1"]
    assert {world.haproxy.answer("foo.bar.com", "/foo") for _ in range(5)} <= {
        name for name, node in nodes.items() if node == "h2"
    }
    for each in lost:
        for one in each:
            one.close()


def test_a_server_added_at_run_time_keeps_no_idle_connection(world: World) -> None:
    """It cannot be told to give up an unanswered request after a second (`tcp-ut`): if its host is lost, such a request would hang for minutes."""
    world.run([fake.ingress("a", FOO)], {"web": ["w0"]})
    names = [f"w{n}" for n in range(9)]
    world.run([fake.ingress("a", FOO)], {"web": names})
    assert world.role.store.current is not None
    (pool,) = (p for p in world.role.store.current.layout.pools if p.backend)
    assert len(pool.slots) > MIN_SLOTS
    assert {world.haproxy.answer("foo.bar.com", "/foo") for _ in range(40)} == set(names)
    kept = {int(slot[1:]) for _, slot in world.role.driver.busy((pool.name,))}
    assert kept == set(range(1, MIN_SLOTS + 1))


def test_a_port_that_is_taken_while_haproxy_is_down_is_told_as_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a boot on which another program was first."""
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    world.haproxy.stop()
    ended = threading.Event()  # a killed worker holds its port for a moment longer than the master
    assert any(
        not world.role.driver.listener_error(world.haproxy.listeners[0]) or ended.wait(0.02) for _ in range(3000)
    )
    blocker = fake.Pod("blocker", "0.0.0.0", world.haproxy.port)
    monkeypatch.setattr(world.role.driver, "start_limit", 0.2)
    world.now += 10
    section = world.role.reconcile(fake.Snapshot())
    assert section["served"] == {}
    assert section["error"] == f"port {world.haproxy.port}: Address already in use"
    blocker.close()
    monkeypatch.undo()
    assert list(world.role.reconcile(fake.Snapshot())["served"]) == ["default/a"]
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"


class Clients:
    """Threads that ask all the time, some over kept connections, and count what was not a 200."""

    def __init__(self, haproxy: fake.Haproxy, threads: int = 4) -> None:
        self.haproxy, self.good, self.bad, self.stopping = haproxy, 0, list[str](), threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(n % 2 == 0,)) for n in range(threads)]

    def ask(self, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.haproxy.port, timeout=60)
        while not self.stopping.is_set():
            try:
                connection.request("GET", "/foo", headers={"Host": "foo.bar.com"})
                response = connection.getresponse()
                response.read()
                if response.status == 200:
                    self.good += 1
                else:
                    self.bad.append(str(response.status))
            except (OSError, http.client.HTTPException) as error:
                self.bad.append(repr(error))
            # A worker that is replaced says "Connection: close" on its last answer: http.client connects anew by itself then.
            if not kept:
                connection.close()
        connection.close()

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_no_request_fails_over_edits_and_reloads(world: World) -> None:
    services = {"web": ["w1", "w2"]}
    world.run([fake.ingress("a", FOO)], services)
    reloads = world.role.driver.counters.reloads
    with Clients(world.haproxy) as clients:
        for turn in range(12):
            seen = clients.good
            extra = [fake.ingress(f"e{turn}", [(f"e{turn}.com", "Prefix", "/", "web:80")])]
            world.run(
                [fake.ingress("a", [*FOO, ("foo.bar.com", "Exact", f"/x{turn}", "web:80")]), *extra],
                {"web": [f"w{turn % 3}", f"w{(turn + 1) % 3}"]},
            )
            if turn % 2:
                world.reload()
            while clients.good < seen + 40 and not clients.bad:
                clients.stopping.wait(0.01)
    assert clients.bad == []
    assert clients.good >= 480
    # On a busy machine old connections hold their slots longer, and an edit that finds none free is one more reload.
    assert world.role.driver.counters.reloads >= reloads + 6


def test_workers_of_many_reloads_do_not_pile_up(world: World) -> None:
    """Each former worker holds a connection that never ends; the oldest ones are ended all the same."""
    world.run([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert world.haproxy.process is not None
    children = Path(f"/proc/{world.haproxy.process.pid}/task/{world.haproxy.process.pid}/children")
    held = []
    for _ in range(14):
        connection = socket.create_connection(("127.0.0.1", world.haproxy.port), timeout=60)
        connection.sendall(b"GET /foo HTTP/1.1\r\nHost: foo.bar.com\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        held.append(connection)
        world.reload()
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert 2 <= len(children.read_text().split()) <= 10
    for connection in held:
        connection.close()


def test_a_loss_too_big_to_be_believed_is_held_back_and_what_comes_is_served(world: World) -> None:
    """A namespace is deleted, or the API lost its data: nobody knows yet. A new Ingress of somebody else does not wait for that."""
    hosts = {f"m{n}": f"m{n}.com" for n in range(12)}
    many = [
        fake.ingress(name, [(host, "Prefix", "/", f"{name}:80")], default="m3:80" if name == "m3" else "")
        for name, host in hosts.items()
    ]
    world.run([fake.ingress("a", FOO), *many], {"web": ["w1"]} | {name: [f"p{name}"] for name in hosts})
    section = world.run([fake.ingress("new", [("new.com", "Exact", "/x", "web:80")])], {"web": ["w2"]})
    assert section["alarm"].startswith("12 of 13 backends would lose")
    assert "default/new" in section["served"]
    assert world.haproxy.answer("new.com", "/x") == "w2"
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w2"
    for name, host in hosts.items():
        assert world.haproxy.answer(host) == f"p{name}"
    assert world.haproxy.answer("nobody.org") == "pm3"
    reloads = world.role.driver.counters.reloads
    assert world.run([fake.ingress("new", [("new.com", "Exact", "/x", "web:80")])], {"web": ["w2"]})["alarm"]
    world.now += 30
    section = world.run([fake.ingress("new", [("new.com", "Exact", "/x", "web:80")])], {"web": ["w2"]})
    assert list(section["served"]) == ["default/new"]
    assert world.haproxy.answer("m1.com") == world.haproxy.answer("nobody.org") == "404"
    assert world.haproxy.answer("new.com", "/x") == "w2"
    assert world.role.driver.counters.reloads == reloads


def test_without_its_state_an_agent_goes_on_serving_what_is_published_here(world: World) -> None:
    services, away = {"web": ["w1"]}, fake.roster("h1", "h2", sequence=2, dead=["h1"])
    published = [fake.ingress("a", FOO, status=["192.0.2.1"])]
    world.run(published, services)
    Path(world.haproxy.paths.data, "state.json").unlink()
    world.new_role()
    assert list(world.run(published, services, hosts=away)["served"]) == ["default/a"]
    assert world.haproxy.answer("foo.bar.com", "/foo") == "w1"
