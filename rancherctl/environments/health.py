"""What an environment's status consists of, and what is wrong with it: values and judgement. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CERTIFICATE_DAYS = 30.0
"""A certificate with less than this left, that should have been renewed, is a problem."""


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """One unit of ours on a host."""

    name: str
    active: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """One certificate; ``days`` left, negative when expired."""

    name: str
    days: float


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host. ``reachable`` False: the rest of it is unknown. ``ready`` of its Node: True, False, None = the API could not be asked.

    ``report`` is what its agent reported last, by role. ``drift`` counts steps that an apply would do there.
    """

    name: str
    address: str
    roles: tuple[str, ...]
    reachable: bool
    error: str = ""
    ready: bool | None = None
    version: str = ""
    system: str = ""
    units: tuple[UnitStatus, ...] = ()
    certificates: tuple[CertificateStatus, ...] = ()
    drift: int = 0
    load_balancer: bool = False
    alive: bool | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    def problems(self) -> tuple[str, ...]:
        """One line each, worst first."""
        if not self.reachable:
            return (f"cannot be reached: {self.error}",)
        out = [f"{unit.name} is not running" for unit in self.units if not unit.active]
        if self.ready is False:
            out.append("its Node is not Ready")
        if self.alive is False:
            out.append("its agent gives no sign of life")
        out += [
            f"certificate {c.name} {f'has {c.days:.0f} days left' if c.days > 0 else 'has expired'}"
            for c in self.certificates
            if c.days < CERTIFICATE_DAYS
        ]
        return tuple(out)


@dataclass(frozen=True, slots=True)
class Status:
    """A whole environment. ``api`` is ``ok`` or why it does not answer; ``leader`` the host whose controller leads ("" = none known)."""

    environment: str
    version: str
    server: str
    api: str
    hosts: tuple[HostStatus, ...]
    leader: str = ""
    applied: str = ""
    drift: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """API answers, every host without a problem. Drift is told, it is no illness."""
        return self.api == "ok" and not any(host.problems() for host in self.hosts)

    @property
    def state(self) -> Literal["healthy", "degraded", "down"]:
        """``down`` when the API does not answer."""
        return "healthy" if self.healthy else "degraded" if self.api == "ok" else "down"

    def problems(self) -> tuple[str, ...]:
        """``host: problem`` lines, the API's first."""
        first = () if self.api == "ok" else (f"API {self.server}: {self.api}",)
        return (*first, *(f"{host.name}: {line}" for host in self.hosts for line in host.problems()))
