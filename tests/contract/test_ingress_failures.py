"""A host that cannot do what it should reports it and withdraws nothing that it serves."""

from __future__ import annotations

import errno
import gc
from typing import Any

import pytest

from rancherctl.hosts.remote import disk as remote_disk
from rancherctl.ingress.haproxy import files, plan
from rancherctl.ingress.translate import merge
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]


def test_a_full_disk_withdraws_no_address_and_delays_no_change(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runtime commands need no disk; only a restart of the host would."""
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(remote_disk, "_filled", full)
        disk.setattr(files, "write_scratch", full)
        more = [fake.ingress("a", FOO), fake.ingress("b", [("b.com", "Prefix", "/", "web:80")])]
        for turn, pods in enumerate((["w2"], ["w3"], ["w4"])):
            lb_host.now += 3
            section = lb_host.reconcile(more if turn else more[:1], {"web": pods})
            assert set(section["served"]) == ({"default/a", "default/b"} if turn else {"default/a"})
            assert "No space left" in section["alarm"]
            assert "error" not in section
            assert lb_host.haproxy.answer("foo.bar.com", "/foo") == pods[0]
        assert lb_host.haproxy.answer("b.com") == "w4"
        lb_host.now += 10
        assert "No space left" in lb_host.role.reconcile(fake.Snapshot())["alarm"], "also without any change"
    reloads = lb_host.driver.counters.reloads
    lb_host.now += 10
    section = lb_host.role.reconcile(fake.Snapshot())
    assert (section["alarm"], lb_host.driver.counters.reloads) == ("", reloads)
    lb_host.haproxy.restart()
    section = lb_host.new_role().reconcile(fake.Snapshot())
    assert set(section["served"]) == {"default/a", "default/b"}
    assert lb_host.haproxy.answer("b.com") == "w4"


def test_a_host_that_cannot_serve_reports_an_error_until_it_can(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Ingresses move to other hosts; that none is placed here then is not a sign that one could be."""
    lb_host.reconcile([], {"web": ["w1"]})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    elsewhere = fake.roster("h1", "h2", sequence=2, dead=["h1"])
    with monkeypatch.context() as disk:
        disk.setattr(remote_disk, "_filled", full)
        disk.setattr(files, "write_scratch", full)
        for ingresses, hosts in (
            ([fake.ingress("a", FOO)], fake.roster("h1")),
            ([fake.ingress("a", FOO)], elsewhere),
            ([], elsewhere),
        ):
            section = lb_host.reconcile(ingresses, {"web": ["w1"]}, hosts=hosts)
            assert section["served"] == {}
            assert "No space left" in section["error"]
            assert lb_host.role.resync < 5
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]}, hosts=fake.roster("h1", sequence=3))
    assert "error" not in section
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_a_bug_withdraws_nothing_that_is_served(lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected object reaches all hosts at once: without this, all addresses would leave all statuses."""
    first = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    with monkeypatch.context() as fault:
        fault.setattr(merge, "merge", lambda *_: dict[str, object]()["an unexpected object"])
        section = lb_host.reconcile([fake.ingress("a", FOO), fake.ingress("odd", FOO)], {"web": ["w1"]})
    assert "an unexpected object" in section["alarm"]
    assert "error" not in section
    assert section["served"] == first["served"]
    assert lb_host.role.resync < 5
    assert lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})["alarm"] == ""


def test_many_broken_backends_of_one_ingress_do_not_fill_the_report(lb_host: LoadBalancerHost) -> None:
    """A report has at most a megabyte and is written as a whole: one that is too long would silence the host."""
    many = [
        (f"h{n}.com", "Prefix", "/", f"{'long-name-of-a-service-that-is-not-there-' + str(n)}:80") for n in range(300)
    ]
    ingresses = [
        fake.ingress(f"i{n}", many[: 300 if n == 0 else 3], created=f"2026-01-{n + 1:02}T00:00:00Z") for n in range(20)
    ]
    section = lb_host.reconcile(ingresses, {})
    assert len(section["served"]) == 20
    assert all(section["problems"][f"default/i{n}"] for n in range(20))
    found = section["problems"]["default/i0"]
    assert len(found) <= 6
    assert "295 more" in found[-1][1]


def test_no_garbage_collection_runs_while_a_change_is_planned(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With thousands of objects a collection takes longer than the whole change."""
    running: list[bool] = []
    for module, name in ((merge, "merge"), (plan, "plan")):
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, original=original: (running.append(gc.isenabled()), original(*args))[1]
        )
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert running == [False, False]
    assert gc.isenabled()
