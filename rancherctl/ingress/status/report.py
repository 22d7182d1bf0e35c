"""The ``lb`` section of a host's report. Pure.

The agent writes it; controllers and command lines of other releases read it, too. A damaged part reads as an empty one,
which only withholds addresses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT
from rancherctl.net import parse_port
from rancherctl.placement.model import ObjectProblem

MAX_PROBLEM_CHARS: Final = 200_000
"""Characters of problems in one report: a ConfigMap holds a megabyte, and what is served must have room in it."""
MAX_PORTS: Final = 16
"""Blocked ports of one host that count: its report must not make the roster too big for the API."""


MAX_LACKING: Final = 500
"""Secrets without a usable certificate that one report names."""


@dataclass(frozen=True, slots=True)
class TlsReport:
    """How one host answers over TLS.

    ``default`` is the secret of the default certificate ("" = none); ``redirect``: whether it redirects plain requests
    to HTTPS. ``lacking`` are secrets that it needs and has no usable certificate of, the default one among them.
    """

    default: str = ""
    redirect: bool = True
    lacking: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """Plain values for the report."""
        return {"default": self.default, "redirect": self.redirect, "lacking": sorted(self.lacking)[:MAX_LACKING]}


@dataclass(frozen=True, slots=True)
class HostReport:
    """What one host's load balancer says.

    ``served`` maps keys of Ingresses to the hash of the content it serves, computed by ``hash_scheme`` (0: releases
    without that key). ``problems`` are those of its backends by Ingress key, ``ports`` errors by port number (as text).
    ``error``: it serves nothing. ``alarm``: it serves, but something needs attention. ``note``: it works, and a client
    may have a problem. ``placed`` are the Ingresses that it serves on purpose, ``certificates`` a digest of the
    certificates that it has for each Ingress (``copies.certificates_digest``). ``tls`` is None in reports of releases
    without it. ``finishing`` is the number of earlier HAProxy processes with open connections. ``waiting`` are
    Ingresses that it serves with their former content until HAProxy is reloaded, within half a minute.
    """

    served: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, tuple[ObjectProblem, ...]] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)
    hash_scheme: int = 0
    error: str = ""
    alarm: str = ""
    note: str = ""
    placed: frozenset[str] = frozenset()
    certificates: Mapping[str, str] = field(default_factory=dict)
    tls: TlsReport | None = None
    finishing: int = 0
    waiting: frozenset[str] = frozenset()

    @property
    def trouble(self) -> str:
        """What is wrong with the load balancer, the worst first; "" if nothing is."""
        return self.error or self.alarm or ", ".join(error for _, error in sorted(self.ports.items()) if error)

    def blocked_ports(self) -> tuple[int, ...]:
        """Ports that another program on the host uses; the default ones count before those of single Ingresses."""
        numbers = (parse_port(port) for port, error in self.ports.items() if error)
        found = sorted((number not in {HTTP_PORT, HTTPS_PORT}, number) for number in numbers if number is not None)
        return tuple(sorted(number for _, number in found[:MAX_PORTS]))

    def to_section(self) -> dict[str, Any]:
        """Plain values for the report."""
        section = {
            "served": dict(self.served),
            "ports": dict(self.ports),
            "hash_scheme": self.hash_scheme,
            "alarm": self.alarm,
            "problems": _plain_problems(self.problems),
            "placed": sorted(self.placed),
            "certificates": dict(self.certificates),
        }
        tls = self.tls.to_json() if self.tls else None
        more = {"error": self.error, "note": self.note, "tls": tls, "waiting": sorted(self.waiting)}
        return section | {key: value for key, value in more.items() if value}


def load_balancer_section(data: Mapping[str, str]) -> Mapping[str, Any]:
    """The ``lb`` section in a report ConfigMap's data.

    {} if the host has no such role, has not reported yet, or it is damaged.
    """
    try:
        section = json.loads(data.get("report", "{}"))["sections"]["lb"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return section if isinstance(section, dict) else {}


def parse_section(section: Mapping[str, Any]) -> HostReport:
    """Read a section leniently: what has another form than expected is left out."""
    scheme = section.get("hash_scheme")
    return HostReport(
        served=_texts(section.get("served")),
        problems=_problems(section.get("problems")),
        ports=_texts(section.get("ports")),
        hash_scheme=scheme if isinstance(scheme, int) else 0,
        error=str(section.get("error") or ""),
        alarm=str(section.get("alarm") or ""),
        note=str(section.get("note") or ""),
        placed=_set(section.get("placed")),
        certificates=_texts(section.get("certificates")),
        tls=_tls(section.get("tls")),
        finishing=_finishing(section.get("haproxy")),
        waiting=_set(section.get("waiting")),
    )


def _tls(value: object) -> TlsReport | None:
    if not isinstance(value, dict):
        return None
    return TlsReport(str(value.get("default") or ""), value.get("redirect") is not False, _set(value.get("lacking")))


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _finishing(haproxy: object) -> int:
    count = haproxy.get("finishing") if isinstance(haproxy, dict) else 0
    return count if isinstance(count, int) else 0


def _set(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()


def _problems(value: object) -> dict[str, tuple[ObjectProblem, ...]]:
    return {
        str(key): tuple(
            ObjectProblem(str(e[0]), str(e[1]), bool(e[2])) for e in entries if isinstance(e, list) and len(e) == 3
        )
        for key, entries in (value.items() if isinstance(value, dict) else ())
        if isinstance(entries, list)
    }


def _plain_problems(problems: Mapping[str, tuple[ObjectProblem, ...]]) -> dict[str, list[list[Any]]]:
    """Lists instead of Problems, in the order of the keys, as many as MAX_PROBLEM_CHARS allows."""
    out: dict[str, list[list[Any]]] = {}
    room = MAX_PROBLEM_CHARS
    for key, found in sorted(problems.items()):
        room -= sum(len(p.reason) + len(p.message) for p in found) + len(key)
        if room < 0:
            break
        out[key] = [[p.reason, p.message, p.serious] for p in found]
    return out
