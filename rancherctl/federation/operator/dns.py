"""What the command line does with the public zone: read the report, ask for an adoption, and ask every name server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError, TimeoutExceededError
from rancherctl.federation.dns_state import PublishedName
from rancherctl.federation.providers import transfer
from rancherctl.federation.providers.exchange import Exchange
from rancherctl.federation.providers.faults import Server
from rancherctl.federation.vantage import KEY
from rancherctl.federation.zone_report import ADOPT, FORCE, RELEASE, REPORT, REQUESTS, ZoneReport, from_json
from rancherctl.kube.client import CONFIGMAPS, KubeClient
from rancherctl.polling import poll_until
from rancherctl.text import did_you_mean, plural

ASKED: Final = 200
"""Names that each name server is asked for by ``verify``."""
TIMEOUT: Final = 5.0


def read(client: KubeClient) -> ZoneReport:
    """The report of the federation's process; NotFoundError if there is none yet."""
    try:
        stored = client.get(CONFIGMAPS, REPORT, namespace=FEDERATION_CONTROLLER)
        return from_json(str((stored.get("data") or {}).get(KEY, "")))
    except NotFoundError as error:
        raise NotFoundError(
            "the federation has not reported on its public zone yet",
            hint="is its provider none? else: rancherctl federation status, and journalctl -u rancherctl-federation",
        ) from error
    except ValueError as error:
        raise RancherctlError("the report on the public zone cannot be read", why=str(error)) from error


def rows(report: ZoneReport) -> list[dict[str, Any]]:
    """One row for each published name."""
    return [
        {"name": n.name, "object": n.object, "type": r.partition(" ")[0], "data": r.partition(" ")[2].split(" ")}
        for n in report.names
        for r in n.records
    ]


def differences(report: ZoneReport) -> list[dict[str, Any]]:
    """One row for each name that is not as the federation wants it, or that belongs to nothing any more."""
    return [
        {"name": f.name, "state": state, "object": f.object, "reason": f.why}
        for state, found in (("Conflict", report.conflicts), ("Orphan", report.orphans))
        for f in found
    ]


def adopt(client: KubeClient, name: str, *, timeout: float = 30.0) -> None:
    """Let the federation take over the records of a wanted name; waits until it has."""
    report, wanted = read(client), name.lower().removesuffix(".")
    if wanted in {n.name for n in report.names}:
        return
    conflicts = {f.name: f for f in report.conflicts}
    if wanted not in conflicts:
        known = ", ".join(sorted(conflicts)[:5])
        hint = did_you_mean(wanted, conflicts) or (f"names in conflict: {known}" if known else "no name is in conflict")
        raise NotFoundError(f"{wanted} is not a name that the federation wants and others have", hint=hint)
    if "without our marker" not in conflicts[wanted].why:
        raise ConflictError(f"{wanted} cannot be adopted", why=conflicts[wanted].why)
    _request(client, wanted, ADOPT)
    done = poll_until(lambda: wanted in {n.name for n in read(client).names}, timeout)
    if not done:
        raise TimeoutExceededError(
            f"{wanted} was not adopted within {timeout:g} s", hint="see: rancherctl federation dns diff"
        )


def delete_orphans(client: KubeClient, *, timeout: float = 30.0) -> tuple[str, ...]:
    """Let the federation delete the names that belong to nothing, once; waits until it has, and returns them."""
    report = read(client)
    orphans = tuple(finding.name for finding in report.orphans)
    if orphans:
        _request(client, report.zone, FORCE)
        left = frozenset(orphans)
        if not poll_until(lambda: not left & {finding.name for finding in read(client).orphans}, timeout):
            raise TimeoutExceededError(
                f"the names were not deleted within {timeout:g} s", hint="see: rancherctl federation dns diff"
            )
    return orphans


def release(client: KubeClient, *, timeout: float = 60.0) -> tuple[str, ...]:
    """Let a federation without members delete all its names and its zone marker; waits until it has.

    Returns the names that were there. A federation that has not reported on a zone has none (provider none).
    """
    try:
        report = read(client)
    except NotFoundError:
        return ()
    _request(client, report.zone, RELEASE)
    last = report

    def released() -> bool:
        nonlocal last
        last = read(client)
        return last.released

    if not poll_until(released, timeout):
        raise TimeoutExceededError(
            f"{plural(last.total, 'name')} of zone {last.zone} and its marker were not deleted within {timeout:g} s",
            why=last.problem,
            hint=last.hint or "see: rancherctl federation dns diff",
        )
    return tuple(name.name for name in report.names)


def _request(client: KubeClient, name: str, what: str) -> None:
    """Ask the federation's process for something."""
    body = {"data": {name: what}}
    try:
        client.patch(CONFIGMAPS, REQUESTS, body, namespace=FEDERATION_CONTROLLER)
    except NotFoundError:
        metadata = {"name": REQUESTS, "namespace": FEDERATION_CONTROLLER}
        client.create(CONFIGMAPS, {"metadata": metadata, **body}, namespace=FEDERATION_CONTROLLER)


@dataclass(frozen=True, slots=True)
class ServerCheck:
    """One name server of the zone: its serial number, and the names that it answers differently."""

    server: str
    address: str
    serial: int | None = None
    wrong: tuple[str, ...] = ()
    problem: str = ""


def verify(report: ZoneReport, servers: Sequence[str], found: Mapping[str, str]) -> list[ServerCheck]:
    """Ask the primaries, and the name servers that they have (``found``: name → address), for serial and names."""
    zone = f"{report.zone}."
    checks = [_check(zone, text, Server.parse(text), report.names) for text in servers]
    asked = {Server.parse(text).host for text in servers}
    for name, address in sorted(found.items()):
        if address not in asked:
            checks.append(_check(zone, name, Server(address), report.names))
    return checks


def nameservers(zone: str, servers: Sequence[str]) -> Mapping[str, str]:
    """Name → address of the name servers of a zone (absolute), as the first server that answers has them."""
    import dns.message

    for text in servers:
        try:
            with Exchange(Server.parse(text), None, timeout=TIMEOUT) as exchange:
                names = transfer.zone_info(exchange, zone, None).nameservers
                answers = list(exchange.ask_all([dns.message.make_query(name, "A") for name in names]))
        except RancherctlError:
            continue
        found = {}
        for name, answer in zip(names, answers, strict=True):
            addresses = [rdata.to_text() for rrset in answer.answer for rdata in rrset if rrset.rdtype == 1]
            if addresses:
                found[name.removesuffix(".")] = addresses[0]
        return found
    return {}


def _check(zone: str, name: str, server: Server, names: Sequence[PublishedName]) -> ServerCheck:
    wanted = {f"{n.name}.": set(n.records) for n in names[:ASKED]}
    try:
        with Exchange(server, None, timeout=TIMEOUT) as exchange:
            info = transfer.zone_info(exchange, zone, None)
            found = transfer.ask(exchange, zone, None, wanted)
    except RancherctlError as error:
        return ServerCheck(name, str(server), problem=str(error))
    seen: dict[str, set[str]] = {}
    for record_set in found:
        if record_set.type in ("A", "AAAA", "CNAME"):
            seen.setdefault(record_set.name, set()).add(f"{record_set.type} {' '.join(record_set.rdatas)}")
    wrong = tuple(n.removesuffix(".") for n, records in wanted.items() if seen.get(n, set()) != records)
    return ServerCheck(name, str(server), info.serial, wrong)
