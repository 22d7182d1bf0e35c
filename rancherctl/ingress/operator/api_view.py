"""Read Ingresses, their classes, the roster and hosts' reports from the API; scale an Ingress."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from rancherctl.contract import NAMESPACE, REPORT_PREFIX, ROSTER_NAME
from rancherctl.errors import AuthError, NotFoundError, UsageError
from rancherctl.ingress.model import CLASS_NAME
from rancherctl.ingress.operator import objects
from rancherctl.ingress.purposes import named_secret, parse_key
from rancherctl.ingress.status.report import HostReport, load_balancer_section, parse_section
from rancherctl.ingress.translate import classes
from rancherctl.kube.client import CONFIGMAPS, INGRESSCLASSES, INGRESSES, SECRETS, KubeClient
from rancherctl.kube.objects import (
    ConfigMap,
    Ingress,
    IngressClass,
    Secret,
    TlsSecret,
    config_map,
    ingress,
    ingress_class,
    tls_secret,
)
from rancherctl.placement.model import Roster


@dataclass(frozen=True, slots=True, eq=False)
class ApiView:
    """All objects about ingress at one moment; ``reports`` by host name."""

    ingresses: Mapping[str, Ingress]
    classes: Mapping[str, IngressClass]
    roster: Roster
    reports: Mapping[str, HostReport]

    def require_managed(self, target: Ingress) -> Ingress:
        """``target`` itself; UsageError if its class belongs to another controller."""
        if classes.is_rancher(target, self.classes):
            return target
        has = f"the ingress class {target.class_name}" if target.class_name else "no ingress class of rancherctl"
        raise UsageError(
            f"{target.meta.key} is not managed by rancherctl",
            why=f"it has {has}; the class must be {CLASS_NAME}",
            hint=f"rancherctl ingress show {target.meta.key}",
        )

    def find(self, name: str, namespace: str = "") -> Ingress:
        """The Ingress ``NAME`` or ``NAMESPACE/NAME``.

        NotFoundError with the most similar name; UsageError if several match.
        """
        return objects.find(
            self.ingresses,
            name,
            namespace,
            plural="ingresses",
            missing="ingress {} not found",
            listing="rancherctl ingress ls",
        )


def read_maps(client: KubeClient) -> dict[str, ConfigMap]:
    """The ConfigMaps with the roster and the reports, by name."""
    return {m.meta.name: m for m in map(config_map, client.list(CONFIGMAPS, namespace=NAMESPACE).items)}


def read_api(client: KubeClient, maps: Mapping[str, ConfigMap] | None = None) -> ApiView:
    """Read all of it, ``maps`` (``read_maps``) only if they are not given.

    NotFoundError if the roster is missing: the controller has never run there.
    """
    maps = read_maps(client) if maps is None else maps
    if ROSTER_NAME not in maps:
        raise NotFoundError(
            f"no roster of load-balancer hosts in the namespace {NAMESPACE}",
            why="the API is not that of a rancherctl environment, or its controller has not started yet",
            hint="rancherctl env status shows whether the controller is running",
        )
    try:
        roster = Roster.from_json(maps[ROSTER_NAME].data.get(ROSTER_NAME, ""))
    except ValueError as error:
        raise objects.unreadable_roster("load-balancer hosts", error) from error
    return ApiView(
        ingresses={i.meta.key: i for i in map(ingress, client.list(INGRESSES).items)},
        classes={c.meta.name: c for c in map(ingress_class, client.list(INGRESSCLASSES).items)},
        roster=roster,
        reports={
            name.removeprefix(REPORT_PREFIX): parse_section(load_balancer_section(m.data))
            for name, m in maps.items()
            if name.startswith(REPORT_PREFIX)
        },
    )


def read_tls_secrets(client: KubeClient, namespaces: Collection[str] = ()) -> dict[str, TlsSecret]:
    """TLS secrets by key: of these namespaces, or of all.

    AuthError if the credential may not list them. Keys of secrets are in memory only.
    """
    selector = "type=kubernetes.io/tls"
    try:
        listed = [
            secret
            for namespace in (sorted(namespaces) or [""])
            for secret in client.list(SECRETS, namespace=namespace, field_selector=selector).items
        ]
    except AuthError as error:
        raise AuthError(
            "cannot read the TLS secrets",
            why=str(error),
            hint="use a credential that may list secrets; rancherctl ingress status checks certificates without it",
        ) from error
    return {secret.meta.key: secret for secret in map(tls_secret, listed)}


def checked_scale(number: int) -> int:
    """``number`` itself; UsageError if an Ingress cannot have that many instances."""
    return objects.checked_scale(number, "instances")


def set_scale(client: KubeClient, target: Ingress, number: int) -> Ingress:
    """Set the number of instances in the annotation that the Ingress already uses; returns the new object."""
    body = objects.scale_patch(target, checked_scale(number))
    return ingress(client.patch(INGRESSES, target.meta.name, body, namespace=target.meta.namespace))


def read_purpose_secrets(
    client: KubeClient, keys: Collection[str], namespaces: Collection[str] = ()
) -> dict[str, Secret]:
    """The secrets with these keys (purposes.py) that exist: of these namespaces, or of all."""
    out: dict[str, Secret] = {}
    for key in sorted(keys):
        namespace, _, name = parse_key(key)[1].partition("/")
        if not namespaces or namespace in namespaces:
            with suppress(NotFoundError):
                out[key] = named_secret(client.get(SECRETS, name, namespace=namespace))
    return out
