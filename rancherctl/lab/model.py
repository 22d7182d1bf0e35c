"""What a lab is: its hosts, subnets, addresses and names. Pure values and arithmetic, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from rancherctl.errors import ConflictError, NotFoundError, UsageError

Os = Literal["debian12", "debian13"]
Variant = Literal["full", "bare"]
HostState = Literal["running", "cut", "stopped", "unknown"]
Firewall = Literal["nft", "ufw", "firewalld"]

SUITES: dict[Os, str] = {"debian12": "bookworm", "debian13": "trixie"}
POOL = IPv4Network("10.77.0.0/16")
POD_CIDR = IPv4Network("10.42.0.0/16")
DEFAULT_NAME = "lab"
DEFAULT_HOSTS = 4
MAX_HOSTS = 60
MAX_SUBNETS = 2
FIRST_HOST = 10  # h1 is .11
MACHINE = 254  # the machine's own address in the first subnet
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


@dataclass(frozen=True, slots=True)
class LabSpec:
    """What was requested. ``hosts`` counts over all ``subnets`` (1 or 2)."""

    name: str
    hosts: int
    subnets: int = 1
    bare: bool = False
    os: Os = "debian13"
    firewall: Firewall | None = None
    """The hosts' own firewall, which denies by default; None = hosts have none."""
    filter_pod_sources: bool = False
    """Whether the bridges drop packets with pod source addresses, as clouds and switches do."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 1 <= self.hosts <= MAX_HOSTS:
            raise UsageError(f"lab {self.name}: {self.hosts} hosts", why=f"a lab has 1 to {MAX_HOSTS} hosts")
        if not 1 <= self.subnets <= MAX_SUBNETS:
            raise UsageError(f"lab {self.name}: {self.subnets} subnets", why=f"a lab has 1 to {MAX_SUBNETS} subnets")
        system_named(self.os)

    @property
    def variant(self) -> Variant:
        """Which root tree the hosts are cloned from."""
        return "bare" if self.bare else "full"


@dataclass(frozen=True, slots=True)
class LabHost:
    """One host as designed: ``subnet`` is the position (0, 1) of its network in ``Lab.networks``."""

    name: str
    address: IPv4Address
    subnet: int


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab with its addresses given out. Values derived from it are the same on every run."""

    spec: LabSpec
    networks: tuple[IPv4Network, ...]

    @property
    def name(self) -> str:
        """The lab's name, unique on the machine."""
        return self.spec.name

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """h1, h2 … distributed over the subnets in turn, so that a growing lab keeps its addresses."""
        return tuple(self._host(number) for number in range(1, self.spec.hosts + 1))

    def _host(self, number: int) -> LabHost:
        subnet = (number - 1) % len(self.networks)
        return LabHost(f"h{number}", self.networks[subnet][FIRST_HOST + number], subnet)

    def host(self, name: str) -> LabHost:
        """The host of that name, or NotFoundError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise NotFoundError(
            f"lab {self.name} has no host {name}", hint=f"its hosts are {', '.join(h.name for h in self.hosts)}"
        )

    def gateway(self, subnet: int) -> IPv4Address:
        """The address of the lab's router in a subnet."""
        return self.networks[subnet][1]

    @property
    def machine_address(self) -> IPv4Address:
        """The machine's own address, in the first subnet."""
        return self.networks[0][MACHINE]

    @property
    def netns(self) -> str:
        """The network namespace that holds the bridges and the router."""
        return netns_of(self.name)

    @property
    def machine_link(self) -> str:
        """The machine's end of its veth pair; unique because the subnet is (interface names have 15 characters)."""
        return f"rctl-lab{self.networks[0].network_address.packed[2]}"

    def bastion(self, host: LabHost) -> LabHost | None:
        """The host of the first subnet that ssh goes through, None where the machine has a way itself."""
        return None if host.subnet == 0 else self.hosts[0]


def check_name(name: str) -> str:
    """The name itself, or UsageError: it becomes part of file, interface and namespace names."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"lab name {name!r} is not usable",
            why="a name has a-z, 0-9 and -, starts with a letter and has up to 20 characters",
        )
    return name


def machine_name(lab: str, host: str) -> str:
    """The name nspawn knows a host by; unique on the machine, newer nspawn refuses a second one."""
    return f"{lab}-{host}"


def netns_of(name: str) -> str:
    """The network namespace of the lab of that name."""
    return f"rancherctl-lab-{name}"


def system_named(text: str) -> Os:
    """The system of that name, or UsageError."""
    for known in SUITES:
        if text == known:
            return known
    raise UsageError(f"unknown system {text!r}", why=f"known are {', '.join(SUITES)}")


def grown(have: Lab, spec: LabSpec) -> Lab:
    """``have`` with the number of hosts of ``spec``; ConflictError where that would change or remove hosts."""
    old = have.spec
    if (old.subnets, old.bare, old.os, old.firewall) != (spec.subnets, spec.bare, spec.os, spec.firewall):
        raise ConflictError(
            f"lab {old.name} exists and is different",
            why=f"it has {old.subnets} subnets of {_kind(old)} hosts, requested: {spec.subnets} of {_kind(spec)}",
            hint=f"rancherctl lab down --name {old.name}",
        )
    if spec.hosts < old.hosts:
        raise ConflictError(
            f"lab {old.name} has {old.hosts} hosts, asked were {spec.hosts}",
            hint=f"rancherctl lab down --name {old.name}",
        )
    return Lab(spec, have.networks)


def _kind(spec: LabSpec) -> str:
    return f"{spec.variant} {spec.os}{f' {spec.firewall}' if spec.firewall else ''}"


def asked(
    name: str,
    have: LabSpec | None,
    *,
    hosts: int | None,
    subnets: int | None,
    bare: bool | None,
    os: Os | None,
    firewall: Firewall | None = None,
    filter_pod_sources: bool | None = None,
) -> LabSpec:
    """What was asked for. None = not said: as the lab has it (``have``), or as a new one gets it."""
    base = have or LabSpec(name, DEFAULT_HOSTS)
    return LabSpec(
        name,
        base.hosts if hosts is None else hosts,
        base.subnets if subnets is None else subnets,
        base.bare if bare is None else bare,
        base.os if os is None else os,
        base.firewall if firewall is None else firewall,
        base.filter_pod_sources if filter_pod_sources is None else filter_pod_sources,
    )


def free_networks(count: int, taken: frozenset[IPv4Network]) -> tuple[IPv4Network, ...]:
    """The first ``count`` /24 networks of POOL that overlap nothing ``taken``."""
    free: list[IPv4Network] = []
    for network in POOL.subnets(new_prefix=24):
        if any(network.overlaps(other) for other in taken if other.prefixlen > 0):
            continue
        free.append(network)
        if len(free) == count:
            return tuple(free)
    raise ConflictError(
        f"no {count} free subnets in {POOL}",
        why="labs and routes of the machine take them",
        hint="rancherctl lab down --all",
    )
