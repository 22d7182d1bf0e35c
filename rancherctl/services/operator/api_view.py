"""Read Services, their endpoints, the roster and hosts' reports from the API; scale a Service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import LEFT_OUT_KEY, NAMESPACE, REPORT_PREFIX, ROSTER_NAME, SERVICE_CLASS, SERVICES_KEY
from rancherctl.errors import NotFoundError, UsageError
from rancherctl.ingress.operator import objects
from rancherctl.ingress.operator.api_view import read_maps
from rancherctl.kube.client import ENDPOINTSLICES, SERVICES, KubeClient
from rancherctl.kube.objects import ConfigMap, Service, endpoint_slice, service
from rancherctl.placement.model import Roster
from rancherctl.services import left_out
from rancherctl.services.left_out import LeftOut
from rancherctl.services.model import HostPorts, LoadBalancer
from rancherctl.services.report import parse_sections
from rancherctl.services.translate import ServicePolicy, policy_from_json, wanted_services

KUBECTL_WORDS: Final = frozenset({"svc", "service", "services"})


@dataclass(frozen=True, slots=True)
class ServicesView:
    """All objects about Services of type LoadBalancer at one moment.

    ``services`` are those of that type, ``wanted`` those that rancherctl gives addresses, ``reports`` by host name.
    ``left_out``: what the leader has measured. ``others`` are the types of all other Services.
    """

    services: Mapping[str, Service]
    wanted: Mapping[str, LoadBalancer]
    roster: Roster
    reports: Mapping[str, HostPorts]
    policy: ServicePolicy
    left_out: LeftOut = field(default_factory=LeftOut)
    others: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str, namespace: str = "") -> Service:
        """The Service ``NAME`` or ``NAMESPACE/NAME``.

        NotFoundError with the most similar name; UsageError if several match, or if it has another type.
        """
        self._check_form(name)
        try:
            return objects.find(
                self.services,
                name,
                namespace,
                plural="Services",
                missing="Service {} of type LoadBalancer not found",
                listing="rancherctl service ls",
            )
        except NotFoundError:
            key = name if "/" in name or not namespace else f"{namespace}/{name}"
            for other, kind in sorted(self.others.items()):
                if key in (other, other.partition("/")[2]):
                    raise UsageError(
                        f"Service {other} has no addresses of hosts",
                        why=f"its type is {kind}; only Services of type LoadBalancer have them",
                        hint="set spec.type of the Service to LoadBalancer",
                    ) from None
            raise

    def _check_form(self, name: str) -> None:
        """UsageError for kubectl's ``svc/NAME``, unless there is such a namespace."""
        kind, slash, rest = name.partition("/")
        namespaces = {key.partition("/")[0] for key in (*self.services, *self.others)}
        if slash and rest and kind.lower() in KUBECTL_WORDS and kind not in namespaces:
            raise UsageError(
                f"invalid name: {name!r}",
                why=f"it must be NAME or NAMESPACE/NAME, and no Service is in a namespace {kind}",
                hint=f'did you mean "{rest}"?',
            )

    def require_managed(self, target: Service) -> LoadBalancer:
        """What placement sees of ``target``; UsageError if it gets its addresses elsewhere, or none."""
        if (found := self.wanted.get(target.meta.key)) is not None:
            return found
        why, remedy = unmanaged(target)
        raise UsageError(f"{target.meta.key} is not managed by rancherctl", why=why, hint=remedy)


def unmanaged(target: Service) -> tuple[str, str]:
    """Why a Service of type LoadBalancer that is not among the wanted ones gets no addresses, and what can be done."""
    if target.meta.deleting:
        return "it is being deleted", "rancherctl service ls lists the others"
    if target.lb_class:
        why = f"its loadBalancerClass is {target.lb_class}; it must be {SERVICE_CLASS}"
        return why, f"create the Service again with loadBalancerClass: {SERVICE_CLASS}; the field cannot be changed"
    return (
        "it has no loadBalancerClass, and spec.services.default of the environment is false",
        f"create the Service again with loadBalancerClass: {SERVICE_CLASS}, or set spec.services.default to true",
    )


def read_api(client: KubeClient, maps: Mapping[str, ConfigMap] | None = None) -> ServicesView:
    """Read all of it, ``maps`` (``read_maps`` of Ingresses) only if they are not given.

    NotFoundError if the roster is missing or older than this feature.
    """
    maps = read_maps(client) if maps is None else maps
    stored = maps[ROSTER_NAME].data if ROSTER_NAME in maps else {}
    if SERVICES_KEY not in stored:
        raise NotFoundError(
            f"no roster of hosts for Services in the namespace {NAMESPACE}",
            why="the API is not that of a rancherctl environment, or its controller is older than this command",
            hint="rancherctl env status shows the environment; rancherctl env apply brings its controller up to date",
        )
    try:
        roster, policy = Roster.from_json(stored.get(ROSTER_NAME, "")), policy_from_json(stored[SERVICES_KEY])
    except ValueError as error:
        raise objects.unreadable_roster("hosts", error) from error
    every = {s.meta.key: s for s in map(service, client.list(SERVICES).items)}
    services = {key: s for key, s in every.items() if s.type == "LoadBalancer"}
    slices = {}
    if any(s.local for s in services.values()):
        slices = {part.meta.key: part for part in map(endpoint_slice, client.list(ENDPOINTSLICES).items)}
    return ServicesView(
        services,
        wanted_services(services, slices, roster, policy),
        roster,
        {
            name.removeprefix(REPORT_PREFIX): parse_sections(m.data)
            for name, m in maps.items()
            if name.startswith(REPORT_PREFIX)
        },
        policy,
        left_out.parse(stored.get(LEFT_OUT_KEY, "")),
        {key: s.type for key, s in every.items() if key not in services},
    )


def checked_scale(number: int) -> int:
    """``number`` itself; UsageError if a Service cannot have that many addresses."""
    return objects.checked_scale(number, "addresses", "a Service of another spec.type has none, for example ClusterIP")


def set_scale(client: KubeClient, target: Service, number: int) -> bool:
    """Set the number of addresses in the annotation that the Service already uses; returns whether it was another."""
    body = objects.scale_patch(target, checked_scale(number))
    if objects.written_scale(target) == str(number):
        return False
    client.patch(SERVICES, target.meta.name, body, namespace=target.meta.namespace)
    return True
