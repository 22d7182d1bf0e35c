"""Services that speak HTTP/2 or TLS, behind a real HAProxy."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress.haproxy.pools import MIN_SLOTS
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.protocol_server import ProtocolServer

ANNOTATION = "ingress.rancherctl.io/backend-protocol"
RULE = [("foo.com", "Prefix", "/", "web:80")]
SPOKEN = {"h2c": "HTTP/2,tls=0", "https": "HTTP/1,tls=1", "grpcs": "HTTP/2,tls=1"}


def spoken(host: LoadBalancerHost) -> tuple[str, str, str]:
    """How the service was spoken to, the body and the trailer that the client got over HTTP/2."""
    url = f"http://127.0.0.1:{host.haproxy.port}/x"
    command = ["curl", "-s", "-m", "20", "--http2-prior-knowledge", "-H", "Host: foo.com", "-D", "-", url]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    found = {k.lower(): v.strip() for k, colon, v in (line.partition(":") for line in text.splitlines()) if colon}
    return found.get("x-spoken", ""), "fine" if "fine" in text else text, found.get("grpc-status", "")


def serve(
    host: LoadBalancerHost, endpoint: tuple[str, int], app_protocol: str, protocol: str = "", *, version: str = "1"
) -> dict[str, Any]:
    notes = {ANNOTATION: protocol} if protocol else {}
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": app_protocol or None}]
    snapshot = fake.snapshot(
        [fake.ingress("a", RULE, annotations=notes, version=version)],
        [fake.service("web", ports=ports)],
        [fake.endpoint_slice("web", [endpoint])],
    )
    host.now += 1
    return dict(host.role.reconcile(snapshot))


@pytest.mark.parametrize(
    ("server", "app_protocol", "annotation"),
    [
        ("h2c", "kubernetes.io/h2c", ""),
        ("h2c", "grpc", ""),
        ("h2c", "", "h2c"),
        ("h2c", "https", "grpc"),
        ("https", "https", ""),
        ("https", "kubernetes.io/wss", ""),
        ("https", "kubernetes.io/h2c", "https"),
        ("grpcs", "", "grpcs"),
    ],
)
def test_a_service_is_spoken_to_as_its_port_or_the_annotation_says(
    lb_host: LoadBalancerHost, tmp_path: Path, server: str, app_protocol: str, annotation: str
) -> None:
    with ProtocolServer(tmp_path / "server", server) as one:
        section = serve(lb_host, one.endpoint, app_protocol, annotation)
        assert spoken(lb_host) == (SPOKEN[server], "fine", "0")
        reasons = [p[0] for p in section["problems"].get("default/a", ())]
        assert reasons == (["BackendNotVerified"] if server in {"https", "grpcs"} else [])


@pytest.mark.parametrize("app_protocol", ["", "http", "kubernetes.io/ws", "mysql", 'x" ssl'])
def test_other_protocols_and_the_annotation_http_mean_http_1(
    lb_host: LoadBalancerHost, tmp_path: Path, app_protocol: str
) -> None:
    with ProtocolServer(tmp_path / "server", "h2c") as one:
        serve(lb_host, one.endpoint, "kubernetes.io/h2c")
        assert spoken(lb_host)[0] == SPOKEN["h2c"]
    pod = lb_host.pod("w").endpoint
    assert serve(lb_host, pod, app_protocol, version="2")["alarm"] == ""
    assert lb_host.haproxy.answer("foo.com", "/") == "w"
    assert serve(lb_host, pod, "kubernetes.io/h2c", "http", version="3")["alarm"] == ""
    assert lb_host.haproxy.answer("foo.com", "/") == "w"


def test_servers_added_at_run_time_speak_the_same_protocol(lb_host: LoadBalancerHost, tmp_path: Path) -> None:
    for protocol in ("h2c", "https", "grpcs"):
        servers = [ProtocolServer(tmp_path / f"{protocol}{n}", protocol) for n in range(MIN_SLOTS + 2)]
        wanted = [fake.ingress("a", RULE, annotations={ANNOTATION: protocol}, version=protocol)]

        slices = [fake.endpoint_slice("web", [s.endpoint]) for s in servers]
        try:
            lb_host.role.reconcile(fake.snapshot(wanted, [fake.service("web")], slices[:1]))
            reloads = lb_host.driver.counters.reloads
            assert lb_host.role.reconcile(fake.snapshot(wanted, [fake.service("web")], slices))["alarm"] == ""
            assert {spoken(lb_host) for _ in range(2 * MIN_SLOTS + 4)} == {(SPOKEN[protocol], "fine", "0")}
            assert lb_host.driver.counters.reloads == reloads
        finally:
            for server in servers:
                server.close()


def test_an_external_name_may_be_an_ipv4_address(lb_host: LoadBalancerHost) -> None:
    pod = lb_host.pod("w")
    service = fake.service("web", type="ExternalName", externalName=pod.address)
    rule = [("foo.com", "Prefix", "/", f"web:{pod.port}")]
    lb_host.role.reconcile(fake.snapshot([fake.ingress("a", rule)], [service], []))
    assert lb_host.haproxy.answer("foo.com", "/") == "w"
