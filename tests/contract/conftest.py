"""Fixtures of several contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.dns.reconcile import DnsRole
from rancherctl.ingress.translate import endpoints
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, pod, service
from tests.fakes.federation_desk import Desk, running_desk
from tests.fakes.ingress import Haproxy
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.named import Named
from tests.fakes.openssh import SSHD
from tests.fakes.openssh_site import Site as OpenSshSite
from tests.fakes.openssh_site import openssh_site
from tests.fakes.release_site import Site, release_site
from tests.fakes.ssh_site import Site as SshSite
from tests.fakes.ssh_site import running_site
from tests.fakes.tls_host import TlsHost


@pytest.fixture
def pods_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let load balancers send requests to pods on this machine."""
    monkeypatch.setattr(endpoints, "routable", lambda address: True)


@pytest.fixture
def lb_host(tmp_path: Path, pods_on_loopback: None) -> Iterator[LoadBalancerHost]:
    """A host with a load balancer whose pods may be on loopback."""
    host = LoadBalancerHost(Haproxy(tmp_path))
    yield host
    host.close()


@pytest.fixture
def named(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Named]:
    """A server; a test's parameters are settings of it."""
    server = Named(tmp_path, **getattr(request, "param", {}))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def role(named: Named) -> Iterator[DnsRole]:
    role = DnsRole(named.config, named, probe=False)
    yield role
    role.stop()


@pytest.fixture
def world() -> World:
    world = World()
    web, db, kube = "web", "mongodb", "kubernetes"
    world.add(
        service(kube, "10.43.0.1", ports=[("https", "TCP", 443)]),
        service(web, "None", ports=[("http", "TCP", 80)]),
        endpoint_slice(web, [endpoint("10.42.1.5"), endpoint("10.42.2.5")], ports=[("http", "TCP", 8080)]),
        service(db, "10.43.7.7", ports=[("mongo", "TCP", 27017)]),
        endpoint_slice(
            db,
            [endpoint("10.42.1.9", hostname="mdb-0"), endpoint("10.42.2.9", hostname="mdb-1")],
            ports=[("mongo", "TCP", 27017)],
        ),
        service("ext", type="ExternalName", externalName="kubernetes.default.svc.cluster.local"),
        service("loop", type="ExternalName", externalName="loop.default.svc.cluster.local"),
        pod("p1", "10.42.1.5"),
    )
    return world


@pytest.fixture
def site() -> Iterator[Site]:
    """A server with the layout of the official release sites."""
    with release_site() as site:
        yield site


@pytest.fixture(scope="session")
def shared_ssh_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshSite]:
    """Servers, agents and keys, started once."""
    if not SSHD:
        pytest.skip("OpenSSH's server is not installed")
    with running_site(tmp_path_factory.mktemp("ssh")) as site:
        yield site


@pytest.fixture
def ssh_site(shared_ssh_site: SshSite, monkeypatch: pytest.MonkeyPatch) -> SshSite:
    """The same, with the environment that its configurations need."""
    shared_ssh_site.set_environment(monkeypatch)
    return shared_ssh_site


@pytest.fixture
def own_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenSshSite]:
    """A server for one test; what its clients leave behind is counted in a folder of their own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with openssh_site(tmp_path) as site:
        yield site


@pytest.fixture
def tls_host(tmp_path: Path, pods_on_loopback: None) -> Iterator[TlsHost]:
    """A host with a load balancer and an authority for its certificates."""
    host = TlsHost(Haproxy(tmp_path))
    host.start()
    yield host
    host.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """An operator's machine with a federation; its hosts reach every API, unless a test says otherwise."""
    monkeypatch.setattr("rancherctl.cli.member_join._reachable", lambda run, federation: lambda server: "")
    with running_desk(tmp_path, monkeypatch, capsys) as found:
        yield found
