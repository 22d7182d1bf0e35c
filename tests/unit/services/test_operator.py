"""What an operator sees and is asked for: names, scales, reasons and checks of Services."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.contract import SERVICE_CLASS
from rancherctl.errors import NotFoundError, RancherctlError, UsageError
from rancherctl.ingress.annotations.table import GLOBAL
from rancherctl.kube.objects import Service
from rancherctl.output.services import check_listing, service_listing
from rancherctl.placement.model import Roster
from rancherctl.services.model import HostPorts, ports_of, programmed_digest
from rancherctl.services.operator import api_view, overview, probe
from rancherctl.services.operator.api_view import ServicesView
from rancherctl.services.translate import ServicePolicy, wanted_services
from tests.fakes import services as fake

POLICY = ServicePolicy()


def view(
    services: Iterable[Service], roster: Roster | None = None, policy: ServicePolicy = POLICY, **more: Any
) -> ServicesView:
    hosts = roster or fake.roster(2)
    by_key = {s.meta.key: s for s in services}
    wanted = wanted_services(by_key, {}, hosts, policy)
    reports = fake.reports(hosts, **more.pop("reports", {}))
    return ServicesView(by_key, wanted, hosts, reports, policy, **more)


def annotated(service: Service, **annotations: str) -> Service:
    return replace(service, meta=replace(service.meta, annotations={**service.meta.annotations, **annotations}))


def refusal(found: ServicesView, name: str, namespace: str = "") -> RancherctlError:
    with pytest.raises(RancherctlError) as caught:
        found.find(name, namespace)
    return caught.value


@pytest.mark.parametrize(("name", "why"), [("", "it is empty"), (" ", "it is empty"), ("/", "NAMESPACE/NAME")])
def test_an_empty_name_is_not_looked_for(name: str, why: str) -> None:
    error = refusal(view([fake.service("a")]), name)
    assert isinstance(error, UsageError)
    assert why in error.why


@pytest.mark.parametrize("name", ["a/b/c", "default/", "/a", "//"])
def test_a_name_has_one_or_two_parts(name: str) -> None:
    error = refusal(view([fake.service("a")]), name)
    assert (error.exit_code, error.what, error.why) == (
        2,
        f"invalid name: {name!r}",
        "it must be NAME or NAMESPACE/NAME",
    )


def test_two_namespaces_are_not_both_obeyed() -> None:
    found = view([fake.service("a")])
    error = refusal(found, "default/a", "shop")
    assert (error.exit_code, error.what) == (2, "default/a is not in the namespace shop")
    assert found.find("default/a", "default").meta.key == "default/a"


@pytest.mark.parametrize("word", ["svc", "Service", "services"])
def test_the_form_of_kubectl_is_explained(word: str) -> None:
    error = refusal(view([fake.service("a")]), f"{word}/a")
    assert (error.exit_code, error.hint) == (2, 'did you mean "a"?')
    assert f"no Service is in a namespace {word}" in error.why


def test_a_namespace_may_have_the_name_of_a_kind() -> None:
    one = fake.service("a")
    moved = replace(one, meta=replace(one.meta, namespace="svc"))
    assert view([moved]).find("svc/a") is moved
    assert isinstance(refusal(view([], others={"svc/b": "ClusterIP"}), "svc/a"), NotFoundError)


@pytest.mark.parametrize(("name", "namespace"), [("db", ""), ("shop/db", ""), ("db", "shop")])
def test_a_service_of_another_type_is_not_called_missing(name: str, namespace: str) -> None:
    error = refusal(view([fake.service("a")], others={"shop/db": "ClusterIP"}), name, namespace)
    assert (error.exit_code, error.what) == (2, "Service shop/db has no addresses of hosts")
    assert error.why == "its type is ClusterIP; only Services of type LoadBalancer have them"


def test_what_does_not_exist_is_not_found() -> None:
    found = view([fake.service("postgres")], others={"shop/db": "ClusterIP"})
    assert (refusal(found, "postgers").exit_code, refusal(found, "postgers").hint) == (3, 'did you mean "postgres"?')
    assert refusal(found, "db", "other").what == "Service other/db of type LoadBalancer not found"


def unmanaged(service: Service, policy: ServicePolicy = POLICY) -> UsageError:
    with pytest.raises(UsageError) as caught:
        view([service], policy=policy).require_managed(service)
    return caught.value


def test_a_service_that_is_not_managed_is_named_with_the_reason_and_what_to_do() -> None:
    error = unmanaged(fake.service("a", loadBalancerClass="other.io/lb"))
    assert error.why == f"its loadBalancerClass is other.io/lb; it must be {SERVICE_CLASS}"
    assert f"loadBalancerClass: {SERVICE_CLASS}" in error.hint
    error = unmanaged(fake.service("a"), ServicePolicy(default=False))
    assert "spec.services.default of the environment is false" in error.why
    assert "spec.services.default to true" in error.hint


@pytest.mark.parametrize("spec", [{}, {"loadBalancerClass": SERVICE_CLASS}])
def test_a_service_that_is_being_deleted_is_not_said_to_have_a_wrong_class(spec: dict[str, Any]) -> None:
    service = fake.service("a", **spec)
    going = replace(service, meta=replace(service.meta, deleting=True))
    assert unmanaged(going).why == "it is being deleted"
    item = overview.detail(view([going]), going)
    assert item["unmanaged"] == "it is being deleted"
    assert "rancherctl gives it no addresses: it is being deleted" in overview.text(item)


def test_a_scale_that_has_no_effect_is_refused() -> None:
    service = annotated(fake.service("a"), **{GLOBAL: "true"})
    found = view([service])
    target = found.wanted["default/a"]
    for act in (
        lambda: overview.plan_rows(found, target, scale=1),
        lambda: overview.scale_notes(found, target, 1),
    ):
        with pytest.raises(UsageError, match="the scale of default/a has no effect") as caught:
            act()
        assert caught.value.hint == f"kubectl annotate service a -n default {GLOBAL}- makes the scale count"
    assert all(row["chosen"] for row in overview.plan_rows(found, target))


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_a_plan_refuses_the_numbers_that_scale_refuses(number: int) -> None:
    found = view([fake.service("a")])
    with pytest.raises(UsageError, match="invalid number of addresses"):
        overview.plan_rows(found, found.wanted["default/a"], scale=number)


def test_who_sets_a_scale_learns_what_it_does_not_reach() -> None:
    found = view([fake.service("a"), fake.service("reserved", ("tcp", 30001))])
    assert overview.scale_notes(found, found.wanted["default/a"], 2) == []
    (note,) = overview.scale_notes(found, found.wanted["default/a"], 3)
    assert note == "3 addresses requested, 2 eligible hosts; all hosts have it"
    (note,) = overview.scale_notes(found, found.wanted["default/reserved"], 2)
    assert "NodePort range" in note


class Patches:
    """Records patches."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    def patch(self, _resource: Any, _name: str, body: Any, **_: Any) -> Any:
        self.bodies.append(body)
        return body


