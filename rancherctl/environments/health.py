"""The status of an environment as values, and the problems that it shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rancherctl.role_spec import section_problems
from rancherctl.roles.registry import ROLES

NO_NETWORK = "network.mode is none: install a network add-on such as Cilium, Calico or flannel with kubectl"
MAX_JOURNALS = 3
"""Stopped units whose journals are named; more of them have a common cause."""
MAX_MESSAGE_CHARS = 300
"""Characters of an agent's message about one role."""
STARTING_SECONDS = 30.0
"""How long an agent may need until the controller counts it as alive.

It waits up to 15 s for the first reports of its parts, and its Lease must then be seen to change twice.
"""
CERTIFICATE_DAYS = 30.0
"""A certificate with less than this left is a problem: it should have been renewed."""


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """One rancherctl unit of a host."""

    name: str
    active: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """One certificate; ``days`` left, negative if expired.

    ``apply_in``: days until an apply renews it; None if the host renews it by itself.
    """

    name: str
    days: float
    apply_in: float | None = None


@dataclass(frozen=True, slots=True)
class HostHealth:
    """One host. If not ``reachable``, the rest is unknown. ``ready`` of its Node; None if the API did not answer.

    ``remedy``: what to do if the host answers but refuses the login, "" if it does not answer. ``report``: its agent's
    last report by role. ``drift``: number of steps that an apply would do there. ``unread``: what could not be read and
    why, one line each; it is unknown (without units, ``units`` is empty). ``starting``: no heartbeat was seen yet from
    an agent that came up within the last STARTING_SECONDS.
    """

    name: str
    address: str
    roles: tuple[str, ...]
    reachable: bool
    error: str = ""
    ready: bool | None = None
    trouble: str = ""
    """Message of its Node's condition if it is not Ready."""
    version: str = ""
    system: str = ""
    units: tuple[UnitStatus, ...] = ()
    failed: tuple[str, ...] = ()
    """rancherctl units whose last run failed, without ``.service``."""
    certificates: tuple[CertificateStatus, ...] = ()
    drift: int = 0
    remedy: str = ""
    load_balancer: bool = False
    alive: bool | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    starting: bool = False
    paths: tuple[str, ...] = ()
    """What is wrong with the paths of its pods, one line each (pod_paths.explain)."""

    @property
    def silent(self) -> bool:
        """Whether its agent's heartbeat is missing although it is due."""
        return self.alive is False and not self.starting

    def problems(self) -> tuple[str, ...]:
        """One line each, worst first."""
        if not self.reachable:
            return (f"{'SSH login refused' if self.remedy else 'cannot be reached'}: {self.error}",)
        stopped = [unit.name for unit in self.units if not unit.active]
        out = [f"{', '.join(stopped)} {'is' if len(stopped) == 1 else 'are'} not running"] if stopped else []
        out += [_failed_run(name) for name in self.failed if name not in stopped]
        out += [f"could not be read: {line}" for line in self.unread]
        if self.ready is False:
            out.append("Node is not Ready" + (f": {self.trouble}" if self.trouble else ""))
        if self.silent:
            out.append("agent heartbeat missing")
        elif not self.starting:  # while an agent starts, the report is that of the previous process
            out += _reported(self.report)
        out += [f"pods: {line}" for line in self.paths]
        out += [_expiring(c) for c in self.certificates if c.days < CERTIFICATE_DAYS]
        return tuple(out)

    def apply_due(self) -> str:
        """When an apply must renew certificates that this host cannot renew by itself; "" if there are none."""
        waiting = [c for c in self.certificates if c.apply_in is not None and c.days >= CERTIFICATE_DAYS]
        if not waiting:
            return ""
        names = ", ".join(c.name for c in waiting)
        soonest = min(c.apply_in or 0.0 for c in waiting)
        when = (
            f"in {soonest:.0f} days"
            if soonest > 0
            else f"now, {min(c.days for c in waiting):.0f} days before they expire"
        )
        return f"certificates {names} are renewed by `rancherctl env apply` only, next {when}"


def _expiring(certificate: CertificateStatus) -> str:
    left = f"has {certificate.days:.0f} days left" if certificate.days > 0 else "has expired"
    remedy = "" if certificate.apply_in is None else " (rancherctl env apply renews it)"
    return f"certificate {certificate.name} {left}{remedy}"


