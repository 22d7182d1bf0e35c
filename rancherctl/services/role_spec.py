"""Declaration of the role ``services``: used ports, kube-proxy's rules, and the host's own for its addresses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.ingress.role_spec import ROSTER
from rancherctl.kube.tables import ENDPOINTSLICES, PODS, SERVICES
from rancherctl.role_spec import RoleSpec
from rancherctl.services.host_table import TABLE
from rancherctl.services.report import SECTION


def _health(section: Mapping[str, Any]) -> list[str]:
    if section.get("error"):
        return [str(section["error"])]
    return [f"kube-proxy: {section['proxy_error']}"] if section.get("proxy_error") else []


SPEC: Final = RoleSpec(
    name=SECTION,
    title="Services",
    module="rancherctl.services.host_role",
    tables=(SERVICES, ENDPOINTSLICES, PODS, ROSTER),
    hosts="load-balancer",
    nft_tables=(TABLE,),
    health=_health,
)
