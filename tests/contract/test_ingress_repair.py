"""Damage on a host, and starts without the API or without a valid state file."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest

from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.runtime import Socket
from rancherctl.ingress.model import HASH_SCHEME, http_listeners
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

DATA = Path(__file__).parents[1] / "data" / "ingress"
FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]


def test_an_agent_that_restarts_without_the_api_repairs_damaged_files(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    lb_host.haproxy.stop()
    data = Path(lb_host.haproxy.paths.data)
    (data / "exact.map").write_bytes(b"\x00\x01broken")
    (data / "haproxy.cfg").write_bytes(b"")
    section = lb_host.new_role().reconcile(fake.Snapshot())
    assert list(section["served"]) == ["default/a"]
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_foreign_changes_on_the_socket_are_repaired(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    lb_host.driver.socket.send(f"clear map {lb_host.haproxy.paths.map('prefix')}")
    state = Path(lb_host.haproxy.paths.data, "state.json")
    state.write_text("broken")
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "404"
    lb_host.now += 10
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert "default/a" in state.read_text()


def test_a_state_file_of_release_0_1_is_served_without_the_api(lb_host: LoadBalancerHost) -> None:
    """Its hashes have another scheme: the report says so until the API answers and Ingresses are translated again."""
    pod = lb_host.pod("w1")
    recorded = json.loads((DATA / "release_0.1" / "state.json").read_text().split("\n", 1)[1])
    recorded["layout"]["ports"] = [lb_host.haproxy.port]
    for pool in recorded["layout"]["pools"]:
        pool[3] = [[1, *pod.endpoint]] if pool[1] == "default/web:80" else pool[3]
    body = json.dumps(recorded).encode()
    Path(lb_host.haproxy.paths.data, "state.json").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    section = lb_host.new_role().reconcile(fake.Snapshot())
    assert lb_host.haproxy.answer("shop.example.com", "/x") == "w1"
    assert section["served"] == {"default/rest": "f03b8b9d119a", "default/shop": "0081eb39ff0b"}
    assert section["hash_scheme"] == 0
    shop = fake.ingress("shop", [("shop.example.com", "Prefix", "/", "web:80")], status=["192.0.2.1"])
    section = lb_host.reconcile([shop], {"web": ["w1"]}, hosts=fake.roster("h1", epoch=3, sequence=18))
    assert (list(section["served"]), section["hash_scheme"]) == (["default/shop"], HASH_SCHEME)
    assert section["metrics"]["reloads"] == 1
    assert lb_host.haproxy.answer("shop.example.com", "/x") == "w1"


def test_without_its_state_file_an_agent_serves_what_is_published_here(lb_host: LoadBalancerHost) -> None:
    services, away = {"web": ["w1"]}, fake.roster("h1", "h2", sequence=2, dead=["h1"])
    published = [fake.ingress("a", FOO, status=["192.0.2.1"])]
    lb_host.reconcile(published, services)
    Path(lb_host.haproxy.paths.data, "state.json").unlink()
    lb_host.new_role()
    assert list(lb_host.reconcile(published, services, hosts=away)["served"]) == ["default/a"]
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_a_haproxy_that_does_not_start_is_reported_as_an_error(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    lb_host.haproxy.stop()
    monkeypatch.setattr(lb_host.driver, "restart", lambda: None)
    monkeypatch.setattr(lb_host.driver, "start_limit", 0.2)
    lb_host.now += 10
    section = lb_host.role.reconcile(fake.Snapshot())
    assert section["served"] == {}
    assert section["error"]
    assert lb_host.role.resync < 5
    monkeypatch.undo()
    section = lb_host.role.reconcile(fake.Snapshot())
    assert list(section["served"]) == ["default/a"]
    assert "error" not in section


def test_a_frozen_haproxy_is_reported_before_it_is_repaired(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address must leave the statuses within seconds, and the repair takes longer."""
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    asked: list[str] = []
    monkeypatch.setattr(lb_host.driver.master, "send", lambda text, **_: asked.append(text) or "")
    lb_host.now += 10
    lb_host.haproxy.freeze()
    section = lb_host.role.reconcile(fake.Snapshot())
    assert (section["served"], asked) == ({}, [])
    assert "does not answer" in section["error"]
    assert lb_host.role.resync < 1
    lb_host.haproxy.thaw()
    section = lb_host.role.reconcile(fake.Snapshot())
    assert list(section["served"]) == ["default/a"]
    assert "error" not in section


def test_a_haproxy_that_freezes_during_its_check_is_reported_before_it_is_repaired(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    asked: list[str] = []
    monkeypatch.setattr(lb_host.driver.master, "send", lambda text, **_: asked.append(text) or "")
    differences = lb_host.driver.differences

    def freeze_first(layout: Layout) -> tuple[str, ...]:
        lb_host.haproxy.freeze()
        return differences(layout)

    monkeypatch.setattr(lb_host.driver, "differences", freeze_first)
    lb_host.now += 10
    section = lb_host.role.reconcile(fake.Snapshot())
    assert (section["served"], asked) == ({}, [])
    assert "does not answer" in section["error"]
    assert lb_host.role.resync < 1


def test_a_haproxy_that_answers_requests_is_not_frozen_even_if_its_socket_hangs(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    driver = lb_host.driver
    hung = Path(lb_host.haproxy.paths.run) / "hung.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(hung))
        listener.listen()
        driver.socket = Socket(str(hung))
        assert driver.frozen(Layout(lb_host.haproxy.listeners)) == ""
        assert "does not answer" in driver.frozen(Layout(http_listeners(fake.free_port(), ["IPv4"])))
