"""Conditions of Clusters and federated Services: their types, and stored ones beside those that are wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.contract import FEDERATION_PREFIX

PROPAGATED: Final = f"{FEDERATION_PREFIX}Propagated"
HEALTHY: Final = f"{FEDERATION_PREFIX}Healthy"
DNS: Final = f"{FEDERATION_PREFIX}DNS"
"""These three are of Services, the others of Clusters."""
JOINED: Final = "Joined"
CONTROL_PLANE_HEALTHY: Final = "ControlPlaneHealthy"
CREDENTIAL_VALID: Final = "CredentialValid"
SYNCED: Final = "Synced"
SERVING: Final = "Serving"
TOPOLOGY_KNOWN: Final = "TopologyKnown"
READY: Final = "Ready"


@dataclass(frozen=True, slots=True)
class Condition:
    """``status``: True, False or Unknown; ``reason``: a CamelCase token; ``message``: one line for people."""

    type: str
    status: str
    reason: str
    message: str = ""


def by_type(stored: Iterable[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    """The conditions of a status as the API has them, by their type."""
    return {str(condition.get("type")): condition for condition in stored or ()}


def differ(wanted: Iterable[Condition], stored: Iterable[Mapping[str, Any]] | None) -> bool:
    """Whether a stored condition is another one, or absent; conditions of other types do not count."""
    known = by_type(stored)
    return any(
        (c.status, c.reason, c.message)
        != tuple(str((known.get(c.type) or {}).get(key, "")) for key in ("status", "reason", "message"))
        for c in wanted
    )


def rendered(wanted: Iterable[Condition], stored: Iterable[Mapping[str, Any]] | None, now: str) -> list[dict[str, str]]:
    """The conditions as a status has them. ``lastTransitionTime`` stays while ``status`` does; ``now`` is RFC 3339."""
    known = by_type(stored)
    return [
        {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
            "lastTransitionTime": _since(condition, known.get(condition.type) or {}, now),
        }
        for condition in wanted
    ]


def _since(condition: Condition, old: Mapping[str, Any], now: str) -> str:
    same = old.get("status") == condition.status and old.get("lastTransitionTime")
    return str(old["lastTransitionTime"]) if same else now
