"""Facts about hosts, read in one round trip before anything is changed.

Each has three answers: yes, no, unknown.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rancherctl.errors import RancherctlError
from rancherctl.events import Emit, busy, ignore
from rancherctl.hosts.command import script
from rancherctl.hosts.fact_commands import FACT_COMMANDS, script_text, sections
from rancherctl.hosts.fact_values import AddressFact, DiskFact, ListenerFact, RouteFact, SysctlFact, UnitFact
from rancherctl.hosts.fanout import LIMIT, each
from rancherctl.hosts.firewall import FirewallFact
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport
from rancherctl.text import last_line

TIMEOUT = 60.0
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A field is None if it is unknown; ``unread`` says why, by the name of the fact command."""

    unread: Mapping[str, str] = field(default_factory=dict)
    clock: float | None = None
    """Seconds since the epoch by the host's clock."""
    skew: float | None = None
    """Host clock minus the local clock, in seconds; uncertain by ``skew_error``."""
    skew_error: float | None = None
    os_id: str | None = None
    os_version: str | None = None
    """VERSION_ID; "" where the system names none (testing)."""
    os_codename: str | None = None
    os_name: str | None = None
    kernel: str | None = None
    arch: str | None = None
    """``amd64``, ``arm64``, or the machine name of ``uname``."""
    hostname: str | None = None
    machine_id: str | None = None
    boot_id: str | None = None
    uptime: float | None = None
    cpus: int | None = None
    memory_bytes: int | None = None
    swap_bytes: int | None = None
    disks: Mapping[str, DiskFact] | None = None
    """By path: / /var/lib /opt /etc /run."""
    cgroup: int | None = None
    """2 for the unified hierarchy, 1 for separate controllers."""
    cgroup_controllers: frozenset[str] | None = None
    capabilities: int | None = None
    """Bounding set of process 1."""
    macs: Mapping[str, str] | None = None
    """Interface → MAC, without loopback and interfaces that share one."""
    addresses: tuple[AddressFact, ...] | None = None
    routes: tuple[RouteFact, ...] | None = None
    resolvers: tuple[str, ...] | None = None
    systemd_state: str | None = None
    systemd_version: int | None = None
    units: Mapping[str, UnitFact] | None = None
    """By name without ``.service``; units that do not exist are left out."""
    failed_units: tuple[str, ...] | None = None
    """Full names of rancherctl units whose last run failed, including those that a timer starts."""
    listeners: tuple[ListenerFact, ...] | None = None
    python: str | None = None
    openssl: str | None = None
    packages: Mapping[str, str] | None = None
    """Installed packages of interest → version."""
    candidates: Mapping[str, str] | None = None
    """Packages of interest that apt could install → version; empty if the package lists were never fetched."""
    apparmor: bool | None = None
    selinux: str | None = None
    """``enforcing``, ``permissive`` or ``disabled``."""
    features: Mapping[str, bool] | None = None
    """vxlan, bridge, veth, dummy, overlay, nf_tables."""
    sysctls: Mapping[str, SysctlFact] | None = None
    chains: tuple[str, ...] | None = None
    """``table/CHAIN`` of iptables that are not built in."""
    nft_tables: tuple[str, ...] | None = None
    """``family name``."""
    firewall: FirewallFact | None = None
    """Which chains of nft and iptables deny by default, and what manages them."""
    devices: frozenset[str] | None = None
    marker: Mapping[str, Any] | None = None
    """Content of /etc/rancherctl/environment.json, the environment of this host; {} if it has none."""

    def can(self, capability: int) -> bool | None:
        """Whether the bounding set of process 1 has a capability (by its bit); None if unknown."""
        return None if self.capabilities is None else bool(self.capabilities >> capability & 1)

    @property
    def may_raise_limits(self) -> bool | None:
        """CAP_SYS_RESOURCE: without it runc cannot lower oom_score_adj (containers, LXC)."""
        return self.can(CAP_SYS_RESOURCE)


def gather_facts(
    hosts: Iterable[Host],
    transport: Callable[[Host], Transport],
    *,
    emit: Emit = ignore,
    limit: int = LIMIT,
    interrupted: Callable[[], None] | None = None,
) -> tuple[dict[str, HostFacts], dict[str, RancherctlError]]:
    """Facts of many hosts in parallel, by name, and the errors of the hosts that could not be read."""

    def read(host: Host) -> HostFacts:
        with busy(emit, "look", "gathering facts", host.name):
            return read_facts(transport(host))

    outcomes = each(hosts, read, limit, interrupted=interrupted)
    facts = {name: outcome.get() for name, outcome in outcomes.items() if outcome.ok}
    return facts, {name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None}


def read_facts(transport: Transport, *, now: Callable[[], float] = time.time) -> HostFacts:
    """All facts of one host in one round trip; a command that fails is in ``unread``.

    UnreachableError, AuthError.
    """
    boundary = f"rancherctl-{secrets.token_hex(8)}"
    before = now()
    result = transport.run(script(script_text(), boundary, timeout=TIMEOUT), check=False)
    return parse(result.stdout.decode("utf-8", "replace"), boundary, before, now())


def parse(text: str, boundary: str, before: float, after: float) -> HostFacts:
    """The script's output as facts; ``before`` and ``after`` are the local clock around the call. Pure."""
    found = sections(text, boundary)
    fields: dict[str, Any] = {}
    unread: dict[str, str] = {}
    for command in FACT_COMMANDS:
        if command.name not in found:
            unread[command.name] = "no answer"
            continue
        status, output = found[command.name]
        if status != 0 and not command.any_status:
            unread[command.name] = last_line(output, f"exit status {status}")[:300]
            continue
        try:
            fields |= command.parser(output)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            unread[command.name] = f"unexpected output: {error}"[:300]
    if "clock" in fields:
        # the clock is the first fact that is read, soon after the script was sent
        fields |= {"skew": fields["clock"] - (before + after) / 2, "skew_error": (after - before) / 2}
    return HostFacts(unread=unread, **fields)
