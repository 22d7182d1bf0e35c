"""What `rancherctl dns` runs on a host: ``agent.pyz dns-query | dns-status | …``, one JSON text each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rancherctl.dns import listing, lookup, names, pod_netns, status, trace
from rancherctl.dns.model import DnsHostConfig
from rancherctl.errors import UsageError
from rancherctl.kube.client import KubeClient


@dataclass(frozen=True, slots=True)
class Place:
    """Where to query from: the host if ``address`` is "", else the pod of ``namespace`` with this address."""

    address: str = ""
    namespace: str = ""


def query(
    config: DnsHostConfig, name: str, kind: str = "", servers: tuple[str, ...] = (), place: Place | None = None
) -> dict[str, Any]:
    """Query this host's server at each of its addresses (or other servers)."""
    place = place or Place()
    meant, type_ = lookup.question(name, kind, config.domain, place.namespace)

    def ask() -> tuple[str, tuple[lookup.Answer, ...]]:
        for absolute in meant:
            answers = lookup.query_local(absolute, type_, servers or config.addresses, port=config.port)
            if any(answer.rcode != "NXDOMAIN" for answer in answers):
                break
        return absolute, answers

    absolute, answers = pod_netns.run_in_netns(place.address, ask) if place.address else ask()
    return {"node": config.node, "name": absolute, "type": type_, "answers": [answer.as_json() for answer in answers]}


def answers(config: DnsHostConfig, questions: Sequence[str]) -> dict[str, Any]:
    """Ask this host's server many questions (NAME/TYPE, absolute names) at each of its addresses."""
    asked = [text.rpartition("/") for text in questions]
    if wrong := [text for text, (_, slash, _) in zip(questions, asked, strict=True) if not slash]:
        raise UsageError(f"{wrong[0]!r} is not a valid question", hint="NAME/TYPE")
    found = lookup.query_many([(name, kind) for name, _, kind in asked], config.addresses, port=config.port)
    return {"node": config.node, "answers": [[answer.as_json() for answer in part] for part in found]}


def explain(config: DnsHostConfig, name: str, kind: str, client: trace.Client) -> dict[str, Any]:
    """Ask for a name as a pod does, and report every step."""
    return trace.trace(config, name, kind, client)


def state(config: DnsHostConfig) -> dict[str, Any]:
    """Report the state of this host's server."""
    return status.host_status(config)


def records(client: KubeClient, config: DnsHostConfig, what: str = "") -> dict[str, Any]:
    """List the desired records, read from the API with this host's credential."""
    found, problems = listing.wanted_records(client, config)
    rows = [
        {"name": names.queried(s.name), "type": s.type, "ttl": s.ttl, "data": list(s.rdatas)}
        for s in listing.select(found, what, config)
    ]
    return {"node": config.node, "records": rows, "problems": dict(problems)}