def test_a_scale_is_written_only_if_it_is_another_one() -> None:
    api, service = Patches(), fake.service("a", scale=2)
    assert not api_view.set_scale(api, service, 2)  # type: ignore[arg-type]
    assert api.bodies == []
    assert api_view.set_scale(api, service, 3)  # type: ignore[arg-type]
    assert api_view.set_scale(api, fake.service("a", scale="many"), 1)  # type: ignore[arg-type]
    assert api_view.set_scale(api, fake.service("a"), 1)  # type: ignore[arg-type]
    assert [body["metadata"]["annotations"]["scale"] for body in api.bodies] == ["3", "1", "1"]


def test_all_hosts_are_counted_in_words() -> None:
    everywhere = annotated(fake.service("a", status=fake.published("10.0.0.1")), **{GLOBAL: "true"})
    counted = fake.service("b", ("tcp", 1), scale=3, status=fake.published("10.0.0.1"))
    found = view([everywhere, counted])
    lines = [overview.text(overview.detail(found, s)).splitlines()[0] for s in (everywhere, counted)]
    assert lines == [
        "default/a: 5432/TCP, 1 address published, those of all eligible hosts wanted",
        "default/b: 1/TCP, 1 of 3 addresses published",
    ]


def checks(found: ServicesView) -> list[tuple[bool | None, str]]:
    return [(check.ok, check.result) for check in probe.check(found, found.wanted.values(), timeout=5.0)]


def test_fewer_addresses_than_requested_are_a_failure_only_if_a_host_could_take_them() -> None:
    udp = ("udp", 53)
    service = fake.service("a", udp, scale=3, status=fake.published("10.0.0.1", "10.0.0.2"))
    reports = {host: fake.programmed(host, service) for host in ("h1", "h2")}
    (short, *others) = checks(view([service], reports=reports))
    assert short[0] is None
    assert short[1].startswith("2 of 3 addresses published: 3 addresses requested, 2 eligible hosts")
    assert [ok for ok, _ in others] == [None, None], "UDP"
    (late, *_) = checks(view([service], fake.roster(3), reports=reports))
    assert late == (False, "2 of 3 addresses published: the controller has not published it on all chosen hosts yet")
    (both, *_) = checks(view([fake.service("b", udp, scale=3, status=fake.published("10.0.0.1"))]))
    assert both[0] is False
    assert both[1].endswith("on all chosen hosts yet; 3 addresses requested, 2 eligible hosts; all hosts have it")
    (none,) = checks(view([fake.service("a", ("tcp", 30001))]))
    assert (none[0], none[1].partition(":")[0]) == (False, "0 of 1 address published")


def on_loopback(port: int, *, alive: bool = True) -> ServicesView:
    """A Service that kube-proxy of one host has programmed, at this port of this machine."""
    roster = Roster(1, 1, (replace(fake.roster(1).hosts[0], address="127.0.0.1", alive=alive),))
    service = fake.service("a", ("tcp", port), status=fake.published("127.0.0.1"))
    report = HostPorts(programmed={"default/a": programmed_digest("127.0.0.1", ports_of(service))})
    return view([service], roster, ServicePolicy(node_ports=(0, 0)), reports={"h1": report})


def test_a_check_says_that_a_host_is_down() -> None:
    service = fake.service("a", status=fake.published("10.0.0.1"))
    (*_, last) = checks(view([service], fake.roster(2, dead=["h1"])))
    dead = "h1 is not alive: its agent sends no heartbeat"
    assert last == (False, f"kube-proxy of h1 has not programmed it; {dead}")
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        (*_, last) = checks(on_loopback(port, alive=False))
        assert last == (True, "accepts connections"), "only its agent is down"
    (*_, last) = checks(on_loopback(port, alive=False))
    assert last == (False, f"no connection to 127.0.0.1:{port}: Connection refused; {dead}")


def test_a_refused_connection_is_said_in_words() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    (check,) = checks(on_loopback(port))
    where = f"no connection to 127.0.0.1:{port}"
    assert check == (False, f"{where}: Connection refused; has the Service ready endpoints?")


def test_an_empty_list_names_the_namespace() -> None:
    assert service_listing([]).empty == "no Services of type LoadBalancer found"
    assert service_listing([], "shop").empty == "no Services of type LoadBalancer found in the namespace shop"
    assert check_listing([], "shop").empty == "no Services with addresses of hosts found in the namespace shop"
