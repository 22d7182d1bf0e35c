"""The ``services`` section of a host's report: what its ports are used for, and what kube-proxy has programmed. Pure.

The agent writes it, the controller and command lines of other releases read it. A damaged part reads as an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from rancherctl.net import parse_port
from rancherctl.services.model import MAX_SERVICES, POD_WORDS, HostPorts, Port

SECTION: Final = "services"
MAX_PORTS: Final = 2000
"""Used ports of one host that are reported: a program may open very many, and a ConfigMap holds a megabyte."""
MAX_WORDS: Final = 100
"""Characters about the program or pod that uses a port."""


def to_section(ports: HostPorts) -> dict[str, Any]:
    """Plain values for the report."""
    # Ports of pods first: the load balancer learns of them from the report only.
    used = sorted(ports.used.items(), key=lambda item: (not item[1].startswith(POD_WORDS), item[0]))[:MAX_PORTS]
    return {
        "used": {f"{number}/{protocol}": words[:MAX_WORDS] for (protocol, number), words in used},
        "proxy_error": ports.proxy_error,
        "programmed": dict(sorted(ports.programmed.items())[:MAX_SERVICES]),
        "draining": dict(sorted((ports.draining or {}).items())[:MAX_SERVICES]),
        "prepared": dict(sorted((ports.prepared or {}).items())[:MAX_SERVICES]),
        **({"error": ports.error} if ports.error else {}),
    }


def parse_sections(data: Mapping[str, str]) -> HostPorts:
    """What one report ConfigMap's data says about ports; ``reported`` is False without the section.

    It is False, too, if the role failed: then ``error`` says why.
    """
    try:
        sections = json.loads(data.get("report", "{}"))["sections"]
        section, balancer = sections.get(SECTION), sections.get("lb")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return HostPorts(reported=False)
    return HostPorts(
        used=_used(_mapping(section).get("used")),
        load_balancer=_served(_mapping(balancer).get("ports")),
        proxy_error=str(_mapping(section).get("proxy_error") or ""),
        programmed=_digests(_mapping(section).get("programmed")),
        reported=isinstance(section, dict) and not section.get("error"),
        error=str(_mapping(section).get("error") or ""),
        draining=_digests(_mapping(section)["draining"]) if "draining" in _mapping(section) else None,
        prepared=_digests(_mapping(section)["prepared"]) if "prepared" in _mapping(section) else None,
    )


def pod_ports(data: Mapping[str, str]) -> dict[int, str]:
    """TCP ports of the host that go to pods, with words that name the pod."""
    used = parse_sections(data).used
    return {
        number: words for (protocol, number), words in used.items() if protocol == "tcp" and words.startswith(POD_WORDS)
    }


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _digests(value: object) -> dict[str, str]:
    return {str(key): str(digest) for key, digest in _mapping(value).items()}


def _used(value: object) -> dict[Port, str]:
    out: dict[Port, str] = {}
    for text, words in _mapping(value).items():
        number, _, protocol = str(text).partition("/")
        if (port := parse_port(number)) is not None and protocol:
            out[(protocol, port)] = str(words)
    return out


def _served(value: object) -> frozenset[int]:
    """Ports of listeners that the load balancer has open (an error text beside a port: it has not)."""
    numbers = (parse_port(str(port)) for port, error in _mapping(value).items() if not error)
    return frozenset(number for number in numbers if number is not None)
