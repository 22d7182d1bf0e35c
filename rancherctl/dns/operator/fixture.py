"""The objects for a check of the DNS specification: a namespace with Services and hand-made EndpointSlices, no pods.

Endpoints have addresses of the networks that are reserved for benchmarks (198.18.0.0/15) and documentation
(2001:db8::/32), other ones in each run, so that reverse names of two runs do not mix.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rancherctl.contract import DNS_VERIFY_LABEL
from rancherctl.dns import names
from rancherctl.errors import NotFoundError, RancherctlError
from rancherctl.kube import objects
from rancherctl.kube.client import ENDPOINTSLICES, NAMESPACES, SERVICES, KubeClient
from rancherctl.polling import Tolerant, poll_until

Json = dict[str, Any]
PREFIX = "dns-verify-"
REMOVE_WITHIN = 30.0
"""Seconds in which the removal is tried again if the API does not answer."""
LEFT_BEHIND = timedelta(minutes=15)
"""Age of a namespace that a killed run has left; a run takes a few minutes at most."""
PORTS = (("http", "TCP", 8080), ("metrics", "TCP", 9090))
"""Named ports of the headless Service: name, protocol, number."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """Names and addresses of one run. ``cluster_ips`` maps Services to the addresses that the API gave them."""

    domain: str
    run: str
    cluster_ips: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def new(cls, domain: str) -> Fixture:
        """A fixture with a name of its own."""
        return cls(domain, secrets.token_hex(3))

    @property
    def namespace(self) -> str:
        """The namespace of all objects."""
        return f"{PREFIX}{self.run}"

    @property
    def zone(self) -> str:
        """What names of Services end with: ``NAMESPACE.svc.DOMAIN.``."""
        return f"{self.namespace}.svc.{self.domain}."

    def v4(self, number: int) -> str:
        """The IPv4 address of an endpoint, 1 to 254."""
        first, second, _ = bytes.fromhex(self.run)
        return f"198.{18 + first % 2}.{second}.{number}"

    def v6(self, number: int) -> str:
        """The IPv6 address of an endpoint."""
        return names.address(f"2001:db8:{self.run[:4]}:{self.run[4:]}::{number:x}")[0]

    def objects(self) -> list[tuple[Any, Json]]:
        """All objects in the order of creation. Once the last one is answered, a server has seen the others, too."""
        v4, v6 = self.v4, self.v6
        pets = [_endpoint(v4(1), "pet-0"), _endpoint(v4(2), "pet-0"), _endpoint(v4(3), "pet-1"), _endpoint(v4(4))]
        return [
            _service("cluster", [("http", "TCP", 80), ("dns", "UDP", 53)], ipFamilyPolicy="PreferDualStack"),
            _slice("cluster", "a", [_endpoint(v4(20), ready=False)], PORTS[:1]),
            _service("plain", [("", "TCP", 80)]),
            _service("headless", PORTS, clusterIP="None"),
            _slice("headless", "a", [*pets, _endpoint(v4(9), "pet-9", ready=False)], PORTS),
            _slice("headless", "b", [_endpoint(v4(5), "pet-2")], PORTS),
            _slice("headless", "c", [_endpoint(v6(1), "pet-0"), _endpoint(v6(6), "pet-6")], PORTS, "IPv6"),
            _service("waiting", PORTS[:1], clusterIP="None"),
            _slice("waiting", "a", [_endpoint(v4(30), "late-0", ready=False)], PORTS[:1]),
            _service("empty", PORTS[:1], clusterIP="None"),
            _service("eager", PORTS[:1], clusterIP="None", publishNotReadyAddresses=True),
            # As the EndpointSlice controller writes them: ready, whatever the pod says, but not serving.
            _slice("eager", "a", [_endpoint(v4(40), "early-0", serving=False)], PORTS[:1]),
            _service("unnamed", [("", "TCP", 8080)], clusterIP="None"),
            _slice("unnamed", "a", [_endpoint(v4(50), "one-0")], [("", "TCP", 8080)]),
            _service("alias", (), type="ExternalName", externalName=f"headless.{self.zone.rstrip('.')}"),
            _service("narrow", (), type="ExternalName", externalName=f"cluster.{self.zone.rstrip('.')}"),
            _service("outside", (), type="ExternalName", externalName="www.example.com"),
            _service("last", PORTS[:1], clusterIP="None"),
            _slice("last", "a", [_endpoint(v4(60), "last-0")], PORTS[:1]),
        ]


def _service(name: str, ports: Sequence[tuple[str, str, int]], **spec: Any) -> tuple[Any, Json]:
    rows = [{**({"name": n} if n else {}), "protocol": protocol, "port": port} for n, protocol, port in ports]
    body = {**({"ports": rows} if rows else {}), **spec}
    return SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def _endpoint(address: str, hostname: str = "", *, ready: bool = True, serving: bool | None = None) -> Json:
    conditions = {"ready": ready, "serving": ready if serving is None else serving, "terminating": False}
    return {"addresses": [address], "conditions": conditions, **({"hostname": hostname} if hostname else {})}


def _slice(
    owner: str, suffix: str, endpoints: list[Json], ports: Sequence[tuple[str, str, int]], family: str = "IPv4"
) -> tuple[Any, Json]:
    return ENDPOINTSLICES, {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{owner}-{suffix}", "labels": {"kubernetes.io/service-name": owner}},
        "addressType": family,
        "ports": [{"name": n, "protocol": protocol, "port": port} for n, protocol, port in ports],
        "endpoints": endpoints,
    }


@contextmanager
def created(client: KubeClient, fixture: Fixture, say: Callable[[str], None]) -> Iterator[Fixture]:
    """Create everything, yield the fixture with its cluster addresses, and remove everything, also after an error."""
    labels = {DNS_VERIFY_LABEL: ""}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fixture.namespace, "labels": labels}}
    try:
        made = objects.meta(client.create(NAMESPACES, body))
        _remove_left_behind(client, made, say)
        addresses: dict[str, tuple[str, ...]] = {}
        for resource, obj in fixture.objects():
            answer = client.create(resource, obj, namespace=fixture.namespace)
            if resource is SERVICES:
                addresses[obj["metadata"]["name"]] = objects.service(answer).cluster_ips
        yield Fixture(fixture.domain, fixture.run, addresses)
    finally:
        remove(client, fixture.namespace)


def remove(client: KubeClient, namespace: str) -> None:
    """Delete the namespace; the API removes what is in it. RancherctlError if that stays impossible."""

    def delete() -> bool:
        try:
            client.delete(NAMESPACES, namespace)
        except NotFoundError:  # the run ended before it was created
            return True
        return True

    deletion = Tolerant(delete)
    if not poll_until(deletion, REMOVE_WITHIN):
        raise RancherctlError(
            f"cannot remove the namespace {namespace}",
            why=deletion.problem,
            hint=f"rancherctl kubectl delete namespace {namespace}",
        )


def _remove_left_behind(client: KubeClient, own: objects.Meta, say: Callable[[str], None]) -> None:
    """Remove namespaces of runs that were killed. Their age is the difference of two times of the API's clock."""
    for obj in client.list(NAMESPACES, label_selector=DNS_VERIFY_LABEL).items:
        other = objects.meta(obj)
        if other.name != own.name and not other.deleting and _time(own.created) - _time(other.created) > LEFT_BEHIND:
            say(f"removing namespace {other.name}, which an earlier run has left")
            remove(client, other.name)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
