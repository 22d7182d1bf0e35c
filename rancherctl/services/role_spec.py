"""Declaration of the role ``services``: what a host's ports are used for, and what kube-proxy has programmed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl.kube.tables import PODS, SERVICES
from rancherctl.role_spec import RoleSpec
from rancherctl.services.report import SECTION


def _health(section: Mapping[str, Any]) -> list[str]:
    if section.get("error"):
        return [str(section["error"])]
    return [f"kube-proxy: {section['proxy_error']}"] if section.get("proxy_error") else []


SPEC: Final = RoleSpec(
    name=SECTION,
    title="Services",
    module="rancherctl.services.host_role",
    tables=(SERVICES, PODS),
    hosts="load-balancer",
    health=_health,
)
