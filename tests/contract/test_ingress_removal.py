"""What a host stops serving and when: drained Ingresses, old rosters, mass losses."""

from __future__ import annotations

import dataclasses

from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]


def test_removal_waits_for_the_address_to_leave_the_status_and_for_the_drain(lb_host: LoadBalancerHost) -> None:
    services = {"web": ["w1"]}
    lb_host.reconcile([fake.ingress("a", FOO, status=["192.0.2.1"])], services)
    away = fake.roster("h1", "h2", sequence=2, dead=["h1"])
    assert lb_host.reconcile([fake.ingress("a", FOO, status=["192.0.2.1"])], services, hosts=away)["served"]
    left = [fake.ingress("a", FOO, status=["192.0.2.2"])]
    assert lb_host.reconcile(left, services, hosts=away)["served"]
    assert 0 < lb_host.role.resync <= 2
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert lb_host.reconcile(left, services, hosts=away, healthy=False)["served"]
    lb_host.now += 1
    assert lb_host.reconcile(left, services, hosts=away, healthy=False)["served"]
    assert lb_host.reconcile(left, services, hosts=away)["served"] == {}


def test_an_ingress_that_can_no_longer_be_placed_goes_after_its_address(lb_host: LoadBalancerHost) -> None:
    """A typo in its labels, or a deletion held back by a finalizer: clients still use the address that they know."""
    affinity, services = {"io.rancher.scheduler.affinity.host_label": "no label"}, {"web": ["w1"]}
    good = fake.ingress("a", FOO, status=["192.0.2.1"])
    bad = fake.ingress("a", FOO, status=["192.0.2.1"], version="2", annotations=affinity)
    deleting = dataclasses.replace(good, meta=dataclasses.replace(good.meta, deleting=True))
    for published in (bad, deleting):
        lb_host.reconcile([good], services)
        assert list(lb_host.reconcile([published], services)["served"]) == ["default/a"]
        assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
        left = dataclasses.replace(published, status=())
        assert lb_host.reconcile([left], services)["served"]
        assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
        lb_host.now += 6
        assert lb_host.reconcile([left], services)["served"] == {}


def test_an_older_leader_is_ignored(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]}, hosts=fake.roster("h1", epoch=5))
    section = lb_host.reconcile(
        [fake.ingress("a", FOO)], {"web": ["w1"]}, hosts=fake.roster("h2", epoch=4, sequence=99)
    )
    assert section["roster"] == [5, 1]
    assert section["served"]


def test_a_roster_that_stays_older_is_accepted_after_a_restore(lb_host: LoadBalancerHost) -> None:
    """Also after a restart of the agent, which keeps the epoch: the host must not wait for a higher one."""
    services, a, b = {"web": ["w1"]}, fake.ingress("a", FOO), fake.ingress("b", [("b.com", "Prefix", "/", "web:80")])
    lb_host.reconcile([a], services, hosts=fake.roster("h1", epoch=5, sequence=7))
    for role in (lb_host.role, lb_host.new_role()):
        lb_host.role = role
        section = lb_host.reconcile([a], services, hosts=fake.roster("h1", epoch=2))
        assert "older" in section["alarm"]
        assert list(section["served"]) == ["default/a"]
    lb_host.now += 59
    section = lb_host.reconcile([a, b], services, hosts=fake.roster("h1", epoch=2))
    assert section["roster"] == [2, 1]
    assert section["alarm"] == ""
    assert lb_host.haproxy.answer("b.com") == "w1"
    assert lb_host.reconcile([a, b], services, hosts=fake.roster("h1", epoch=2))["alarm"] == ""


def test_a_mass_loss_is_held_back_while_additions_are_served(lb_host: LoadBalancerHost) -> None:
    """A namespace is deleted, or the API lost its data: at first that is unknown. New Ingresses must not wait."""
    hosts = {f"m{n}": f"m{n}.com" for n in range(12)}
    many = [
        fake.ingress(name, [(host, "Prefix", "/", f"{name}:80")], default="m3:80" if name == "m3" else "")
        for name, host in hosts.items()
    ]
    lb_host.reconcile([fake.ingress("a", FOO), *many], {"web": ["w1"]} | {name: [f"p{name}"] for name in hosts})
    section = lb_host.reconcile([fake.ingress("new", [("new.com", "Exact", "/x", "web:80")])], {"web": ["w2"]})
    assert section["alarm"].startswith("12 of 13 backends would lose")
    assert "default/new" in section["served"]
    assert lb_host.haproxy.answer("new.com", "/x") == "w2"
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w2"
    for name, host in hosts.items():
        assert lb_host.haproxy.answer(host) == f"p{name}"
    assert lb_host.haproxy.answer("unknown.org") == "pm3"
    reloads = lb_host.driver.counters.reloads
    assert lb_host.reconcile([fake.ingress("new", [("new.com", "Exact", "/x", "web:80")])], {"web": ["w2"]})["alarm"]
    lb_host.now += 30
    section = lb_host.reconcile([fake.ingress("new", [("new.com", "Exact", "/x", "web:80")])], {"web": ["w2"]})
    assert list(section["served"]) == ["default/new"]
    assert lb_host.haproxy.answer("m1.com") == lb_host.haproxy.answer("unknown.org") == "404"
    assert lb_host.haproxy.answer("new.com", "/x") == "w2"
    assert lb_host.driver.counters.reloads == reloads
