"""Facts about a host before anything is changed on it: one round trip, frozen values, three answers (yes, no, could not tell)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rancherctl.hosts.command import script
from rancherctl.hosts.fact_commands import PROBES, script_text, sections
from rancherctl.hosts.fact_parsers import Address, DiskFact, Listener, Route, Sysctl, UnitFact
from rancherctl.hosts.transport import Transport

TIMEOUT = 60.0
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Every field is None when it could not be told; ``unread`` says why, by the name of the probe."""

    unread: Mapping[str, str] = field(default_factory=dict)
    clock: float | None = None
    """Seconds since the epoch by the host's clock."""
    skew: float | None = None
    """Host clock minus ours, in seconds; uncertain by ``skew_error``."""
    skew_error: float | None = None
    os_id: str | None = None
    os_version: str | None = None
    """VERSION_ID; "" where the system names none (testing)."""
    os_codename: str | None = None
    os_name: str | None = None
    kernel: str | None = None
    arch: str | None = None
    """``amd64``, ``arm64``, or what uname says."""
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
    addresses: tuple[Address, ...] | None = None
    routes: tuple[Route, ...] | None = None
    resolvers: tuple[str, ...] | None = None
    systemd_state: str | None = None
    systemd_version: int | None = None
    units: Mapping[str, UnitFact] | None = None
    """By name without ``.service``; units that do not exist are left out."""
    failed_units: tuple[str, ...] | None = None
    """Units of ours whose last run failed, by whole name; also those that a timer starts."""
    listeners: tuple[Listener, ...] | None = None
    python: str | None = None
    openssl: str | None = None
    packages: Mapping[str, str] | None = None
    """Installed packages of interest → version."""
    candidates: Mapping[str, str] | None = None
    """Packages of interest that apt could install → version; empty where the lists were never fetched."""
    apparmor: bool | None = None
    selinux: str | None = None
    """``enforcing``, ``permissive`` or ``disabled``."""
    features: Mapping[str, bool] | None = None
    """vxlan, bridge, veth, dummy, overlay, nf_tables."""
    sysctls: Mapping[str, Sysctl] | None = None
    chains: tuple[str, ...] | None = None
    """``table/CHAIN`` of iptables that are not built in."""
    nft_tables: tuple[str, ...] | None = None
    """``family name``."""
    devices: frozenset[str] | None = None
    marker: Mapping[str, Any] | None = None
    """Content of /etc/rancherctl/environment.json: whose host this is; {} when it is nobody's."""

    def can(self, capability: int) -> bool | None:
        """Whether process 1 may have a capability (by its bit); None when it could not be told."""
        return None if self.capabilities is None else bool(self.capabilities >> capability & 1)

    @property
    def may_raise_limits(self) -> bool | None:
        """CAP_SYS_RESOURCE: without it runc cannot lower oom_score_adj (containers, LXC)."""
        return self.can(CAP_SYS_RESOURCE)


def gather(transport: Transport, *, now: Callable[[], float] = time.time) -> HostFacts:
    """All facts of a host in one round trip. UnreachableError and AuthError as ever; a probe that fails is in ``unread``."""
    boundary = f"rancherctl-{secrets.token_hex(8)}"
    before = now()
    result = transport.run(script(script_text(), boundary, timeout=TIMEOUT), check=False)
    return parse(result.stdout.decode("utf-8", "replace"), boundary, before, now())


def parse(text: str, boundary: str, before: float, after: float) -> HostFacts:
    """The script's output as facts; ``before`` and ``after`` are our clock around it. Pure."""
    found = sections(text, boundary)
    fields: dict[str, Any] = {}
    unread: dict[str, str] = {}
    for probe in PROBES:
        if probe.name not in found:
            unread[probe.name] = "no answer"
            continue
        status, output = found[probe.name]
        if status != 0 and not probe.any_status:
            unread[probe.name] = (output.strip().splitlines() or [f"exit status {status}"])[-1][:300]
            continue
        try:
            fields |= probe.parser(output)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            unread[probe.name] = f"not understood: {error}"[:300]
    if "clock" in fields:
        # the clock is the first thing that is read, soon after the command was sent
        fields |= {"skew": fields["clock"] - (before + after) / 2, "skew_error": (after - before) / 2}
    return HostFacts(unread=unread, **fields)
