"""What an environment's status consists of, and what is wrong with it: values and judgement. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rancherctl.role_spec import section_problems
from rancherctl.roles.registry import ROLES

NO_NETWORK = "network.mode is none, so they wait for a network add-on (Cilium, Calico, flannel …), which is installed with kubectl"
JOURNALS = 3
"""Units whose journals are named; more have a common reason."""
WORDS = 300
"""Characters of what an agent says about one role."""
STARTING_SECONDS = 30.0
"""How long an agent may need until the controller counts it as alive.

It waits up to 15 s for the first reports of its parts, and its Lease must then be seen to change twice.
"""
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
    """One certificate; ``days`` left, negative when expired. ``apply_in``: days until an apply renews it, None = the host renews it by itself."""

    name: str
    days: float
    apply_in: float | None = None


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host. ``reachable`` False: the rest of it is unknown. ``ready`` of its Node: True, False, None = the API could not be asked.

    ``remedy``: what to do about a host that answers but lets nobody in, "" for one that does not answer. ``report`` is what its agent
    reported last, by role. ``drift`` counts steps that an apply would do there. ``unread``: what could not be read there, and why, one
    line each; it is neither fine nor broken (``units`` is empty when they could not). ``starting``: no heartbeat was seen yet, from an
    agent that came up within the last STARTING_SECONDS.
    """

    name: str
    address: str
    roles: tuple[str, ...]
    reachable: bool
    error: str = ""
    ready: bool | None = None
    trouble: str = ""
    """What its Node says when it is not Ready."""
    version: str = ""
    system: str = ""
    units: tuple[UnitStatus, ...] = ()
    failed: tuple[str, ...] = ()
    """Units of ours whose last run failed, without ``.service``."""
    certificates: tuple[CertificateStatus, ...] = ()
    drift: int = 0
    remedy: str = ""
    load_balancer: bool = False
    alive: bool | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    starting: bool = False

    @property
    def silent(self) -> bool:
        """Whether its agent's heartbeat is missing, and is due."""
        return self.alive is False and not self.starting

    def problems(self) -> tuple[str, ...]:
        """One line each, worst first."""
        if not self.reachable:
            return (f"{'lets nobody in' if self.remedy else 'cannot be reached'}: {self.error}",)
        stopped = [unit.name for unit in self.units if not unit.active]
        out = [f"{', '.join(stopped)} {'is' if len(stopped) == 1 else 'are'} not running"] if stopped else []
        out += [_failed(name) for name in self.failed if name not in stopped]
        out += [f"could not be read: {line}" for line in self.unread]
        if self.ready is False:
            out.append("its Node is not Ready" + (f": {self.trouble}" if self.trouble else ""))
        if self.silent:
            out.append("its agent gives no sign of life")
        elif not self.starting:  # the report of one that starts is that of the process before
            out += _told(self.report)
        out += [
            f"certificate {c.name} {f'has {c.days:.0f} days left' if c.days > 0 else 'has expired'}{'' if c.apply_in is None else _BY_APPLY}"
            for c in self.certificates
            if c.days < CERTIFICATE_DAYS
        ]
        return tuple(out)

    def apply_due(self) -> str:
        """When an apply has to renew certificates that this host cannot renew by itself; "" where there are none."""
        waiting = [c for c in self.certificates if c.apply_in is not None and c.days >= CERTIFICATE_DAYS]
        if not waiting:
            return ""
        names = ", ".join(c.name for c in waiting)
        soonest = min(c.apply_in or 0.0 for c in waiting)
        when = (
            f"in {soonest:.0f} days" if soonest > 0 else f"now, {min(c.days for c in waiting):.0f} days before they end"
        )
        return f"certificates {names} are renewed by `rancherctl env apply` alone, next {when}"


_BY_APPLY = " (rancherctl env apply renews it)"


_ROLES = {spec.name: spec for spec in ROLES}


def _told(report: Mapping[str, Any]) -> list[str]:
    """What a host's agent reports is wrong with its roles: a unit may run and still not serve.

    Agents write reports themselves, so no section is taken to have the expected form.
    """
    out = []
    for name, section in sorted(report.items()) if isinstance(report, Mapping) else ():
        spec = _ROLES.get(name)
        health = spec.health if spec else section_problems
        problems = health(section) if isinstance(section, Mapping) else []
        out += [f"its {spec.title if spec else name} says: {text[:WORDS]}" for text in problems]
    return out


def _failed(unit: str) -> str:
    """A unit that starts, works and ends, like those of timers: its failure would be seen nowhere else."""
    so = (
        ": certificates are not renewed here (rancherctl env apply renews what is due)"
        if unit == "rancherctl-certificates"
        else ""
    )
    return f"{unit} failed{so}; journalctl -u {unit} on the host says why"


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

    def remedies(self) -> tuple[str, ...]:
        """What to do next, one line each, what others wait for first; empty where there is nothing to do."""
        out = [
            f"see that {h.name} ({h.address}) has power, network and sshd, then: rancherctl env apply {self.environment}"
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
            out.append(f"rancherctl env apply {self.environment} starts what is stopped and puts back what differs")
        if len(journals) > JOURNALS:
            out.append("if they stop again: journalctl -n 50 -u UNIT on their hosts says why")
        else:
            out += [
                f"if it stops again: journalctl -n 50 -u {unit} on {', '.join(hosts)}"
                for unit, hosts in journals.items()
            ]
        odd = [h.name for h in self.hosts if h.reachable and h.ready is False and all(unit.active for unit in h.units)]
        if odd:
            out.append(f"rancherctl kubectl --env {self.environment} describe node {' '.join(odd)} says why not Ready")
        if self.api != "ok" and not out:
            out.append(f"see that the way to {self.server} is open, from here or through ssh")
        return tuple(out)


def together(lines: Iterable[str]) -> tuple[str, ...]:
    """``host: text`` lines with hosts of the same text joined: ``h1, h2: text``."""
    hosts: dict[str, list[str]] = {}
    for line in lines:
        host, _, text = line.partition(": ")
        hosts.setdefault(text, []).append(host)
    return tuple(f"{', '.join(names)}: {text}" for text, names in hosts.items())
