"""Declaration of the role ``lb``: the load balancer of a host. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.contract import (
    ACCESS_LOG_SOCKET_UNIT,
    ACCESS_LOG_UNIT,
    DATA,
    INGRESS_TMPFILES,
    INGRESS_UNIT,
    NAMESPACE,
    ROSTER_NAME,
    UNITS,
)
from rancherctl.kube import client, objects
from rancherctl.kube.tables import ENDPOINTSLICES, INGRESSCLASSES, INGRESSES, SERVICES, TableSpec, copies_for
from rancherctl.role_spec import PortUse, RoleSpec, ServingUnit, section_problems

ROSTER: Final = TableSpec(
    "roster",
    client.CONFIGMAPS,
    objects.config_map,
    namespace=NAMESPACE,
    field_selector=f"metadata.name={ROSTER_NAME}",
)


def _health(section: Mapping[str, Any]) -> list[str]:
    """The error or alarm; without one, why ports cannot be served. Ports of single Ingresses are their problem."""
    ports = section.get("ports")
    usual = {str(use.port) for use in SPEC.ports}
    found = sorted(ports.items()) if isinstance(ports, Mapping) else []
    taken = [str(error) for port, error in found if error and port in usual]
    return section_problems(section) or ([", ".join(taken)] if taken else [])


def _seen(section: Mapping[str, Any]) -> tuple[object, bool]:
    """HAProxy's process, and whether any Ingress is confirmed."""
    process = section.get("haproxy")
    return process.get("pid") if isinstance(process, Mapping) else None, bool(section.get("served"))


SPEC: Final = RoleSpec(
    name="lb",
    title="load balancer",
    module="rancherctl.ingress.host_role",
    tables=(INGRESSES, INGRESSCLASSES, SERVICES, ENDPOINTSLICES, ROSTER),
    own_tables=(copies_for,),
    hosts="load-balancer",
    units=(INGRESS_UNIT, ACCESS_LOG_UNIT, ACCESS_LOG_SOCKET_UNIT),
    ports=(PortUse("tcp", 80, "load balancers"), PortUse("tcp", 443, "load balancers")),
    paths=(INGRESS_TMPFILES,),
    runtime_paths=("/run/haproxy", "/var/lib/haproxy"),
    serving=ServingUnit(INGRESS_UNIT, (f"{DATA}/ingress", f"{UNITS}/{INGRESS_UNIT}"), 80, _seen),
    health=_health,
)
