"""The services role: keep the rules of a host's addresses; report its used ports and what kube-proxy has."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Result, command
from rancherctl.hosts.transport import Transport
from rancherctl.kube.backoff import Backoff, describe
from rancherctl.kube.objects import Pod, Service
from rancherctl.kube.snapshot import Snapshot
from rancherctl.network.kube_proxy import proxy_answer
from rancherctl.network.watch import NetlinkWatch
from rancherctl.services import ports_in_use, proxy_rules
from rancherctl.services.host_rules import HostRules, Served
from rancherctl.services.model import HostPorts, Port, ports_of, programmed_digest
from rancherctl.services.report import to_section
from rancherctl.services.role_spec import SPEC
from rancherctl.services.socket_owners import name_owners

log = logging.getLogger(__name__)
PROXY_GRACE: Final = 3.0
"""Seconds that kube-proxy may fail, for example while it restarts."""
CHECK_SECONDS: Final = 4.0
"""nftables is read again after this time although the kernel has reported no change."""
PROC: Final = Path("/proc")
PROTOCOLS: Final = ("tcp", "udp")
_Sockets = frozenset[tuple[str, str, int, str, int]]


class ServicesRole:
    """Satisfies role_spec.HostRole; ``start`` makes changes of kube-proxy's rules wake it."""

    name = SPEC.name
    tables = SPEC.tables
    resync = 5.0

    def __init__(
        self,
        node: str,
        addresses: tuple[str, ...],
        transport: Transport,
        *,
        proc: Path = PROC,
        proxy: Callable[[], str] = proxy_answer,
        clock: Callable[[], float] = time.monotonic,
        memory: Path | None = None,
    ) -> None:
        self._node, self._addresses, self._transport = node, addresses, transport
        self._proc, self._proxy, self._clock = proc, proxy, clock
        self._watch: NetlinkWatch | None = None
        self._sockets: _Sockets = frozenset()
        self._listening: dict[Port, str] = {}
        self._pods: Mapping[str, Pod] | None = None
        self._pod_ports: dict[Port, str] = {}
        self._proxy_failed: float | None = None
        self._error = ""
        self._had: frozenset[str] | None = None
        self._changed = threading.Event()
        self._checked_at = float("-inf")
        self._answer: tuple[list[tuple[str, dict[str, frozenset[Port]]]], dict[str, str]] = [], {}
        """What kube-proxy was asked for last, and what it had."""
        self._prepared: dict[str, str] = {}
        self._rules = HostRules(node, addresses, transport, memory)
        self._backoff = Backoff(random.Random())  # noqa: S311  # spreads load, protects nothing

    def start(self, wake: Callable[[], None]) -> None:
        """Start to watch kube-proxy's rules."""
        self._watch = NetlinkWatch(wake, routes=False, relevant=self._concerns)

    def _concerns(self, datagram: bytes) -> bool:
        if relevant := proxy_rules.is_relevant(datagram):
            self._changed.set()
        return relevant

    def _unchanged(self) -> bool:
        """Whether nftables is as it was at the last call, as far as it concerns this role."""
        now = self._clock()
        same = self._watch is not None and not self._changed.is_set() and now - self._checked_at < CHECK_SECONDS
        if not same:
            self._changed.clear()
            self._checked_at = now
        return same

    def stop(self) -> None:
        """Stop watching; nothing on the host changes."""
        if self._watch:
            self._watch.close()
            self._watch = None

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Observe, and keep the host's own rules for its addresses.

        What cannot be read does not hide the ports that are known to be in use.
        """
        pods = snapshot.table("pods").items
        if pods is not self._pods:
            self._pods, self._pod_ports = pods, ports_in_use.pod_ports(pods, self._node)
        programmed: dict[str, str] = {}
        served = Served()
        error = ""
        try:
            self._observe_sockets()
            # Behind 1:1 NAT, kube-proxy's rules alone serve no client: what is not in our table is not programmed.
            used = self._listening.keys() | self._pod_ports.keys()
            unchanged = self._unchanged()
            served = self._rules.ensure(snapshot, used, self._clock(), self._had, unchanged=unchanged)
            news = self._had is not None and served.prepared.items() - self._prepared.items()
            programmed = self._programmed(snapshot.table("services").items, unchanged=unchanged, later=bool(news))
            self._had = frozenset(programmed)
            self._prepared = dict(served.prepared)
        except (RancherctlError, OSError, ValueError) as failure:
            error = describe(failure)
            self._changed.set()
            if error != self._error:
                log.warning("ports and rules of this host: %s", error)
            self.resync = self._backoff.after(failure)
        else:
            self._backoff.reset()
            self.resync = 0.0 if news else min(ServicesRole.resync, self._rules.wake or ServicesRole.resync)
        self._error = error
        return to_section(
            HostPorts(
                self._listening | self._pod_ports,
                proxy_error=self._proxy_error(),
                programmed=programmed,
                error=error,
                draining=served.draining,
                prepared=served.prepared,
            )
        )

    def _observe_sockets(self) -> None:
        """Ask for the programs only if the kernel's list of sockets has changed: that is the expensive part."""
        first = self._first_ephemeral()
        found: set[tuple[str, str, int, str, int]] = set()
        for protocol in PROTOCOLS:
            for table in (protocol, f"{protocol}6"):
                path = self._proc / "net" / table
                if not path.exists():
                    continue
                for address, port, inode, uid in ports_in_use.sockets(protocol, path.read_text()):
                    # Clients' UDP sockets look like servers'; they come and go with each query.
                    if ports_in_use.concerns(address, self._addresses) and not (protocol == "udp" and port >= first):
                        found.add((protocol, address, port, inode, uid))
        sockets = frozenset(found)
        if sockets == self._sockets:
            return
        pods = {pod.meta.uid: key for key, pod in (self._pods or {}).items() if pod.node == self._node}
        owned = (((protocol, port), uid) for protocol, _, port, _, uid in sorted(sockets))
        self._listening = name_owners(self._transport, owned, pods)
        self._sockets = sockets

    def _first_ephemeral(self) -> int:
        text = (self._proc / "sys/net/ipv4/ip_local_port_range").read_text()
        return int(text.split()[0])

    def _programmed(
        self, services: Mapping[str, Service], *, unchanged: bool = False, later: bool = False
    ) -> dict[str, str]:
        """What kube-proxy has of what is published here. ``later``: as it said last; the leader waits for news."""
        published = [
            (address, {key: ports_of(service) for key, service in services.items() if address in service.lb_addresses})
            for address in self._addresses
        ]
        if unchanged and self._answer[0] == published:
            return self._answer[1]
        if later:
            self._changed.set()
            now = {key: programmed_digest(address, wanted[key]) for address, wanted in published for key in wanted}
            return {key: digest for key, digest in self._answer[1].items() if now.get(key) == digest}
        out: dict[str, str] = {}
        for address, wanted in published:
            for key in self._present(address, wanted):
                out[key] = programmed_digest(address, wanted[key])
        self._answer = published, out
        return out

    def _present(self, address: str, published: Mapping[str, frozenset[Port]]) -> list[str]:
        """The Services for which kube-proxy has all ports. The maps, which are long, are read only if some are missing.

        A Service may have ports with endpoints and ports without, which are in different maps.
        """
        ports = sorted(frozenset[Port]().union(*published.values()))
        parts = (ports[at : at + proxy_rules.MAX_KEYS] for at in range(0, len(ports), proxy_rules.MAX_KEYS))
        if all(self._nft(proxy_rules.get(address, proxy_rules.MAPS[0], part)).ok for part in parts):
            return list(published)
        answers = [self._nft(proxy_rules.list_map(address, name)) for name in proxy_rules.MAPS]
        found = frozenset[Port]().union(*(proxy_rules.listed(each.text(), address) for each in answers if each.ok))
        return [key for key, wanted in published.items() if wanted <= found]

    def _nft(self, argv: tuple[str, ...]) -> Result:
        return self._transport.run(command(*argv, timeout=5.0), check=False)

    def _proxy_error(self) -> str:
        """Why kube-proxy is not healthy, once that has lasted."""
        error = self._proxy()
        if not error:
            self._proxy_failed = None
            return ""
        now = self._clock()
        if self._proxy_failed is None:
            self._proxy_failed = now
        return error if now - self._proxy_failed >= PROXY_GRACE else ""
