"""HostRules: keep the nft table of a load-balancer host up to date (``host_table``), and say for which Services."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rancherctl.contract import MOVING_KEY, ROSTER_KEY, ROSTER_NAME
from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import command
from rancherctl.hosts.nft_table import NftTable
from rancherctl.hosts.transport import Transport
from rancherctl.kube.objects import ConfigMap, EndpointSlice, Service
from rancherctl.kube.snapshot import Snapshot
from rancherctl.net import parse_ip
from rancherctl.placement.model import Roster, RosterHost
from rancherctl.services import drain_memory, host_table, moving, stale_flows
from rancherctl.services.draining import draining
from rancherctl.services.model import Port, ports_of, programmed_digest
from rancherctl.text import plural

log = logging.getLogger(__name__)
TABLES: Final = ("services", "endpointslices", "roster")


@dataclass(frozen=True, slots=True)
class Served:
    """Digests of Services that the host serves by itself: because they leave, and because the leader asks for it."""

    draining: Mapping[str, str] = field(default_factory=dict)
    prepared: Mapping[str, str] = field(default_factory=dict)


class HostRules:
    """The rules of one host. ``addresses``: its public one, if it has one, and its internal one.

    ``memory`` is a file that outlives this process, and not the boot: which addresses have left, and when (None: not
    kept).
    """

    def __init__(self, node: str, addresses: tuple[str, ...], transport: Transport, memory: Path | None = None) -> None:
        self._node, self._addresses, self._transport, self._memory = node, addresses, transport, memory
        self._table = NftTable(transport, host_table.TABLE)
        self._draining, digests = drain_memory.read(memory)
        self._served = Served(digests)
        self._stored: ConfigMap | None = None
        self._host: RosterHost | None = None
        self._asked: frozenset[str] = frozenset()
        self._udp: set[tuple[str, int]] = set()

    def ensure(
        self,
        snapshot: Snapshot,
        used: Collection[Port],
        now: float,
        programmed: Collection[str] | None = None,
        *,
        unchanged: bool = False,
    ) -> Served:
        """Make the table what it should be; returns the Services that it serves by itself.

        ``programmed`` are the Services that kube-proxy had when it was last asked; None: it was not. While the tables
        are not listed, everything stays as it is. ``unchanged``: no other program has changed nftables since the last
        call. RancherctlError if the rules cannot be loaded.
        """
        if not all(snapshot.table(name).synced for name in TABLES):
            return self._served
        services: Mapping[str, Service] = snapshot.table("services").items
        host = self._listed(snapshot.table("roster").items)
        address = host.address if host and host.address else self._addresses[0]
        self._draining = draining(services, self._addresses, host, used, self._draining, now, programmed, self._asked)
        keys = self._draining.rules
        slices = _slices(snapshot.table("endpointslices").items, keys)
        rules = [
            rule
            for key in sorted(keys)
            for rule in host_table.forwards(services[key], slices[key], [address], self._node)
        ]
        ports = frozenset(p for key in self._draining.published | keys for p in ports_of(services[key]))
        if self._table.ensure(host_table.text(self._nat(ports), rules), unchanged=unchanged):
            log.info("loaded the nft table %s: %s by rules of the host", host_table.TABLE, plural(len(keys), "Service"))
        udp = {(rule.address, rule.port[1]) for rule in rules if rule.port[0] == "udp"}
        for at, port in sorted(udp - self._udp):
            stale_flows.forget(self._transport, at, port)
        self._udp = udp
        self._served = Served(
            *(
                {key: programmed_digest(address, ports_of(services[key])) for key in group}
                for group in (self._draining.keys, self._draining.prepared)
            )
        )
        drain_memory.write(self._memory, self._draining, self._served.draining)
        return self._served

    @property
    def wake(self) -> float | None:
        """Seconds until the rules of a Service end; None if none do."""
        return self._draining.wake

    def _listed(self, maps: Mapping[str, ConfigMap]) -> RosterHost | None:
        """This host in the roster; as last known while the stored one is missing or damaged."""
        stored = maps.get(ROSTER_KEY)
        if stored is not None and stored is not self._stored:
            self._stored = stored
            try:
                self._host = Roster.from_json(stored.data.get(ROSTER_NAME, "")).host(self._node)
                self._asked = moving.of_host(stored.data.get(MOVING_KEY, ""), self._node)
            except ValueError as error:
                log.warning("the stored roster is not valid: %s", error)
        return self._host

    def _nat(self, ports: frozenset[Port]) -> host_table.Nat | None:
        """The rewriting of a public address that is on no interface; None if the host needs none."""
        versions = [ip.version for ip in map(parse_ip, self._addresses) if ip]
        if not ports or versions != [4, 4]:
            return None
        public, internal = self._addresses
        shown = json.loads(self._transport.run(command("ip", "-j", "-4", "addr", "show")).stdout or b"[]")
        devices = {info.get("local"): device["ifname"] for device in shown for info in device.get("addr_info", ())}
        if public in devices:
            return None
        if internal not in devices:
            raise RancherctlError(
                f"cannot translate {public} for Services: no network device has the address {internal}",
                why="the host's address changed, or the link is not configured yet",
                hint="give the host this address again, or change its address in the environment file and apply",
            )
        return host_table.Nat(public, internal, devices[internal], ports)


def _slices(slices: Mapping[str, EndpointSlice], keys: Collection[str]) -> dict[str, list[EndpointSlice]]:
    out: dict[str, list[EndpointSlice]] = {key: [] for key in keys}
    for part in slices.values() if keys else ():
        if part.service_key in out:
            out[part.service_key].append(part)
    return out