_ROLES = {spec.name: spec for spec in ROLES}


def _reported(report: Mapping[str, Any]) -> list[str]:
    """Problems of a host's roles according to its agent's report: a unit may run and still not serve.

    Hosts write their reports, so a section may have any form.
    """
    out = []
    for name, section in sorted(report.items()) if isinstance(report, Mapping) else ():
        spec = _ROLES.get(name)
        health = spec.health if spec else section_problems
        problems = health(section) if isinstance(section, Mapping) else []
        out += [f"{spec.title if spec else name}: {text[:MAX_MESSAGE_CHARS]}" for text in problems]
    return out


def _failed_run(unit: str) -> str:
    """Problem of a oneshot unit such as a timer's: its failure shows nowhere else."""
    consequence = (
        ": certificates are not renewed here (rancherctl env apply renews what is due)"
        if unit == "rancherctl-certificates"
        else ""
    )
    return f"{unit} failed{consequence}; see journalctl -u {unit} on the host"


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """An environment. ``api`` is ``ok`` or an error; ``leader`` the host of the leading controller ("" = unknown)."""

    environment: str
    version: str
    server: str
    api: str
    hosts: tuple[HostHealth, ...]
    leader: str = ""
    applied: str = ""
    drift: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    path_remedies: tuple[str, ...] = ()
    """What to do about the paths of pods, one line each."""

    @property
    def healthy(self) -> bool:
        """Whether the API answers and no host has a problem. Drift is not a problem."""
        return self.api == "ok" and not any(host.problems() for host in self.hosts)

    @property
    def state(self) -> Literal["healthy", "degraded", "down"]:
        """``down`` if the API does not answer."""
        return "healthy" if self.healthy else "degraded" if self.api == "ok" else "down"

    def problems(self) -> tuple[str, ...]:
        """``host: problem`` lines, the API's first."""
        first = () if self.api == "ok" else (f"API {self.server}: {self.api}",)
        return (*first, *(f"{host.name}: {line}" for host in self.hosts for line in host.problems()))

    def remedies(self) -> tuple[str, ...]:
        """What to do next, one line each, in this order."""
        out = [
            f"check power, network and sshd of {h.name} ({h.address}), then: rancherctl env apply {self.environment}"
            for h in self.hosts
            if not h.reachable and not h.remedy
        ]
        out += [f"{h.name}: {h.remedy}" for h in self.hosts if not h.reachable and h.remedy]
        journals: dict[str, list[str]] = {}
        for host in self.hosts:
            stopped = [unit.name for unit in host.units if not unit.active]
            if host.reachable and host.silent and "rancherctl-agent" not in stopped:
                stopped.append("rancherctl-agent")
            for unit in stopped:
                journals.setdefault(unit, []).append(host.name)
        if journals or self.drift:
            out.append(f"rancherctl env apply {self.environment} starts stopped units and corrects drift")
        if len(journals) > MAX_JOURNALS:
            out.append("if they stop again, see journalctl -n 50 -u UNIT on their hosts")
        else:
            out += [
                f"if it stops again, see journalctl -n 50 -u {unit} on {', '.join(hosts)}"
                for unit, hosts in journals.items()
            ]
        out += self.path_remedies
        not_ready = [
            h.name for h in self.hosts if h.reachable and h.ready is False and all(unit.active for unit in h.units)
        ]
        if not_ready:
            describe = f"rancherctl kubectl --env {self.environment} describe node {' '.join(not_ready)}"
            out.append(f"to see why a Node is not Ready: {describe}")
        if self.api != "ok" and not out:
            out.append(f"check that {self.server} can be reached, from here or through ssh")
        return tuple(out)


def grouped(lines: Iterable[str]) -> tuple[str, ...]:
    """``host: text`` lines, hosts with the same text joined: ``h1, h2: text``."""
    hosts: dict[str, list[str]] = {}
    for line in lines:
        host, _, text = line.partition(": ")
        hosts.setdefault(text, []).append(host)
    return tuple(f"{', '.join(names)}: {text}" for text, names in hosts.items())
