"""The checklist against a real named, and its objects in an API that may fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from rancherctl.dns.lookup import query_many
from rancherctl.dns.operator.checklist import Question, checks
from rancherctl.dns.operator.fixture import Fixture, created
from rancherctl.dns.operator.verification import Answers, CheckResult, verify
from rancherctl.dns.reconcile import DnsRole
from rancherctl.errors import ConflictError, RancherctlError
from rancherctl.kube.client import ENDPOINTSLICES, NAMESPACES, SERVICES
from rancherctl.kube.rest import RestClient
from tests.fakes.dns_fixtures import in_world
from tests.fakes.dns_queries import settle
from tests.fakes.dns_tables import World
from tests.fakes.kube import FakeApi
from tests.fakes.named import Named


def results(named: Named, fixture: Fixture, timeout: float = 60.0) -> list[CheckResult]:
    server = f"127.0.0.1:{named.config.port}"

    def ask(questions: Sequence[Question]) -> Answers:
        return {("", server): [part[0] for part in query_many(questions, (server,))]}

    return verify(fixture, checks(fixture), ask, timeout)


def failed(found: Sequence[CheckResult]) -> dict[str, str]:
    return {f"{one.check.name} {one.check.type}": str(one.servers) for one in found if not one.passed}


def test_the_server_follows_the_specification(named: Named, role: DnsRole) -> None:
    world = World()
    fixture = in_world(Fixture.new("cluster.local"), world)
    settle(role, world.snapshot())
    found = results(named, fixture)
    assert failed(found) == {}
    assert sum(not one.check.skip for one in found) == len(found) - 2


@pytest.mark.parametrize("named", [{"service_cidrs": ("10.43.0.0/16", "fd00:43::/112")}], indirect=True)
def test_the_server_of_a_dual_stack_cluster_follows_it_too(named: Named, role: DnsRole) -> None:
    world = World()
    fixture = in_world(Fixture.new("cluster.local"), world, "fd00:43::")
    settle(role, world.snapshot())
    found = results(named, fixture)
    assert failed(found) == {}
    assert {one.check.skip for one in found if one.check.skip} == {"the cluster gives addresses of both families"}


def test_a_server_that_misses_records_fails_these_checks(named: Named, role: DnsRole) -> None:
    world = World()
    fixture = in_world(Fixture.new("cluster.local"), world)
    for key in [key for key in world.slices if key.endswith("/headless-b")]:
        del world.slices[key]
    settle(role, world.snapshot())
    assert set(failed(results(named, fixture, timeout=3.0))) == {
        f"headless.{fixture.zone} A",
        f"_http._tcp.headless.{fixture.zone} SRV",
        f"_metrics._tcp.headless.{fixture.zone} SRV",
        f"alias.{fixture.zone} A",
    }


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture
def client(api: FakeApi) -> Iterator[RestClient]:
    rest = RestClient(api.url)
    yield rest
    rest.close()


def spaces(client: RestClient) -> set[str]:
    return {obj["metadata"]["name"] for obj in client.list(NAMESPACES).items}


def test_everything_is_created_and_the_namespace_is_removed(client: RestClient) -> None:
    fixture = Fixture.new("cluster.local")
    with created(client, fixture, lambda text: None) as made:
        assert made.namespace in spaces(client)
        services = client.list(SERVICES, namespace=made.namespace).items
        slices = client.list(ENDPOINTSLICES, namespace=made.namespace).items
        assert set(made.cluster_ips) == {obj["metadata"]["name"] for obj in services}
        owners = {obj["metadata"]["labels"]["kubernetes.io/service-name"] for obj in slices}
        assert owners <= set(made.cluster_ips)
    assert fixture.namespace not in spaces(client)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RancherctlError("no"), ValueError])
def test_the_namespace_is_removed_after_an_error_and_after_an_interruption(
    client: RestClient, error: type[BaseException] | BaseException
) -> None:
    fixture = Fixture.new("cluster.local")
    with pytest.raises(BaseException), created(client, fixture, lambda text: None):  # noqa: B017
        raise error
    assert fixture.namespace not in spaces(client)


def test_a_namespace_is_removed_though_an_object_could_not_be_created(client: RestClient) -> None:
    fixture = Fixture.new("cluster.local")
    client.create(SERVICES, {"metadata": {"name": "plain"}}, namespace=fixture.namespace)
    with pytest.raises(ConflictError), created(client, fixture, lambda text: None):
        raise AssertionError("the Service exists")
    assert fixture.namespace not in spaces(client)


def test_namespaces_of_killed_runs_are_removed_by_age(api: FakeApi, client: RestClient) -> None:
    for name, stamp in (("dns-verify-old", "2020-01-01T00:00:00Z"), ("dns-verify-new", "2999-01-01T00:00:00Z")):
        labels = {"rancherctl.io/dns-verify": ""}
        api.store.put(
            "/api/v1/namespaces", "", {"metadata": {"name": name, "labels": labels, "creationTimestamp": stamp}}
        )
    said: list[str] = []
    with created(client, Fixture.new("cluster.local"), said.append):
        assert "dns-verify-old" not in spaces(client)
    assert spaces(client) == {"dns-verify-new"}
    assert said == ["removing namespace dns-verify-old, which an earlier run has left"]
