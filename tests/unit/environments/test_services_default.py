"""Services without a class: served in new environments, not by an upgrade alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rancherctl.environments.dump import dump
from rancherctl.environments.immutable_fields import marker_of
from rancherctl.environments.inventory import load
from rancherctl.environments.model import Environment, ServiceSettings
from rancherctl.environments.services_default import begins, notice, settled
from rancherctl.hosts.model import Host, SshAddress
from rancherctl.services.operator.notice import publishing
from tests.fakes import services as fake

HOST = Host("h1", "10.0.0.1", frozenset({"etcd", "controlplane", "worker"}), SshAddress("10.0.0.1"))
ENV = Environment("demo", (HOST,))


def _default(environment: Environment, *markers: Mapping[str, object]) -> bool | None:
    return settled(environment, markers).services.default


def test_a_new_environment_has_it_and_keeps_it() -> None:
    new = settled(ENV, [{}])
    assert new.services.default is True
    assert _default(ENV, marker_of(new, HOST), {}) is True


def test_an_environment_of_an_earlier_release_does_not_get_it_by_an_upgrade() -> None:
    before = {"environment": "demo", "host": "h1"}
    assert _default(ENV, before) is False
    assert _default(ENV, marker_of(settled(ENV, [before]), HOST)) is False


def test_hosts_of_another_environment_say_nothing() -> None:
    assert _default(ENV, {"environment": "other"}) is True


def test_the_file_decides() -> None:
    for value in (True, False):
        wanted = replace(ENV, services=ServiceSettings(value))
        assert _default(wanted, {"environment": "demo"}) is value
        assert load(dump(wanted)).environment.services.default is value
    assert "services" not in dump(ENV)


def test_a_plan_lists_what_would_be_published() -> None:
    on, off = (replace(ENV, services=ServiceSettings(value)) for value in (True, False))
    assert [begins(ENV, on), begins(off, on), begins(on, on), begins(ENV, off)] == [True, True, False, False]
    found = publishing(
        [
            fake.service("b", ("tcp", 80), ("udp", 53)),
            fake.service("a"),
            fake.service("served", status=fake.published("192.0.2.1")),
            fake.service("classed", loadBalancerClass="rancherctl.io/lb"),
            fake.service("inner", type="ClusterIP"),
        ]
    )
    assert found == ("default/a (5432/TCP)", "default/b (80/TCP, 53/UDP)")
    assert "2 Services of type LoadBalancer without a class will be published" in notice(found)
    assert found[1] in notice(found)
